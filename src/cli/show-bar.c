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

static void put(struct buffer *line, const char *before, const char *figure)
{
    buffer_printf(line, "  %s%s", before, figure);
}

static void draw_ram(struct buffer *line, const struct progress *p)
{
    if (p->left_ms == -2) {
        put(line, "", "will not converge at this rate");
    } else if (p->left_ms >= 0) {
        put(line, figure_left(p->left_ms).s, " left");
    }
    if (p->dirty_bps > 0) {
        put(line, "dirties ", figure_rate(p->dirty_bps).s);
    }
    if (p->pass > 0) {
        buffer_printf(line, "  pass %lld", (long long)p->pass);
    }
    if (p->downtime_limit_ms > 0) {
        put(line, "limit ", figure_ms(p->downtime_limit_ms).s);
    }
    if (p->throttle_percent > 0) {
        buffer_printf(line, "  slowed by %d %%", p->throttle_percent);
    }
    if (p->disk_count > 0) {
        buffer_printf(line, "  disks %u %%",
                      percent_of(p->disk_copied, p->disk_total));
    }
}

static void draw_disks(struct buffer *line, const struct progress *p)
{
    if (p->disk_bps > 0 && p->disk_total > p->disk_copied) {
        uint64_t left = p->disk_total - p->disk_copied;

        put(line,
            figure_left((int64_t)((double)left * 1000 / (double)p->disk_bps)).s,
            " left");
    }
    buffer_printf(line, "  %s of %s on %zu disk%s",
                  figure_bytes(p->disk_copied).s, figure_bytes(p->disk_total).s,
                  p->disk_count, p->disk_count == 1 ? "" : "s");
}

static void draw_figures(struct buffer *line, const struct progress *p)
{
    if (p->ram) {
        draw_ram(line, p);
    } else if (p->disk_count > 0) {
        draw_disks(line, p);
    }
}

static unsigned draw_second(struct buffer *b, const struct bar *bar,
                            const struct style *style)
{
    CLEANUP(buffer_done) struct buffer line = { .data = NULL };
    static const char insecure[] = "INSECURE";
    int64_t seconds = bar->elapsed_ms / 1000;
    unsigned columns = style->columns, tag = 0;

    if (bar->insecure && columns > sizeof(insecure) + 1) {
        buffer_printf(b, "%s%s%s ", dress(style, RED), insecure,
                      dress(style, PLAIN));
        tag = (unsigned)sizeof(insecure); /* with the blank after it */
    }
    buffer_printf(&line, "%lld:%02lld", (long long)(seconds / 60),
                  (long long)(seconds % 60));
    if (bar->progress && !bar->undoing) {
        draw_figures(&line, bar->progress);
    }
    return tag + put_line(b, &line, columns - tag);
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
