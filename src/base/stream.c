/*
 * The plain stream: a non-blocking socket.  A connection that was reset has
 * ended, and what cannot be sent to it is EPIPE; nobody above has to know the
 * many ways in which a peer can vanish.
 */
#include "base/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

struct fd_stream {
    struct stream base;
    int fd;
};

static int fd_of(const struct stream *s)
{
    return ((const struct fd_stream *)(const void *)s)->fd;
}

static ssize_t fd_recv(struct stream *s, void *buf, size_t len)
{
    ssize_t n;

    do {
        n = recv(fd_of(s), buf, len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == ECONNRESET || errno == EPIPE)) {
        return 0;
    }
    return n;
}

static ssize_t fd_send(struct stream *s, const void *buf, size_t len)
{
    ssize_t n;

    do {
        n = send(fd_of(s), buf, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ECONNRESET) {
        errno = EPIPE;
    }
    return n;
}

/* The kernel hoards nothing: poll() tells of all there is. */
static size_t fd_pending(struct stream *s)
{
    (void)s;
    return 0;
}

static int fd_get_fd(struct stream *s)
{
    return fd_of(s);
}

static void fd_shutdown(struct stream *s)
{
    shutdown(fd_of(s), SHUT_RDWR); /* one that is not connected is shut */
}

static void fd_close(struct stream *s)
{
    close_fd(fd_of(s));
    free(s);
}

static const struct stream_ops fd_ops = {
    .recv = fd_recv,
    .send = fd_send,
    .pending = fd_pending,
    .get_fd = fd_get_fd,
    .shutdown = fd_shutdown,
    .close = fd_close,
};

struct stream *stream_from_fd(int fd)
{
    struct fd_stream *s = XNEW(struct fd_stream);
    int flags = fcntl(fd, F_GETFL);

    assert(flags >= 0);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        abort(); /* cannot happen to an open socket */
    }
    s->base.ops = &fd_ops;
    s->fd = fd;
    return &s->base;
}

void stream_close(struct stream *s)
{
    if (s) {
        s->ops->close(s);
    }
}
