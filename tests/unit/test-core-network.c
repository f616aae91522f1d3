/*
 * Which address the source is told, what the destination listens on, and the
 * name that its certificate must carry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/facts-private.h"

static const struct network_case {
    const char *name;
    const char *source, *destination;          /* QMP addresses */
    const char *address, *bind, *tls_hostname; /* options, or NULL */
    const char *got_address, *got_bind, *got_tls_hostname;
    const char *problem; /* part of why there is no address */
} cases[] = {
    { .name = "both here",
      .source = "/a",
      .destination = "/b",
      .got_address = "127.0.0.1",
      .got_bind = "127.0.0.1",
      .got_tls_hostname = "127.0.0.1" },
    { .name = "to here from elsewhere",
      .source = "ssh://a/a",
      .destination = "/b",
      .problem = "/b is a socket on this machine, and the source is "
                 "elsewhere" },
    { .name = "to here from elsewhere, by a number",
      .source = "ssh://a/a",
      .destination = "/b",
      .address = "192.0.2.1",
      .got_address = "192.0.2.1",
      .got_bind = "192.0.2.1",
      .got_tls_hostname = "192.0.2.1" },
    { .name = "tcp",
      .source = "/a",
      .destination = "tcp:127.0.0.1:4444",
      .got_address = "127.0.0.1",
      .got_bind = "127.0.0.1",
      .got_tls_hostname = "127.0.0.1" },
    { .name = "DESTINATION's name is the certificate's",
      .source = "/a",
      .destination = "ssh://b.example/b",
      .address = "192.0.2.2",
      .got_address = "192.0.2.2",
      .got_bind = "192.0.2.2",
      .got_tls_hostname = "b.example" },
    { .name = "the migration network's name, where DESTINATION has none",
      .source = "/a",
      .destination = "/b",
      .address = "localhost",
      .bind = "192.0.2.3",
      .got_bind = "192.0.2.3",
      .got_tls_hostname = "localhost" },
    { .name = "--tls-hostname",
      .source = "/a",
      .destination = "ssh://b.example/b",
      .address = "2001:DB8::2",
      .tls_hostname = "c.example",
      .got_address = "2001:db8::2",
      .got_bind = "2001:db8::2",
      .got_tls_hostname = "c.example" },
};

static void network_is_as_expected(void **state)
{
    const struct network_case *c = *state;
    struct loop *loop = loop_new();
    struct plan p;
    struct facts_input in = { .loop = loop, .plan = &p };
    struct facts f = { .plan = &p };

    plan_init(&p);
    qmp_address_parse(c->source, &p.peer[SOURCE], NULL);
    qmp_address_parse(c->destination, &p.peer[DESTINATION], NULL);
    str_replace(&p.address, c->address);
    str_replace(&p.bind, c->bind);
    str_replace(&p.tls_hostname, c->tls_hostname);
    for (int side = 0; side < SIDES; side++) {
        in.host[side] = host_of_address(loop, &p.peer[side]);
    }
    facts_collect_network(&in, &f);
    if (c->got_address) {
        assert_string_equal(f.address, c->got_address);
        assert_null(f.address_problem);
    }
    if (c->problem) {
        assert_null(f.address);
        assert_null(f.bind);
        assert_non_null(strstr(f.address_problem, c->problem));
    } else {
        assert_string_equal(f.bind, c->got_bind);
        assert_string_equal(f.tls_hostname, c->got_tls_hostname);
    }
    facts_done(&f);
    for (int side = 0; side < SIDES; side++) {
        host_free(in.host[side]);
    }
    plan_done(&p);
    loop_free(loop);
}

static void the_hosts_own_address_is_chosen(void **state)
{
    static const struct {
        enum host_has has[3];
        size_t chosen;
    } rows[] = {
        { { HOST_HAS, HOST_HAS, HOST_HAS }, 0 },
        { { HOST_HAS_NOT, HOST_HAS, HOST_HAS }, 1 },
        { { HOST_HAS_UNKNOWN, HOST_HAS_NOT, HOST_HAS }, 2 },
        { { HOST_HAS_NOT, HOST_HAS_UNKNOWN, HOST_HAS_NOT }, 1 },
        { { HOST_HAS_NOT, HOST_HAS_NOT, HOST_HAS_NOT }, 0 },
        { { HOST_HAS_UNKNOWN, HOST_HAS_UNKNOWN, HOST_HAS_UNKNOWN }, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(address_choose(rows[i].has, 3), rows[i].chosen);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases) + 1];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = network_is_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    tests[ARRAY_LEN(cases)] =
        (struct CMUnitTest)cmocka_unit_test(the_hosts_own_address_is_chosen);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
