/*
 * The client's end of a TLS connection, as a stream over a stream: x509, the
 * server verified against ca-cert.pem and against a name, by the rules of
 * QEMU's own clients (QEMU crypto/tlssession.c).
 */
#ifndef QM_TLS_CLIENT_H
#define QM_TLS_CLIENT_H

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/stream.h"

struct loop;

struct tls_client {
    const char *dir;      /* ca-cert.pem, client-cert.pem, client-key.pem */
    const char *hostname; /* name or address the certificate must carry */
    const char *priority; /* of GnuTLS; NULL: the machine's own choice */
    bool has_key;         /* show client-cert.pem; else none is shown */
    const char *server;   /* who that is, for messages: "10.0.0.2:49152" */
    /* A key as tls_psk_new() makes it, instead of certificates; or NULL.  Needed
     * until the stream is closed. */
    struct secret *psk;
};

/* What was agreed upon in a handshake, fit for a terminal; "" if unknown. */
struct tls_seen {
    char version[16]; /* "TLS1.3" */
    char cipher[64];  /* "AES-256-GCM" */
    char peer[256];   /* the subject of the server's certificate, or "" */
};

/*
 * Shake hands over INNER, which is consumed also on failure.  NULL with ERR:
 * TLS (the files, the handshake, the name), TIMEOUT.
 *
 * With TLS 1.3 a server that refuses our certificate lets the handshake
 * succeed and ends the connection at the first recv().
 */
struct stream *tls_client_new(struct loop *loop, struct stream *inner,
                              const struct tls_client *config, deadline_t by,
                              struct qm_error *err);

/*
 * The same for who may not wait: begin, which consumes INNER also on failure,
 * then continue at once and whenever the stream's fd is ready for what it
 * wants, LOOP_READ or LOOP_WRITE.  Continue says 1 once the handshake is over,
 * 0 if more is to come, -1 with ERR; the stream is the caller's to close.
 */
struct stream *tls_client_begin(struct stream *inner,
                                const struct tls_client *config,
                                struct qm_error *err);
int tls_client_continue(struct stream *s, struct qm_error *err);
unsigned tls_client_wants(const struct stream *s);

/* Of a stream whose handshake is over. */
void tls_client_look(const struct stream *s, struct tls_seen *ret);

#endif
