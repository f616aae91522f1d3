/*
 * Two lines at the bottom of a terminal, drawn anew several times a second:
 *
 *     converge             [############........] RAM 61 %      812.4 MiB/s
 *     0:12  pass 2, dirties 20.3 MiB/s, limit 20 ms, will finish in 12 s
 *
 * Every line ends one column before the terminal's edge, so that none wraps.
 */
#include <stdio.h>
#include <string.h>

#include "cli/figures.h"
#include "cli/show-parts.h"

enum { STEP_COLUMNS = 20, BAR_MIN = 10, BAR_MAX = 60 };

/* What is drawn as a bar: RAM once it moves, before that the disks. */
struct gauge {
    const char *what;
    unsigned percent;
    uint64_t bps;
};

/* Of another step it is too old to be shown. */
static bool find_gauge(const struct bar *bar, struct gauge *ret)
{
    const struct progress *p = bar->progress;

    if (bar->undoing || !p || !str_equal(p->step, bar->step)) {
        return false;
    }
    if (p->ram) {
        uint64_t left =
            p->ram_remaining < p->ram_total ? p->ram_remaining : p->ram_total;

        *ret = (struct gauge){ "RAM", 0, p->ram_bps };
        if (p->ram_total > 0) {
            ret->percent = percent_of(p->ram_total - left, p->ram_total);
        }
        return true;
    }
    if (p->disk_count > 0) {
        *ret = (struct gauge){ "disks", 0, p->disk_bps };
        if (p->disk_total > 0) {
            ret->percent = percent_of(p->disk_copied, p->disk_total);
        }
        return true;
    }
    return false;
}

/* LINE, cut to fit: how wide it came out. */
static unsigned put_line(struct buffer *b, const struct buffer *line,
                         unsigned columns)
{
    size_t len = line->len;

    if (len > columns - 1) {
        len = columns - 1;
    }
    while (len > 0 && line->data[len - 1] == ' ') {
        len--;
    }
    buffer_append(b, line->data, len);
    return (unsigned)len;
}

static void put_gauge(struct buffer *line, const struct gauge *g,
                      unsigned columns)
{
    char tail[64];
    size_t room, used, full;

    /* of constant width, so that the bar stands still */
    snprintf(tail, sizeof(tail), " %s %3u %% %14s", g->what, g->percent,
             g->bps > 0 ? figure_rate(g->bps).s : "");
    used = line->len + 2 + strlen(tail) + 1;
    room = columns > used ? columns - used : 0;
    if (room > BAR_MAX) {
        room = BAR_MAX;
    }
    if (room >= BAR_MIN) {
        full = room * g->percent / 100;
        buffer_printf(line, "[");
        for (size_t i = 0; i < room; i++) {
            buffer_printf(line, i < full ? "#" : ".");
        }
        buffer_printf(line, "]");
    }
    buffer_printf(line, "%s", tail);
}

static unsigned draw_first(struct buffer *b, const struct bar *bar,
                           unsigned columns)
{
    CLEANUP(buffer_done) struct buffer line = { .data = NULL };
    const char *step = bar->step ? bar->step : "begin";
    struct gauge g;

    if (bar->undoing) {
        buffer_printf(&line, "undo: ");
    }
    buffer_printf(&line, "%-*s ", (int)(STEP_COLUMNS - (bar->undoing ? 6 : 0)),
                  step);
    if (find_gauge(bar, &g)) {
        put_gauge(&line, &g, columns);
    }
    return put_line(b, &line, columns);
}

/* The second line: what does not fit is left out, whole. */
struct items {
    struct buffer line;
    unsigned columns;
};

static void put(struct items *items, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct items *items, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    const char *gap = items->line.len > 0 ? "  " : "";
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    if (items->line.len + strlen(gap) + strlen(text) < items->columns) {
        buffer_printf(&items->line, "%s%s", gap, text);
    }
}

static void put_ram(struct items *items, const struct progress *p)
{
    if (p->outlook == OUTLOOK_FIRST_PASS) {
        put(items, "%s left of the first pass", figure_left(p->left_ms).s);
    } else if (p->outlook == OUTLOOK_NEVER) {
        put(items, "never ends this way: hot set %s",
            figure_bytes(p->hot_bytes).s);
    } else if (p->outlook == OUTLOOK_ENDS) {
        put(items, "%s left", figure_left(p->left_ms).s);
        put(items, "blackout %s", figure_ms(p->blackout_ms).s);
    } else if (p->outlook == OUTLOOK_REST) {
        put(items, "%s left", figure_left(p->left_ms).s);
    } else if (p->outlook == OUTLOOK_LOST) {
        put(items, "the network is lost");
    }
    if (p->timeout_left_ms > 0) {
        put(items, "%s in %s", on_timeout_name(p->on_timeout),
            figure_left(p->timeout_left_ms).s);
    }
    if (p->throttle_percent > 0) {
        put(items, "slowed by %d %%", p->throttle_percent);
    }
    if (p->dirty_bps > 0) {
        put(items, "dirties %s", figure_rate(p->dirty_bps).s);
    }
    if (p->pass > 0) {
        put(items, "pass %lld", (long long)p->pass);
    }
    if (p->downtime_limit_ms > 0) {
        put(items, "limit %s", figure_ms(p->downtime_limit_ms).s);
    }
    if (p->disk_count > 0) {
        put(items, "disks %u %%", percent_of(p->disk_copied, p->disk_total));
    }
}

static void put_disks(struct items *items, const struct progress *p)
{
    if (p->disk_bps > 0 && p->disk_total > p->disk_copied) {
        uint64_t left = p->disk_total - p->disk_copied;
        double left_ms = (double)left * 1000 / (double)p->disk_bps;

        put(items, "%s left", figure_left((int64_t)left_ms).s);
    }
    put(items, "%s of %s on %zu disk%s", figure_bytes(p->disk_copied).s,
        figure_bytes(p->disk_total).s, p->disk_count,
        p->disk_count == 1 ? "" : "s");
}

static unsigned draw_second(struct buffer *b, const struct bar *bar,
                            const struct style *style)
{
    static const char insecure[] = "INSECURE";
    int64_t seconds = bar->elapsed_ms / 1000;
    struct items items = { .columns = style->columns };
    unsigned tag = 0, width;

    if (bar->insecure && style->columns > sizeof(insecure) + 1) {
        buffer_printf(b, "%s%s%s ", dress(style, RED), insecure,
                      dress(style, PLAIN));
        tag = (unsigned)sizeof(insecure); /* with the blank after it */
    }
    items.columns -= tag;
    put(&items, "%lld:%02lld", (long long)(seconds / 60),
        (long long)(seconds % 60));
    if (bar->progress && !bar->undoing && bar->progress->ram) {
        put_ram(&items, bar->progress);
    } else if (bar->progress && !bar->undoing && bar->progress->disk_count) {
        put_disks(&items, bar->progress);
    }
    width = tag + put_line(b, &items.line, items.columns);
    buffer_done(&items.line);
    return width;
}

void bar_draw(struct buffer *b, const struct bar *bar,
              const struct style *style, unsigned ret_width[2])
{
    struct style s = *style;

    if (s.columns < 2) {
        s.columns = 2;
    }
    ret_width[0] = draw_first(b, bar, s.columns);
    buffer_printf(b, "\n");
    ret_width[1] = draw_second(b, bar, &s);
}

static unsigned rows_of(unsigned width, unsigned columns)
{
    return width == 0 ? 1 : (width + columns - 1) / columns;
}

unsigned bar_rows_up(const unsigned width[2], unsigned columns)
{
    if (columns == 0) {
        return 1;
    }
    return rows_of(width[0], columns) + rows_of(width[1], columns) - 1;
}
