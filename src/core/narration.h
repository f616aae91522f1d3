/*
 * What the engine tells while it works.  One callback gets everything, in the
 * order in which it happens; cli/ makes of it a bar, lines or JSON events.
 */
#ifndef QM_CORE_NARRATION_H
#define QM_CORE_NARRATION_H

#include "core/converge.h"
#include "core/limits.h"
#include "core/preflight.h"

/* How far the copy of a disk is. */
struct progress_disk {
    const char *label;
    const char *state; /* mirror_state_name() */
    uint64_t total, copied;
};

/* One sample; bytes, bytes a second, milliseconds. */
struct progress {
    const char *step; /* the recipe's row */
    int64_t elapsed_ms;
    /* RAM: from `start migration` on */
    bool ram;
    int64_t pass;
    uint64_t ram_total, ram_remaining, ram_transferred;
    uint64_t ram_bps, dirty_bps;
    int throttle_percent;
    int64_t downtime_limit_ms;
    enum converge_outlook outlook;
    int64_t left_ms, blackout_ms; /* of OUTLOOK_ENDS */
    uint64_t hot_bytes;           /* of OUTLOOK_NEVER */
    int64_t timeout_left_ms;      /* 1 at least; 0: there is none */
    int64_t on_timeout;           /* what then: enum plan_on_timeout */
    /* disks: from `mirror disks` on */
    size_t disk_count;
    uint64_t disk_total, disk_copied, disk_bps;
    const struct progress_disk *disk; /* the narrator's own; NULL: not told */
};

enum narration_kind {
    NARRATE_STEP,  /* a row begins, ends in some way, or is undone */
    NARRATE_STATE, /* a side's migration status changed */
    NARRATE_PASS,  /* QEMU began another pass over the RAM */
    NARRATE_PROGRESS,
    NARRATE_WARNING,
    NARRATE_PREFLIGHT, /* all verdicts */
    NARRATE_PLAN,      /* the disks that were chosen, the steps that follow */
    NARRATE_LIMITS,    /* the operator changed one */
};

enum step_event {
    STEP_BEGINS,
    STEP_DONE,
    STEP_FAILED,
    STEP_CANCELLED, /* the operator's wish ended it */
    STEP_UNDONE,
};

struct narration {
    enum narration_kind kind;
    enum side_id side;    /* STATE */
    const char *text;     /* STEP: the row; STATE: QEMU's word; WARNING */
    enum step_event step; /* STEP */
    int64_t pass;         /* PASS */
    const struct progress *progress;
    const struct verdicts *verdicts; /* PREFLIGHT */
    const struct limits *limits;     /* LIMITS: all that are now in force */
    /* PLAN */
    const struct facts *facts;
    const struct disk_choices *disks;
    const char *const *steps; /* NULL-terminated */
    const char *name;         /* of the migration */
};

struct narrator {
    void (*tell)(void *arg, const struct narration *n);
    void *arg;
};

#endif
