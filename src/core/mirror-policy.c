/*
 * Mirrors against the guest's writes: who is faster, and who pays.
 */
#include "core/mirror-policy.h"

/* A write that takes less than this disturbs nobody worth a warning, and one
 * is slow if it takes this many times what it took before. */
#define SLOW_WRITE_MS 100.0
#define SLOW_WRITE_TIMES 4.0

/*
 * A guest whose writes wait for the mirror has disk timeouts of its own, 30 s
 * for Linux's SCSI: it must get its answer before.  While it zeroes or flushes
 * the target a mirror has no figure, for as long as the storage there takes;
 * the limit is what QEMU itself does without progress.
 */
#define BLOCKING_WARN_MS 5000
#define BLOCKING_LIMIT_MS 15000
#define BACKGROUND_WARN_MS 10000
#define BACKGROUND_LIMIT_MS 30000
#define PATIENT_LIMIT_MS 120000
#define PREPARE_WARN_MS 60000
#define PREPARE_LIMIT_MS 600000
#define QUIET_TOLD_MS 60000
#define SLOW_STORAGE_BPS (16ULL << 20)
/* Twice the interval at which it is looked at, and more. */
#define LOOK_COUNTS_MS 3000
/* QEMU has so much in flight at once, and pauses for what the speed is then. */
#define IN_FLIGHT_BYTES (16ULL << 20)

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

static int64_t pause_of_speed_ms(const struct mirror_sight *s)
{
    return s->speed_bps > 0
               ? (int64_t)(IN_FLIGHT_BYTES * 1000 / (uint64_t)s->speed_bps)
               : 0;
}

static int64_t warn_after_ms(const struct mirror_quiet *p,
                             const struct mirror_sight *s)
{
    if (p->does == MIRROR_PREPARES)
        return PREPARE_WARN_MS;
    return (s->blocking ? BLOCKING_WARN_MS : BACKGROUND_WARN_MS) +
           pause_of_speed_ms(s);
}

/* A write of the guest is counted once it is done, also one that zeroes or
 * discards two gigabytes: storage that does that slowly is not stuck. */
static int64_t under_way_ms(const struct mirror_sight *s)
{
    uint64_t ms = (s->total - s->current) * 1000 / SLOW_STORAGE_BPS;

    return ms < PREPARE_LIMIT_MS ? (int64_t)ms : PREPARE_LIMIT_MS;
}

static int64_t stuck_after_ms(const struct mirror_quiet *p,
                              const struct mirror_sight *s)
{
    if (p->does == MIRROR_PREPARES)
        return PREPARE_LIMIT_MS;
    return (s->patient    ? PATIENT_LIMIT_MS
            : s->blocking ? BLOCKING_LIMIT_MS
                          : BACKGROUND_LIMIT_MS) +
           pause_of_speed_ms(s) +
           (s->ready && s->blocking ? under_way_ms(s) : 0);
}

static void note_sight(struct mirror_quiet *p, const struct mirror_sight *s)
{
    int64_t span_ms = s->now_ms - p->seen_ms;
    int does = s->current < s->total ? MIRROR_COPIES
               : s->ready            ? MIRROR_IN_SYNC
                                     : MIRROR_PREPARES;

    if (p->seen_ms == 0 || s->current != p->current || (int)p->does != does)
        p->quiet_ms = 0;
    else
        p->quiet_ms += span_ms < LOOK_COUNTS_MS ? span_ms : LOOK_COUNTS_MS;
    p->seen_ms = s->now_ms;
    p->current = s->current;
    p->does = does;
    p->limit_ms = stuck_after_ms(p, s);
}

enum mirror_advice mirror_is_stuck(struct mirror_quiet *p,
                                   const struct mirror_sight *s)
{
    note_sight(p, s);
    if (p->does == MIRROR_IN_SYNC)
        return MIRROR_IS_WELL;
    if (p->quiet_ms >= p->limit_ms)
        return MIRROR_IS_STUCK;
    if (p->quiet_ms < warn_after_ms(p, s) ||
        (p->told_ms > 0 && s->now_ms - p->told_ms < QUIET_TOLD_MS))
        return MIRROR_IS_WELL;
    p->told_ms = s->now_ms;
    return MIRROR_IS_QUIET;
}
