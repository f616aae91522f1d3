/*
 * Strings, lists of strings, buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/util.h"

static void predicates_on_strings(void **state)
{
    (void)state;
    assert_true(str_equal(NULL, NULL));
    assert_true(str_equal("a", "a"));
    assert_false(str_equal("a", NULL));
    assert_false(str_equal(NULL, "a"));
    assert_false(str_equal("a", "b"));
    assert_true(str_starts("unix:/x", "unix:"));
    assert_false(str_starts("un", "unix:"));
    assert_true(str_ends("a.sock", ".sock"));
    assert_false(str_ends("ock", ".sock"));
    assert_true(str_is_among("b", (const char *const[]){ "a", "b" }, 2));
    assert_false(str_is_among("b", (const char *const[]){ "a", "b" }, 1));
    assert_false(str_is_among(NULL, (const char *const[]){ "a", "b" }, 2));
}

static void replace_may_take_from_itself(void **state)
{
    char *s = xstrdup("abc");

    (void)state;
    str_replace(&s, s + 1);
    assert_string_equal(s, "bc");
    str_replace(&s, NULL);
    assert_null(s);
}

static void numbers_within_limits(void **state)
{
    static const struct {
        const char *text;
        uint64_t min, max;
        bool ok;
        uint64_t value;
    } cases[] = {
        { "0", 0, 10, true, 0 },
        { "007", 0, 10, true, 7 },
        { "10", 0, 10, true, 10 },
        { "11", 0, 10, false, 0 },
        { "4", 5, 10, false, 0 },
        { "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", 0, UINT64_MAX, false, 0 },
        { "99999999999999999999", 0, UINT64_MAX, false, 0 },
        { "", 0, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { "-1", 0, UINT64_MAX, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { NULL, 0, 10, false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t value = 4711;

        assert_int_equal(
            str_to_u64(cases[i].text, cases[i].min, cases[i].max, &value),
            cases[i].ok);
        assert_int_equal(value, cases[i].ok ? cases[i].value : 4711);
    }
}

static void only_fit_bytes_are_printed(void **state)
{
    static const struct {
        const char *text, *printable;
    } cases[] = {
        { "", "" },
        { "plain ~", "plain ~" },
        { "\x1b[2J\t\n\x7f", "\\x1b[2J\\x09\\x0a\\x7f" },
        { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
          "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "\xff\xfe", "\\xff\\xfe" },
        { "\x80", "\\x80" },
        { "\xc3", "\\xc3" },                            /* cut short */
        { "\xe2\x82", "\\xe2\\x82" },                   /* cut short */
        { "\xc3(", "\\xc3(" },                          /* no continuation */
        { "\xc0\xaf", "\\xc0\\xaf" },                   /* overlong / */
        { "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },          /* overlong / */
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond Unicode */
        { "\xc2\x9b", "\\xc2\\x9b" }, /* C1: a terminal's CSI */
        { "\xc2\xa0", "\xc2\xa0" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *got = str_printable(cases[i].text);

        assert_string_equal(got, cases[i].printable);
    }
}

static void steal_leaves_null(void **state)
{
    char *s = xstrdup("x");
    CLEANUP_FREE char *mine = STEAL(s);

    (void)state;
    assert_null(s);
    assert_string_equal(mine, "x");
}

static void lists_grow_and_join(void **state)
{
    static const char *const joined[] = { "", "a", "a and b2", "a, b2 and c" };
    CLEANUP(strv_done) struct strv v = { .item = NULL };

    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(joined); n++) {
        CLEANUP_FREE char *words = NULL;

        if (n == 2) {
            strv_addf(&v, "b%d", 2);
        } else if (n > 0) {
            strv_add(&v, n == 1 ? "a" : "c");
        }
        words = strv_join_words(&v);
        assert_string_equal(words, joined[n]);
        assert_int_equal(v.count, n);
        assert_true(n == 0 || v.item[n] == NULL);
    }
    assert_true(strv_contains(&v, "b2"));
    assert_false(strv_contains(&v, "b"));
}

static void buffers_grow_and_shrink(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    char *room;

    (void)state;
    buffer_append(&b, "hello", 5);
    buffer_printf(&b, " %s %d", "world", 1);
    assert_int_equal(b.len, 13);
    assert_string_equal(b.data, "hello world 1");
    room = buffer_room(&b, 10000);
    memset(room, 'x', 10000);
    buffer_grew(&b, 10000);
    assert_int_equal(strlen(b.data), 10013);
    buffer_consume(&b, 10010);
    assert_string_equal(b.data, "xxx");
    assert_true(b.capacity > 10000);
    buffer_trim(&b);
    assert_int_equal(b.capacity, 4);
    assert_string_equal(b.data, "xxx");
    buffer_append(&b, "y", 1);
    assert_string_equal(b.data, "xxxy");
    buffer_consume(&b, 4);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    buffer_trim(&b);
    assert_null(b.data);
    buffer_append(&b, NULL, 0);
    assert_string_equal(b.data, "");
}

static void buffers_hold_any_byte(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    buffer_append(&b, "a\0b", 3);
    buffer_append(&b, "c\0d", 3);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "a\0bc\0d", 7);
    buffer_consume(&b, 2);
    assert_memory_equal(b.data, "bc\0d", 5);
}

static void a_moment_is_written_and_read(void **state)
{
    static const char *const none[] = {
        "",
        "2026-11-28",
        "2026-11-28T02:32:29Z",
        "2026-11-28T02:32:29.123z",
        "2026-11-28T02:32:29.123Z ",
        "2026-02-31T02:32:29.123Z",
        "2026-11-28T25:32:29.123Z",
        "1969-12-31T23:59:59.999Z",
        "2026-11-28T02:32:2x.123Z",
    };
    int64_t us = 7;

    (void)state;
    assert_string_equal(clock_utc(0).s, "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_utc(1795833149123456).s,
                        "2026-11-28T02:32:29.123Z");
    assert_string_equal(clock_utc(INT64_MIN).s, clock_utc(0).s);
    assert_non_null(strchr(clock_utc(INT64_MAX).s, 'Z'));
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(clock_utc_parse(none[i], &us));
    assert_int_equal(us, 7);
    assert_true(clock_utc_parse("2026-11-28T02:32:29.123Z", &us));
    assert_int_equal(us, 1795833149123000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicates_on_strings),
        cmocka_unit_test(replace_may_take_from_itself),
        cmocka_unit_test(numbers_within_limits),
        cmocka_unit_test(only_fit_bytes_are_printed),
        cmocka_unit_test(steal_leaves_null),
        cmocka_unit_test(lists_grow_and_join),
        cmocka_unit_test(buffers_grow_and_shrink),
        cmocka_unit_test(buffers_hold_any_byte),
        cmocka_unit_test(a_moment_is_written_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
