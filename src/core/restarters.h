/*
 * Who, beside systemd, may start a QEMU again once it has ended: a pure
 * function from what its host says of it to a list.
 */
#ifndef QM_CORE_RESTARTERS_H
#define QM_CORE_RESTARTERS_H

#include "core/host.h"

enum restart_when {
    RESTART_NEVER,      /* it would, but was told not to */
    RESTART_LIKELY,     /* it may: nothing that is seen says no */
    RESTART_AFTER_KILL, /* not after a clean end */
    RESTART_ALWAYS,
};

struct restarter {
    enum restart_when when;
    char *who; /* "runit (process 42, runsv)" */
    char *fix; /* a command that shows it, or stops it; for sh */
};

struct restarters {
    size_t count;
    struct restarter *item;
};

struct restarters restarters_find(const struct unit_facts *u);
void restarters_done(struct restarters *r);
DEFINE_CLEANUP_DONE(struct restarters, restarters_done)

#endif
