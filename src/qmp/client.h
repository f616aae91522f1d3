/*
 * A QMP client that survives its link.
 *
 * happy path   connect (unix, tcp, tls, or a socket that ssh forwards), greeting
 *              within 5 s, capabilities with OOB, then commands with integer
 *              ids and events that are handed to one callback.
 * what fails   No greeting: BUSY, somebody else holds the monitor.  The link
 *              breaks: every command under way ends with a LINK error and
 *              the caller settles by asking; the client opens the link again
 *              in the background with back-off (0.1 s doubling to 2 s) until
 *              qmp_give_up_after() has passed, and counts generations, so that
 *              the owner knows that events may be missing and asks the state
 *              again.  A message against the protocol drops the link too.
 * on close     pending commands end with LINK; the ssh child ends with us.
 *
 * Who: every error names the side ("source", "destination"), the command and
 * what came back.
 */
#ifndef QM_QMP_CLIENT_H
#define QM_QMP_CLIENT_H

#include <json-c/json_types.h>

#include "base/error.h"
#include "base/loop.h"
#include "qmp/address.h"

struct qmp;

/* How long a command may take: QEMU.md 1.4. */
enum qmp_class {
    QMP_QUERY,    /* 10 s */
    QMP_CONTROL,  /* 30 s */
    QMP_BLOCKING, /* 60 s: what may wait for disks, peers or the main loop */
};

struct qmp_version {
    int major, minor, micro;
    char *package; /* the distribution's own string, or "" */
};

/* One event; everything is borrowed until the callback returns. */
struct qmp_event {
    const char *name;
    struct json_object *data; /* NULL if it has none */
    int64_t time_us;          /* QEMU's wall clock */
    int64_t seen_us;          /* our monotonic clock */
};

struct qmp_callbacks {
    /* From inside any wait: record, do not call the client. */
    void (*on_event)(void *arg, const struct qmp_event *event);
    /* The link was lost (UP false) or is ready again (UP true). */
    void (*on_link)(void *arg, bool up);
    /* A command that is awaited was answered, with an error too; or NULL. */
    void (*on_answer)(void *arg, const char *command);
    void *arg;
};

struct qmp_options {
    const char *who;     /* "source" or "destination": stays valid */
    const char *dir;     /* a 0700 directory for ssh's forwarded socket */
    const char *tls_dir; /* TLS: whose ca-cert.pem, client-cert.pem and
                          * client-key.pem to use */
    struct qmp_callbacks callbacks;
};

/*
 * Connect, greet, negotiate; at most BY.  NULL with ERR: CONNECT (with ssh's
 * own complaint), BUSY (nobody greets: the monitor has another client),
 * TLS (a file, the handshake, the name in the certificate),
 * PROTOCOL (what greets is no QEMU).
 */
struct qmp *qmp_open(struct loop *loop, const struct qmp_address *address,
                     const struct qmp_options *options, deadline_t by,
                     struct qm_error *err);
void qmp_close(struct qmp *q); /* NULL is allowed */
DEFINE_CLEANUP(struct qmp *, qmp_close)

const char *qmp_who(const struct qmp *q);
const struct qmp_version *qmp_version(const struct qmp *q);
bool qmp_version_at_least(const struct qmp *q, int major, int minor, int micro);
bool qmp_has_oob(const struct qmp *q);
bool qmp_is_up(const struct qmp *q);          /* commands can be sent now */
unsigned qmp_generation(const struct qmp *q); /* counts successful links */
/* Stop opening the link again so long after it broke (30000 to begin with;
 * 0: at once). */
void qmp_give_up_after(struct qmp *q, int64_t ms);
/* Until told otherwise a command has no longer than what is left until BY, but
 * a second at least; DEADLINE_NEVER: as long as it usually has. */
void qmp_hurry(struct qmp *q, deadline_t by);
/* How long its quickest answer took; 0: there was none yet, or it is too near
 * to matter to a limit.  A command's limit, a hurried one's too, has two of
 * these on top. */
int64_t qmp_round_trip_ms(const struct qmp *q);
/* The link is down and will not come back: given up, or told so. */
bool qmp_is_gone(const struct qmp *q);
/* The link's end is expected now (we said `quit`): no re-opening. */
void qmp_expect_end(struct qmp *q);
/* Serve the loop until the link is up, is gone, or BY has passed.  0 if up. */
int qmp_wait_up(struct qmp *q, deadline_t by, struct qm_error *err);

/*
 * The process that answers on a unix socket of this machine, from the socket's
 * peer credentials: -1 where that is not known (ssh, tcp).
 */
int qmp_peer_pid(const struct qmp *q);
/* The numeric address that it is reached at by TCP or TLS, else NULL. */
const char *qmp_peer_address(const struct qmp *q);

/* --- commands ----------------------------------------------------------- */

/*
 * One command and its reply.  ARGS is consumed and may be NULL.  *RET (may be
 * NULL) gets the reply, the caller puts it.  ERR: QEMU (the peer's class and
 * words), LINK (no reply will come: ask what is true), SILENT.
 */
int qmp_command(struct qmp *q, const char *name, struct json_object *args,
                enum qmp_class class, struct json_object **ret,
                struct qm_error *err);

/* The same with a limit of its own, in ms. */
int qmp_command_within(struct qmp *q, const char *name,
                       struct json_object *args, int64_t ms,
                       struct json_object **ret, struct qm_error *err);

/* The same out of band (yank, query-yank, migrate-pause, migrate-recover);
 * in band where the monitor has no OOB. */
int qmp_command_oob(struct qmp *q, const char *name, struct json_object *args,
                    struct json_object **ret, struct qm_error *err);

/*
 * Several commands under way at once: send each, then take the replies in any
 * order.  At most 4 in-band (QEMU queues 8 and then stops reading OOB too).
 * qmp_finish() consumes the request.
 */
struct qmp_request;
struct qmp_request *qmp_send(struct qmp *q, const char *name,
                             struct json_object *args, enum qmp_class class);
int qmp_finish(struct qmp_request *r, struct json_object **ret,
               struct qm_error *err);

/* The reply's text, unparsed, handed to FN while it stands in the input
 * buffer: for query-qmp-schema. */
int qmp_command_raw(struct qmp *q, const char *name,
                    int (*fn)(void *arg, const char *text, size_t len,
                              struct qm_error *err),
                    void *arg, struct qm_error *err);

#endif
