/*
 * How many channels are chosen, by the manual's rule; and what is read of a
 * host for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/channels.h"
#include "core/host-private.h"

#define GBIT 1000
#define V(major, minor, micro) ((major)*1000000L + (minor)*1000L + (micro))

static const struct row {
    const char *about;
    int64_t mbit; /* of both */
    int cores;
    bool tls, compressed;
    long source, destination; /* 0: 10.1.0 */
    int count;
    const char *why;
} rows[] = {
    { "one stream carries it", 1 * GBIT, 32, .tls = true, .count = 0,
      .why = "no more than one stream" },
    { "two do", 2 * GBIT + 1, 32, .tls = true, .count = 2, .why = "32 cores" },
    { "10 Gbit/s under TLS", 10 * GBIT, 32, .tls = true, .count = 5,
      .why = "10000 Mbit/s under TLS" },
    { "25 Gbit/s under TLS", 25 * GBIT, 32, .tls = true, .count = 13 },
    { "never more than", 100 * GBIT, 128, .tls = true, .count = 16 },
    { "10 Gbit/s in clear", 10 * GBIT, 32, .count = 0 },
    { "25 Gbit/s in clear", 25 * GBIT, 32, .count = 3, .why = "not encrypted" },
    { "100 Gbit/s in clear", 100 * GBIT, 32, .count = 10 },
    { "half of the cores", 25 * GBIT, 8, .tls = true, .count = 4 },
    { "four cores", 25 * GBIT, 4, .tls = true, .count = 2 },
    { "too few", 25 * GBIT, 3, .tls = true, .count = 0, .why = "too few" },
    { "no cores known", 25 * GBIT, 0, .tls = true, .count = 0,
      .why = "cores are not known" },
    { "no link known", 0, 32, .tls = true, .count = 0,
      .why = "speed is not known" },
    { "compressed goes by channels", 1 * GBIT, 32, .tls = true,
      .compressed = true, .count = 1 },
    { "10.0.2 under TLS", 10 * GBIT, 32, .tls = true, .source = V(10, 0, 2),
      .count = 0, .why = "to cancel several under TLS" },
    { "7.2.22 under TLS", 10 * GBIT, 32, .tls = true, .source = V(7, 2, 22),
      .count = 0, .why = "to cancel several under TLS" },
    { "10.0.2 in clear", 25 * GBIT, 32, .source = V(10, 0, 2), .count = 3 },
    { "a destination of 9.1", 25 * GBIT, 32, .destination = V(9, 1, 0),
      .count = 0, .why = "may crash" },
    { "9.2.0 from 8.2", 25 * GBIT, 32, .source = V(8, 2, 0),
      .destination = V(9, 2, 0), .count = 0, .why = "does not understand" },
    { "9.2.0 from 9.0", 25 * GBIT, 32, .source = V(9, 0, 0),
      .destination = V(9, 2, 0), .count = 3 },
};

static struct channels_facts facts_of(const struct row *r)
{
    return (struct channels_facts){
        .tls = r->tls,
        .has_multifd = true,
        .compressed = r->compressed,
        .version = { r->source ? r->source : V(10, 1, 0),
                     r->destination ? r->destination : V(10, 1, 0) },
        .cores = { r->cores, r->cores },
        .link_mbit = { r->mbit, r->mbit },
    };
}

static void the_rule_of_the_manual(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct channels_facts f = facts_of(&rows[i]);
        struct channels c = channels_choose(&f);

        if (c.count != rows[i].count ||
            !strstr(c.why, rows[i].why ? rows[i].why : ""))
            fail_msg("%s: %d, %s", rows[i].about, c.count, c.why);
    }
}

/* What one host or link cannot do, the other does not either. */
static void the_lesser_counts(void **state)
{
    struct channels_facts f = facts_of(&rows[2]);

    (void)state;
    f.cores[DESTINATION] = 6;
    assert_int_equal(channels_choose(&f).count, 3);
    f.link_mbit[SOURCE] = 1 * GBIT;
    assert_int_equal(channels_choose(&f).count, 0);
    f.link_mbit[SOURCE] = 0;
    assert_int_equal(channels_choose(&f).count, 0);
}

static void one_stream_where_it_must_be(void **state)
{
    struct channels_facts f = facts_of(&rows[2]);

    (void)state;
    f.postcopy = true;
    assert_int_equal(channels_choose(&f).count, 0);
    f.postcopy = f.has_multifd = false;
    assert_int_equal(channels_choose(&f).count, 0);
}

/* --- what a host can do ------------------------------------------------------ */

static void cores_are_counted(void **state)
{
    (void)state;
    assert_int_equal(cores_parse("0"), 1);
    assert_int_equal(cores_parse("0-3,8,10-11"), 7);
    assert_int_equal(cores_parse(""), 0);
    assert_int_equal(cores_parse("3-1"), 0);
    assert_int_equal(cores_parse("0-99999999999"), 0);
}

static const char answer[] =
    "cores 0-15\n"
    "speed eth0 1000\n"
    "speed eth1 25000\n"
    "speed lo 0\n"
    "speed wlan0 -1\n"
    "routes\n"
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\t"
    "Window\tIRTT\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "eth1\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
    "wlan0\t0000010A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    "routes6\n"
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     "
    "eth1\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fd000000000000000000000000000001 00000400 00000002 00000000 00000003     "
    "eth0\n"
    "00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000000 00000003 00000000 80200001     "
    "lo\n";

static void the_way_to_an_address_has_a_speed(void **state)
{
    static const struct {
        const char *address;
        int64_t mbit;
    } ways[] = {
        { "192.0.2.7", 1000 }, { "198.51.100.1", 1000 }, { "10.9.9.9", 25000 },
        { "10.1.0.1", 0 }, /* the longest match has none */
        { "fd00::9", 25000 },  { "2001:db8::1", 1000 },  { "127.0.0.1", 0 },
        { "::1", 0 },          { "no address", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct host_capacity c;

        capacity_parse(answer, ways[i].address, &c);
        assert_int_equal(c.cores, 16);
        if (c.link_mbit != ways[i].mbit)
            fail_msg("%s: %lld", ways[i].address, (long long)c.link_mbit);
    }
}

/* Cut anywhere it is still no more than what is there. */
static void a_broken_answer_is_none(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(answer); len++) {
        CLEANUP_FREE char *cut = xstrndup(answer, len);
        struct host_capacity c;

        capacity_parse(cut, "10.9.9.9", &c);
        assert_in_range(c.link_mbit, 0, 25000);
        capacity_parse(cut, "fd00::9", &c);
        assert_in_range(c.link_mbit, 0, 25000);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_of_the_manual),
        cmocka_unit_test(the_lesser_counts),
        cmocka_unit_test(one_stream_where_it_must_be),
        cmocka_unit_test(cores_are_counted),
        cmocka_unit_test(the_way_to_an_address_has_a_speed),
        cmocka_unit_test(a_broken_answer_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
