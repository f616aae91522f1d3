/*
 * When and how to help a guest's RAM across: from samples to actions; no I/O,
 * no clock.
 *
 * The limit on QEMU's downtime starts strict, because QEMU stops the guest as
 * soon as what remains fits the limit: with 300 ms it takes a blackout of
 * 120-144 ms where 30 ms were to be had in the same total time (DESIGN.md).
 * From there it is a ladder, in the order of harm: a longer limit, throttling,
 * post-copy, a pause, giving up.  qmigrate-convergence(7) tells it to operators.
 */
#ifndef QM_CORE_CONVERGE_H
#define QM_CORE_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

#define CONVERGE_FIRST_LIMIT_MS 20
/* QEMU counts a pass as it begins: in the second one all of the RAM went. */
#define CONVERGE_WHOLE_PASS 2

struct converge_rules {
    int64_t max_downtime_ms;    /* QEMU's limit never exceeds this */
    int64_t own_part_ms;        /* of a stop: the engine's own commands */
    uint64_t bandwidth_bps;     /* what QEMU may send; 0: no limit */
    int64_t timeout_ms;         /* from `migrate` on; 0: none */
    int64_t timeout_per_gib_ms; /* the same for each GiB of RAM; the longer */
    bool pause_on_timeout;      /* else abort */
    bool postcopy_on_timeout;   /* neither: switch */
    bool postcopy;              /* it is allowed */
    int patience;               /* struct policy */
    int first_throttle;         /* at least */
    int max_throttle;
    bool pause_when_stuck;
};

struct converge_sample {
    int64_t at_ms;                          /* since `migrate` */
    int64_t pass;                           /* dirty-sync-count */
    uint64_t total, remaining, transferred; /* bytes */
    /* Pages that were dealt with, in bytes: also those that were found to be
     * zero, of which next to nothing is transferred. */
    uint64_t processed;
    uint64_t dirty_bps; /* QEMU's dirty-pages-rate in bytes; 0: not known */
    /* What remained at the last sync, over the rate: QEMU's own words. */
    int64_t expected_downtime_ms;
    int throttle_percent; /* in force */
};

/* Flags: what is to be done now. */
enum converge_action {
    CONVERGE_WAIT = 0,
    CONVERGE_SET_LIMIT = 1, /* the downtime limit, of limit_ms */
    CONVERGE_THROTTLE = 2,  /* up to throttle percent */
    CONVERGE_PAUSE = 4,     /* stop the guest at the source: it then finishes */
    CONVERGE_ABORT = 8,
    /* Let the guest go on at the destination before its RAM is across: only
     * once, after a whole pass. */
    CONVERGE_POSTCOPY = 16,
};

enum converge_outlook {
    OUTLOOK_UNKNOWN, /* nothing was measured yet */
    /* How fast the guest writes is not known before QEMU has looked twice:
     * left_ms is what the first pass still takes */
    OUTLOOK_FIRST_PASS,
    OUTLOOK_ENDS,  /* in left_ms, with a stop of blackout_ms */
    OUTLOOK_REST,  /* post-copy: the rest is across in left_ms */
    OUTLOOK_LOST,  /* post-copy: the network is away */
    OUTLOOK_NEVER, /* not by the means in force: hot_bytes are dirtied again
                      * and again */
};

struct converge {
    struct converge_rules rules;
    int64_t limit_ms; /* the limit in force */
    int throttle;     /* percent at most that we asked for; 0: none */
    bool paused;
    bool postcopied; /* it was asked for */
    bool
        timed_out; /* the pause, switch or abort is the timeout's, not the ladder's */

    /* the real rate, over at least a second */
    bool window_open;
    int64_t window_at_ms;
    uint64_t window_transferred, window_processed;
    uint64_t bps;           /* on the wire; 0: not known yet */
    uint64_t best_bps;      /* the highest so far */
    uint64_t processed_bps; /* pages dealt with */

    /* the round: all that remained when it began is dealt with */
    bool round_open;
    int64_t round_pass;
    uint64_t round_bytes, round_processed;
    int round_throttle;   /* in force when it began */
    int64_t pass_seen;    /* of the last sample */
    uint64_t left_behind; /* what the last whole round left; 0: none yet */
    int in_vain;          /* rounds in a row that left no less */
    bool stuck;           /* the last one did not, by the means in force */
    int unthrottled;      /* rounds since we asked, and QEMU did not */

    enum converge_outlook outlook;
    int64_t left_ms, blackout_ms;
    int64_t ram_stop_ms; /* RAM's part of blackout_ms */
    uint64_t hot_bytes;
    int64_t timeout_left_ms; /* 1 at least; 0: none, or it has acted */
};

/* How the rest comes across in post-copy, where no policy looks at it: the rate
 * over at least a second.  Zeroed before the first sample. */
struct converge_rest {
    bool open;
    int64_t at_ms;
    uint64_t transferred;
    uint64_t bps; /* 0: nothing comes, or it is not known yet */
    enum converge_outlook outlook;
    int64_t left_ms; /* of OUTLOOK_REST */
};

/* LOST: the network is away.  SAMPLE is NULL where the source could not be
 * asked: then nothing is known. */
void converge_rest(struct converge_rest *r,
                   const struct converge_sample *sample, bool lost);
/* QEMU's part of a stop of MAX_DOWNTIME_MS in all, of which the engine takes
 * OWN_PART_MS.  No less than the first limit, where that is allowed: a limit of
 * a millisecond is met by no guest that writes. */
int64_t converge_part_of_qemu(int64_t max_downtime_ms, int64_t own_part_ms);
/* What both timeouts come to for TOTAL bytes of RAM; 0: none. */
int64_t converge_timeout_ms(const struct converge_rules *rules, uint64_t total);
void converge_init(struct converge *c, const struct converge_rules *rules);
/* The actions for now, or'ed; what they take stands in C. */
unsigned converge_step(struct converge *c,
                       const struct converge_sample *sample);

#endif
