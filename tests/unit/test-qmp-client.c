/*
 * The client against a monitor that behaves, and one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/stream.h"
#include "fake-monitor.h"
#include "qmp/client.h"

/* Everything that a test has. */
struct fixture {
    struct loop *loop;
    char dir[64];
    char path[96];
    struct fake fake;
    struct qmp_address address;
    struct buffer seen; /* what the callbacks recorded */
    struct qmp *q;
    struct qm_error err;
};

static void on_event(void *arg, const struct qmp_event *event)
{
    struct fixture *x = arg;

    buffer_printf(&x->seen, "%s %s at %lld\n", event->name,
                  event->data ? json_object_to_json_string_ext(
                                    event->data, JSON_C_TO_STRING_PLAIN)
                              : "-",
                  (long long)event->time_us);
}

static void on_link(void *arg, bool up)
{
    struct fixture *x = arg;

    buffer_printf(&x->seen, "link %s\n", up ? "up" : "down");
}

static int setup(void **state)
{
    struct fixture *x = XNEW(struct fixture);

    strcpy(x->dir, "/tmp/qm-client-XXXXXX");
    if (!mkdtemp(x->dir)) {
        return -1;
    }
    snprintf(x->path, sizeof(x->path), "%s/vm.qmp", x->dir);
    x->loop = loop_new();
    fake_start(&x->fake, x->loop, x->path);
    *state = x;
    return qmp_address_parse(x->path, &x->address, NULL);
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    qmp_close(x->q);
    fake_stop(&x->fake);
    qmp_address_done(&x->address);
    buffer_done(&x->seen);
    error_clear(&x->err);
    loop_free(x->loop);
    rmdir(x->dir);
    free(x);
    return 0;
}

static struct qmp *open_within(struct fixture *x, int64_t ms)
{
    const struct qmp_options options = {
        .who = "source",
        .dir = x->dir,
        .callbacks = { .on_event = on_event, .on_link = on_link, .arg = x },
    };

    x->q =
        qmp_open(x->loop, &x->address, &options, deadline_in_ms(ms), &x->err);
    return x->q;
}

static void open_it(struct fixture *x)
{
    open_within(x, 10000);
    assert_null(x->err.message);
    assert_non_null(x->q);
}

static void expect_error(struct fixture *x, enum qm_error_code code,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void expect_error(struct fixture *x, enum qm_error_code code,
                         const char *format, ...)
{
    CLEANUP_FREE char *message = NULL;
    va_list args;

    va_start(args, format);
    message = xvasprintf(format, args);
    va_end(args);
    assert_non_null(x->err.message);
    assert_string_equal(x->err.message, message);
    assert_string_equal(error_code_name(x->err.code), error_code_name(code));
    error_clear(&x->err);
}

static void expect_seen(struct fixture *x, const char *expected)
{
    assert_string_equal(x->seen.data ? x->seen.data : "", expected);
    x->seen.len = 0;
    if (x->seen.data) {
        x->seen.data[0] = '\0';
    }
}

/* Ask, and give the answer as text. */
static const char *ask(struct fixture *x, const char *name)
{
    static char text[256];
    struct json_object *result = NULL;

    if (qmp_command(x->q, name, NULL, QMP_QUERY, &result, &x->err) < 0) {
        return NULL;
    }
    snprintf(text, sizeof(text), "%s",
             json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
    json_object_put(result);
    return text;
}

static void answer(struct fake *f, const char *name, long long id)
{
    fake_say(f, "{\"return\": {\"you-said\": \"%s\"}, \"id\": %lld}\r\n", name,
             id);
}

/* --- opening ------------------------------------------------------------ */

static void opens_and_asks(void **state)
{
    struct fixture *x = *state;
    struct json_object *args = json_object_new_object();

    x->fake.on_command = answer;
    open_it(x);
    assert_true(qmp_is_up(x->q));
    assert_false(qmp_is_gone(x->q));
    assert_true(qmp_has_oob(x->q));
    assert_int_equal(qmp_generation(x->q), 1);
    assert_int_equal(qmp_peer_pid(x->q), getpid());
    assert_string_equal(qmp_version(x->q)->package, "fake");
    assert_true(qmp_version_at_least(x->q, 7, 2, 22));
    assert_true(qmp_version_at_least(x->q, 6, 9, 99));
    assert_false(qmp_version_at_least(x->q, 7, 2, 23));
    assert_false(qmp_version_at_least(x->q, 8, 0, 0));

    json_object_object_add(args, "path", json_object_new_string("/a/b"));
    assert_int_equal(qmp_command(x->q, "qom-list", args, QMP_QUERY, NULL, NULL),
                     0);
    assert_string_equal(ask(x, "query-status"),
                        "{\"you-said\":\"query-status\"}");
    assert_string_equal(
        x->fake.heard.data,
        "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": "
        "[\"oob\"]}, \"id\": 1}\n"
        "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/a/b\"},\"id\":2}\n"
        "{\"execute\":\"query-status\",\"id\":3}\n");
    expect_seen(x, "");
}

static void taken_monitor_is_busy(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = NULL;
    assert_null(open_within(x, 10000));
    assert_non_null(strstr(x->err.hint, "second monitor"));
    expect_error(x, QM_ERR_BUSY,
                 "source: the monitor at %s did not greet within 5 s: another "
                 "client holds it (libvirt?)",
                 x->path);
    assert_string_equal(x->fake.heard.data ? x->fake.heard.data : "", "");
}

static void caller_is_less_patient(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = NULL;
    assert_null(open_within(x, 50));
    expect_error(x, QM_ERR_BUSY,
                 "source: the monitor at %s did not greet in "
                 "time: another client may hold it",
                 x->path);
}

static void full_queue_is_busy(void **state)
{
    struct fixture *x = *state;
    int fds[8];

    loop_watch_set(x->fake.listen_watch, 0);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = socket_connect_unix(x->loop, x->path, deadline_in_ms(0), NULL);
    }
    assert_int_equal(fds[ARRAY_LEN(fds) - 1], -1); /* it is full */
    assert_null(open_within(x, 10000));
    assert_int_equal(x->err.code, QM_ERR_BUSY);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        close_fd(fds[i]);
    }
}

static void monitor_for_people_is_none(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = "QEMU 7.2.22 monitor\r\n(qemu) ";
    assert_null(open_within(x, 10000));
    assert_non_null(strstr(x->err.hint, "-qmp unix:"));
    expect_error(x, QM_ERR_PROTOCOL,
                 "source: what answers at %s is no QMP monitor: it sent "
                 "something that is not QMP: 'QEMU 7.2.22 monitor\\x0d\\x0a"
                 "(qemu) '",
                 x->path);
}

static void other_greetings_are_none(void **state)
{
    static const struct {
        const char *greeting, *message;
    } cases[] = {
        { "{\"return\": {}, \"id\": 1}\n", "it did not greet first" },
        { "{\"QMP\": {}}\n", "its greeting is not QEMU's" },
        { "{\"QMP\": {\"version\": 5}}\n", "its greeting is not QEMU's" },
        { "{\"QMP\": [1]}\n", "its greeting is not QEMU's" },
    };
    struct fixture *x = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        x->fake.greeting = cases[i].greeting;
        assert_null(open_within(x, 10000));
        assert_non_null(strstr(x->err.message, cases[i].message));
        assert_int_equal(x->err.code, QM_ERR_PROTOCOL);
        error_clear(&x->err);
    }
}

static void hang_up_on_arrival(struct fake *f, const char *name, long long id)
{
    (void)name;
    (void)id;
    fake_hang_up(f);
}

static void nobody_listens(void **state)
{
    struct fixture *x = *state;

    loop_watch_free(STEAL(x->fake.listen_watch));
    close_fd(x->fake.listen_fd);
    x->fake.listen_fd = -1;
    assert_null(open_within(x, 10000));
    expect_error(x, QM_ERR_CONNECT,
                 "source: cannot connect to %s: Connection refused", x->path);
    unlink(x->path);
    assert_null(open_within(x, 10000));
    expect_error(x, QM_ERR_CONNECT,
                 "source: cannot connect to %s: No such file or directory",
                 x->path);
}

static void negotiation_may_fail(void **state)
{
    static const struct {
        const char *answer, *shown;
    } cases[] = {
        { "{\"error\": {\"class\": \"CommandNotFound\"}, \"id\": 1}\n",
          "{\"class\": \"CommandNotFound\"}" },
        { "{\"return\": {}, \"id\": 2}\n", "{}" },
        { FAKE_GREETING, "{\"version\": " },
    };
    struct fixture *x = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *message =
            xasprintf("source: %s: it did not accept qmp_capabilities, but "
                      "said '%s",
                      x->path, cases[i].shown);

        x->fake.refusal = cases[i].answer;
        assert_null(open_within(x, 10000));
        assert_true(str_starts(x->err.message, message));
        assert_int_equal(x->err.code, QM_ERR_PROTOCOL);
        error_clear(&x->err);
    }
}

static void over_tcp(void **state)
{
    struct fixture *x = *state;
    struct fake far;
    char text[64];

    snprintf(text, sizeof(text), "tcp:127.0.0.1:%u",
             fake_start_tcp(&far, x->loop));
    qmp_address_done(&x->address);
    assert_int_equal(qmp_address_parse(text, &x->address, NULL), 0);
    far.on_command = answer;
    open_it(x);
    assert_int_equal(qmp_peer_pid(x->q), -1);
    assert_string_equal(ask(x, "stop"), "{\"you-said\":\"stop\"}");
    fake_hang_up(&far);
    assert_null(ask(x, "stop"));
    error_clear(&x->err);
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), 0);
    assert_int_equal(qmp_generation(x->q), 2);
    qmp_close(STEAL(x->q));
    fake_stop(&far);
    assert_null(open_within(x, 10000));
    expect_error(x, QM_ERR_CONNECT,
                 "source: cannot connect to %s: Connection refused", text);
}

static void event_before_negotiation_is_nothing(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = FAKE_GREETING "{\"event\": \"STOP\"}\r\n";
    open_it(x);
    expect_seen(x, "");
}

/* --- commands ----------------------------------------------------------- */

static void say_error(struct fake *f, const char *name, long long id)
{
    (void)name;
    fake_say(f,
             "{\"id\": %lld, \"error\": {\"class\": \"DeviceNotFound\", "
             "\"desc\": \"Device 'x\\u0007' not found\"}}\r\n",
             id);
}

static void error_says_who_and_what(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = say_error;
    open_it(x);
    assert_null(ask(x, "block-job-cancel"));
    assert_string_equal(x->err.peer_class, "DeviceNotFound");
    expect_error(x, QM_ERR_QEMU,
                 "source: block-job-cancel: QEMU said: Device "
                 "'x\\x07' not found");
}

static void say_events_around(struct fake *f, const char *name, long long id)
{
    fake_say(f, "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, "
                "\"microseconds\": 2}}\r\n");
    answer(f, name, id);
    fake_say(f, "{\"event\": \"JOB\", \"data\": {\"id\": \"}\"}}\r\n");
}

static void events_interleave(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = say_events_around;
    open_it(x);
    assert_string_equal(ask(x, "stop"), "{\"you-said\":\"stop\"}");
    assert_string_equal(ask(x, "cont"), "{\"you-said\":\"cont\"}");
    expect_seen(x, "STOP - at 1000002\nJOB {\"id\":\"}\"} at 0\n"
                   "STOP - at 1000002\nJOB {\"id\":\"}\"} at 0\n");
}

static long long late_id;

/* The first answer comes only with the second. */
static void answer_late(struct fake *f, const char *name, long long id)
{
    if (late_id == 0) {
        late_id = id;
        return;
    }
    answer(f, "late", late_id);
    answer(f, name, id);
}

static void late_answer_is_swallowed(void **state)
{
    struct fixture *x = *state;

    late_id = 0;
    x->fake.on_command = answer_late;
    open_it(x);
    assert_int_equal(qmp_command_within(x->q, "stop", NULL, 50, NULL, &x->err),
                     -1);
    expect_error(x, QM_ERR_SILENT, "source: stop: no answer within 0.05 s");
    assert_string_equal(ask(x, "query-status"),
                        "{\"you-said\":\"query-status\"}");
    assert_int_equal(qmp_generation(x->q), 1);
    expect_seen(x, "");
}

static void answer_yank(struct fake *f, const char *name, long long id)
{
    if (str_equal(name, "yank")) {
        answer(f, name, id);
    }
}

static void oob_overtakes(void **state)
{
    struct fixture *x = *state;
    struct qmp_request *stuck;

    x->fake.on_command = answer_yank;
    open_it(x);
    stuck = qmp_send(x->q, "stop", NULL, QMP_BLOCKING);
    assert_int_equal(qmp_command_oob(x->q, "yank", NULL, NULL, &x->err), 0);
    assert_non_null(strstr(x->fake.heard.data,
                           "{\"execute\":\"stop\",\"id\":2}\n"
                           "{\"exec-oob\":\"yank\",\"id\":3}\n"));
    answer(&x->fake, "stop", 2);
    assert_int_equal(qmp_finish(stuck, NULL, &x->err), 0);
    assert_int_equal(qmp_generation(x->q), 1);
}

static void in_band_where_there_is_no_oob(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 9}}, "
                       "\"capabilities\": []}}\r\n";
    x->fake.on_command = answer;
    open_it(x);
    assert_false(qmp_has_oob(x->q));
    assert_int_equal(qmp_command_oob(x->q, "yank", NULL, NULL, NULL), 0);
    assert_non_null(strstr(x->fake.heard.data, "{\"enable\": []}"));
    assert_non_null(strstr(x->fake.heard.data, "{\"execute\":\"yank\""));
}

static long long asked[16];
static size_t asked_count;

static void only_note(struct fake *f, const char *name, long long id)
{
    (void)name;
    if (f->fd >= 0 && asked_count < ARRAY_LEN(asked)) {
        asked[asked_count++] = id;
    }
}

static bool has_asked(void *arg)
{
    return asked_count >= *(size_t *)arg;
}

/* More than QEMU queues would shut out what is out of band, too. */
static void few_in_band_at_once(void **state)
{
    struct fixture *x = *state;
    struct qmp_request *r[6];
    size_t wanted = 4;

    asked_count = 0;
    x->fake.on_command = only_note;
    open_it(x);
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        r[i] = qmp_send(x->q, "query-status", NULL, QMP_QUERY);
    }
    assert_true(loop_wait(x->loop, has_asked, &wanted, deadline_in_ms(9000)));
    assert_int_equal(qmp_command_within(x->q, "stop", NULL, 50, NULL, &x->err),
                     -1);
    expect_error(x, QM_ERR_SILENT,
                 "source: stop: not sent, earlier commands "
                 "had no answer within 0.05 s");
    assert_int_equal(asked_count, 4);
    answer(&x->fake, "b", asked[1]);
    assert_int_equal(qmp_finish(r[1], NULL, &x->err), 0);
    wanted = 5;
    assert_true(loop_wait(x->loop, has_asked, &wanted, deadline_in_ms(9000)));
    answer(&x->fake, "a", asked[0]);
    wanted = 6;
    assert_true(loop_wait(x->loop, has_asked, &wanted, deadline_in_ms(9000)));
    for (size_t i = 2; i < 6; i++) {
        answer(&x->fake, "x", asked[i]);
    }
    for (size_t i = 0; i < 6; i++) {
        if (i != 1) {
            assert_int_equal(qmp_finish(r[i], NULL, &x->err), 0);
        }
    }
    assert_int_equal(asked_count, 6);
}

static int take_raw(void *arg, const char *text, size_t len,
                    struct qm_error *err)
{
    buffer_append(arg, text, len);
    return str_equal(((struct buffer *)arg)->data, "{\"you-said\": \"bad\"}")
               ? error_set(err, QM_ERR_PROTOCOL, "no good")
               : 0;
}

static void raw_answer(void **state)
{
    CLEANUP(buffer_done) struct buffer text = { .data = NULL };
    struct fixture *x = *state;

    x->fake.on_command = answer;
    open_it(x);
    assert_int_equal(qmp_command_raw(x->q, "q", take_raw, &text, &x->err), 0);
    assert_string_equal(text.data, "{\"you-said\": \"q\"}");
    text.len = 0;
    assert_int_equal(qmp_command_raw(x->q, "bad", take_raw, &text, &x->err),
                     -1);
    expect_error(x, QM_ERR_PROTOCOL, "source: bad: no good");
}

/* --- the link breaks ---------------------------------------------------- */

static void comes_back_after_end_of_file(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = hang_up_on_arrival;
    open_it(x);
    assert_null(ask(x, "migrate"));
    expect_error(x, QM_ERR_LINK,
                 "source: migrate: the link broke before the "
                 "answer came: %s closed the connection",
                 x->path);
    expect_seen(x, "link down\n");
    assert_false(qmp_is_up(x->q));
    assert_null(ask(x, "query-migrate"));
    expect_error(x, QM_ERR_LINK,
                 "source: query-migrate: not sent, the link is "
                 "down: %s closed the connection",
                 x->path);
    x->fake.on_command = answer;
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), 0);
    expect_seen(x, "link up\n");
    assert_int_equal(qmp_generation(x->q), 2);
    assert_string_equal(ask(x, "query-migrate"),
                        "{\"you-said\":\"query-migrate\"}");
}

static void waits_for_who_is_restarted(void **state)
{
    struct fixture *x = *state;
    struct loop *loop = x->loop;

    open_it(x);
    fake_stop(&x->fake);
    assert_null(ask(x, "stop"));
    error_clear(&x->err);
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(500), &x->err), -1);
    expect_error(x, QM_ERR_LINK,
                 "source: the link to QEMU did not come back: cannot connect "
                 "to %s: No such file or directory",
                 x->path);
    fake_start(&x->fake, loop, x->path);
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), 0);
    expect_seen(x, "link down\nlink up\n");
}

static void gives_up(void **state)
{
    struct fixture *x = *state;

    open_it(x);
    qmp_give_up_after(x->q, 250);
    fake_stop(&x->fake);
    assert_null(ask(x, "stop"));
    error_clear(&x->err);
    assert_false(qmp_is_gone(x->q));
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), -1);
    assert_true(qmp_is_gone(x->q));
    expect_error(x, QM_ERR_LINK,
                 "source: the link to QEMU is gone: cannot "
                 "connect to %s: No such file or directory",
                 x->path);
    assert_null(ask(x, "stop"));
    expect_error(x, QM_ERR_LINK,
                 "source: stop: not sent, the link is gone: "
                 "cannot connect to %s: No such file or "
                 "directory",
                 x->path);
    expect_seen(x, "link down\n");
}

static void gives_up_at_once(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = hang_up_on_arrival;
    open_it(x);
    qmp_give_up_after(x->q, 0);
    assert_null(ask(x, "stop"));
    assert_true(qmp_is_gone(x->q));
    assert_int_equal(x->fake.connections, 1);
}

static void patience_can_end_while_it_is_down(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = hang_up_on_arrival;
    open_it(x);
    x->fake.greeting = NULL; /* the next link hangs in its greeting */
    assert_null(ask(x, "stop"));
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(300), NULL), -1);
    assert_int_equal(x->fake.connections, 2);
    assert_false(qmp_is_gone(x->q));
    qmp_give_up_after(x->q, 100);
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(2000), NULL), -1);
    assert_true(qmp_is_gone(x->q));
}

static void expected_end_is_no_loss(void **state)
{
    struct fixture *x = *state;

    x->fake.on_command = hang_up_on_arrival;
    open_it(x);
    qmp_expect_end(x->q);
    assert_null(ask(x, "quit"));
    assert_int_equal(x->err.code, QM_ERR_LINK);
    assert_true(qmp_is_gone(x->q));
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), NULL), -1);
    assert_int_equal(x->fake.connections, 1);
}

static void say_wrong_id(struct fake *f, const char *name, long long id)
{
    answer(f, name, id + 1000);
}

static void say_no_id(struct fake *f, const char *name, long long id)
{
    (void)name;
    (void)id;
    fake_say(f, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"?\"}}"
                "\r\n");
}

static void say_bad_json(struct fake *f, const char *name, long long id)
{
    (void)name;
    fake_say(f, "{\"return\": {1}, \"id\": %lld}\r\n", id);
}

static void say_greeting(struct fake *f, const char *name, long long id)
{
    (void)name;
    (void)id;
    fake_say(f, "%s", FAKE_GREETING);
}

static void out_of_step_starts_anew(void **state)
{
    static const struct {
        void (*say)(struct fake *f, const char *name, long long id);
        const char *why;
    } cases[] = {
        { say_wrong_id, "it answered a command that was not asked (id 1002)" },
        { say_no_id, "it sent an answer without an id" },
        { say_bad_json, "it sent something that is not JSON: '{1}'" },
        { say_greeting, "it greeted twice" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *x = *state;

        x->fake.on_command = cases[i].say;
        open_it(x);
        assert_null(ask(x, "stop"));
        assert_int_equal(x->err.code, QM_ERR_LINK);
        assert_non_null(strstr(x->err.message, cases[i].why));
        error_clear(&x->err);
        x->fake.on_command = answer;
        assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), 0);
        assert_non_null(ask(x, "stop"));
        expect_seen(x, "link down\nlink up\n");
        qmp_close(STEAL(x->q));
    }
}

/* An abandoned command of the old link means nothing to the new one. */
static void abandoned_dies_with_its_link(void **state)
{
    struct fixture *x = *state;

    open_it(x);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(qmp_command_within(x->q, "stop", NULL, 20, NULL, NULL),
                         -1);
    }
    fake_hang_up(&x->fake);
    assert_null(ask(x, "stop"));
    error_clear(&x->err);
    x->fake.on_command = answer;
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(9000), &x->err), 0);
    assert_non_null(ask(x, "stop"));
}

static void closed_with_a_command_under_way(void **state)
{
    struct fixture *x = *state;
    struct qmp_request *r;

    open_it(x);
    r = qmp_send(x->q, "stop", NULL, QMP_BLOCKING);
    qmp_close(STEAL(x->q));
    assert_int_equal(qmp_finish(r, NULL, &x->err), -1);
    expect_error(x, QM_ERR_LINK,
                 "source: stop: the link broke before the "
                 "answer came: the client was closed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_and_asks),
        TEST(taken_monitor_is_busy),
        TEST(caller_is_less_patient),
        TEST(full_queue_is_busy),
        TEST(monitor_for_people_is_none),
        TEST(other_greetings_are_none),
        TEST(nobody_listens),
        TEST(negotiation_may_fail),
        TEST(over_tcp),
        TEST(event_before_negotiation_is_nothing),
        TEST(error_says_who_and_what),
        TEST(events_interleave),
        TEST(late_answer_is_swallowed),
        TEST(oob_overtakes),
        TEST(in_band_where_there_is_no_oob),
        TEST(few_in_band_at_once),
        TEST(raw_answer),
        TEST(comes_back_after_end_of_file),
        TEST(waits_for_who_is_restarted),
        TEST(gives_up),
        TEST(gives_up_at_once),
        TEST(patience_can_end_while_it_is_down),
        TEST(expected_end_is_no_loss),
        TEST(out_of_step_starts_anew),
        TEST(abandoned_dies_with_its_link),
        TEST(closed_with_a_command_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
