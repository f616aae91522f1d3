/*
 * A guest that writes, and QEMU's passes over its RAM, in steps of a
 * millisecond: enough of both to play the convergence policy against.
 */
#ifndef QM_TESTS_CONVERGE_MODEL_H
#define QM_TESTS_CONVERGE_MODEL_H

#include "core/converge.h"

struct converge_guest {
    uint64_t total, send_bps;    /* bytes, bytes a second */
    uint64_t dirty_bps, hot_set; /* writes go round in the hot set */
    /* Its work comes by the clock, as that of a server: while it is kept from
     * it, so many ms of it pile up, and are then done at this rate.  0: it
     * writes all the time. */
    uint64_t top_bps;
    int64_t owed_ms;
    int64_t look_ms; /* QEMU looks for dirty pages also inside a pass; 0: no */
};

struct converge_run {
    bool ended, paused;
    int postcopied; /* how often that was asked for */
    int64_t ended_at_ms, blackout_ms;
    int64_t limit_ms;
    int throttle;
    enum converge_outlook outlook; /* the last one */
    uint64_t hot_bytes;
    /* of the second half of the time, the first that was said of the end */
    int64_t foretold_at_ms, foretold_ms, foretold_ram_stop_ms;
    int foretold; /* how often an end was foretold in that half */
};

/* At most for LIMIT_MS; a sample each 250 ms, as the engine takes them. */
struct converge_run converge_model_run(const struct converge_guest *g,
                                       const struct converge_rules *rules,
                                       int64_t limit_ms);

#endif
