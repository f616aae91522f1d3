/*
 * Of src/nbd alone: the layers between a socket and libnbd.
 */
#ifndef QM_NBD_INTERNAL_H
#define QM_NBD_INTERNAL_H

#include <libnbd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/stream.h"
#include "nbd/probe.h"

/* --- starttls.c ------------------------------------------------------- */

/*
 * Read the greeting of the server at the other end of S and have it agree to
 * TLS; the next byte of either side is TLS.  RET_FLAGS: its handshake flags,
 * of which we have accepted those we know.  SERVER is for messages.
 * -1 with ERR: TIMEOUT, LINK, PROTOCOL, TLS (it does not offer any).
 */
int nbd_start_tls(struct loop *loop, struct stream *s, const char *server,
                  deadline_t by, uint16_t *ret_flags, struct qm_error *err);

/* --- relay.c ---------------------------------------------------------- */

struct relay;

/*
 * Makes the rest of FAR (consumed), behind its greeting, look like a server
 * without TLS on the socket *RET_FD, which the caller owns.  NULL with ERR
 * (SYSTEM).
 */
struct relay *relay_new(struct loop *loop, struct stream *far, uint16_t flags,
                        int *ret_fd, struct qm_error *err);
/* Has the far side ended without having sent anything? */
bool relay_was_turned_away(const struct relay *r);
/* Let what the near side has sent go out, at most until BY; the near side has
 * been closed. */
void relay_drain(struct relay *r, deadline_t by);
/* What its TLS agreed upon. */
void relay_look(const struct relay *r, struct tls_seen *ret);
void relay_free(struct relay *r); /* NULL is allowed */
DEFINE_CLEANUP(struct relay *, relay_free)

/* --- attach.c --------------------------------------------------------- */

/* "10.0.0.2:49153", for messages; the caller frees it. */
char *nbd_server_name(const struct nbd_probe *p);
/*
 * A socket on which libnbd can talk in clear to the server of P, which the
 * caller owns; P->fd is consumed.  *RET_RELAY is what lies between, set only
 * with TLS; it must outlive the socket.  -1 with ERR: CONNECT, TIMEOUT, LINK,
 * PROTOCOL, TLS, SYSTEM.
 */
int nbd_attach(struct loop *loop, const struct nbd_probe *p, const char *server,
               deadline_t by, struct relay **ret_relay, struct qm_error *err);

/* --- probe.c ---------------------------------------------------------- */

/* What libnbd knows of the export that H has asked for. */
void nbd_read_export(struct nbd_handle *h, struct nbd_export *ret);

/* --- link.c ----------------------------------------------------------- */

/* A libnbd handle that the loop serves. */
struct nbd_link {
    struct loop *loop;
    struct nbd_handle *h;
    struct loop_watch *watch;
    int watched; /* a duplicate of libnbd's socket: it closes its own */

    /* Recorded by callbacks, read by steps */
    bool lost;
    char *why; /* libnbd's words, with lost */
};

/* FD is consumed.  Options are negotiated by the caller (libnbd's opt mode);
 * libnbd does no TLS.  -1 with ERR (SYSTEM); L can and must be freed. */
int nbd_link_open(struct loop *loop, int fd, const char *export_name,
                  struct nbd_link *l, struct qm_error *err);
/* After a command was given to L->h: watch for what it needs. */
void nbd_link_kick(struct nbd_link *l);
void nbd_link_done(struct nbd_link *l);
DEFINE_CLEANUP_DONE(struct nbd_link, nbd_link_done)

#endif
