/*
 * For tests: a probe of "disk0", and what came of it.
 */
#ifndef QM_TESTS_NBD_ATTEMPT_H
#define QM_TESTS_NBD_ATTEMPT_H

#include "base/error.h"
#include "base/loop.h"
#include "base/util.h"
#include "nbd/probe.h"

enum { LONG_MS = 20000, SHORT_MS = 150 };

struct attempt {
    struct loop *loop;
    struct nbd_probe p;
    struct nbd_export seen;
    struct qm_error err;
    int rc;
};

/* At 127.0.0.1, with the client's certificate in DIR; the caller adds a port
 * or a socket. */
#define ATTEMPT_INIT(loop_, dir_)                                              \
    {                                                                          \
        .loop = (loop_),                                                       \
        .p = { .host = "127.0.0.1",                                            \
               .fd = -1,                                                       \
               .export_name = "disk0",                                         \
               .tls_dir = (dir_),                                              \
               .has_client_key = true },                                       \
    }

void attempt_run(struct attempt *a, int64_t ms);
void attempt_must_fail(const struct attempt *a, enum qm_error_code code,
                       const char *says);
void attempt_done(struct attempt *a);
DEFINE_CLEANUP_DONE(struct attempt, attempt_done)

/* A socket of 127.0.0.1, bound to a port that the kernel chose. */
int bound_socket(unsigned *ret_port);

#endif
