/*
 * Mirrors against the guest's writes: who is faster, and who pays.
 */
#include "core/mirror-policy.h"

/* A write that takes less than this disturbs nobody worth a warning, and one
 * is slow if it takes this many times what it took before. */
#define SLOW_WRITE_MS 100.0
#define SLOW_WRITE_TIMES 4.0

static void begin_window(struct mirror_pace *p, int64_t now_ms,
                         uint64_t current, uint64_t remaining)
{
    p->window_at_ms = now_ms;
    p->window_current = current;
    p->window_remaining = remaining;
}

/*
 * What the mirror moved and what remains tell what the guest wrote.  As it is
 * the mirror needs remaining / shrunk windows; a new one whole / moved, and
 * twice that with the guest's writes in its way.
 */
static bool window_is_bad(struct mirror_pace *p, int64_t span_ms,
                          uint64_t current, uint64_t remaining)
{
    uint64_t moved = current - p->window_current;
    uint64_t shrunk =
        p->window_remaining > remaining ? p->window_remaining - remaining : 0;
    uint64_t written = moved + remaining > p->window_remaining
                           ? moved + remaining - p->window_remaining
                           : 0;

    p->copied_bps = moved * 1000 / (uint64_t)span_ms;
    p->written_bps = written * 1000 / (uint64_t)span_ms;
    if (remaining == 0)
        return false;
    return shrunk == 0 || (double)remaining / (double)shrunk >
                              2.0 * (double)p->whole / (double)moved;
}

bool mirror_is_overtaken(struct mirror_pace *p, int64_t now_ms,
                         uint64_t current, uint64_t total)
{
    uint64_t remaining = total > current ? total - current : 0;
    int64_t span_ms = now_ms - p->window_at_ms;

    if (total == 0) /* it has not begun: the target may be zeroed first */
        return false;
    if (p->whole == 0) {
        p->whole = total;
        begin_window(p, now_ms, current, remaining);
        return false;
    }
    if (span_ms < MIRROR_WINDOW_MS ||
        current < p->window_current + MIRROR_WINDOW_BYTES)
        return false;
    if (window_is_bad(p, span_ms, current, remaining))
        p->bad_windows++;
    else
        p->bad_windows = 0;
    begin_window(p, now_ms, current, remaining);
    return p->bad_windows >= MIRROR_WINDOWS;
}

bool mirror_slows_writes(struct write_pace *p, int64_t now_ms,
                         const struct write_count *count, bool blocking)
{
    uint64_t writes = count->writes - p->window.writes;
    double each_ms = 0;
    bool is_slow;

    if (p->window_at_ms == 0 || count->writes < p->window.writes) {
        p->window_at_ms = now_ms;
        p->window = *count;
        if (count->writes > 0 && !blocking)
            p->usual_ms = (double)count->total_ns / 1e6 / (double)count->writes;
        return false;
    }
    /* A window in which no write ended is not over. */
    if (now_ms - p->window_at_ms < MIRROR_WINDOW_MS || writes == 0)
        return false;
    each_ms =
        (double)(count->total_ns - p->window.total_ns) / 1e6 / (double)writes;
    p->window_at_ms = now_ms;
    p->window = *count;
    if (!blocking) {
        p->usual_ms = each_ms;
        return false;
    }
    is_slow = each_ms >= SLOW_WRITE_MS &&
              each_ms >= SLOW_WRITE_TIMES * p->usual_ms &&
              each_ms >= 2 * p->now_ms;
    if (is_slow)
        p->now_ms = each_ms;
    return is_slow;
}
