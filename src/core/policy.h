/*
 * How much a guest may suffer so that it gets across: three named sets of
 * knobs, each of which an option overrides.  Nothing that the convergence
 * policy may do is decided elsewhere.
 */
#ifndef QM_CORE_POLICY_H
#define QM_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy {
    const char *name;        /* "gentle", "balanced", "urgent" */
    int64_t max_downtime_ms; /* the stop to aim for at most */
    int patience;            /* whole passes in vain before the next rung */
    int first_throttle;      /* percent, of the first rung, at least */
    int max_throttle;        /* percent of a vCPU's time; 0: never throttled */
    bool tailslow; /* near its end QEMU throttles no more than it must */
    bool pause_when_stuck; /* when nothing milder is left; else go on */
};

extern const struct policy policies[];
extern const size_t policy_count;
extern const struct policy *const policy_default;
const struct policy *policy_named(const char *name); /* or NULL */

#endif
