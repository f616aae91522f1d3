/*
 * Streams over sockets, and connecting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/stream.h"

enum { LIMIT_MS = 10000 };

struct world {
    struct loop *loop;
    char folder[32];
    char path[64];
    int listener;
    unsigned port;
    int accepted;
    bool ready;
};

static int set_up(void **state)
{
    struct world *w = XNEW(struct world);

    w->loop = loop_new();
    w->listener = w->accepted = -1;
    strcpy(w->folder, "/tmp/qm-stream-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/s", w->folder);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    close_fd(w->listener);
    close_fd(w->accepted);
    unlink(w->path);
    rmdir(w->folder);
    loop_free(w->loop);
    free(w);
    return 0;
}

static void bind_tcp(struct world *w)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(a);

    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    w->port = ntohs(a.sin_port);
}

static void bind_unix(struct world *w)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    strcpy(a.sun_path, w->path);
    w->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void on_ready(void *arg, unsigned ready)
{
    struct world *w = arg;

    (void)ready;
    w->ready = true;
}

static bool is_ready(void *arg)
{
    const struct world *w = arg;

    return w->ready;
}

static void wait_readable(struct world *w, struct stream *s)
{
    struct loop_watch *watch =
        loop_watch_fd(w->loop, s->ops->get_fd(s), LOOP_READ, on_ready, w);

    w->ready = false;
    assert_true(loop_wait(w->loop, is_ready, w, deadline_in_ms(LIMIT_MS)));
    loop_watch_free(watch);
}

static void bytes_go_both_ways(void **state)
{
    struct world *w = *state;
    CLEANUP(stream_close) struct stream *a = NULL;
    CLEANUP(stream_close) struct stream *b = NULL;
    char buf[8];
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = stream_from_fd(fds[0]);
    b = stream_from_fd(fds[1]);
    assert_int_equal(a->ops->recv(a, buf, sizeof(buf)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(b->ops->send(b, "abc", 3), 3);
    wait_readable(w, a);
    assert_int_equal(a->ops->pending(a), 0);
    assert_int_equal(a->ops->recv(a, buf, sizeof(buf)), 3);
    assert_memory_equal(buf, "abc", 3);
    b->ops->shutdown(b);
    wait_readable(w, a);
    assert_int_equal(a->ops->recv(a, buf, sizeof(buf)), 0);
    assert_int_equal(b->ops->recv(b, buf, sizeof(buf)), 0);
    stream_close(NULL);
}

static void a_full_pipe_says_again(void **state)
{
    CLEANUP(stream_close) struct stream *a = NULL;
    CLEANUP(close_fd) int far = -1;
    char buf[4096] = { 0 };
    int fds[2];
    ssize_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = stream_from_fd(fds[0]);
    far = fds[1];
    while ((n = a->ops->send(a, buf, sizeof(buf))) > 0) {
        /* until it is full */
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);
}

/* With SIGPIPE at its default, which would kill the test. */
static void sending_to_nobody_is_epipe(void **state)
{
    CLEANUP(stream_close) struct stream *a = NULL;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = stream_from_fd(fds[0]);
    close(fds[1]);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(a->ops->send(a, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
}

static void a_unix_reset_is_the_end(void **state)
{
    CLEANUP(stream_close) struct stream *a = NULL;
    char buf[8];
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = stream_from_fd(fds[0]);
    assert_int_equal(a->ops->send(a, "unread", 6), 6);
    close(fds[1]); /* with bytes unread: the kernel makes it a reset */
    assert_int_equal(a->ops->recv(a, buf, sizeof(buf)), 0);
}

static struct stream *connect_tcp_pair(struct world *w)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    int fd;

    bind_tcp(w);
    assert_int_equal(listen(w->listener, 1), 0);
    fd = socket_connect_tcp(w->loop, "127.0.0.1", w->port,
                            deadline_in_ms(LIMIT_MS), &err);
    assert_null(err.message);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    w->accepted = accept(w->listener, NULL, NULL);
    return stream_from_fd(fd);
}

static void reset_accepted(struct world *w)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    assert_int_equal(
        setsockopt(w->accepted, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
        0);
    close(w->accepted);
    w->accepted = -1;
}

static void a_tcp_reset_is_the_end(void **state)
{
    struct world *w = *state;
    CLEANUP(stream_close) struct stream *s = connect_tcp_pair(w);
    char buf[8];

    reset_accepted(w);
    wait_readable(w, s);
    assert_int_equal(s->ops->recv(s, buf, sizeof(buf)), 0);
}

static void sending_after_a_reset_is_epipe(void **state)
{
    struct world *w = *state;
    CLEANUP(stream_close) struct stream *s = connect_tcp_pair(w);

    reset_accepted(w);
    wait_readable(w, s);
    assert_int_equal(s->ops->send(s, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
}

static void tcp_refusal_names_the_address(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *expected = NULL;

    bind_tcp(w); /* bound, but nobody listens */
    assert_int_equal(socket_connect_tcp(w->loop, "127.0.0.1", w->port,
                                        deadline_in_ms(LIMIT_MS), &err),
                     -1);
    expected = xasprintf("cannot connect to 127.0.0.1 port %u: Connection "
                         "refused",
                         w->port);
    assert_string_equal(err.message, expected);
    assert_int_equal(err.code, QM_ERR_CONNECT);
}

/* A queue that is full drops the greeting of TCP: nobody answers. */
static void tcp_silence_ends_at_the_deadline(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    int fds[8];
    size_t n = 0;

    bind_tcp(w);
    assert_int_equal(listen(w->listener, 0), 0);
    while (n < ARRAY_LEN(fds) &&
           (fds[n] = socket_connect_tcp(w->loop, "127.0.0.1", w->port,
                                        deadline_in_ms(100), &err)) >= 0) {
        n++;
    }
    assert_true(n > 0 && n < ARRAY_LEN(fds));
    assert_int_equal(err.code, QM_ERR_CONNECT);
    assert_non_null(strstr(err.message, "Connection timed out"));
    while (n > 0) {
        close(fds[--n]);
    }
}

static void tcp_wants_numbers(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    assert_int_equal(socket_connect_tcp(w->loop, "localhost", 1,
                                        deadline_in_ms(LIMIT_MS), &err),
                     -1);
    assert_true(
        str_starts(err.message, "localhost is not a numeric address: "));
}

static void unix_failures_name_the_path(void **state)
{
    struct world *w = *state;
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *missing =
        xasprintf("cannot connect to %s: No such file or directory", w->path);
    CLEANUP_FREE char *refused =
        xasprintf("cannot connect to %s: Connection refused", w->path);

    assert_int_equal(
        socket_connect_unix(w->loop, w->path, deadline_in_ms(LIMIT_MS), &err),
        -1);
    assert_string_equal(err.message, missing);
    assert_int_equal(err.code, QM_ERR_CONNECT);
    error_clear(&err);
    bind_unix(w);
    assert_int_equal(
        socket_connect_unix(w->loop, w->path, deadline_in_ms(LIMIT_MS), &err),
        -1);
    assert_string_equal(err.message, refused);
    error_clear(&err);
}

static void unix_path_must_fit(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    char path[109];

    memset(path, 'x', 108);
    path[108] = '\0';
    assert_int_equal(
        socket_connect_unix(w->loop, path, deadline_in_ms(LIMIT_MS), &err), -1);
    assert_non_null(strstr(err.message, "longer than the 107 bytes"));
}

static void accept_one(void *arg)
{
    struct world *w = arg;

    w->accepted = accept(w->listener, NULL, NULL);
}

static void a_full_unix_queue_is_waited_for(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(close_fd) int first = -1;
    CLEANUP(close_fd) int second = -1;
    struct loop_timer *timer = loop_timer_new(w->loop, accept_one, w);

    bind_unix(w);
    assert_int_equal(listen(w->listener, 0), 0);
    first =
        socket_connect_unix(w->loop, w->path, deadline_in_ms(LIMIT_MS), &err);
    assert_true(first >= 0);
    assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
    assert_int_equal(
        socket_connect_unix(w->loop, w->path, deadline_in_ms(50), &err), -1);
    assert_int_equal(err.code, QM_ERR_BUSY);
    assert_non_null(strstr(err.message, "its queue is full"));
    error_clear(&err);
    loop_timer_start(timer, 30); /* served while we wait for room */
    second =
        socket_connect_unix(w->loop, w->path, deadline_in_ms(LIMIT_MS), &err);
    assert_true(second >= 0);
    assert_true(w->accepted >= 0);
    loop_timer_free(timer);
}

#define stream_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stream_test(bytes_go_both_ways),
        stream_test(a_full_pipe_says_again),
        stream_test(sending_to_nobody_is_epipe),
        stream_test(a_unix_reset_is_the_end),
        stream_test(a_tcp_reset_is_the_end),
        stream_test(sending_after_a_reset_is_epipe),
        stream_test(tcp_refusal_names_the_address),
        stream_test(tcp_silence_ends_at_the_deadline),
        stream_test(tcp_wants_numbers),
        stream_test(unix_failures_name_the_path),
        stream_test(unix_path_must_fit),
        stream_test(a_full_unix_queue_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
