/*
 * A monitor behind ssh, with a program of the test's own in place of ssh: it
 * does what -L asks for with a symbolic link, or fails like ssh fails.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-monitor.h"
#include "qmp/client-forward.h"
#include "qmp/client.h"

/* Writes its arguments and its process to DIR, then does its work. */
static const char fake_ssh[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\" || exit\n"
    "echo \"$*\" >args\n"
    "echo $$ >pid\n"
    "[ ! -e complaint ] || { cat complaint >&2; exit 255; }\n"
    "while [ \"$1\" != -L ]; do shift; done\n"
    "ln -s \"${2#*:}\" \"${2%%:*}\"\n"
    "exec sleep 600\n";

struct fixture {
    struct loop *loop;
    char dir[64];
    char monitor[96];
    struct fake fake;
    struct qmp_address address;
    struct qmp *q;
    struct qm_error err;
};

static void in_dir(const struct fixture *x, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", x->dir, name);
}

static void write_file(const struct fixture *x, const char *name,
                       const char *text)
{
    char path[128];
    FILE *f;

    in_dir(x, name, path);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static char *read_file(const struct fixture *x, const char *name)
{
    static char text[1024];
    char path[128];
    FILE *f;
    size_t n;

    in_dir(x, name, path);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

static int setup(void **state)
{
    struct fixture *x = XNEW(struct fixture);
    char path[128], text[160];

    strcpy(x->dir, "/tmp/qm-forward-XXXXXX");
    if (!mkdtemp(x->dir)) {
        return -1;
    }
    write_file(x, "ssh", fake_ssh);
    in_dir(x, "ssh", path);
    chmod(path, 0700);
    snprintf(text, sizeof(text), "%s:/usr/bin:/bin", x->dir);
    setenv("PATH", text, 1);
    snprintf(x->monitor, sizeof(x->monitor), "%s/far.qmp", x->dir);
    snprintf(text, sizeof(text), "ssh://me@far:2222%s", x->monitor);
    x->loop = loop_new();
    fake_start(&x->fake, x->loop, x->monitor);
    *state = x;
    return qmp_address_parse(text, &x->address, NULL);
}

static int teardown(void **state)
{
    static const char *const files[] = { "ssh", "args", "pid", "complaint" };
    struct fixture *x = *state;
    char path[128];
    int rc;

    qmp_close(x->q);
    fake_stop(&x->fake);
    qmp_address_done(&x->address);
    error_clear(&x->err);
    loop_free(x->loop);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        in_dir(x, files[i], path);
        unlink(path);
    }
    rc = rmdir(x->dir); /* nothing else may be left there */
    free(x);
    return rc;
}

static void open_it(struct fixture *x)
{
    const struct qmp_options options = { .who = "source", .dir = x->dir };

    x->q = qmp_open(x->loop, &x->address, &options, deadline_in_ms(20000),
                    &x->err);
}

static bool is_alive(const struct fixture *x)
{
    return kill(atoi(read_file(x, "pid")), 0) == 0;
}

static void opens_and_cleans_up(void **state)
{
    struct fixture *x = *state;
    const char *args;

    open_it(x);
    assert_null(x->err.message);
    assert_int_equal(qmp_peer_pid(x->q), -1);
    args = read_file(x, "args");
    assert_non_null(strstr(args, "-T -o BatchMode=yes "));
    assert_non_null(
        strstr(args, " -l me -p 2222 -- far exec cat >/dev/null\n"));
    assert_true(is_alive(x));
    qmp_close(STEAL(x->q));
    assert_false(is_alive(x));
}

static void complaint_of_ssh_is_the_reason(void **state)
{
    struct fixture *x = *state;

    write_file(x, "complaint", "me@far: Permission denied (publickey).\n");
    open_it(x);
    assert_null(x->q);
    assert_int_equal(x->err.code, QM_ERR_CONNECT);
    assert_string_equal(x->err.message, "source: ssh to far: me@far: "
                                        "Permission denied (publickey).");
}

static void silent_end_of_ssh(void **state)
{
    struct fixture *x = *state;

    write_file(x, "complaint", "");
    open_it(x);
    assert_null(x->q);
    assert_string_equal(x->err.message,
                        "source: ssh to far ended with status 255");
}

/* What ssh does when the far end refuses: it accepts, and hangs up. */
static void hang_up(void *arg, unsigned ready)
{
    struct fake *f = arg;

    (void)ready;
    close_fd(accept(f->listen_fd, NULL, NULL));
}

static void nothing_answers_there(void **state)
{
    struct fixture *x = *state;
    char message[256];

    loop_watch_free(x->fake.listen_watch);
    x->fake.listen_watch =
        loop_watch_fd(x->loop, x->fake.listen_fd, LOOP_READ, hang_up, &x->fake);
    open_it(x);
    assert_null(x->q);
    snprintf(message, sizeof(message), "source: nothing answers on %s at far",
             x->monitor);
    assert_string_equal(x->err.message, message);
    assert_int_equal(x->err.code, QM_ERR_CONNECT);
}

/* The end of ssh is the end of the link; the next link has an ssh of its
 * own, and nothing of the old one is left. */
static void ssh_dies_and_is_replaced(void **state)
{
    struct fixture *x = *state;
    int old;

    open_it(x);
    assert_non_null(x->q);
    old = atoi(read_file(x, "pid"));
    assert_int_equal(kill(old, SIGTERM), 0);
    assert_int_equal(qmp_command(x->q, "stop", NULL, QMP_QUERY, NULL, &x->err),
                     -1);
    assert_int_equal(x->err.code, QM_ERR_LINK);
    error_clear(&x->err);
    fake_hang_up(&x->fake); /* its sshd would do that */
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(20000), &x->err), 0);
    assert_int_equal(qmp_generation(x->q), 2);
    assert_int_not_equal(atoi(read_file(x, "pid")), old);
    assert_true(is_alive(x));
}

static void ssh_cannot_be_found(void **state)
{
    struct fixture *x = *state;

    setenv("PATH", "/nonexistent", 1);
    open_it(x);
    assert_null(x->q);
    assert_non_null(strstr(x->err.message, "ssh"));
}

static void directory_is_too_deep(void **state)
{
    struct fixture *x = *state;
    char dir[120];
    const struct qmp_options options = { .who = "source", .dir = dir };

    memset(dir, 'x', sizeof(dir) - 1);
    dir[0] = '/';
    dir[sizeof(dir) - 1] = '\0';
    assert_null(qmp_open(x->loop, &x->address, &options, deadline_in_ms(9000),
                         &x->err));
    assert_non_null(strstr(x->err.message, "too long for a unix socket"));
}

static void odd_characters_reach_ssh_as_they_are(void **state)
{
    CLEANUP_FREE char *argument = forward_argument("/a:b", "/c%d\\e f");

    (void)state;
    assert_string_equal(argument, "/a\\:b:/c%%d\\\\e f");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void the_reason_is_the_last_line_but_farewells(void **state)
{
    static const struct {
        const char *said, *reason;
    } rows[] = {
        { "", "" },
        { "ssh: connect to host x: no route",
          "ssh: connect to host x: no route" },
        { "@@@@; @ WARNING! @; @@@@; Host key verification failed.",
          "Host key verification failed." },
        { "Authorized use only.; me@x: Permission denied (publickey).; "
          "Connection closed by UNKNOWN port 65535",
          "me@x: Permission denied (publickey)." },
        { "Connection closed by 10.0.0.1 port 22",
          "Connection closed by 10.0.0.1 port 22" },
        { "a; ", "a" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP_FREE char *reason = ssh_reason(rows[i].said);

        assert_string_equal(reason, rows[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_and_cleans_up),
        TEST(complaint_of_ssh_is_the_reason),
        TEST(silent_end_of_ssh),
        TEST(nothing_answers_there),
        TEST(ssh_dies_and_is_replaced),
        TEST(ssh_cannot_be_found),
        TEST(directory_is_too_deep),
        cmocka_unit_test(the_reason_is_the_last_line_but_farewells),
        cmocka_unit_test(odd_characters_reach_ssh_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
