/*
 * Nobody who reads slowly, or not at all, holds up the writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"

enum { MUCH = 300 * 1024, PIECE = 1024, AT_ONCE_MS = 5000 };

/* Writes MUCH, more than any kernel keeps, in whole messages. */
static void write_much(struct output *o)
{
    char message[PIECE];
    int64_t began = clock_now_ms();

    for (int i = 0; i < MUCH / PIECE; i++) {
        memset(message, 'a' + i % 26, sizeof(message));
        output_write(o, message, sizeof(message));
    }
    assert_true(clock_now_ms() - began < AT_ONCE_MS);
}

/* It cannot wait for the end of the file: it has all our descriptors. */
static pid_t read_in_a_child(int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        char bytes[4096];
        size_t sum = 0;
        ssize_t n;

        alarm(10);
        while (sum < MUCH && (n = read(fd, bytes, sizeof(bytes))) > 0) {
            for (ssize_t i = 0; i < n; i++, sum++) {
                if (bytes[i] != (char)('a' + sum / PIECE % 26)) {
                    _exit(2);
                }
            }
        }
        _exit(sum == MUCH ? 0 : 1);
    }
    assert_true(pid > 0);
    return pid;
}

/* All that was written while nobody read arrives when somebody does. */
static void late_reader_gets_all(int fds[2])
{
    struct output *o = output_new(fds[1]);
    pid_t reader;
    int status;

    write_much(o);
    assert_true(output_is_behind(o));
    reader = read_in_a_child(fds[0]);
    output_free(o);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

static void late_reader_of_a_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    late_reader_gets_all(fds);
}

static void late_reader_of_a_socket(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    late_reader_gets_all(fds);
}

/* The descriptor we were given is left as it was. */
static void descriptor_stays_blocking(void **state)
{
    int fds[2];
    struct output *o;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    o = output_new(fds[1]);
    output_printf(o, "x");
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    output_free(o);
    close(fds[0]);
    close(fds[1]);
}

static void nobody_ever_reads(void **state)
{
    int64_t began;
    int fds[2];
    struct output *o;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    o = output_new(fds[1]);
    write_much(o);
    began = clock_now_ms();
    output_free(o);
    assert_in_range(clock_now_ms() - began, 1000, 10000);
    close(fds[0]);
    close(fds[1]);
}

static void reader_has_gone(void **state)
{
    int64_t began = clock_now_ms();
    int fds[2];
    struct output *o;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    o = output_new(fds[1]);
    write_much(o);
    assert_false(output_is_terminal(o));
    output_free(o);
    assert_true(clock_now_ms() - began < AT_ONCE_MS);
    close(fds[1]);
}

static void pipe_is_left(void **state)
{
    struct output *o;
    char byte[4];
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    o = output_new(fds[1]);
    output_printf(o, "x\n");
    output_leave(o);
    close(fds[1]);
    assert_int_equal(read(fds[0], byte, sizeof(byte)), 2);
    assert_int_equal(read(fds[0], byte, sizeof(byte)), 0);
    output_printf(o, "y\n");
    output_free(o);
    close(fds[0]);
}

static void descriptor_is_closed(void **state)
{
    struct output *o = output_new(-1);

    (void)state;
    write_much(o);
    output_free(o);
}

/* Ctrl-S. */
static void stopped_terminal(void **state)
{
    struct winsize size = { .ws_row = 20, .ws_col = 132 };
    int ours, theirs;
    struct output *o;

    (void)state;
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
    assert_int_equal(tcflow(theirs, TCOOFF), 0);
    o = output_new(theirs);
    assert_true(output_is_terminal(o));
    assert_int_equal(output_columns(o), 132);
    write_much(o);
    assert_true(output_is_behind(o));
    close(ours); /* and the terminal goes away */
    output_free(o);
    close(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_reader_of_a_pipe),
        cmocka_unit_test(late_reader_of_a_socket),
        cmocka_unit_test(descriptor_stays_blocking),
        cmocka_unit_test(nobody_ever_reads),
        cmocka_unit_test(reader_has_gone),
        cmocka_unit_test(pipe_is_left),
        cmocka_unit_test(descriptor_is_closed),
        cmocka_unit_test(stopped_terminal),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("cli-output", tests, NULL, NULL);
}
