/*
 * NBD URIs: what each means, and those that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "nbd/uri.h"

static void good_ones_are_understood(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        unsigned port;
        const char *path, *export_name;
    } cases[] = {
        { "nbd://host/disk0", false, "host", 10809, NULL, "disk0" },
        { "nbds://host.example:10810/a/b", true, "host.example", 10810, NULL,
          "a/b" },
        { "nbd://[fe80::1]:77/x%20y", false, "fe80::1", 77, NULL, "x y" },
        { "nbd://[::1]/", false, "::1", 10809, NULL, "" },
        { "nbd://10.0.0.1", false, "10.0.0.1", 10809, NULL, "" },
        { "nbd+unix:///disk0?socket=/run/a%3fb", false, NULL, 0, "/run/a?b",
          "disk0" },
        { "nbd+unix://?socket=/run/a", false, NULL, 0, "/run/a", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(nbd_uri_done) struct nbd_uri uri = { 0 };

        assert_int_equal(nbd_uri_parse(cases[i].text, &uri, NULL), 0);
        assert_string_equal(uri.text, cases[i].text);
        assert_int_equal(uri.tls, cases[i].tls);
        assert_true(str_equal(uri.host, cases[i].host));
        assert_int_equal(uri.port, cases[i].port);
        assert_true(str_equal(uri.path, cases[i].path));
        assert_string_equal(uri.export_name, cases[i].export_name);
    }
}

static void bad_ones_are_refused(void **state)
{
    static const char *const cases[][2] = {
        { "", "not an NBD URI" },
        { "/run/vm.qmp", "not an NBD URI" },
        { "http://host/x", "not an NBD URI" },
        { "nbds+unix:///x?socket=/run/a", "not an NBD URI" },
        { "nbd:///disk0", "no host" },
        { "nbd://:10809/x", "no host" },
        { "nbd://-oProxy/x", "not the name of a host" },
        { "nbd://a b/x", "not the name of a host" },
        { "nbd://user@host/x", "not the name of a host" },
        { "nbd://host:0/x", "the port" },
        { "nbd://host:65536/x", "the port" },
        { "nbd://host:/x", "the port" },
        { "nbd://[::1/x", "in brackets" },
        { "nbd://[::1]x/x", "in brackets" },
        { "nbd://host/a%2", "not well-formed" },
        { "nbd://host/a%zz", "not well-formed" },
        { "nbd://host/a%00b", "not well-formed" },
        { "nbd://host/a?socket=/x", "nothing may follow" },
        { "nbd://host/a#b", "nothing may follow" },
        { "nbd+unix:///disk0", "no socket" },
        { "nbd+unix:///disk0?file=/x", "no socket" },
        { "nbd+unix:///disk0?socket=x", "not an absolute path" },
        { "nbd+unix:///disk0?socket=/x&y", "not an absolute path" },
        { "nbd+unix://host/disk0?socket=/x", "no host" },
        { "nbd://host/\n", "no such characters" },
    };
    CLEANUP_FREE char *longer = xasprintf("nbd+unix:///?socket=/%0200d", 0);
    struct nbd_uri uri = { .port = 7 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(nbd_uri_parse(cases[i][0], &uri, &err), -1);
        assert_int_equal(err.code, QM_ERR_USAGE);
        if (!strstr(err.message, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], err.message);
        assert_non_null(strstr(err.hint, "nbds://"));
        assert_int_equal(uri.port, 7); /* untouched */
    }
    assert_int_equal(nbd_uri_parse(longer, &uri, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_understood),
        cmocka_unit_test(bad_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
