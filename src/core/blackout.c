/*
 * The blackout, split.
 *
 * Each part ends where the next begins, in whole milliseconds from the STOP:
 * so rounding loses nothing, and the parts add up.
 */
#include "core/blackout.h"

static int64_t ms_since(int64_t from_us, int64_t to_us)
{
    return from_us > 0 && to_us >= from_us ? (to_us - from_us + 500) / 1000
                                           : -1;
}

/* From the end of the part before, which MARK_MS is, to TO_US. */
static int64_t part(const struct blackout_times *t, int64_t *mark_ms,
                    int64_t to_us)
{
    int64_t from_ms = *mark_ms, to_ms = ms_since(t->stopped_us, to_us);

    if (from_ms < 0 || to_ms < from_ms)
        return -1;
    *mark_ms = to_ms;
    return to_ms - from_ms;
}

/* STOP is told only once vCPUs and disks have come to rest.  How long that took
 * is what QEMU's downtime has more than was seen from STOP to `completed`;
 * unless the guest was stopped before it was to move. */
static int64_t rest_ms(const struct blackout_times *t)
{
    int64_t seen_ms = ms_since(t->stopped_us, t->completed_us);

    if (t->we_paused || seen_ms < 0 || t->qemu_downtime_ms < seen_ms)
        return 0;
    return t->qemu_downtime_ms - seen_ms;
}

void blackout_split(const struct blackout_times *t, struct result *r)
{
    int64_t mark_ms = t->stopped_us > 0 ? 0 : -1, rest = rest_ms(t);

    r->blackout_ms = ms_since(t->stopped_us, t->running_us);
    r->stop_ms = part(t, &mark_ms, t->switchover_us);
    r->mirrors_ms = part(t, &mark_ms, t->settled_us);
    if (t->verified_us > 0)
        r->verify_ms = part(t, &mark_ms, t->verified_us);
    r->device_ms = part(t, &mark_ms, t->completed_us);
    r->cont_ms = part(t, &mark_ms, t->running_us);
    r->announce_ms = ms_since(t->running_us, t->announced_us);
    if (r->stop_ms >= 0)
        r->stop_ms += rest;
    if (r->blackout_ms >= 0)
        r->blackout_ms += rest;
}
