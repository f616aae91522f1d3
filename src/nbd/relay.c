/*
 * Between a TLS stream and libnbd, which sees a server in clear on a socket
 * pair that never leaves this process.
 *
 * Happy path: libnbd is shown the server's greeting again, and answers it with
 * its flags (4 bytes), which are dropped, since the server has had them before
 * TLS; from then on every byte is carried, in both directions.
 *
 * On an end: what was read is still delivered, then the end is passed on.
 */
#include "nbd/internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"

enum {
    CHUNK = 16 * 1024,     /* one TLS record */
    HELD_MAX = 256 * 1024, /* a direction that holds this much reads no more */
    CLIENT_FLAGS_LEN = 4,
};

struct relay {
    struct loop *loop;
    struct stream *far;
    int near;
    struct loop_watch *far_watch, *near_watch;
    struct buffer to_far, to_near;
    size_t to_drop; /* of what the near side sends */

    /* Recorded by callbacks, read by steps */
    bool far_ended, near_ended;   /* nothing more comes from there */
    bool far_broken, near_broken; /* nothing more can be sent there */
    bool far_spoke;
};

static bool read_far(struct relay *r)
{
    if (r->far_ended || r->to_near.len >= HELD_MAX)
        return false;
    ssize_t n =
        r->far->ops->recv(r->far, buffer_room(&r->to_near, CHUNK), CHUNK);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        r->far_ended = true;
        return true;
    }
    buffer_grew(&r->to_near, (size_t)n);
    r->far_spoke = true;
    return true;
}

static bool read_near(struct relay *r)
{
    if (r->near_ended || r->to_far.len >= HELD_MAX)
        return false;
    ssize_t n = read(r->near, buffer_room(&r->to_far, CHUNK), CHUNK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        r->near_ended = true;
        return true;
    }
    buffer_grew(&r->to_far, (size_t)n);
    size_t drop = r->to_drop < r->to_far.len ? r->to_drop : r->to_far.len;
    buffer_consume(&r->to_far, drop);
    r->to_drop -= drop;
    return true;
}

/* What was sent leaves B; what cannot be sent any more does too. */
static bool was_sent(struct buffer *b, ssize_t n, bool *broken)
{
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0)
        *broken = true;
    buffer_consume(b, n < 0 ? b->len : (size_t)n);
    return true;
}

static bool write_far(struct relay *r)
{
    if (!r->to_far.len)
        return false;
    if (r->far_broken)
        return was_sent(&r->to_far, (ssize_t)r->to_far.len, &r->far_broken);
    return was_sent(&r->to_far,
                    r->far->ops->send(r->far, r->to_far.data, r->to_far.len),
                    &r->far_broken);
}

static bool write_near(struct relay *r)
{
    if (!r->to_near.len)
        return false;
    if (r->near_broken)
        return was_sent(&r->to_near, (ssize_t)r->to_near.len, &r->near_broken);
    return was_sent(
        &r->to_near,
        send(r->near, r->to_near.data, r->to_near.len, MSG_NOSIGNAL),
        &r->near_broken);
}

void relay_look(const struct relay *r, struct tls_seen *ret)
{
    tls_client_look(r->far, ret);
}

static unsigned wanted(bool ended, const struct buffer *in,
                       const struct buffer *out)
{
    return (!ended && in->len < HELD_MAX ? (unsigned)LOOP_READ : 0) |
           (out->len ? (unsigned)LOOP_WRITE : 0);
}

/* Until nothing moves: so that TLS never hoards what no poll() tells of. */
static void pump(struct relay *r)
{
    bool moved;

    do {
        moved = read_far(r);
        moved = write_near(r) || moved;
        moved = read_near(r) || moved;
        moved = write_far(r) || moved;
    } while (moved);
    if (r->far_ended && !r->to_near.len)
        (void)shutdown(r->near, SHUT_WR);
    loop_watch_set(r->far_watch, wanted(r->far_ended, &r->to_near, &r->to_far));
    loop_watch_set(r->near_watch,
                   wanted(r->near_ended, &r->to_far, &r->to_near));
}

static void on_ready(void *arg, unsigned ready)
{
    (void)ready;
    pump(arg);
}

static void repeat_greeting(struct relay *r, uint16_t flags)
{
    uint16_t wire = htobe16(flags);

    buffer_append(&r->to_near, "NBDMAGICIHAVEOPT", 16);
    buffer_append(&r->to_near, &wire, sizeof(wire));
    r->to_drop = CLIENT_FLAGS_LEN;
}

struct relay *relay_new(struct loop *loop, struct stream *far, uint16_t flags,
                        int *ret_fd, struct qm_error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno, "make a pair of sockets");
        stream_close(far);
        return NULL;
    }
    struct relay *r = XNEW(struct relay);
    *r = (struct relay){ .loop = loop, .far = far, .near = pair[0] };
    repeat_greeting(r, flags);
    r->far_watch = loop_watch_fd(loop, far->ops->get_fd(far), 0, on_ready, r);
    r->near_watch = loop_watch_fd(loop, r->near, 0, on_ready, r);
    pump(r);
    *ret_fd = pair[1];
    return r;
}

bool relay_was_turned_away(const struct relay *r)
{
    return (r->far_ended || r->far_broken) && !r->far_spoke;
}

static bool is_drained(void *arg)
{
    const struct relay *r = arg;

    return r->far_broken || (r->near_ended && !r->to_far.len);
}

void relay_drain(struct relay *r, deadline_t by)
{
    (void)loop_wait(r->loop, is_drained, r, by);
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    loop_watch_free(r->far_watch);
    loop_watch_free(r->near_watch);
    stream_close(r->far);
    close_fd(r->near);
    buffer_done(&r->to_far);
    buffer_done(&r->to_near);
    free(r);
}
