/*
 * Writing without ever waiting.
 *
 * A terminal that was stopped by Ctrl-S, a pager that nobody scrolls, a pipe
 * whose reader sleeps: each would hold a blocking write for ever, and with it
 * the guest that is just being handed over.  O_NONBLOCK cannot be set on a
 * descriptor that we inherited, because it would be set for everybody who
 * shares it; a terminal or a pipe can be opened anew instead.  Where even that
 * fails, poll() is asked first, and small pieces are written.
 *
 * On close: what is still pending gets FLUSH_MS, counted anew whenever the
 * reader took something.
 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PENDING_MAX = 1024 * 1024,
    FLUSH_MS = 2000,
    FLUSH_TOTAL_MS = 20000,
    PIECE = 512, /* of a blocking descriptor; below PIPE_BUF */
};

struct output {
    int fd;
    int own_fd;     /* FD opened anew without blocking, or -1 */
    bool is_socket; /* send() can be told not to wait */
    bool is_file;   /* never waits */
    bool dead;      /* the reader is gone */
    struct buffer pending;
};

static int reopen(int fd)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct output *output_new(int fd)
{
    struct output *o = XNEW(struct output);
    struct stat st;

    o->fd = fd;
    o->own_fd = -1;
    if (fstat(fd, &st) < 0) {
        o->dead = true;
        return o;
    }
    o->is_socket = S_ISSOCK(st.st_mode);
    o->is_file = S_ISREG(st.st_mode);
    if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
        o->own_fd = reopen(fd);
    }
    return o;
}

/* As write(), with EAGAIN instead of a wait. */
static ssize_t write_some(struct output *o, const char *bytes, size_t len)
{
    struct pollfd p = { .fd = o->fd, .events = POLLOUT };

    if (o->own_fd >= 0) {
        return write(o->own_fd, bytes, len);
    }
    if (o->is_socket) {
        return send(o->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (o->is_file) {
        return write(o->fd, bytes, len);
    }
    if (poll(&p, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(o->fd, bytes, len < PIECE ? len : PIECE);
}

static void push(struct output *o)
{
    while (!o->dead && o->pending.len > 0) {
        ssize_t n = write_some(o, o->pending.data, o->pending.len);

        if (n > 0) {
            buffer_consume(&o->pending, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else {
            o->dead = true;
        }
    }
}

void output_write(struct output *o, const char *bytes, size_t len)
{
    if (o->dead || o->pending.len + len > PENDING_MAX) {
        push(o);
        return;
    }
    buffer_append(&o->pending, bytes, len);
    push(o);
}

void output_buffer(struct output *o, const struct buffer *b)
{
    if (b->len > 0) {
        output_write(o, b->data, b->len);
    }
}

void output_printf(struct output *o, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    struct buffer b;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    b = (struct buffer){ .data = text, .len = strlen(text) };
    output_buffer(o, &b);
}

static void flush(struct output *o)
{
    deadline_t end = deadline_in_ms(FLUSH_TOTAL_MS);
    deadline_t by = deadline_in_ms(FLUSH_MS);

    for (;;) {
        struct pollfd p = { .fd = o->own_fd >= 0 ? o->own_fd : o->fd,
                            .events = POLLOUT };
        size_t before = o->pending.len;
        int64_t left;

        push(o);
        if (o->dead || o->pending.len == 0) {
            return;
        }
        if (o->pending.len < before) {
            by = deadline_in_ms(FLUSH_MS);
        }
        left = deadline_earlier(by, end) - clock_now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) == 0) {
            return;
        }
    }
}

void output_free(struct output *o)
{
    if (!o) {
        return;
    }
    flush(o);
    close_fd(o->own_fd);
    buffer_done(&o->pending);
    free(o);
}

void output_leave(struct output *o)
{
    if (o->is_file) {
        return;
    }
    push(o);
    o->dead = true;
    close_fd(o->own_fd);
    o->own_fd = -1;
}

bool output_is_behind(struct output *o)
{
    push(o);
    return o->pending.len > 0;
}

bool output_is_terminal(const struct output *o)
{
    return isatty(o->fd) == 1;
}

unsigned output_columns(const struct output *o)
{
    struct winsize size;

    if (ioctl(o->fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}
