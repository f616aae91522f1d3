/*
 * QMP's wire format: every kind of message, cut anywhere; what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "qmp/wire-scan.h"
#include "qmp/wire.h"

/* One line for each message, so that a whole conversation is compared. */
static void narrate(struct buffer *out, const struct wire_message *m)
{
    static const char *const kinds[] = {
        [WIRE_GREETING] = "greeting",
        [WIRE_RETURN] = "return",
        [WIRE_ERROR] = "error",
        [WIRE_EVENT] = "event",
    };

    buffer_printf(out, "%s", kinds[m->kind]);
    if (m->has_id) {
        buffer_printf(out, " %lld", (long long)m->id);
    }
    if (m->event) {
        buffer_printf(out, " %s at %lld", m->event, (long long)m->time_us);
    }
    buffer_printf(out, " <%.*s>\n", (int)m->body_len, m->body);
}

/* Feed TEXT in pieces of STEP bytes, the first of FIRST. */
static void expect(const char *text, size_t first, size_t step,
                   const char *expected)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    CLEANUP(buffer_done) struct buffer out = { .data = NULL };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    size_t len = strlen(text), n;

    for (size_t at = 0; at < len; at += n) {
        struct wire_message m;
        int more;

        n = at == 0 ? first : step;
        n = n < len - at ? n : len - at;
        wire_feed(w, text + at, n);
        while ((more = wire_next(w, &m, &err)) > 0) {
            narrate(&out, &m);
            wire_message_done(&m);
        }
        if (more < 0) {
            buffer_printf(&out, "ERROR %s: %s\n", error_code_name(err.code),
                          err.message);
            break;
        }
    }
    assert_string_equal(out.data ? out.data : "", expected);
}

static const char conversation[] =
    "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
    "{\"return\": {}, \"id\": 1}\r\n"
    "\r\n \t{\"id\": 9007199254740993, \"return\": [1, {\"a\": \"}]{[\"}]}\n"
    "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 42}, "
    "\"event\": \"STOP\"}\r\n"
    "{\"timestamp\": {\"seconds\": -1, \"microseconds\": -1}, \"data\": "
    "{\"x\": \"a\\\"}\\\\\"}, \"event\": \"RTC_CHANGE\"}\r\n"
    "{\"id\": -5, \"error\": {\"class\": \"GenericError\", \"desc\": \"\\u00e9 "
    "{\\\\\"}}\r\n"
    "{\n    \"return\": {\n        \"pretty\": true\n    },\n    \"id\": 2\n}\n"
    "{\"return\":-1.5e3,\"id\":3}{\"return\":\"\",\"id\":4}";

static const char narrated[] =
    "greeting <{\"version\": {}, \"capabilities\": [\"oob\"]}>\n"
    "return 1 <{}>\n"
    "return 9007199254740993 <[1, {\"a\": \"}]{[\"}]>\n"
    "event STOP at 1700000000000042 <>\n"
    "event RTC_CHANGE at 0 <{\"x\": \"a\\\"}\\\\\"}>\n"
    "error -5 <{\"class\": \"GenericError\", \"desc\": \"\\u00e9 {\\\\\"}>\n"
    "return 2 <{\n        \"pretty\": true\n    }>\n"
    "return 3 <-1.5e3>\n"
    "return 4 <\"\">\n";

static void understands_every_kind(void **state)
{
    (void)state;
    expect(conversation, SIZE_MAX, 1, narrated);
}

static void byte_by_byte(void **state)
{
    (void)state;
    expect(conversation, 1, 1, narrated);
}

static void cut_anywhere(void **state)
{
    (void)state;
    for (size_t at = 1; at < sizeof(conversation); at++) {
        expect(conversation, at, SIZE_MAX / 2, narrated);
    }
}

#define NOT_QMP "ERROR protocol: it sent something that is not QMP: "
#define NOT_QMPS "ERROR protocol: it sent a message that is not QMP's: "

static const struct {
    const char *text, *outcome;
} bads[] = {
    { "QEMU 7.2.22 monitor - type 'help'\r\n",
      NOT_QMP "'QEMU 7.2.22 monitor - type 'help'\\x0d\\x0a'\n" },
    { "[]", NOT_QMP "'[]'\n" },
    { "\"x\"", NOT_QMP "'\"x\"'\n" },
    { "}", NOT_QMP "'}'\n" },
    { "{\"a\": [}", NOT_QMP "'{\"a\": [}'\n" },
    { "{\"a\": \"\x01", NOT_QMP "'{\"a\": \"\\x01'\n" },
    { "{\x7f", NOT_QMP "'{\\x7f'\n" },
    { "{'return': 1}", NOT_QMP "'{'return': 1}'\n" },
    { "{}", NOT_QMPS "'{}'\n" },
    { "{\"qmigrate\": {}}", NOT_QMPS "'{\"qmigrate\": {}}'\n" },
    { "{\"return\": 1, \"event\": \"X\", \"id\": 1}",
      NOT_QMPS "'{\"return\": 1, \"event\": \"X\", \"id\": 1}'\n" },
    { "{\"return\" 1}", "ERROR protocol: it sent something that is not JSON: "
                        "'{\"return\" 1}'\n" },
    { "{\"return\": 1,}", "ERROR protocol: it sent something that is not JSON: "
                          "'{\"return\": 1,}'\n" },
    { "{\"return\": {}}", "ERROR protocol: it sent an answer without an id: "
                          "'{\"return\": {}}'\n" },
    { "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, "
      "expecting value, and more words than are shown of it, and more\"}}",
      "ERROR protocol: it sent an answer without an id: '{\"error\": "
      "{\"class\": \"GenericError\", \"desc\": \"JSON parse error, expecting "
      "value, and more words than are shown of it, and...'\n" },
    { "{\"return\": {}, \"id\": \"libvirt-1\"}",
      "ERROR protocol: it sent an answer whose id is not ours: "
      "'{\"return\": {}, \"id\": \"libvirt-1\"}'\n" },
    { "{\"return\": {}, \"id\": 9223372036854775808}",
      "ERROR protocol: it sent an answer whose id is not ours: "
      "'{\"return\": {}, \"id\": 9223372036854775808}'\n" },
    { "{\"return\": {}, \"id\": 1.0}",
      "ERROR protocol: it sent an answer whose id is not ours: "
      "'{\"return\": {}, \"id\": 1.0}'\n" },
    { "{\"id\": 1, \"id\": 2, \"return\": {}}",
      "ERROR protocol: it sent a message with a member twice: "
      "'{\"id\": 1, \"id\": 2, \"return\": {}}'\n" },
    { "{\"event\": 5}",
      "ERROR protocol: it sent a malformed event: '{\"event\": 5}'\n" },
    { "{\"event\": \"X\\u0041\"}", "ERROR protocol: it sent a malformed event: "
                                   "'{\"event\": \"X\\u0041\"}'\n" },
    { "{\"event\": \"X\", \"data\": []}",
      "ERROR protocol: it sent a malformed event: "
      "'{\"event\": \"X\", \"data\": []}'\n" },
    { "{\"event\": \"X\", \"timestamp\": {\"seconds\": 1e9}}",
      "ERROR protocol: it sent a malformed event: "
      "'{\"event\": \"X\", \"timestamp\": {\"seconds\": 1e9}}'\n" },
};

static void garbage_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        expect(bads[i].text, SIZE_MAX, 1, bads[i].outcome);
    }
}

static void zero_byte_is_refused(void **state)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct wire_message m;

    (void)state;
    wire_feed(w, "\0{}", 3);
    assert_int_equal(wire_next(w, &m, &err), -1);
    assert_int_equal(err.code, QM_ERR_PROTOCOL);
}

static void is_dead_after_an_error(void **state)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct wire_message m;

    (void)state;
    wire_feed(w, "x", 1);
    assert_int_equal(wire_next(w, &m, NULL), -1);
    wire_feed(w, "{\"return\": {}, \"id\": 1}", 23);
    assert_int_equal(wire_next(w, &m, &err), -1);
    assert_string_equal(err.message, "it broke the protocol before");
    wire_reset(w);
    wire_feed(w, "{\"return\": {}, \"id\": 1}", 23);
    assert_int_equal(wire_next(w, &m, &err), 1);
}

static void nesting_is_bounded(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    for (size_t depth = WIRE_DEPTH_MAX; depth <= WIRE_DEPTH_MAX + 1; depth++) {
        CLEANUP(wire_free) struct wire *w = wire_new();
        CLEANUP(buffer_done) struct buffer b = { .data = NULL };
        struct wire_message m;
        int expected = depth <= WIRE_DEPTH_MAX ? 1 : -1;

        buffer_printf(&b, "{\"id\": 1, \"return\": ");
        for (size_t i = 1; i < depth; i++) {
            buffer_append(&b, "[", 1);
        }
        for (size_t i = 1; i < depth; i++) {
            buffer_append(&b, "]", 1);
        }
        buffer_append(&b, "}", 1);
        wire_feed(w, b.data, b.len);
        assert_int_equal(wire_next(w, &m, NULL), expected);
        if (expected == 1) {
            struct json_object *parsed = wire_parse(m.body, m.body_len, &err);

            assert_non_null(parsed);
            json_object_put(parsed);
        }
    }
}

static void length_is_bounded(void **state)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    size_t room = MIB;
    CLEANUP_FREE char *fill = xcalloc(room, 1);
    struct wire_message m;
    int more = 0;

    (void)state;
    memset(fill, 'x', room);
    wire_feed(w, "{\"return\": \"", 12);
    for (unsigned i = 0; i < 11 && more == 0; i++) {
        wire_feed(w, fill, room);
        more = wire_next(w, &m, &err);
        assert_int_equal(more, i < 9 ? 0 : -1);
    }
    assert_int_equal(more, -1);
    assert_non_null(strstr(err.message, "a message of more than 10240 KiB"));
}

/* White space between messages is no message: it may go on for ever,
 * and does not count for the next one's length. */
static void space_may_go_on(void **state)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    CLEANUP_FREE char *fill = xcalloc(MIB, 1);
    struct wire_message m;

    (void)state;
    memset(fill, '\n', MIB);
    for (int i = 0; i < 12; i++) {
        wire_feed(w, fill, MIB);
        assert_int_equal(wire_next(w, &m, NULL), 0);
    }
    wire_feed(w, "{\"QMP\": {}}", 11);
    assert_int_equal(wire_next(w, &m, NULL), 1);
}

static int append_element(void *arg, const char *text, size_t len)
{
    buffer_printf(arg, "<%.*s>", (int)len, text);
    return len == 4 && memcmp(text, "null", 4) == 0 ? 7 : 0;
}

static void elements_one_by_one(void **state)
{
    static const struct {
        const char *text, *elements;
        int rc;
    } cases[] = {
        { "[]", "", 0 },
        { " [ ] ", "", 0 },
        { "[1, \"a]\" ,{\"b\": [2]},[]]", "<1><\"a]\"><{\"b\": [2]}><[]>", 0 },
        { "[1, null, 2]", "<1><null>", 7 },
        { "{}", "", -1 },
        { "[1", "<1>", -1 },
        { "[1,]", "<1>", -1 },
        { "[1 2]", "<1>", -1 },
        { "[1] x", "<1>", -1 },
        { "", "", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buffer_done) struct buffer b = { .data = NULL };
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(wire_each_element(cases[i].text, strlen(cases[i].text),
                                           append_element, &b, &err),
                         cases[i].rc);
        assert_string_equal(b.data ? b.data : "", cases[i].elements);
        assert_int_equal(error_is_set(&err), cases[i].rc < 0);
    }
}

static void parses_strictly(void **state)
{
    static const char *const good[] = {
        "1", "-2", "1.5", "true", "\"x\"", "[]", "{\"a\": [1, 2]} ", "\"\\n\"",
    };
    static const char *const bad[] = {
        "", "{", "[1,]", "1 2", "{} x", "nul", "\"", "\"\xff\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct json_object *o = wire_parse(good[i], strlen(good[i]), NULL);

        assert_non_null(o);
        json_object_put(o);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_null(wire_parse(bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.code, QM_ERR_PROTOCOL);
    }
    assert_null(wire_parse("{}\0", 3, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_every_kind),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(zero_byte_is_refused),
        cmocka_unit_test(is_dead_after_an_error),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(space_may_go_on),
        cmocka_unit_test(elements_one_by_one),
        cmocka_unit_test(parses_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
