/*
 * How many connections the RAM goes over: from what is known of both hosts and
 * QEMUs to a number and why.  Pure; qmigrate-convergence(7) has the rule.
 */
#ifndef QM_CORE_CHANNELS_H
#define QM_CORE_CHANNELS_H

#include "core/plan.h"

struct channels_facts {
    bool tls;
    bool postcopy;            /* it is allowed */
    bool has_multifd;         /* both QEMUs do */
    bool compressed;          /* --compress: that takes a channel at least */
    long version[SIDES];      /* 10000002 is 10.0.2 */
    int cores[SIDES];         /* that QEMU may run on; 0: not known */
    int64_t link_mbit[SIDES]; /* of the interface; 0: not known */
};

struct channels {
    int count;    /* multifd-channels; 0: the single stream */
    char why[96]; /* "the link carries no more than one stream does" */
};

/* A channel for each so much of the link: what one core does. */
#define CHANNEL_TLS_MBIT 2000
#define CHANNEL_CLEAR_MBIT 10000
#define CHANNELS_CHOSEN_MAX 16

struct channels channels_choose(const struct channels_facts *f);

/* What is known to be wrong with several channels between these two, or
 * NULL. */
const char *channels_fault(const struct channels_facts *f);
/* Is it that the destination cannot read them at all? */
bool channels_are_unreadable(const struct channels_facts *f);

#endif
