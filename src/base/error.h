/*
 * One error object: a code for programs, a sentence for people, and, when it
 * is known, what to do about it.
 *
 * The first error wins: setting an error that is already set changes nothing,
 * so that cleaning up after a failure cannot hide the failure.  On its way up
 * an error is wrapped: "mirror disks: blockdev-add: source said: ...".
 */
#ifndef QM_BASE_ERROR_H
#define QM_BASE_ERROR_H

#include <stdbool.h>

#include "base/util.h"

/* code, the name scripts see, what it means (the manual's table is this one) */
#define QM_ERROR_CODES(X)                                                      \
    X(USAGE, "usage", "the command line cannot be understood")                 \
    X(REFUSED, "refused", "a check said no before anything was touched")       \
    X(CONNECT, "connect", "a host or a socket cannot be reached")              \
    X(BUSY, "busy", "somebody else holds the monitor")                         \
    X(LINK, "link-lost", "a connection broke while an answer was awaited")     \
    X(SILENT, "silent", "QEMU did not answer a command in time")               \
    X(TIMEOUT, "timeout", "something took longer than its limit")              \
    X(PROTOCOL, "protocol", "a peer broke the rules of its protocol")          \
    X(QEMU, "qemu", "QEMU answered a command with an error")                   \
    X(TLS, "tls", "a certificate, a key or a handshake is wrong")              \
    X(DISK, "disk", "a disk or its copy failed")                               \
    X(MIGRATION, "migration", "QEMU's migration failed")                       \
    X(GUEST, "guest", "the guest itself ended or changed")                     \
    X(CANCELLED, "cancelled", "the operator cancelled")                        \
    X(SYSTEM, "system", "the operating system refused something")              \
    X(INTERNAL, "internal", "a bug of qmigrate")

enum qm_error_code {
#define X(code, name, meaning) QM_ERR_##code,
    QM_ERROR_CODES(X)
#undef X
};

struct qm_error {
    enum qm_error_code code; /* meaningful only while message is set */
    char *message;           /* NULL: no error */
    char *hint;              /* what to do, or NULL */
    char *peer_class;        /* QMP's error class, or NULL */
};

#define QM_ERROR_INIT                                                          \
    {                                                                          \
        .message = NULL                                                        \
    }

/* The name scripts see of CODE: "link-lost". */
const char *error_code_name(enum qm_error_code code);
/* What CODE means, in one sentence. */
const char *error_code_meaning(enum qm_error_code code);

static inline bool error_is_set(const struct qm_error *err)
{
    return err && err->message;
}

/*
 * Set ERR unless it is set already.  No trailing newline or period.  ERR may
 * be NULL: the caller does not care.  Always -1, so that a function can end
 * with `return error_set(...)`.
 */
int error_set(struct qm_error *err, enum qm_error_code code, const char *format,
              ...) __attribute__((format(printf, 3, 4)));

/* As error_set(), with ": " and the meaning of ERRNUM appended. */
int error_set_errno(struct qm_error *err, enum qm_error_code code, int errnum,
                    const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "FORMAT: " in front of the message.  Nothing if no error is set. -1. */
int error_wrap(struct qm_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What to do about it; the first hint wins.  Nothing if no error is set. */
void error_hint(struct qm_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Remember the peer's own class of the error (QMP: "GenericError"). */
void error_set_peer_class(struct qm_error *err, const char *peer_class);

/* Forget the error and free what it holds.  NULL is allowed. */
void error_clear(struct qm_error *err);
DEFINE_CLEANUP_DONE(struct qm_error, error_clear)

/* Move FROM into TO (if TO is not NULL and not set yet); FROM ends clear. -1 */
int error_move(struct qm_error *to, struct qm_error *from);

#endif
