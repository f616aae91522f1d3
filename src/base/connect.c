/*
 * Connecting without blocking the rest.
 *
 * Happy path: a non-blocking connect() succeeds at once, or the socket becomes
 * writable and has no error.
 *
 * What can fail: a unix socket whose queue is full says EAGAIN, and there is
 * no event that tells of room: we try again every few milliseconds until the
 * deadline.  A TCP connection that gets no answer is given up at the deadline.
 * Whatever fails, the socket is closed.
 */
#include "base/stream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/loop.h"

enum { FULL_QUEUE_RETRY_MS = 10 };

/* Silence of a TCP peer is noticed after 10 s + 4 * 5 s. */
enum { KEEPALIVE_IDLE_S = 10, KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_COUNT = 4 };

/* Recorded by callbacks, read by wait_until_set(). */
static void set_flag(void *arg)
{
    bool *flag = arg;

    *flag = true;
}

static void set_flag_of_fd(void *arg, unsigned ready)
{
    (void)ready;
    set_flag(arg);
}

static bool is_set(void *arg)
{
    const bool *flag = arg;

    return *flag;
}

static bool pause_before_retry(struct loop *loop, deadline_t by)
{
    bool rang = false;
    struct loop_timer *timer = loop_timer_new(loop, set_flag, &rang);
    bool in_time;

    loop_timer_start(timer, FULL_QUEUE_RETRY_MS);
    in_time = loop_wait(loop, is_set, &rang, by);
    loop_timer_free(timer);
    return in_time;
}

int socket_connect_unix(struct loop *loop, const char *path, deadline_t by,
                        struct qm_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    CLEANUP(close_fd) int fd = -1;
    int result;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(err, QM_ERR_CONNECT,
                         "cannot connect to %s: the path is longer than the "
                         "%zu bytes that a socket can have",
                         path, sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "cannot make a socket");
    }
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) <
           0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return error_set_errno(err, QM_ERR_CONNECT, errno,
                                   "cannot connect to %s", path);
        }
        if (!pause_before_retry(loop, by)) {
            return error_set(err, QM_ERR_BUSY,
                             "cannot connect to %s: its queue is full, "
                             "no process there accepts connections",
                             path);
        }
    }
    result = fd;
    fd = -1;
    return result;
}

/* 0, or the errno of the attempt; ETIMEDOUT if BY came first. */
static int finish_connect(struct loop *loop, int fd, deadline_t by)
{
    bool writable = false;
    struct loop_watch *watch =
        loop_watch_fd(loop, fd, LOOP_WRITE, set_flag_of_fd, &writable);
    bool in_time = loop_wait(loop, is_set, &writable, by);
    int errnum = 0;
    socklen_t len = sizeof(errnum);

    loop_watch_free(watch);
    if (!in_time) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0 ? errno
                                                                   : errnum;
}

/* Small commands must not wait for each other, and a host that vanished must
 * be noticed.  A kernel that refuses one of these loses only that. */
static void tune_tcp(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
        { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT },
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name,
                         &options[i].value, sizeof(options[i].value));
    }
}

/* 0 with *RET_FD connected; else the errno. */
static int try_tcp(struct loop *loop, const struct addrinfo *to, deadline_t by,
                   int *ret_fd)
{
    CLEANUP(close_fd)
    int fd =
        socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int errnum = 0;

    if (fd < 0) {
        return errno;
    }
    tune_tcp(fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
        errnum = errno;
    }
    if (errnum == EINPROGRESS || errnum == EINTR) {
        errnum = finish_connect(loop, fd, by);
    }
    if (errnum == 0) {
        *ret_fd = fd;
        fd = -1;
    }
    return errnum;
}

int socket_connect_tcp(struct loop *loop, const char *host, unsigned port,
                       deadline_t by, struct qm_error *err)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *list = NULL;
    char service[16];
    int fd = -1;
    int rc;

    snprintf(service, sizeof(service), "%u", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        return error_set(err, QM_ERR_CONNECT, "%s is not a numeric address: %s",
                         host, gai_strerror(rc));
    }
    rc = try_tcp(loop, list, by, &fd);
    freeaddrinfo(list);
    if (rc != 0) {
        return error_set_errno(err, QM_ERR_CONNECT, rc,
                               "cannot connect to %s%s%s port %u",
                               strchr(host, ':') ? "[" : "", host,
                               strchr(host, ':') ? "]" : "", port);
    }
    return fd;
}
