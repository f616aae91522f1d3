/*
 * From an address to a socket on which libnbd can talk in clear: connect, and
 * where TLS is asked for, a relay behind which it stays.
 *
 * what fails   A handshake: the server is told, and the connection stays until
 *              it has hung up too.  QEMU's nbd-server-stop would wait for ever
 *              for a client whose handshake it has not yet seen fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nbd/internal.h"
#include "tls/client.h"

#define LEAVE_LIMIT_MS 2000

char *nbd_server_name(const struct nbd_probe *p)
{
    if (p->path)
        return xstrdup(p->path);
    if (!p->host)
        return xstrdup("the other end of the tunnel");
    return xasprintf(strchr(p->host, ':') ? "[%s]:%u" : "%s:%u", p->host,
                     p->port);
}

/* A connection that is only to end. */
struct leaving {
    int fd;
    bool over; /* the peer has hung up */
};

static void on_leftover(void *arg, unsigned ready)
{
    struct leaving *l = arg;
    char unread[4096];
    ssize_t n;

    (void)ready;
    do {
        n = recv(l->fd, unread, sizeof(unread), MSG_DONTWAIT);
    } while (n > 0 || (n < 0 && errno == EINTR));
    l->over = n == 0 || errno != EAGAIN;
}

static bool is_over(void *arg)
{
    const struct leaving *l = arg;

    return l->over;
}

/* Hang up, and wait for the peer to do so. */
static void leave(struct loop *loop, int fd)
{
    struct leaving l = { .fd = fd };
    struct loop_watch *watch;

    shutdown(fd, SHUT_WR);
    watch = loop_watch_fd(loop, fd, LOOP_READ, on_leftover, &l);
    (void)loop_wait(loop, is_over, &l, deadline_in_ms(LEAVE_LIMIT_MS));
    loop_watch_free(watch);
}

/* S is consumed. */
static struct stream *shake_hands(struct loop *loop, struct stream *s,
                                  const struct tls_client *config,
                                  deadline_t by, struct qm_error *err)
{
    int kept = fcntl(s->ops->get_fd(s), F_DUPFD_CLOEXEC, 0);
    struct stream *secured = tls_client_new(loop, s, config, by, err);

    if (!secured && kept >= 0)
        leave(loop, kept);
    close_fd(kept);
    return secured;
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
    s = shake_hands(loop, STEAL(s), &config, by, err);
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
