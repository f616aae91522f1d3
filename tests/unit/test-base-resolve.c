/*
 * Names and numbers of hosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stream.h"

static void addresses_are_classified(void **state)
{
    static const struct {
        const char *text;
        bool numeric, loopback;
    } cases[] = {
        { "127.0.0.1", true, true },
        { "127.255.0.9", true, true },
        { "128.0.0.1", true, false },
        { "10.127.0.1", true, false },
        { "0.0.0.0", true, false },
        { "::1", true, true },
        { "::2", true, false },
        { "::", true, false },
        { "::ffff:127.0.0.1", true, true },
        { "::ffff:7f01:203", true, true },
        { "::ffff:10.0.0.1", true, false },
        { "::127.0.0.1", true, false },
        { "fe80::1%eth0", true, false },
        { "localhost", false, false },
        { "127.1", false, false },
        { "[::1]", false, false },
        { "", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(address_is_numeric(cases[i].text), cases[i].numeric);
        assert_int_equal(address_is_loopback(cases[i].text), cases[i].loopback);
    }
}

static void hosts_are_resolved(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *number = resolve_host("127.0.0.2", &err);
    CLEANUP_FREE char *local = resolve_host("localhost", &err);

    (void)state;
    assert_string_equal(number, "127.0.0.2");
    assert_true(address_is_loopback(local));
    assert_null(err.message);
    assert_null(resolve_host("", &err));
    assert_int_equal(err.code, QM_ERR_CONNECT);
    assert_true(str_starts(err.message, "cannot find the address of host "));
}

static void wildcards_are_known(void **state)
{
    (void)state;
    assert_true(address_is_wildcard("0.0.0.0"));
    assert_true(address_is_wildcard("::"));
    assert_true(address_is_wildcard("::%eth0"));
    assert_true(address_is_wildcard("::ffff:0.0.0.0"));
    assert_false(address_is_wildcard("::1"));
    assert_false(address_is_wildcard("0.0.0.1"));
    assert_false(address_is_wildcard("::ffff:192.0.2.1"));
    assert_false(address_is_wildcard("host"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcards_are_known),
        cmocka_unit_test(addresses_are_classified),
        cmocka_unit_test(hosts_are_resolved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
