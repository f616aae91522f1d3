/*
 * An offline disk, copied from one NBD server to another by the engine itself:
 * no QEMU and no guest has anything to do with it.
 */
#ifndef QM_CORE_COPY_H
#define QM_CORE_COPY_H

#include "base/loop.h"
#include "core/narration.h"
#include "core/result.h"
#include "nbd/uri.h"

struct copy_plan {
    struct nbd_uri uri[SIDES];
    const char *tls_dir;      /* for nbds */
    const char *tls_hostname; /* NULL: the host of the URI */
    bool insecure;            /* clear to another machine is allowed */
    size_t connections;       /* to each side, at most */
};

struct copy_result {
    enum outcome outcome; /* refused: the destination was not written to */
    struct qm_error error;
    bool retryable;
    int64_t wall_ms;
    /* Bytes, so far if it failed */
    uint64_t size, written, zeroed, skipped;
    size_t connections[SIDES];
    bool tls[SIDES];
};

/* Do it; PROGRESS is told to NARRATOR.  Once *STOP is true it is cancelled.
 * RET is filled in any case; copy_result_done() is the caller's. */
void copy_run(struct loop *loop, const struct copy_plan *plan, const bool *stop,
              const struct narrator *narrator, struct copy_result *ret);
void copy_result_done(struct copy_result *r);
DEFINE_CLEANUP_DONE(struct copy_result, copy_result_done)
enum qm_exit copy_result_exit(const struct copy_result *r);

/* RESULT, as record_result(). */
void record_copy_result(struct buffer *b, const struct copy_result *r,
                        int64_t wall_us);

#endif
