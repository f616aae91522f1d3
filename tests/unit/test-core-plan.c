/*
 * The plan: its defaults, and each way in which it can be wrong by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/host.h"
#include "core/plan.h"

static void names(void **state)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        { "vm", true },
        { "Vm-1.example_2", true },
        { "_", true },
        { "123456789012345678901234567890123456789012345678", true },
        { "1234567890123456789012345678901234567890123456789", false },
        { "", false },
        { ".vm", false },
        { "-vm", false },
        { "a/b", false },
        { "a b", false },
        { "a\n", false },
        { "\xc3\xa4", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(plan_name_is_valid(rows[i].name), rows[i].valid);
    }
}

static void init(struct plan *p)
{
    plan_init(p);
    assert_int_equal(qmp_address_parse("/run/a.qmp", &p->peer[SOURCE], NULL),
                     0);
    assert_int_equal(qmp_address_parse("ssh://b.example/run/b.qmp",
                                       &p->peer[DESTINATION], NULL),
                     0);
}

static void defaults_are_good(void **state)
{
    struct plan p;

    (void)state;
    init(&p);
    assert_int_equal(plan_check(&p, NULL), 0);
    assert_int_equal(p.port_low, 49152);
    assert_int_equal(p.port_high, 49215);
    assert_string_equal(p.tls_dir[DESTINATION], "/etc/pki/qemu");
    assert_int_equal(p.max_downtime_ms, 300);
    assert_int_equal(p.abort_handover_ms, 10000);
    assert_int_equal(p.disks, DISKS_AUTO);
    assert_int_equal(p.channels, PLAN_CHANNELS_CHOSEN);
    assert_int_equal(p.max_throttle, policy_default->max_throttle);
    assert_false(p.insecure);
    plan_done(&p);
}

static void use_peer(struct plan *p, enum side_id side, const char *text)
{
    qmp_address_done(&p->peer[side]);
    assert_int_equal(qmp_address_parse(text, &p->peer[side], NULL), 0);
}

#define SPOIL(name) static void name(struct plan *p)

SPOIL(bad_name)
{
    str_replace(&p->name, "a/b");
}
SPOIL(clear_tcp)
{
    use_peer(p, SOURCE, "tcp:a.example:4444");
}
SPOIL(clear_tcp_insecure)
{
    clear_tcp(p);
    p->insecure = true;
}
SPOIL(loopback_tcp)
{
    use_peer(p, SOURCE, "tcp:127.0.0.1:4444");
    use_peer(p, DESTINATION, "tcp:localhost:4445");
}
SPOIL(one_monitor)
{
    use_peer(p, DESTINATION, "/run/a.qmp");
}
SPOIL(bad_host)
{
    str_replace(&p->host[SOURCE], "b.example");
}
SPOIL(host_with_path)
{
    str_replace(&p->host[DESTINATION], "ssh://b.example/");
}
SPOIL(host_is_an_option)
{
    str_replace(&p->host[DESTINATION], "ssh://-oProxyCommand=x");
}
SPOIL(good_hosts)
{
    str_replace(&p->host[SOURCE], "local");
    str_replace(&p->host[DESTINATION], "ssh://root@[2001:db8::1]:2222");
}
SPOIL(verify_from_here)
{
    p->verify = true;
    str_replace(&p->host[SOURCE], "local");
}
SPOIL(verify_through_ssh)
{
    p->verify = true;
    use_peer(p, SOURCE, "ssh://a.example/run/a.qmp");
}
SPOIL(verify_of_a_forwarded_socket)
{
    p->verify = true;
    str_replace(&p->host[SOURCE], "ssh://a.example");
}
SPOIL(overlay_through_ssh)
{
    p->disks_sync = DISKS_SYNC_TOP;
    use_peer(p, SOURCE, "ssh://a.example/run/a.qmp");
}
SPOIL(empty_address)
{
    str_replace(&p->address, "");
}
SPOIL(address_with_port)
{
    str_replace(&p->address, "[2001:db8::1]:22");
}
SPOIL(bind_with_control)
{
    str_replace(&p->bind, "192.0.2.1\x01");
}
SPOIL(good_address)
{
    str_replace(&p->address, "b-mig.example");
    str_replace(&p->bind, "2001:db8::2");
}
SPOIL(ports_reversed)
{
    p->port_low = 50001;
    p->port_high = 50000;
}
SPOIL(ports_from_zero)
{
    p->port_low = 0;
}
SPOIL(ports_too_high)
{
    p->port_high = 65536;
}
SPOIL(one_port)
{
    p->port_low = p->port_high = 50000;
}
SPOIL(one_port_no_disks)
{
    one_port(p);
    p->disks = DISKS_NONE;
}
SPOIL(relative_tls_dir)
{
    str_replace(&p->tls_dir[SOURCE], "pki");
}
SPOIL(relative_tls_dir_insecure)
{
    relative_tls_dir(p);
    p->insecure = true;
}
SPOIL(insecure_and_hostname)
{
    p->insecure = true;
    str_replace(&p->tls_hostname, "b");
}
SPOIL(psk_insecure)
{
    p->tls_psk = p->insecure = true;
}
SPOIL(psk_hostname)
{
    p->tls_psk = true;
    str_replace(&p->tls_hostname, "b");
}
SPOIL(psk_authz)
{
    p->tls_psk = true;
    str_replace(&p->tls_authz_dn, "CN=a");
}
SPOIL(insecure_authz)
{
    p->insecure = true;
    str_replace(&p->tls_authz_dn, "CN=a");
}
SPOIL(bad_authz)
{
    str_replace(&p->tls_authz_dn, "CN=a\n");
}
SPOIL(insecure_priority)
{
    p->insecure = true;
    str_replace(&p->tls_priority, "NORMAL");
}
SPOIL(bad_priority)
{
    str_replace(&p->tls_priority, "NORMAL:+NICE\n");
}
SPOIL(good_priority)
{
    str_replace(&p->tls_priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
}
SPOIL(bad_tls_hostname)
{
    str_replace(&p->tls_hostname, "b c");
}
SPOIL(empty_list)
{
    p->disks = DISKS_LIST;
}
SPOIL(empty_id)
{
    p->disks = DISKS_LIST;
    strv_add(&p->disk_ids, "");
}
SPOIL(same_id_twice)
{
    p->disks = DISKS_LIST;
    strv_add(&p->disk_ids, "vd0");
    strv_add(&p->disk_ids, "vd1");
    strv_add(&p->disk_ids, "vd0");
}
SPOIL(shared_and_copied)
{
    same_id_twice(p);
    free(p->disk_ids.item[2]);
    p->disk_ids.count = 2;
    strv_add(&p->shared_ids, "vd2");
    strv_add(&p->shared_ids, "vd1");
}
SPOIL(shared_twice)
{
    strv_add(&p->shared_ids, "vd1");
    strv_add(&p->shared_ids, "vd1");
}
SPOIL(shared_is_empty)
{
    strv_add(&p->shared_ids, "");
}
SPOIL(no_downtime)
{
    p->max_downtime_ms = 0;
}
SPOIL(long_downtime)
{
    p->max_downtime_ms = 2000001;
}
SPOIL(longest_downtime)
{
    p->max_downtime_ms = 2000000;
}
SPOIL(no_handover)
{
    p->abort_handover_ms = 0;
}
SPOIL(negative_timeout)
{
    p->timeout_s = -1;
}
SPOIL(negative_bandwidth)
{
    p->bandwidth_bps = -1;
}
SPOIL(negative_disk_bandwidth)
{
    p->disk_bandwidth_bps = -1;
}
SPOIL(many_channels)
{
    p->channels = 256;
}
SPOIL(most_channels)
{
    p->channels = 255;
}
SPOIL(compressed_stream)
{
    p->compress = COMPRESS_ZSTD;
    p->channels = 0;
}
SPOIL(compressed_too_much)
{
    p->compress = COMPRESS_ZLIB;
    p->compress_level = 10;
}
SPOIL(compressed_most)
{
    p->compress = COMPRESS_ZSTD;
    p->compress_level = 20;
}
SPOIL(negative_channels)
{
    p->channels = -2;
}

#undef SPOIL

#define FINE NULL
static const struct plan_case {
    const char *name;
    void (*spoil)(struct plan *p);
    const char *expected;
} cases[] = {
    { "bad_name", bad_name, "--name 'a/b' is not a valid name" },
    { "clear_tcp", clear_tcp,
      "source: the connection to tcp:a.example:4444 would not be encrypted" },
    { "clear_tcp_insecure", clear_tcp_insecure, FINE },
    { "loopback_tcp", loopback_tcp, FINE },
    { "one_monitor", one_monitor,
      "source and destination are the same monitor: /run/a.qmp" },
    { "bad_host", bad_host, "--source-host: 'b.example' is not a host" },
    { "host_with_path", host_with_path,
      "--destination-host: 'ssh://b.example/' is not a host" },
    { "host_is_an_option", host_is_an_option,
      "--destination-host: the address 'ssh://-oProxyCommand=x/-' has a host "
      "that begins with '-'" },
    { "good_hosts", good_hosts, FINE },
    { "verify_from_here", verify_from_here, FINE },
    { "verify_through_ssh", verify_through_ssh,
      "--verify reads the source's disks, which are not on this machine" },
    { "verify_of_a_forwarded_socket", verify_of_a_forwarded_socket,
      "--verify reads the source's disks, which are not on this machine" },
    { "overlay_through_ssh", overlay_through_ssh,
      "--disks-sync top reads the source's disks, which are not on this "
      "machine" },
    { "empty_address", empty_address,
      "--address '' is neither a host name nor an address" },
    { "address_with_port", address_with_port,
      "--address '[2001:db8::1]:22' is neither a host name nor an address" },
    { "bind_with_control", bind_with_control,
      "--bind '192.0.2.1\\x01' is neither a host name nor an address" },
    { "good_address", good_address, FINE },
    { "ports_reversed", ports_reversed,
      "--ports 50001-50000: not LOW-HIGH between 1 and 65535" },
    { "ports_from_zero", ports_from_zero,
      "--ports 0-49215: not LOW-HIGH between 1 and 65535" },
    { "ports_too_high", ports_too_high,
      "--ports 49152-65536: not LOW-HIGH between 1 and 65535" },
    { "one_port", one_port,
      "--ports 50000-50000: a guest needs 2, one for RAM and one for disks" },
    { "one_port_no_disks", one_port_no_disks, FINE },
    { "relative_tls_dir", relative_tls_dir,
      "the source's TLS directory 'pki' is not an absolute path" },
    { "relative_tls_dir_insecure", relative_tls_dir_insecure, FINE },
    { "insecure_and_hostname", insecure_and_hostname,
      "--insecure and --tls-hostname exclude each other" },
    { "psk_insecure", psk_insecure,
      "--tls-psk and --insecure exclude each other" },
    { "psk_hostname", psk_hostname,
      "--tls-psk and --tls-hostname exclude each other" },
    { "psk_authz", psk_authz,
      "--tls-psk and --tls-authz-dn exclude each other" },
    { "insecure_authz", insecure_authz,
      "--insecure and --tls-authz-dn exclude each other" },
    { "bad_authz", bad_authz,
      "--tls-authz-dn 'CN=a\\x0a' is not a subject name" },
    { "insecure_priority", insecure_priority,
      "--insecure and --tls-priority exclude each other" },
    { "bad_priority", bad_priority,
      "the TLS priority 'NORMAL:+NICE\\x0a': GnuTLS does not understand it, "
      "from '+NICE\\x0a' on" },
    { "good_priority", good_priority, FINE },
    { "bad_tls_hostname", bad_tls_hostname,
      "--tls-hostname 'b c' is neither a host name nor an address" },
    { "empty_list", empty_list, "--disks names no disk" },
    { "empty_id", empty_id, "--disks has an empty name" },
    { "same_id_twice", same_id_twice, "--disks names vd0 twice" },
    { "shared_and_copied", shared_and_copied,
      "vd1 cannot be in --disks and in --shared" },
    { "shared_twice", shared_twice, "--shared names vd1 twice" },
    { "shared_is_empty", shared_is_empty, "--shared has an empty name" },
    { "no_downtime", no_downtime,
      "--max-downtime-ms 0: not between 1 and 2000000" },
    { "long_downtime", long_downtime,
      "--max-downtime-ms 2000001: not between 1 and 2000000" },
    { "longest_downtime", longest_downtime, FINE },
    { "no_handover", no_handover,
      "--abort-handover-ms 0: not between 1 and 2000000" },
    { "negative_timeout", negative_timeout,
      "--timeout-s -1: not between 0 and 2592000" },
    { "negative_bandwidth", negative_bandwidth,
      "--bandwidth -1: not between 0 and 9223372036854775807" },
    { "negative_disk_bandwidth", negative_disk_bandwidth,
      "--disk-bandwidth -1: not between 0 and 9223372036854775807" },
    { "many_channels", many_channels, "--channels 256: not between 0 and 255" },
    { "most_channels", most_channels, FINE },
    { "compressed_stream", compressed_stream,
      "--compress and --channels 0 exclude each other" },
    { "compressed_too_much", compressed_too_much,
      "--compress zlib:10: not between 0 and 9" },
    { "compressed_most", compressed_most, FINE },
    { "negative_channels", negative_channels,
      "--channels -2: not between 0 and 255" },
};

static void words_are_as_expected(void **state)
{
    const struct plan_case *c = *state;
    struct qm_error err = QM_ERROR_INIT;
    struct plan p;
    int rc;

    init(&p);
    c->spoil(&p);
    rc = plan_check(&p, &err);
    if (c->expected) {
        assert_int_equal(rc, -1);
        assert_string_equal(err.message, c->expected);
        assert_int_equal(err.code, QM_ERR_USAGE);
    } else {
        assert_null(err.message);
        assert_int_equal(rc, 0);
    }
    error_clear(&err);
    plan_done(&p);
}

static void allowed_stop_bounds_the_devices(void **state)
{
    static const struct {
        int64_t max_downtime_ms, abort_handover_ms, limit_ms;
    } rows[] = {
        { 300, 10000, 10300 },     /* the defaults */
        { 300, 1, 10300 },         /* devices and a flush take a while */
        { 60000, 120000, 120000 }, /* the longer one counts */
        { 60000, 10000, 70000 },
        { PLAN_MAX_DOWNTIME_MS, PLAN_MAX_HANDOVER_MS,
          PLAN_MAX_DOWNTIME_MS + 10000 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct plan p = { .abort_handover_ms =
                                    rows[i].abort_handover_ms };

        assert_int_equal(plan_device_limit_ms(&p, rows[i].max_downtime_ms),
                         rows[i].limit_ms);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases) + 2] = {
        cmocka_unit_test(names),
        cmocka_unit_test(defaults_are_good),
        cmocka_unit_test(allowed_stop_bounds_the_devices),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = words_are_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
