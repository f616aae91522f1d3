/*
 * When and how to help a guest's RAM across: from samples to an action; no
 * I/O, no clock.
 *
 * The limit on QEMU's downtime starts strict, because QEMU stops the guest as
 * soon as what remains fits the limit: with 300 ms it takes a blackout of
 * 120-144 ms where 30 ms were to be had in the same total time (DESIGN.md).
 * It rises only when passes stop shrinking what remains.
 */
#ifndef QM_CORE_CONVERGE_H
#define QM_CORE_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

#define CONVERGE_FIRST_LIMIT_MS 20

struct converge_rules {
    int64_t max_downtime_ms; /* QEMU's limit never exceeds this */
    int64_t timeout_ms;      /* from `migrate` on; 0: none */
    bool pause_on_timeout;   /* else abort */
};

struct converge_sample {
    int64_t at_ms;                          /* since `migrate` */
    int64_t pass;                           /* dirty-sync-count */
    uint64_t total, remaining, transferred; /* bytes */
    uint64_t dirty_bps; /* QEMU's dirty-pages-rate in bytes; 0: not known */
};

enum converge_action {
    CONVERGE_WAIT,
    CONVERGE_SET_LIMIT, /* of limit_ms */
    CONVERGE_PAUSE,     /* stop the guest at the source: it then finishes */
    CONVERGE_ABORT,
};

struct converge {
    struct converge_rules rules;
    int64_t limit_ms; /* the limit in force */
    bool paused;

    /* the real rate, over at least a second */
    int64_t window_at_ms;
    uint64_t window_transferred;
    uint64_t bps; /* 0: not known yet */

    /* what remained when each pass began */
    int64_t pass;
    uint64_t pass_remaining; /* 0: no whole pass seen */
    int stalls;

    int64_t left_ms; /* -1: not known; -2: not at this rate */
};

void converge_init(struct converge *c, const struct converge_rules *rules);
enum converge_action converge_step(struct converge *c,
                                   const struct converge_sample *sample);

#endif
