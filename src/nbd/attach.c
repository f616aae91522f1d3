/*
 * From an address to a socket on which libnbd can talk in clear: connect, and
 * where TLS is asked for, a relay behind which it stays.
 */
#include <string.h>

#include "nbd/internal.h"
#include "tls/client.h"

char *nbd_server_name(const struct nbd_probe *p)
{
    if (p->path)
        return xstrdup(p->path);
    if (!p->host)
        return xstrdup("the other end of the tunnel");
    return xasprintf(strchr(p->host, ':') ? "[%s]:%u" : "%s:%u", p->host,
                     p->port);
}

/* FD is consumed. */
static int secure(struct loop *loop, const struct nbd_probe *p, int fd,
                  const char *server, deadline_t by, struct relay **ret_relay,
                  struct qm_error *err)
{
    struct tls_client config = {
        .dir = p->tls_dir,
        .hostname = p->tls_hostname ? p->tls_hostname : p->host,
        .priority = p->tls_priority,
        .has_key = p->has_client_key,
        .server = server,
        .psk = p->psk,
    };
    CLEANUP(stream_close) struct stream *s = stream_from_fd(fd);
    struct relay *relay;
    uint16_t flags = 0;
    int near = -1;

    if (!config.hostname)
        return error_set(err, QM_ERR_INTERNAL, "TLS without a name to verify");
    if (nbd_start_tls(loop, s, server, by, &flags, err) < 0)
        return -1;
    s = tls_client_new(loop, STEAL(s), &config, by, err);
    if (!s)
        return -1;
    relay = relay_new(loop, STEAL(s), flags, &near, err);
    if (!relay)
        return -1;
    *ret_relay = relay;
    return near;
}

int nbd_attach(struct loop *loop, const struct nbd_probe *p, const char *server,
               deadline_t by, struct relay **ret_relay, struct qm_error *err)
{
    int fd = p->fd;

    if (fd < 0 && p->path)
        fd = socket_connect_unix(loop, p->path, by, err);
    else if (fd < 0)
        fd = socket_connect_tcp(loop, p->host, p->port, by, err);
    if (fd >= 0 && (p->tls_dir || p->psk))
        fd = secure(loop, p, fd, server, by, ret_relay, err);
    return fd;
}
