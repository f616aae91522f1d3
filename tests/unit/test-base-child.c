/*
 * Child processes: what they are given, what is learned of them, and that
 * none outlives us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"

enum { LIMIT_MS = 10000, PLENTY = 4 << 20 };

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGV("sh", "-c", script)

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static bool has_exited(void *arg)
{
    return child_has_exited(arg);
}

static void wait_exit(struct child *c)
{
    assert_true(loop_wait(loop, has_exited, c, deadline_in_ms(LIMIT_MS)));
}

static int open_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    assert_true(fd >= 0);
    return fd;
}

static bool ends_in_time(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    return poll(&p, 1, LIMIT_MS) == 1;
}

/* Run ARGV and compare its status and all of its stdout. */
static void check_run(const char *const *argv, int status, const char *stdout_)
{
    const struct child_options o = { .argv = argv, .output_max = PLENTY };
    CLEANUP(buffer_done) struct buffer out = { .data = NULL };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), &out, NULL, &err),
        status);
    assert_null(err.message);
    assert_string_equal(out.data, stdout_);
}

static void status_and_output(void **state)
{
    (void)state;
    check_run(SH("printf abc"), 0, "abc");
    check_run(SH("printf x; exit 3"), 3, "x");
    check_run(SH("kill -KILL $$"), 128 + SIGKILL, "");
    check_run(ARGV("printf", "%s|", "a b", "$HOME", "'"), 0, "a b|$HOME|'|");
}

static void complaint_is_kept(void **state)
{
    const struct child_options o = {
        .argv = SH("printf '\\033one\\r\\n\\ntwo\\n' >&2; exit 1"),
    };
    CLEANUP_FREE char *complaint = NULL;

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, &complaint, NULL),
        1);
    assert_string_equal(complaint, "\\x1bone; two");
}

static void of_a_long_complaint_the_end_is_kept(void **state)
{
    const struct child_options o = {
        .argv = SH("head -c 300000 /dev/zero | tr '\\0' x >&2; echo end >&2"),
    };
    CLEANUP_FREE char *complaint = NULL;

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, &complaint, NULL),
        0);
    assert_true(str_ends(complaint, "xend"));
    assert_int_equal(strlen(complaint), 4096 - 1);
}

static void not_found_is_an_error(void **state)
{
    const struct child_options o = { .argv = ARGV("qm-no-such-program") };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_null(child_spawn(loop, &o, &err));
    assert_int_equal(err.code, QM_ERR_SYSTEM);
    assert_string_equal(err.message, "cannot run qm-no-such-program: No such "
                                     "file or directory");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
    assert_int_equal(errno, ECHILD);
}

static void input_is_fed(void **state)
{
    size_t len = 1 << 20;
    CLEANUP_FREE char *input = xcalloc(1, len);
    const struct child_options o = {
        .argv = ARGV("cat"),
        .input = input,
        .input_len = len,
        .output_max = len,
    };
    CLEANUP(buffer_done) struct buffer out = { .data = NULL };

    (void)state;
    for (size_t i = 0; i < len; i++) {
        input[i] = (char)(i * 7 >> 3);
    }
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), &out, NULL, NULL), 0);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, input, len);
}

static void input_may_be_empty_or_unwanted(void **state)
{
    CLEANUP_FREE char *input = xcalloc(1, 1 << 20);
    struct child_options o = { .argv = ARGV("cat"), .input = input };

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, NULL, NULL), 0);
    o.argv = ARGV("true");
    o.input_len = 1 << 20;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, NULL, NULL), 0);
    check_run(ARGV("cat"), 0, ""); /* without input: the end at once */
}

static void too_much_output_is_an_error(void **state)
{
    const struct child_options o = { .argv = ARGV("yes"), .output_max = 1000 };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, NULL, &err), -1);
    assert_string_equal(err.message, "yes wrote more than 1000 bytes");
}

static void just_enough_output_is_none(void **state)
{
    const struct child_options o = {
        .argv = SH("printf 12345"),
        .output_max = 5,
    };

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), NULL, NULL, NULL), 0);
}

static void the_deadline_ends_it(void **state)
{
    const struct child_options o = {
        .argv = SH("echo stuck >&2; exec sleep 1000"),
    };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(child_run(loop, &o, deadline_in_ms(300), NULL, NULL, &err),
                     -1);
    assert_int_equal(err.code, QM_ERR_TIMEOUT);
    assert_true(str_starts(err.message, "sh had not ended after 3"));
    assert_true(str_ends(err.message, " ms and was stopped; it said: stuck"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_grandchild_with_the_pipes_is_not_waited_for(void **state)
{
    const struct child_options o = {
        .argv = SH("sleep 1000 & echo $!"),
        .output_max = 100,
    };
    CLEANUP(buffer_done) struct buffer out = { .data = NULL };
    pid_t pid;

    (void)state;
    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), &out, NULL, NULL), 0);
    pid = atoi(out.data);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static bool has_a_line(void *arg)
{
    const struct child *c = arg;

    return strchr(child_output(c)->data, '\n');
}

/* Start SCRIPT, which tells a pid; a pidfd of that, and the child. */
static struct child *spawn_teller(const char *script, pid_t *ret_pid)
{
    const struct child_options o = {
        .argv = SH(script),
        .output_max = 100,
        .own_session = true,
    };
    struct child *c = child_spawn(loop, &o, NULL);

    assert_non_null(c);
    assert_true(loop_wait(loop, has_a_line, c, deadline_in_ms(LIMIT_MS)));
    *ret_pid = atoi(child_output(c)->data);
    assert_true(*ret_pid > 1);
    return c;
}

static void freeing_ends_the_whole_session(void **state)
{
    pid_t pid;
    struct child *c = spawn_teller("sleep 1000 & echo $!; wait", &pid);
    CLEANUP(close_fd) int pidfd = open_pidfd(pid);

    (void)state;
    child_free(c);
    assert_true(ends_in_time(pidfd));
    child_free(NULL);
}

static void a_signal_reaches_it(void **state)
{
    pid_t pid;
    struct child *c = spawn_teller("echo $$; exec sleep 1000", &pid);

    (void)state;
    assert_false(child_has_exited(c));
    child_kill(c, SIGTERM);
    wait_exit(c);
    assert_int_equal(child_status(c), 128 + SIGTERM);
    child_kill(c, SIGTERM); /* nobody: its pid may be somebody else's now */
    child_free(c);
}

static void count(void *arg)
{
    unsigned *n = arg;

    (*n)++;
}

static bool is_counted(void *arg)
{
    const unsigned *n = arg;

    return *n > 0;
}

static void exit_is_told_once(void **state)
{
    const struct child_options o = { .argv = ARGV("true") };
    CLEANUP(child_free) struct child *c = child_spawn(loop, &o, NULL);
    unsigned n = 0;

    (void)state;
    child_on_exit(c, count, &n);
    assert_true(loop_wait(loop, is_counted, &n, deadline_in_ms(LIMIT_MS)));
    assert_true(child_has_exited(c));
    child_on_exit(c, count, &n); /* late, and still from the loop */
    assert_int_equal(n, 1);
    n = 0;
    assert_true(loop_wait(loop, is_counted, &n, deadline_in_ms(LIMIT_MS)));
    assert_int_equal(n, 1);
}

static void a_socket_can_be_its_stdio(void **state)
{
    CLEANUP(child_free) struct child *c = NULL;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct child_options o = { .argv = ARGV("cat") };
    char buf[8];
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    o.stdio_fd = fds[1];
    c = child_spawn(loop, &o, &err);
    assert_non_null(c);
    close(fds[1]);
    assert_int_equal(write(fds[0], "ping", 4), 4);
    assert_int_equal(recv(fds[0], buf, 4, MSG_WAITALL), 4);
    assert_memory_equal(buf, "ping", 4);
    close(fds[0]); /* the end of its input */
    wait_exit(c);
    assert_int_equal(child_status(c), 0);
}

/* In a process of its own: start a child, tell its pid, wait to be killed. */
static _Noreturn void be_a_parent(int tell_fd)
{
    pid_t pid;

    loop = loop_new();
    spawn_teller("echo $$; exec sleep 1000", &pid);
    if (write(tell_fd, &pid, sizeof(pid)) != sizeof(pid)) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void it_dies_with_us(void **state)
{
    pid_t parent, pid = 0;
    int pipe_fds[2];
    CLEANUP(close_fd) int pidfd = -1;
    bool died;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    parent = fork();
    if (parent == 0) {
        be_a_parent(pipe_fds[1]);
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid));
    close(pipe_fds[0]);
    pidfd = open_pidfd(pid);
    kill(parent, SIGKILL); /* no chance to clean up */
    waitpid(parent, NULL, 0);
    died = ends_in_time(pidfd);
    if (!died) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    }
    assert_true(died);
}

#define child_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        child_test(status_and_output),
        child_test(complaint_is_kept),
        child_test(of_a_long_complaint_the_end_is_kept),
        child_test(not_found_is_an_error),
        child_test(input_is_fed),
        child_test(input_may_be_empty_or_unwanted),
        child_test(too_much_output_is_an_error),
        child_test(just_enough_output_is_none),
        child_test(the_deadline_ends_it),
        child_test(a_grandchild_with_the_pipes_is_not_waited_for),
        child_test(freeing_ends_the_whole_session),
        child_test(a_signal_reaches_it),
        child_test(exit_is_told_once),
        child_test(a_socket_can_be_its_stdio),
        child_test(it_dies_with_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
