/*
 * The limits that an operator may change while the migration runs: those of
 * the plan to begin with, then what `set` made of them.
 */
#ifndef QM_CORE_LIMITS_H
#define QM_CORE_LIMITS_H

#include "core/plan.h"

/* name, as options and `set` call it */
#define QM_LIMITS(X)                                                           \
    X(BANDWIDTH, "bandwidth")           /* RAM, bytes a second; 0: none */     \
    X(DISK_BANDWIDTH, "disk-bandwidth") /* each disk, the same */              \
    X(MAX_DOWNTIME, "max-downtime-ms")                                         \
    X(TIMEOUT, "timeout-s")                     /* 0: none */                  \
    X(ON_TIMEOUT, "on-timeout")                 /* enum plan_on_timeout */     \
    X(POSTCOPY_BANDWIDTH, "postcopy-bandwidth") /* like bandwidth */

enum limit {
#define X(name, text) LIMIT_##name,
    QM_LIMITS(X)
#undef X
        LIMITS
};

struct limits {
    int64_t value[LIMITS];
    /* Of the plan, until a timeout-s is set: that replaces both. */
    int64_t timeout_per_gib_s;
    /* What they come to; 0: none, or the size of RAM is not known yet. */
    int64_t timeout_ms;
};

/* Which of them are to change, and to what. */
struct limit_changes {
    bool is_set[LIMITS];
    struct limits to;
};

const char *limit_name(enum limit limit); /* "disk-bandwidth" */
/* The limit of that name, or LIMITS. */
enum limit limit_named(const char *name);
void limits_of_plan(const struct plan *p, struct limits *ret);
/* The other way: those that are set in C, and the timeout for each GiB. */
void limits_to_plan(const struct limit_changes *c, struct plan *p);
/* Is VALUE one that it may have?  USAGE. */
int limit_check(enum limit limit, int64_t value, struct qm_error *err);
/* "abort", "pause" or "postcopy", and back: -1 with USAGE. */
const char *on_timeout_name(int64_t value);
int on_timeout_named(const char *name, int64_t *ret, struct qm_error *err);

#endif
