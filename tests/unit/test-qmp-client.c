/*
 * The client: opening, and commands with their answers.
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
#include "client-fixture.h"

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
                 "client holds it (libvirt?), or it is not a QMP monitor "
                 "(the socket of a guest agent?)",
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
                 "source: what answers at %s is not a QMP monitor: it sent "
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

/* QEMU's main thread emits while its monitor's thread accepts. */
static void event_before_greeting_is_nothing(void **state)
{
    struct fixture *x = *state;

    x->fake.greeting = "{\"event\": \"RESUME\"}\r\n" FAKE_GREETING;
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
    expect_error(x, QM_ERR_SILENT, "source: stop: no answer within 0.1 s");
    assert_string_equal(ask(x, "query-status"),
                        "{\"you-said\":\"query-status\"}");
    assert_int_equal(qmp_generation(x->q), 1);
    expect_seen(x, "");
}

static void hurried_command_has_less(void **state)
{
    struct fixture *x = *state;

    late_id = 0;
    x->fake.on_command = answer_late;
    open_it(x);
    qmp_hurry(x->q, deadline_in_ms(-5000)); /* there is a least */
    assert_null(ask(x, "migrate-continue"));
    expect_error(x, QM_ERR_SILENT,
                 "source: migrate-continue: no answer within 1 s");
    qmp_hurry(x->q, deadline_in_ms(60000)); /* and more than that is no more */
    assert_int_equal(qmp_command_within(x->q, "stop", NULL, 50, NULL, NULL), 0);
    late_id = 0;
    qmp_hurry(x->q, DEADLINE_NEVER);
    assert_int_equal(
        qmp_command_within(x->q, "stop", NULL, 1500, NULL, &x->err), -1);
    expect_error(x, QM_ERR_SILENT, "source: stop: no answer within 1.5 s");
}

/* --- one that is far away ---------------------------------------------------- */

#define WAY_MS 300

static struct {
    struct fake *fake;
    long long id;
    struct loop_timer *timer;
} way;

static void answer_at_last(void *arg)
{
    (void)arg;
    answer(way.fake, "far", way.id);
}

static void answer_from_afar(struct fake *f, const char *name, long long id)
{
    (void)name;
    way.fake = f;
    way.id = id;
    loop_timer_start(way.timer, WAY_MS);
}

static void way_is_no_silence(void **state)
{
    struct fixture *x = *state;

    way.timer = loop_timer_new(x->loop, answer_at_last, NULL);
    x->fake.on_command = answer_from_afar;
    open_it(x);
    assert_int_equal(qmp_round_trip_ms(x->q), 0);
    assert_non_null(ask(x, "query-status"));
    assert_in_range(qmp_round_trip_ms(x->q), WAY_MS - 1, 10 * WAY_MS);
    assert_int_equal(qmp_command_within(x->q, "stop", NULL, 20, NULL, &x->err),
                     0);
    loop_timer_free(STEAL(way.timer));
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
                 "had no answer within 0.1 s");
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
        TEST(event_before_greeting_is_nothing),
        TEST(error_says_who_and_what),
        TEST(events_interleave),
        TEST(late_answer_is_swallowed),
        TEST(hurried_command_has_less),
        TEST(way_is_no_silence),
        TEST(oob_overtakes),
        TEST(in_band_where_there_is_no_oob),
        TEST(few_in_band_at_once),
        TEST(raw_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
