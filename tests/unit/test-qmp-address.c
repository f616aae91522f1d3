/*
 * QMP addresses: what they mean, and what is refused with which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qmp/address.h"

struct good {
    const char *text;
    struct {
        enum qmp_address_type type;
        const char *path, *user, *host;
        unsigned port;
    } means;
};

static const struct good goods[] = {
    { "/run/vm.qmp", { .type = QMP_ADDRESS_UNIX, .path = "/run/vm.qmp" } },
    { "unix:/run/vm.qmp", { .type = QMP_ADDRESS_UNIX, .path = "/run/vm.qmp" } },
    { "/run/a:b @%.qmp",
      { .type = QMP_ADDRESS_UNIX, .path = "/run/a:b @%.qmp" } },
    { "ssh://far/run/vm.qmp",
      { .type = QMP_ADDRESS_SSH, .host = "far", .path = "/run/vm.qmp" } },
    { "ssh://me@far:2222/run/vm.qmp",
      { .type = QMP_ADDRESS_SSH,
        .user = "me",
        .host = "far",
        .port = 2222,
        .path = "/run/vm.qmp" } },
    { "ssh://[fe80::1%eth0]:22/x",
      { .type = QMP_ADDRESS_SSH,
        .host = "fe80::1%eth0",
        .port = 22,
        .path = "/x" } },
    { "ssh://[::1]/x",
      { .type = QMP_ADDRESS_SSH, .host = "::1", .path = "/x" } },
    { "ssh://far/a@b:c",
      { .type = QMP_ADDRESS_SSH, .host = "far", .path = "/a@b:c" } },
    { "tcp:127.0.0.1:4444",
      { .type = QMP_ADDRESS_TCP, .host = "127.0.0.1", .port = 4444 } },
    { "tls:far.example:4444",
      { .type = QMP_ADDRESS_TLS, .host = "far.example", .port = 4444 } },
    { "tcp:[::1]:65535",
      { .type = QMP_ADDRESS_TCP, .host = "::1", .port = 65535 } },
};

static void means_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
        const struct good *g = &goods[i];
        CLEANUP(qmp_address_done) struct qmp_address a = { .text = NULL };
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(qmp_address_parse(g->text, &a, &err), 0);
        assert_string_equal(a.text, g->text);
        assert_int_equal(a.type, g->means.type);
        assert_true(str_equal(a.path, g->means.path));
        assert_true(str_equal(a.user, g->means.user));
        assert_true(str_equal(a.host, g->means.host));
        assert_int_equal(a.port, g->means.port);
    }
}

static const struct {
    const char *text, *message;
} bads[] = {
    { "", "the address '' is empty" },
    { "run/vm.qmp", "the address 'run/vm.qmp' has an unknown form" },
    { "http://far/x", "the address 'http://far/x' has an unknown form" },
    { "unix:vm.qmp", "the address 'unix:vm.qmp' has no absolute path" },
    { "/run/", "the address '/run/' names a directory, not a socket" },
    { "/run/a\nb", "the address '/run/a\\x0ab' has a control character" },
    { "ssh://far", "the address 'ssh://far' has no path behind its host" },
    { "ssh:///x", "the address 'ssh:///x' has no host" },
    { "ssh://-oProxyCommand=x/y",
      "the address 'ssh://-oProxyCommand=x/y' has a host that begins with "
      "'-'" },
    { "ssh://-l@far/y",
      "the address 'ssh://-l@far/y' has a user name that begins with '-'" },
    { "ssh://@far/y", "the address 'ssh://@far/y' has an empty user name" },
    { "ssh://a b@far/y", "the address 'ssh://a b@far/y' has a user name with a "
                         "character that none has" },
    { "ssh://$(x)/y", "the address 'ssh://$(x)/y' has a host with a character "
                      "that no host name has" },
    { "ssh://far:/y", "the address 'ssh://far:/y' has an empty port" },
    { "ssh://far:0/y", "the address 'ssh://far:0/y' has a port that is not a "
                       "number between 1 and 65535" },
    { "ssh://far:65536/y", "the address 'ssh://far:65536/y' has a port that is "
                           "not a number between 1 and 65535" },
    { "ssh://::1/y", "the address 'ssh://::1/y' has more than one ':': put an "
                     "IPv6 address in brackets" },
    { "ssh://[::1/y", "the address 'ssh://[::1/y' has a '[' without a ']'" },
    { "ssh://[::1]x/y", "the address 'ssh://[::1]x/y' has something other than "
                        "a port behind ']'" },
    { "ssh://far/${HOME}/y", "the address 'ssh://far/${HOME}/y' has '${' in "
                             "its path, which ssh would expand" },
    { "tcp:far", "the address 'tcp:far' has no port" },
    { "tcp::1", "the address 'tcp::1' has no host" },
    { "tcp:far:http", "the address 'tcp:far:http' has a port that is not a "
                      "number between 1 and 65535" },
    { "tls:far", "the address 'tls:far' has no port" },
};

static void bad_ones_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        struct qmp_address a = { .port = 7 };
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(qmp_address_parse(bads[i].text, &a, &err), -1);
        assert_string_equal(err.message, bads[i].message);
        assert_int_equal(err.code, QM_ERR_USAGE);
        assert_non_null(strstr(err.hint, "ssh://[USER@]HOST[:PORT]/PATH"));
        assert_int_equal(a.port, 7);
        assert_null(a.text);
    }
}

static void path_fits_a_socket(void **state)
{
    char text[110];
    CLEANUP(qmp_address_done) struct qmp_address a = { .text = NULL };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    text[107] = '\0';
    assert_int_equal(qmp_address_parse(text, &a, &err), 0);
    qmp_address_done(&a);
    text[107] = 'x';
    text[108] = '\0';
    assert_int_equal(qmp_address_parse(text, &a, &err), -1);
    assert_non_null(strstr(err.message, "too long for a unix socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_what_it_says),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(path_fits_a_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
