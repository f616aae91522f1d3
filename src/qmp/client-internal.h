/*
 * The inside of the client: private to src/qmp/client*.c.
 *
 * client.c          opening, closing, what is known of the peer
 * client-link.c     the states of the link, opening it again
 * client-socket.c   sockets that connect without blocking
 * client-secure.c   TLS
 * client-talk.c     bytes in and out; greeting, negotiation, events
 * client-request.c  commands and their answers
 * client-forward.c  ssh
 */
#ifndef QM_QMP_CLIENT_INTERNAL_H
#define QM_QMP_CLIENT_INTERNAL_H

#include "base/buffer.h"
#include "base/loop.h"
#include "base/stream.h"
#include "qmp/client-forward.h"
#include "qmp/client.h"
#include "qmp/wire.h"

enum link_state {
    LINK_WAITING,     /* down, until the back-off is over */
    LINK_FORWARDING,  /* ssh has not made its socket yet */
    LINK_CONNECTING,  /* a socket, not connected yet */
    LINK_SECURING,    /* TLS: shaking hands */
    LINK_GREETING,    /* connected, not greeted yet */
    LINK_NEGOTIATING, /* qmp_capabilities is on its way */
    LINK_READY,
    LINK_FAILED, /* not usable, to be taken down from a timer of its own */
    LINK_GONE,   /* taken down for good */
};

/* An idle monitor greets at once: QEMU.md 1.3. */
enum { GREETING_MS = 5000 };

struct qmp {
    struct loop *loop;
    struct qmp_address address; /* a copy */
    struct strv numerics;       /* TCP, TLS: its addresses, resolved once, */
    size_t turn;                /* the one in use or to be tried next, */
    const char *numeric;        /* and that; else NULL */
    struct buffer tried;        /* of a first opening: which failed, and why */
    char *tls_dir;              /* TLS */
    char *dir;
    const char *who;
    struct qmp_callbacks callbacks;

    /* The link */
    enum link_state state;
    struct loop_timer *step;    /* the next thing to do for the link */
    struct loop_timer *limit;   /* how long the present state may last */
    struct loop_timer *give_up; /* how long the link may be down */
    struct forward *forward;    /* SSH */
    int fd;                     /* CONNECTING: not yet the stream's; else -1 */
    struct stream *stream;
    struct loop_watch *watch;
    struct wire *wire;
    struct buffer out;      /* not taken by the socket yet */
    struct qm_error reason; /* why it is not up, or did not come up last */
    int64_t backoff_ms, give_up_ms, down_since_ms;
    bool opened;  /* has been ready once: from now on it is re-opened */
    bool was_up;  /* ready, until on_link(false) was called */
    bool no_more; /* given up, or its end was expected */

    /* What the peer said */
    struct qmp_version version;
    bool oob;
    unsigned generation;
    int peer_pid;
    int64_t negotiation_id;

    /* Commands, in the order of sending; see client-request.c */
    struct qmp_request *requests;
    int64_t last_id;
    deadline_t hurry_by;   /* qmp_hurry() */
    bool round_trip_known; /* and then: */
    int64_t round_trip_ms; /* of its quickest answer */
};

/* Start the first attempt. */
void link_begin(struct qmp *q);
void link_make_timers(struct qmp *q);
/*
 * The link cannot be used any more.  Takes ERR's content; does nothing if the
 * link is down already.  The rest happens from a timer, so that it may be
 * called from any callback.
 */
void link_fail(struct qmp *q, struct qm_error *err);
/* As soon as the state changes: its limit, 0 for none. */
void link_enter(struct qmp *q, enum link_state state, int64_t limit_ms);
/* NEGOTIATING is done. */
void link_is_ready(struct qmp *q);
/* Free what belongs to this link alone. */
void link_take_down(struct qmp *q);
/* Never again. */
void link_end(struct qmp *q);

/*
 * A non-blocking socket on its way to PATH or to NUMERIC and PORT.  *RET_DONE
 * says whether it is connected already.  -1 with *RET_ERRNO: EAGAIN means that
 * the listener's queue is full.
 */
int socket_start_unix(const char *path, bool *ret_done, int *ret_errno);
int socket_start_tcp(const char *numeric, unsigned port, bool *ret_done,
                     int *ret_errno);
/* 0, or the error with which connecting ended. */
int socket_result(int fd);
/* The process that listens, -1 if unknown. */
int socket_peer_pid(int fd);

/* FD is connected: shake hands over it, then talk. */
void secure_begin(struct qmp *q, int fd);
/* S, which is consumed, is connected: await the greeting. */
void talk_begin(struct qmp *q, struct stream *s);
/* Have what is in q->out written. */
void talk_flush(struct qmp *q);

/* An answer came.  -1 with ERR if nobody asked. */
int requests_take_answer(struct qmp *q, const struct wire_message *m,
                         struct qm_error *err);
/* Write what may be written now. */
void requests_push(struct qmp *q);
/* No answer will come: the link went down for q->reason. */
void requests_fail(struct qmp *q);
/* The client goes: nothing in the requests points to it afterwards. */
void requests_orphan(struct qmp *q);

#endif
