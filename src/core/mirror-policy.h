/*
 * When a disk is written faster than it is copied, when a mirror slows the
 * guest down, and when it does not advance at all: from samples to advice; no
 * I/O, no clock.
 *
 * A background mirror copies what the guest wrote again and again; if that is
 * more than it moves, it never gets there.  A write-blocking one always does,
 * at the cost of the guest's writes.  A burst of writes is waited out: advice
 * comes after two windows in a row, and only if the mirror as it is would take
 * longer than a whole new one.
 */
#ifndef QM_CORE_MIRROR_POLICY_H
#define QM_CORE_MIRROR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define MIRROR_WINDOW_MS 5000
#define MIRROR_WINDOWS 2 /* in a row, all of them bad */
/* Twice what a mirror has in flight: QEMU counts what the guest dirtied only
 * as often as that was written. */
#define MIRROR_WINDOW_BYTES (32ULL << 20)

/* Zeroed before the first sample. */
struct mirror_pace {
    int64_t window_at_ms; /* 0: no sample yet */
    uint64_t window_current, window_remaining;
    uint64_t whole; /* what remained at first: the cost of a new mirror */
    int bad_windows;
    uint64_t copied_bps, written_bps; /* of the last window */
};

/*
 * CURRENT and TOTAL are the job's progress, in bytes: TOTAL grows with what
 * the guest dirties.  True once the disk is written faster than it is copied;
 * a mirror that does not move at all is a stall, and no reason.
 */
bool mirror_is_overtaken(struct mirror_pace *p, int64_t now_ms,
                         uint64_t current, uint64_t total);

/* A guest's writes, as query-blockstats counts them since its start. */
struct write_count {
    uint64_t writes, total_ns;
};

/* Zeroed before the first sample. */
struct write_pace {
    int64_t window_at_ms; /* 0: no sample yet */
    struct write_count window;
    double usual_ms; /* a write took before it was held up; 0: not known */
    double now_ms;   /* and takes, as last told; 0: nothing was told */
};

/*
 * BLOCKING: a write waits for the destination too.  True when the guest's
 * writes have become so slow by it that it must be told: usual_ms and now_ms
 * are the figures.  Once told, only a doubling is told again.
 */
bool mirror_slows_writes(struct write_pace *p, int64_t now_ms,
                         const struct write_count *count, bool blocking);

/* A mirror's job, as it was seen at one time. */
struct mirror_sight {
    int64_t now_ms;
    uint64_t current, total; /* as above */
    bool ready, blocking;
    bool patient;      /* a lost network is waited for: see step-converge.c */
    int64_t speed_bps; /* its limit; 0: none */
};

/* Zeroed before the first sample. */
struct mirror_quiet {
    int64_t seen_ms; /* 0: not yet */
    uint64_t current;
    enum {
        MIRROR_IN_SYNC, /* there is nothing to do */
        MIRROR_COPIES,
        MIRROR_PREPARES, /* it zeroes the target, or flushes it */
    } does;
    int64_t quiet_ms; /* it was seen to do that without a byte for so long */
    int64_t limit_ms; /* and may be for so long */
    int64_t told_ms;  /* when that was last worth a warning; 0: never */
};

enum mirror_advice { MIRROR_IS_WELL, MIRROR_IS_QUIET, MIRROR_IS_STUCK };

/*
 * One byte that moved makes it well; so does that there is nothing to do.
 * Quiet is worth a warning, which is not given again within a minute; stuck is
 * its end.  Time in which nobody looked does not count: QEMU may have been
 * stopped.
 */
enum mirror_advice mirror_is_stuck(struct mirror_quiet *p,
                                   const struct mirror_sight *s);

#endif
