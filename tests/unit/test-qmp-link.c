/*
 * The client when its link breaks, or its peer breaks the rules.
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

#include "client-fixture.h"

static void hang_up_on_arrival(struct fake *f, const char *name, long long id)
{
    (void)name;
    (void)id;
    fake_hang_up(f);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
