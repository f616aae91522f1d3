/*
 * What a child process is given: signals, descriptors, a session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/child.h"

enum { LIMIT_MS = 10000, PLENTY = 1 << 20 };

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

static void it_gets_clean_signals(void **state)
{
    sigset_t set, before;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before);
    check_run(SH("kill -TERM $$; echo alive"), 128 + SIGTERM, "");
    sigprocmask(SIG_SETMASK, &before, NULL);
    check_run(SH("kill -PIPE $$; echo alive"), 128 + SIGPIPE, "");
}

static void it_gets_no_other_descriptors(void **state)
{
    (void)state;
    assert_int_equal(dup2(2, 50), 50); /* not close-on-exec */
    check_run(SH("test -e /proc/self/fd/2"), 0, "");
    check_run(SH("test -e /proc/self/fd/50"), 1, "");
    check_run(ARGV("readlink", "/proc/self/fd/0"), 0, "/dev/null\n");
    close(50);
}

/* The session of the child, or of whoever runs `cut`. */
static void check_session(bool own)
{
    const struct child_options o = {
        .argv = ARGV("cut", "-d ", "-f1,6", "/proc/self/stat"),
        .output_max = 100,
        .own_session = own,
    };
    CLEANUP(buffer_done) struct buffer out = { .data = NULL };
    int pid = 0, sid = 0;

    assert_int_equal(
        child_run(loop, &o, deadline_in_ms(LIMIT_MS), &out, NULL, NULL), 0);
    assert_int_equal(sscanf(out.data, "%d %d", &pid, &sid), 2);
    assert_int_equal(pid == sid, own);
    assert_int_equal(sid == getsid(0), !own);
}

static void own_session_when_asked(void **state)
{
    (void)state;
    check_session(false);
    check_session(true);
}

#define child_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        child_test(it_gets_clean_signals),
        child_test(it_gets_no_other_descriptors),
        child_test(own_session_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
