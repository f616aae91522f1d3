/*
 * How long the guest stood still, and on what: from the times that the steps
 * noted to the figures of the result.  Pure.
 */
#ifndef QM_CORE_BLACKOUT_H
#define QM_CORE_BLACKOUT_H

#include "core/result.h"

/* Of our clock; 0: it did not come to that. */
struct blackout_times {
    int64_t stopped_us;    /* the source's STOP was seen */
    int64_t switchover_us; /* pre-switchover was known */
    int64_t settled_us;    /* every mirror had concluded */
    int64_t verified_us;   /* the disks were compared */
    int64_t completed_us;  /* the source had given the guest up */
    int64_t running_us;    /* the destination's RESUME was seen */
    int64_t announced_us;  /* it was told to announce its guest */
    int64_t qemu_downtime_ms;
    bool we_paused; /* the guest stood still while its RAM moved */
};

/* Fills the blackout and its parts in R.  They add up, but for the announcing,
 * which comes when the guest runs. */
void blackout_split(const struct blackout_times *t, struct result *r);

#endif
