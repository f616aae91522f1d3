/*
 * The control socket: what is understood, what is refused when, and a server
 * whose clients do not behave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/stream.h"
#include "core/control.h"
#include "qmp/json.h"

enum { LIMIT_MS = 10000 };

/* --- what is understood ---------------------------------------------------- */

static char *narrate(const char *text)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *id = NULL;
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct control_request r;
    int ret = control_request_parse(text, strlen(text), &id, &r, &err);

    if (id)
        buffer_printf(&b, "%s ", id);
    assert_int_equal(ret == 0, !error_is_set(&err));
    if (ret < 0) {
        buffer_printf(&b, "%s: %s", err.peer_class, err.message);
        return xstrdup(b.data);
    }
    buffer_printf(&b, "command %d", (int)r.command);
    for (int i = 0; r.command == CONTROL_SET && i < LIMITS; i++)
        if (r.changes.is_set[i])
            buffer_printf(&b, " %s=%lld", limit_name((enum limit)i),
                          (long long)r.changes.to.value[i]);
    return xstrdup(b.data);
}

static const struct {
    const char *text, *expected;
} requests[] = {
    { "{\"execute\":\"query-status\"}", "command 0" },
    { "{\"execute\":\"cancel\",\"id\":7}", "7 command 1" },
    { "{\"id\":[\"a\"],\"execute\":\"cancel\",\"arguments\":{}}",
      "[\"a\"] command 1" },
    { "{\"id\":null,\"execute\":\"cancel\"}", "null command 1" },
    { "{\"execute\":\"complete\",\"arguments\":{\"mode\":\"pause\"}}",
      "command 3" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":0,"
      "\"disk-bandwidth\":1048576,\"max-downtime-ms\":50,\"timeout-s\":9,"
      "\"on-timeout\":\"pause\"}}",
      "command 2 bandwidth=0 disk-bandwidth=1048576 max-downtime-ms=50 "
      "timeout-s=9 on-timeout=1" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":9223372036854775807}}",
      "command 2 bandwidth=9223372036854775807" },

    /* what is refused says why, and keeps its id */
    { "{\"execute\":\"quit\",\"id\":\"x\"}",
      "\"x\" CommandNotFound: there is no command 'quit'" },
    { "{\"execute\":\"qmp_capabilities\"}",
      "CommandNotFound: there is no command 'qmp_capabilities'" },
    { "{\"execute\":\"cancel\",\"arguments\":{\"now\":true},\"id\":1}",
      "1 GenericError: cancel: it takes no arguments" },
    { "{\"execute\":\"cancel\",\"arguments\":[]}",
      "GenericError: a command is {\"execute\": NAME, \"arguments\": {...}}" },
    { "{\"execute\":1}",
      "GenericError: a command is {\"execute\": NAME, \"arguments\": {...}}" },
    { "{}",
      "GenericError: a command is {\"execute\": NAME, \"arguments\": {...}}" },
    { "{\"exec-oob\":\"cancel\"}",
      "GenericError: 'exec-oob' has no meaning in a command" },
    { "{\"execute\":\"set\"}", "GenericError: set: what is to be set?" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwith\":1}}",
      "GenericError: set: there is no 'bandwith' to set" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":\"1M\"}}",
      "GenericError: set: bandwidth is a whole number" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":1.5}}",
      "GenericError: set: bandwidth is a whole number" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":null}}",
      "GenericError: set: bandwidth is a whole number" },
    { "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":-1}}",
      "GenericError: set: bandwidth -1: not between 0 and "
      "9223372036854775807" },
    { "{\"execute\":\"set\",\"arguments\":{\"max-downtime-ms\":0}}",
      "GenericError: set: max-downtime-ms 0: not between 1 and 2000000" },
    { "{\"execute\":\"set\",\"arguments\":{\"timeout-s\":2592001}}",
      "GenericError: set: timeout-s 2592001: not between 0 and 2592000" },
    { "{\"execute\":\"set\",\"arguments\":{\"on-timeout\":1}}",
      "GenericError: set: on-timeout is a string" },
    { "{\"execute\":\"set\",\"arguments\":{\"on-timeout\":\"pray\"}}",
      "GenericError: set: on-timeout is abort, pause or postcopy" },
    { "{\"execute\":\"complete\"}",
      "GenericError: complete: it takes \"mode\" alone: pause or postcopy" },
    { "{\"execute\":\"complete\",\"arguments\":{\"mode\":\"force\"}}",
      "GenericError: complete: there is no such mode: pause or "
      "postcopy" },
};

static void requests_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        CLEANUP_FREE char *got = narrate(requests[i].text);

        assert_string_equal(got, requests[i].expected);
    }
}

/* --- when ------------------------------------------------------------------ */

static void what_comes_late_is_refused(void **state)
{
    static const struct {
        struct control_facts facts;
        bool cancel, set; /* may be asked; `complete` as `set` */
    } table[] = {
        { { 0 }, true, true },
        { { .handing_over = true }, true, false },
        { { .handing_over = true, .too_late = true }, false, false },
        { { .undoing = true, .too_late = true }, true, false },
        { { .undoing = true, .too_late = true, .handing_over = true },
          true,
          false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct control_facts *f = &table[i].facts;

        assert_null(control_refusal(CONTROL_QUERY_STATUS, f));
        assert_int_equal(!control_refusal(CONTROL_CANCEL, f), table[i].cancel);
        assert_int_equal(!control_refusal(CONTROL_SET, f), table[i].set);
        assert_int_equal(!control_refusal(CONTROL_COMPLETE, f), table[i].set);
    }
}

/* --- a server -------------------------------------------------------------- */

struct world {
    struct loop *loop;
    char folder[32];
    char path[64];
    struct control *control;
    int asked;
    uint64_t ticket; /* of the last `set` */
    int fd;          /* a client's */
    struct buffer heard;
};

/* `set` is answered later, `cancel` is refused. */
static int on_request(void *arg, const struct control_request *r,
                      uint64_t ticket, struct json_object **ret,
                      struct qm_error *err)
{
    struct world *w = arg;

    w->asked++;
    if (r->command == CONTROL_SET) {
        w->ticket = ticket;
        return CONTROL_LATER;
    }
    if (r->command == CONTROL_CANCEL) {
        error_set(err, QM_ERR_REFUSED, "too late");
        error_hint(err, "be early");
        return -1;
    }
    if (r->command == CONTROL_QUERY_STATUS)
        *ret = json_with_string("name", "vm1");
    return 0;
}

static int set_up(void **state)
{
    struct world *w = XNEW(struct world);

    w->loop = loop_new();
    strcpy(w->folder, "/tmp/qm-control-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/vm1.sock", w->folder);
    /* as root it would be the machine's own: the path alone is replaced */
    setenv("XDG_RUNTIME_DIR", w->folder, 1);
    w->fd = -1;
    *state = w;
    return 0;
}

static void open_it(struct world *w)
{
    w->control = control_open(w->loop, "vm1", on_request, w, NULL);
    assert_non_null(w->control);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    CLEANUP_FREE char *remove = xasprintf("rm -rf '%s'", w->folder);

    control_close(w->control);
    close_fd(w->fd);
    buffer_done(&w->heard);
    loop_free(w->loop);
    free(w);
    return system(remove);
}

char *__wrap_rundir_path(struct qm_error *err);

char *__wrap_rundir_path(struct qm_error *err)
{
    (void)err;
    return xstrdup(getenv("XDG_RUNTIME_DIR"));
}

static int connect_to(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    strcpy(sun.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void serve(struct world *w)
{
    loop_wait(w->loop, never, NULL, deadline_in_ms(0));
}

static bool has_closed; /* read() said so */

/* All that FD has to say, in W->heard, after some rounds of the loop. */
static const char *hear(struct world *w, int fd)
{
    char bytes[65536];

    buffer_consume(&w->heard, w->heard.len);
    buffer_append(&w->heard, "", 0);
    has_closed = false;
    for (int i = 0; i < 20; i++) {
        ssize_t n;

        serve(w);
        while ((n = read(fd, bytes, sizeof(bytes))) > 0)
            buffer_append(&w->heard, bytes, (size_t)n);
        has_closed = has_closed || n == 0 || errno != EAGAIN;
    }
    return w->heard.data;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define GREETING                                                               \
    "{\"qmigrate\":{\"version\":\"" QM_VERSION "\",\"protocol\":1}}\n"

static void a_client_is_greeted_and_answered(void **state)
{
    struct world *w = *state;
    struct stat st;

    open_it(w);
    assert_int_equal(lstat(w->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    w->fd = connect_to(w->path);
    assert_string_equal(hear(w, w->fd), GREETING);
    say(w->fd, "{\"execute\":\"query-status\",\"id\":\"a\"}\n"
               "{\"execute\":\"cancel\"}{\"execute\":\"quit\"}\n");
    assert_string_equal(
        hear(w, w->fd),
        "{\"return\":{\"name\":\"vm1\"},\"id\":\"a\"}\n"
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"too late\","
        "\"hint\":\"be early\"}}\n"
        "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"there is no "
        "command 'quit'\"}}\n");
    assert_false(has_closed);
    control_close(STEAL(w->control));
    assert_int_equal(access(w->path, F_OK), -1);
}

static void an_answer_may_come_later(void **state)
{
    struct world *w = *state;
    CLEANUP(close_fd) int other = -1;

    open_it(w);
    w->fd = connect_to(w->path);
    other = connect_to(w->path);
    hear(w, other);
    say(w->fd, "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":1},"
               "\"id\":5}\n");
    assert_string_equal(hear(w, w->fd), GREETING);
    control_tell(w->control, "{}\n", 3, true);
    control_answer(w->control, w->ticket, json_with_string("a", "b"), NULL);
    assert_string_equal(hear(w, w->fd),
                        "{}\n{\"return\":{\"a\":\"b\"},\"id\":5}\n");
    assert_string_equal(hear(w, other), "{}\n");

    /* one whose client has left is no trouble, and neither is no such */
    say(w->fd, "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":1}}");
    hear(w, w->fd);
    close_fd(w->fd);
    w->fd = -1;
    serve(w);
    control_answer(w->control, w->ticket, json_with_string("a", "b"), NULL);
    control_answer(w->control, 999, NULL, NULL);
    assert_string_equal(hear(w, other), "");
}

static void too_many_answers_are_awaited(void **state)
{
    struct world *w = *state;

    open_it(w);
    w->fd = connect_to(w->path);
    for (int i = 0; i < 17; i++)
        say(w->fd, "{\"execute\":\"set\",\"arguments\":{\"bandwidth\":1}}");
    assert_non_null(strstr(hear(w, w->fd), "too many commands"));
    assert_int_equal(w->asked, 16);
}

static void garbage_ends_its_client_alone(void **state)
{
    static const char *const garbage[] = { "hello\n",     "[]\n",     "\"x\"\n",
                                           "{\"a\":}}\n", "\xff\xfe", "}" };
    struct world *w = *state;
    CLEANUP(close_fd) int good = -1;

    open_it(w);
    good = connect_to(w->path);
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        CLEANUP(close_fd) int bad = connect_to(w->path);

        say(bad, garbage[i]);
        say(bad, "{\"execute\":\"query-status\"}\n");
        assert_non_null(strstr(hear(w, bad), "\"error\""));
        assert_null(strstr(w->heard.data, "\"return\""));
        if (garbage[i][0] != '{')
            assert_true(has_closed);
    }
    hear(w, good);
    say(good, "{\"execute\":\"query-status\"}\n");
    assert_non_null(strstr(hear(w, good), "\"return\""));
}

static void a_line_without_end_is_bounded(void **state)
{
    CLEANUP_FREE char *line = xcalloc(CONTROL_LINE_MAX * 2, 1);
    struct world *w = *state;
    size_t sent = 0;

    open_it(w);
    w->fd = connect_to(w->path);
    memset(line, 'x', CONTROL_LINE_MAX * 2);
    memcpy(line, "{\"execute\":\"", 12);
    while (sent < CONTROL_LINE_MAX * 2) {
        ssize_t n =
            send(w->fd, line + sent, CONTROL_LINE_MAX * 2 - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EPIPE)
            break;
        sent += n > 0 ? (size_t)n : 0;
        serve(w);
    }
    assert_non_null(strstr(hear(w, w->fd), "a message of more than 64 KiB"));
    assert_true(has_closed);
}

/* What is kept for it is bounded: then it is dropped.  Others hear all. */
static void a_client_that_never_reads_is_dropped(void **state)
{
    struct world *w = *state;
    CLEANUP(close_fd) int good = -1;
    CLEANUP_FREE char *line = xcalloc(1001, 1);
    size_t heard = 0;

    open_it(w);
    w->fd = connect_to(w->path);
    good = connect_to(w->path);
    hear(w, good);
    memset(line, 'x', 1000);
    for (int i = 0; i < 4000; i++) {
        control_tell(w->control, line, 1000, false);
        if (i % 50 == 0) {
            hear(w, good);
            heard += w->heard.len;
        }
    }
    hear(w, good);
    assert_int_equal(heard + w->heard.len, 4000 * 1000);
    hear(w, w->fd);
    assert_true(w->heard.len < 4000 * 1000 / 2);
    assert_true(has_closed);
}

/* It hears what happens, but the figures only when it has read. */
static void a_slow_client_misses_the_figures(void **state)
{
    struct world *w = *state;
    CLEANUP_FREE char *line = xcalloc(1001, 1);

    open_it(w);
    w->fd = connect_to(w->path);
    serve(w);
    memset(line, 'x', 1000);
    for (int i = 0; i < 8000; i++)
        control_tell(w->control, line, 1000, true);
    control_tell(w->control, "end\n", 4, false);
    hear(w, w->fd);
    assert_false(has_closed);
    assert_true(w->heard.len < 4000 * 1000);
    assert_string_equal(w->heard.data + w->heard.len - 4, "end\n");
}

static void more_clients_than_there_may_be(void **state)
{
    struct world *w = *state;
    int fd[70];

    open_it(w);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = connect_to(w->path);
        serve(w);
    }
    hear(w, fd[69]);
    assert_true(has_closed);
    assert_string_equal(hear(w, fd[0]), GREETING);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        close_fd(fd[i]);
    serve(w);
    w->fd = connect_to(w->path);
    assert_string_equal(hear(w, w->fd), GREETING);
}

static void a_name_is_taken_once(void **state)
{
    struct world *w = *state;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    open_it(w);
    assert_null(control_open(w->loop, "vm1", on_request, w, &err));
    assert_int_equal(err.code, QM_ERR_BUSY);
    assert_string_equal(err.message,
                        "a migration called vm1 is under way here");
    assert_string_equal(err.hint, "give this one another name with --name");
    w->fd = connect_to(w->path);
    assert_string_equal(hear(w, w->fd), GREETING);
}

/* Left by an engine that was killed: nobody answers there. */
static void a_stale_socket_is_replaced(void **state)
{
    struct world *w = *state;
    int dead = socket_listen_unix(w->path, NULL);

    assert_true(dead >= 0);
    close_fd(dead);
    assert_int_equal(access(w->path, F_OK), 0);
    open_it(w);
    w->fd = connect_to(w->path);
    assert_string_equal(hear(w, w->fd), GREETING);
}

/* The last words are sent; a client that does not read holds up nobody. */
static void the_end_is_told(void **state)
{
    struct world *w = *state;
    CLEANUP_FREE char *line = xcalloc(900001, 1);
    CLEANUP(close_fd) int good = -1;
    int64_t from;

    open_it(w);
    w->fd = connect_to(w->path);
    good = connect_to(w->path);
    hear(w, good);
    memset(line, 'x', 900000);
    control_tell(w->control, line, 900000, false);
    hear(w, good);
    control_tell(w->control, "end\n", 4, false);
    from = clock_now_ms();
    control_close(STEAL(w->control));
    assert_true(clock_now_ms() - from < LIMIT_MS / 2);
    assert_string_equal(hear(w, good), "end\n");
    assert_true(has_closed);
}

int main(void)
{
#define WITH_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_understood),
        cmocka_unit_test(what_comes_late_is_refused),
        WITH_WORLD(a_client_is_greeted_and_answered),
        WITH_WORLD(an_answer_may_come_later),
        WITH_WORLD(too_many_answers_are_awaited),
        WITH_WORLD(garbage_ends_its_client_alone),
        WITH_WORLD(a_line_without_end_is_bounded),
        WITH_WORLD(a_client_that_never_reads_is_dropped),
        WITH_WORLD(a_slow_client_misses_the_figures),
        WITH_WORLD(more_clients_than_there_may_be),
        WITH_WORLD(a_name_is_taken_once),
        WITH_WORLD(a_stale_socket_is_replaced),
        WITH_WORLD(the_end_is_told),
    };

    return cmocka_run_group_tests_name("core-control", tests, NULL, NULL);
}
