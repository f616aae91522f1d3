/*
 * TLS between the socket and the monitor.
 *
 * happy path   GnuTLS's handshake, driven by the socket's readiness: a link is
 *              opened again from callbacks, where nothing may wait.  Both ends
 *              are verified: we show client-cert.pem, the monitor's certificate
 *              must hold and carry the host of the address.
 * what fails   A file of ours, the handshake, the name: said as they are.  A
 *              monitor that has a client does not even begin to shake hands.
 *              With TLS 1.3 one that refuses our certificate lets the
 *              handshake succeed, and closes instead of greeting.
 */
#include "qmp/client-internal.h"
#include "tls/client.h"

static void shake_hands(struct qmp *q)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    int done = tls_client_continue(q->stream, &err);

    if (done < 0) {
        link_fail(q, &err);
    } else if (done == 0) {
        loop_watch_set(q->watch, tls_client_wants(q->stream));
    } else {
        loop_watch_free(STEAL(q->watch));
        link_enter(q, LINK_GREETING, GREETING_MS);
        talk_begin(q, STEAL(q->stream));
    }
}

static void socket_is_ready(void *arg, unsigned ready)
{
    (void)ready;
    shake_hands(arg);
}

void secure_begin(struct qmp *q, int fd)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    const struct tls_client config = {
        .dir = q->tls_dir,
        .hostname = q->address.host,
        .has_key = true,
        .server = q->address.text,
    };

    link_enter(q, LINK_SECURING, GREETING_MS);
    q->stream = tls_client_begin(stream_from_fd(fd), &config, &err);
    if (!q->stream) {
        link_fail(q, &err);
        return;
    }
    q->watch = loop_watch_fd(q->loop, q->stream->ops->get_fd(q->stream),
                             LOOP_WRITE, socket_is_ready, q);
    shake_hands(q);
}
