/*
 * Progress where nothing can be redrawn: a line at each step, and one now and
 * then.
 */
#include "cli/figures.h"
#include "cli/show-parts.h"

/* "[   5.0 s] ", as wide for the first hour as for the first second */
static void stamp(struct buffer *b, int64_t elapsed_ms)
{
    if (elapsed_ms < 0) {
        elapsed_ms = 0;
    }
    buffer_printf(b, "[%6lld.%d s] ", (long long)(elapsed_ms / 1000),
                  (int)(elapsed_ms % 1000 / 100));
}

static void add_figure(struct buffer *b, size_t start, const char *before,
                       const char *figure)
{
    buffer_printf(b, "%s%s%s", b->len > start ? ", " : "", before, figure);
}

static void ram_in_words(struct buffer *b, size_t start,
                         const struct progress *p)
{
    uint64_t moved = p->ram_total - p->ram_remaining;

    if (p->ram_remaining > p->ram_total) {
        moved = 0;
    }
    buffer_printf(b, "%sRAM %u %%", b->len > start ? ", " : "",
                  p->ram_total ? percent_of(moved, p->ram_total) : 0);
    if (p->pass > 1) {
        buffer_printf(b, " in pass %lld", (long long)p->pass);
    }
    add_figure(b, start, "", figure_rate(p->ram_bps).s);
    if (p->dirty_bps > 0) {
        add_figure(b, start, "dirties ", figure_rate(p->dirty_bps).s);
    }
    if (p->throttle_percent > 0) {
        buffer_printf(b, ", slowed down by %d %%", p->throttle_percent);
    }
    if (p->downtime_limit_ms > 0) {
        add_figure(b, start, "downtime limit ",
                   figure_ms(p->downtime_limit_ms).s);
    }
    if (p->outlook == OUTLOOK_FIRST_PASS) {
        add_figure(b, start, "first pass ends ", figure_in(p->left_ms).s);
    } else if (p->outlook == OUTLOOK_NEVER) {
        add_figure(b, start, "never ends this way: hot set ",
                   figure_bytes(p->hot_bytes).s);
    } else if (p->outlook == OUTLOOK_ENDS) {
        add_figure(b, start, "ends ", figure_in(p->left_ms).s);
        add_figure(b, start, "blackout about ", figure_ms(p->blackout_ms).s);
    } else if (p->outlook == OUTLOOK_REST) {
        add_figure(b, start, "all is across ", figure_in(p->left_ms).s);
    } else if (p->outlook == OUTLOOK_LOST) {
        buffer_printf(b, ", the network is lost");
    }
    if (p->timeout_left_ms > 0) {
        buffer_printf(b, ", %s in %s", on_timeout_name(p->on_timeout),
                      figure_left(p->timeout_left_ms).s);
    }
}

void progress_in_words(struct buffer *b, const struct progress *p)
{
    size_t start = b->len;

    if (p->disk_count > 0) {
        buffer_printf(b, "disks %u %% of %s",
                      p->disk_total ? percent_of(p->disk_copied, p->disk_total)
                                    : 0,
                      figure_bytes(p->disk_total).s);
        if (!p->ram && p->disk_bps > 0) {
            add_figure(b, start, "", figure_rate(p->disk_bps).s);
        }
    }
    if (p->ram) {
        ram_in_words(b, start, p);
    }
}

static void rate_in_words(struct buffer *b, int64_t bps)
{
    buffer_printf(b, "%s", bps > 0 ? figure_rate((uint64_t)bps).s : "no limit");
}

void limits_in_words(struct buffer *b, const struct limits *l)
{
    int64_t timeout_s = l->value[LIMIT_TIMEOUT];
    int64_t per_gib_s = l->timeout_per_gib_s;

    buffer_printf(b, "bandwidth ");
    rate_in_words(b, l->value[LIMIT_BANDWIDTH]);
    buffer_printf(b, ", disk-bandwidth ");
    rate_in_words(b, l->value[LIMIT_DISK_BANDWIDTH]);
    buffer_printf(b, ", max-downtime-ms %lld, timeout-s %lld",
                  (long long)l->value[LIMIT_MAX_DOWNTIME],
                  (long long)timeout_s);
    if (per_gib_s > 0)
        buffer_printf(b, ", timeout-s-per-gib %lld", (long long)per_gib_s);
    if (per_gib_s > 0 && l->timeout_ms > 0)
        buffer_printf(b, " (in all %s)", figure_ms(l->timeout_ms).s);
    if (timeout_s > 0 || per_gib_s > 0)
        buffer_printf(b, ", on-timeout %s",
                      on_timeout_name(l->value[LIMIT_ON_TIMEOUT]));
    if (l->value[LIMIT_POSTCOPY_BANDWIDTH] > 0) {
        buffer_printf(b, ", postcopy-bandwidth ");
        rate_in_words(b, l->value[LIMIT_POSTCOPY_BANDWIDTH]);
    }
}

void lines_progress(struct buffer *b, int64_t elapsed_ms, bool insecure,
                    const struct progress *p)
{
    size_t start;

    stamp(b, elapsed_ms);
    buffer_printf(b, "%s%s", insecure ? "INSECURE " : "", p->step);
    start = b->len;
    buffer_printf(b, ": ");
    progress_in_words(b, p);
    if (b->len == start + 2) {
        buffer_printf(b, "still at it");
    }
    buffer_printf(b, "\n");
}

const struct progress *progress_of_step(const struct progress *last,
                                        const char *step, struct progress *bare)
{
    if (str_equal(last->step, step))
        return last;
    *bare = (struct progress){ .step = step };
    return bare;
}

void lines_sentence(struct buffer *b, int64_t elapsed_ms, const char *sentence)
{
    CLEANUP_FREE char *shown = str_printable(sentence);

    stamp(b, elapsed_ms);
    buffer_printf(b, "%s\n", shown);
}

static void step_in_words(struct buffer *b, int64_t elapsed_ms,
                          const struct narration *n)
{
    static const char *const words[] = {
        [STEP_BEGINS] = "",
        [STEP_FAILED] = ": failed",
        [STEP_CANCELLED] = ": cancelled",
        [STEP_UNDONE] = ": undone",
    };

    if (n->step == STEP_DONE) {
        return;
    }
    stamp(b, elapsed_ms);
    buffer_printf(b, "%s%s\n", n->text, words[n->step]);
}

void lines_narration(struct buffer *b, int64_t elapsed_ms, bool insecure,
                     const struct narration *n)
{
    CLEANUP_FREE char *text = NULL;

    switch (n->kind) {
    case NARRATE_STEP:
        step_in_words(b, elapsed_ms, n);
        break;
    case NARRATE_PROGRESS:
        lines_progress(b, elapsed_ms, insecure, n->progress);
        break;
    case NARRATE_WARNING:
        text = str_printable(n->text);
        stamp(b, elapsed_ms);
        buffer_printf(b, "warning: %s\n", text);
        break;
    case NARRATE_LIMITS:
        stamp(b, elapsed_ms);
        buffer_printf(b, "the limits are now: ");
        limits_in_words(b, n->limits);
        buffer_printf(b, "\n");
        break;
    case NARRATE_STATE:
    case NARRATE_PASS:
    case NARRATE_PREFLIGHT:
    case NARRATE_PLAN:
        break; /* passes and states are in the progress */
    }
}
