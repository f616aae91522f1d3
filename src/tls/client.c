/*
 * Happy path: load the files, shake hands while the loop serves everything
 * else, then records in both directions; GnuTLS calls pull() and push(), which
 * are recv and send of the stream below.
 *
 * What can fail: a file (before a byte is sent); the handshake, in which GnuTLS
 * verifies chain, times and name and tells the server with an alert; the
 * deadline.  On close a "bye" is tried once and nothing is waited for.
 */
#include "tls/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "tls/internal.h"

#define OLD_VERSIONS "-VERS-TLS1.1:-VERS-TLS1.0"
#define PSK_EXCHANGES "+ECDHE-PSK:+DHE-PSK:+PSK:" /* as QEMU has them */

struct tls_stream {
    struct stream stream; /* first: what others hold */
    struct stream *inner;
    gnutls_session_t session;
    gnutls_certificate_credentials_t creds;
    gnutls_psk_client_credentials_t psk; /* instead of those, or NULL */
    char *dir, *hostname, *server;       /* for messages */

    bool holds; /* a key, in GnuTLS's memory */
    bool shaken;
    int error; /* GnuTLS's, fatal */
};

/* --- the stream ------------------------------------------------------- */

static ssize_t failed(ssize_t rc)
{
    errno = rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ? EAGAIN : EIO;
    return -1;
}

static ssize_t tls_recv(struct stream *s, void *buf, size_t len)
{
    struct tls_stream *t = (struct tls_stream *)s;
    ssize_t n = gnutls_record_recv(t->session, buf, len);

    if (n >= 0)
        return n;
    /* QEMU does not say goodbye. */
    if (n == GNUTLS_E_PREMATURE_TERMINATION || n == GNUTLS_E_PULL_ERROR)
        return 0;
    /* Tickets and the like: nothing for us, and nothing to fail of. */
    if (!gnutls_error_is_fatal((int)n))
        n = GNUTLS_E_AGAIN;
    return failed(n);
}

static ssize_t tls_send(struct stream *s, const void *buf, size_t len)
{
    struct tls_stream *t = (struct tls_stream *)s;
    ssize_t n = gnutls_record_send(t->session, buf, len);

    return n >= 0 ? n : failed(n);
}

static size_t tls_pending(struct stream *s)
{
    struct tls_stream *t = (struct tls_stream *)s;

    return gnutls_record_check_pending(t->session);
}

static int tls_get_fd(struct stream *s)
{
    struct tls_stream *t = (struct tls_stream *)s;

    return t->inner->ops->get_fd(t->inner);
}

static void tls_shutdown(struct stream *s)
{
    struct tls_stream *t = (struct tls_stream *)s;

    if (t->shaken)
        (void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
    t->inner->ops->shutdown(t->inner);
}

static void tls_close(struct stream *s)
{
    struct tls_stream *t = (struct tls_stream *)s;

    if (t->session) {
        if (t->shaken && !t->error)
            (void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
        gnutls_deinit(t->session);
    }
    if (t->creds)
        gnutls_certificate_free_credentials(t->creds);
    if (t->psk)
        gnutls_psk_free_client_credentials(t->psk);
    if (t->holds)
        secrets_release();
    stream_close(t->inner);
    free(t->dir);
    free(t->hostname);
    free(t->server);
    free(t);
}

static const struct stream_ops tls_ops = {
    .recv = tls_recv,
    .send = tls_send,
    .pending = tls_pending,
    .get_fd = tls_get_fd,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

/* --- what GnuTLS calls ------------------------------------------------ */

static ssize_t pull(gnutls_transport_ptr_t arg, void *buf, size_t len)
{
    struct tls_stream *t = arg;
    ssize_t n = t->inner->ops->recv(t->inner, buf, len);

    if (n < 0)
        gnutls_transport_set_errno(t->session, errno);
    return n;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *buf, size_t len)
{
    struct tls_stream *t = arg;
    ssize_t n = t->inner->ops->send(t->inner, buf, len);

    if (n < 0)
        gnutls_transport_set_errno(t->session, errno);
    return n;
}

/* --- credentials ------------------------------------------------------ */

static gnutls_datum_t bytes_of(const struct tls_files *f, enum tls_file which)
{
    return (gnutls_datum_t){
        .data = (unsigned char *)f->file[which].bytes.data,
        .size = (unsigned)f->file[which].bytes.len,
    };
}

static int file_error(const struct tls_files *f, enum tls_file which, int rc,
                      struct qm_error *err)
{
    CLEANUP_FREE char *path = file_path(f, which);

    if (f->file[which].state != TLS_FILE_READ)
        return error_set_errno(err, QM_ERR_TLS, f->file[which].errnum,
                               "%s cannot be read", path);
    return error_set(err, QM_ERR_TLS, "%s cannot be used: %s", path,
                     gnutls_strerror(rc));
}

static int load_own(struct tls_stream *t, const struct tls_files *f,
                    struct qm_error *err)
{
    gnutls_datum_t cert = bytes_of(f, TLS_CERT);
    gnutls_datum_t key = bytes_of(f, TLS_KEY);

    if (f->file[TLS_CERT].state != TLS_FILE_READ)
        return file_error(f, TLS_CERT, 0, err);
    if (f->file[TLS_KEY].state != TLS_FILE_READ)
        return file_error(f, TLS_KEY, 0, err);
    int rc = gnutls_certificate_set_x509_key_mem(t->creds, &cert, &key,
                                                 GNUTLS_X509_FMT_PEM);
    return rc < 0 ? file_error(f, TLS_CERT, rc, err) : 0;
}

static int load(struct tls_stream *t, const struct tls_client *config,
                struct qm_error *err)
{
    CLEANUP(tls_files_done) struct tls_files f = { .dir = NULL };

    tls_files_read(config->dir, TLS_CLIENT, &f);
    if (f.file[TLS_CA_CERT].state != TLS_FILE_READ)
        return file_error(&f, TLS_CA_CERT, 0, err);
    gnutls_datum_t ca = bytes_of(&f, TLS_CA_CERT);
    int rc = gnutls_certificate_set_x509_trust_mem(t->creds, &ca,
                                                   GNUTLS_X509_FMT_PEM);
    if (rc <= 0)
        return file_error(&f, TLS_CA_CERT,
                          rc ? rc : GNUTLS_E_NO_CERTIFICATE_FOUND, err);

    gnutls_datum_t crl = bytes_of(&f, TLS_CA_CRL);
    if (f.file[TLS_CA_CRL].state == TLS_FILE_READ) {
        rc = gnutls_certificate_set_x509_crl_mem(t->creds, &crl,
                                                 GNUTLS_X509_FMT_PEM);
        if (rc < 0)
            return file_error(&f, TLS_CA_CRL, rc, err);
    } else if (f.file[TLS_CA_CRL].state == TLS_FILE_UNREADABLE) {
        return file_error(&f, TLS_CA_CRL, 0, err);
    }
    return config->has_key ? load_own(t, &f, err) : 0;
}

/* --- the handshake ---------------------------------------------------- */

/* The machine's own choice, or PRIORITY; but nothing that is older than 1.2. */
static int set_priority(gnutls_session_t session, const char *priority)
{
    if (!priority)
        return gnutls_set_default_priority_append(session, OLD_VERSIONS, NULL,
                                                  0);
    CLEANUP_FREE char *ours = xasprintf("%s:" OLD_VERSIONS, priority);
    return gnutls_priority_set_direct(session, ours, NULL);
}

static int set_up(struct tls_stream *t, const struct tls_client *config,
                  struct qm_error *err)
{
    int rc = config->psk ? psk_credentials(config->psk, &t->psk)
                         : gnutls_certificate_allocate_credentials(&t->creds);

    t->holds = config->psk || config->has_key;
    if (t->holds)
        secrets_hold();
    if (rc == 0 && !t->psk && load(t, config, err) < 0)
        return -1;
    if (rc == 0)
        rc = gnutls_init(&t->session,
                         GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (rc == 0)
        rc = t->psk ? gnutls_set_default_priority_append(
                          t->session, PSK_EXCHANGES OLD_VERSIONS, NULL, 0)
                    : set_priority(t->session, config->priority);
    if (rc == 0)
        rc = t->psk ? gnutls_credentials_set(t->session, GNUTLS_CRD_PSK, t->psk)
                    : gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE,
                                             t->creds);
    if (rc < 0)
        return error_set(err, QM_ERR_SYSTEM, "start TLS with %s: %s",
                         config->server, gnutls_strerror(rc));
    /* Verified, not sent as SNI: a QEMU has one certificate. */
    if (!t->psk)
        gnutls_session_set_verify_cert(t->session, config->hostname, 0);
    gnutls_transport_set_ptr(t->session, t);
    gnutls_transport_set_pull_function(t->session, pull);
    gnutls_transport_set_push_function(t->session, push);
    return 0;
}

static void shake(struct tls_stream *t)
{
    int rc = gnutls_handshake(t->session);

    if (rc == 0)
        t->shaken = true;
    else if (gnutls_error_is_fatal(rc))
        t->error = rc;
}

/* GnuTLS's own sentences for STATUS, without the full stop and the space. */
static char *verdict(unsigned status)
{
    gnutls_datum_t text = { .data = NULL };

    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
                                                     &text, 0) < 0)
        return xstrdup("it is not trusted");
    size_t len = strlen((const char *)text.data);
    while (len && strchr(". \n", text.data[len - 1]))
        len--;
    char *said = xstrndup((const char *)text.data, len);
    gnutls_free(text.data);
    return said;
}

static int refuse_peer(struct tls_stream *t, struct qm_error *err)
{
    unsigned status = gnutls_session_get_verify_cert_status(t->session);
    CLEANUP_FREE char *said = verdict(status);
    gnutls_x509_crt_t crt = peer_cert(t->session);
    CLEANUP_FREE char *who =
        crt ? subject_printable(crt) : xstrdup("no certificate");
    CLEANUP_FREE char *names = crt ? names_of(crt) : xstrdup("nothing");

    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
        error_set(err, QM_ERR_TLS,
                  "the certificate of %s (%s) is not for \"%s\": it carries %s",
                  t->server, who, t->hostname, names);
        error_hint(err, "give the name it carries with --tls-hostname, if that "
                        "is the host you mean");
        return -1;
    }
    error_set(err, QM_ERR_TLS,
              "the certificate of %s (%s) does not hold against "
              "%s/ca-cert.pem: %s",
              t->server, who, t->dir, said);
    error_hint(err, "compare the ca-cert.pem of both sides");
    return -1;
}

static int explain(struct tls_stream *t, struct qm_error *err)
{
    switch (t->error) {
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
        return refuse_peer(t, err);
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        error_set(err, QM_ERR_TLS, "%s ended the TLS handshake: %s", t->server,
                  gnutls_alert_get_name(gnutls_alert_get(t->session)));
        return -1;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return error_set(err, QM_ERR_TLS,
                         "%s closed the connection in the TLS handshake",
                         t->server);
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET: /* or no TLS, by that byte */
        return error_set(err, QM_ERR_TLS,
                         "what answers at %s speaks no TLS, or only one older "
                         "than 1.2",
                         t->server);
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
        return error_set(err, QM_ERR_TLS, "what answers at %s speaks no TLS",
                         t->server);
    default:
        return error_set(err, QM_ERR_TLS, "TLS handshake with %s: %s",
                         t->server, gnutls_strerror(t->error));
    }
}

/* --- step by step ----------------------------------------------------- */

struct stream *tls_client_begin(struct stream *inner,
                                const struct tls_client *config,
                                struct qm_error *err)
{
    struct tls_stream *t = XNEW(struct tls_stream);

    t->stream.ops = &tls_ops;
    t->inner = inner;
    t->dir = xstrdup(config->dir);
    t->hostname = xstrdup(config->hostname);
    t->server = xstrdup(config->server);
    if (set_up(t, config, err) < 0) {
        tls_close(&t->stream);
        return NULL;
    }
    return &t->stream;
}

int tls_client_continue(struct stream *s, struct qm_error *err)
{
    struct tls_stream *t = (struct tls_stream *)s;

    shake(t);
    if (!t->error)
        return t->shaken;
    /* Once, for the server's log; it may be gone. */
    (void)gnutls_alert_send_appropriate(t->session, t->error);
    return explain(t, err);
}

void tls_client_look(const struct stream *s, struct tls_seen *ret)
{
    session_look(((const struct tls_stream *)s)->session, ret);
}

unsigned tls_client_wants(const struct stream *s)
{
    const struct tls_stream *t = (const struct tls_stream *)s;

    return gnutls_record_get_direction(t->session) ? LOOP_WRITE : LOOP_READ;
}

/* --- all at once ------------------------------------------------------ */

struct handshake {
    struct stream *s;
    struct loop_watch *watch;
    int result; /* of tls_client_continue() */
    struct qm_error *err;
};

static void on_ready(void *arg, unsigned ready)
{
    struct handshake *h = arg;

    (void)ready;
    h->result = tls_client_continue(h->s, h->err);
    loop_watch_set(h->watch, h->result ? 0 : tls_client_wants(h->s));
}

static bool is_settled(void *arg)
{
    const struct handshake *h = arg;

    return h->result != 0;
}

static int handshake(struct loop *loop, struct stream *s, const char *server,
                     deadline_t by, struct qm_error *err)
{
    struct handshake h = { .s = s, .err = err };
    bool settled;

    h.result = tls_client_continue(s, err);
    if (h.result)
        return h.result;
    h.watch =
        loop_watch_fd(loop, tls_get_fd(s), tls_client_wants(s), on_ready, &h);
    settled = loop_wait(loop, is_settled, &h, by);
    loop_watch_free(h.watch);
    if (!settled)
        return error_set(err, QM_ERR_TIMEOUT,
                         "%s did not finish the TLS handshake in time", server);
    return h.result;
}

struct stream *tls_client_new(struct loop *loop, struct stream *inner,
                              const struct tls_client *config, deadline_t by,
                              struct qm_error *err)
{
    CLEANUP(stream_close)
    struct stream *s = tls_client_begin(inner, config, err);

    if (!s || handshake(loop, s, config->server, by, err) < 0)
        return NULL;
    return STEAL(s);
}
