/*
 * What is read from a host's answers: /proc/PID/stat, cgroups, systemctl.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/host-private.h"

static void stat_is_parsed_behind_the_name(void **state)
{
    static const char good[] =
        "4711 (a) R (1 2 3) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 "
        "123456789 1 2 3\n";
    struct process_stat s;

    (void)state;
    assert_true(process_stat_parse(good, &s));
    assert_int_equal(s.state, 'S');
    assert_int_equal(s.threads, 9);
    assert_int_equal(s.start_time, 123456789);
    assert_false(process_stat_parse("", &s));
    assert_false(process_stat_parse("1 (x) S 1 2", &s));
    assert_false(process_stat_parse("1 2 3", &s));
}

static void zombie_with_threads_is_no_end(void **state)
{
    (void)state;
    assert_true(process_stat_is_end(
        &(struct process_stat){ .state = 'Z', .threads = 1 }));
    assert_false(process_stat_is_end(
        &(struct process_stat){ .state = 'Z', .threads = 3 }));
    assert_false(process_stat_is_end(
        &(struct process_stat){ .state = 'D', .threads = 1 }));
}

static void qemu_is_known_by_a_thread(void **state)
{
    static const struct {
        const char *text;
        int pid, thread;
        bool expected;
    } rows[] = {
#define FIRST "Name:\tqemu-system-x86\nPid:\t900\nNSpid:\t900\n"
#define CPU "Name:\tqemu-system-x86\nPid:\t902\nNSpid:\t902\n"
        { FIRST CPU, 900, 902, true },
        { FIRST CPU, 900, 903, false },
        { FIRST CPU, 900, 901, false },
        { "Name:\tx\nPid:\t900\nName:\tx\nPid:\t902\n", 900, 902, true },
#undef FIRST
#undef CPU
#define FIRST "Name:\tqemu-kvm\nPid:\t900\nNSpid:\t900\t1\n"
        { FIRST "Name:\tqemu-kvm\nPid:\t902\nNSpid:\t902\t3\n", 900, 3, true },
        { FIRST "Name:\tCPU 0/KVM\nPid:\t902\nNSpid:\t902\t8\t3\n", 900, 3,
          true },
        { FIRST "Name:\tqemu-kvm\nPid:\t902\nNSpid:\t902\t3\n", 900, 902,
          false },
        { FIRST, 900, 1, false }, /* a CPU has a thread of its own */
        /* another container's relay: numbers there are small, too */
        { "Name:\tproxy\nPid:\t950\nNSpid:\t950\t3\n", 940, 3, false },
#undef FIRST
        { "Name:\t\nPid:\t\nNSpid:\t\n", 1, 3, false },
        { "Name:\ta name that is longer than any\nPid:\t2\n", 1, 2, true },
        { "NSpid:\t7", 1, 7, true },
        { "", 1, 3, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            threads_are_of_qemu(rows[i].text, rows[i].pid, rows[i].thread),
            rows[i].expected);
    }
}

#define CMDLINE                                                                \
    "cmdline\nqemu\0-name\0guest\0-drive\0"                                    \
    "file=/var/lib/libvirt/images/a.qcow2\0"
static const struct {
    const char *text;
    size_t len;
    struct unit_facts expected;
} units[] = {
#define ROW(t) .text = t, .len = sizeof(t) - 1
    /* as systemd says it, whatever the path is */
    { ROW("cgroup 1:name=systemd:/\ncgroup 0::/other.service\n"
          "unit vm.service\nbelow\nMainPID=7\n"
          "Restart=always\nUnitFileState=enabled\n"
          "RestartPreventExitStatus=\n" CMDLINE),
      { .unit = (char *)"vm.service",
        .restart = (char *)"always",
        .is_asked = true,
        .ends_unit = true,
        .enabled = true } },
    { ROW("unit vm@a\\x2db.service\n"
          "Restart=on-success\nUnitFileState=enabled-runtime\n"
          "RestartPreventExitStatus=3 0 SIGKILL\nTriggeredBy=a.timer b.path\n"
          "UpheldBy=\n" CMDLINE),
      { .unit = (char *)"vm@a\\x2db.service",
        .restart = (char *)"on-success",
        .is_asked = true,
        .clean_exit_is_final = true,
        .triggers = { .count = 2 } } },
    { ROW("user\nunit vm.service\nRestart=no\nUnitFileState=static\n" CMDLINE),
      { .unit = (char *)"vm.service",
        .restart = (char *)"no",
        .is_asked = true,
        .of_user = true } },
    { ROW("cgroup 0::/vm.service\nunit session-3.scope\n" CMDLINE),
      { .unit = NULL, .is_asked = true } },
    { ROW("cgroup 0::/system.slice/vm.service\nasked\n" CMDLINE),
      { .unit = NULL, .is_asked = true } },
    /* it cannot be asked: as the path says */
    { ROW("cgroup 0::/system.slice/system-vm.slice/vm@a.service/emu\n"
          "mute\n" CMDLINE),
      { .unit = (char *)"vm@a.service", .is_mute = true } },
    { ROW("cgroup 4:memory:/x.service\ncgroup 1:name=systemd:/\n"
          "cgroup 0::/system.slice/vm.service\n" CMDLINE),
      { .unit = (char *)"vm.service" } },
    { ROW("cgroup 1:name=systemd:/system.slice/vm.service\n"
          "cgroup 0::/\nmute\n" CMDLINE),
      { .unit = (char *)"vm.service", .is_mute = true } },
    { ROW("cgroup 0::/user.slice/user-7.slice/user@7.service/app.slice/"
          "vm.service\nmute\n" CMDLINE),
      { .unit = (char *)"vm.service", .is_mute = true, .of_user = true } },
    { ROW("cgroup 0::/user.slice/user-7.slice/session-3.scope\n" CMDLINE),
      { .unit = NULL } },
    { ROW("cgroup 0::/user.slice/user-7.slice/user@7.service/tmux.scope\n" CMDLINE),
      { .unit = NULL } },
    { ROW("cgroup 0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/"
          "libvirt/emulator\n" CMDLINE),
      { .is_libvirt = true } },
    { ROW("cgroup 0::/\ncmdline\nqemu\0-object\0secret,file=/home/u/.config/"
          "libvirt/qemu/lib/domain-1-vm/master-key.aes\0"),
      { .is_libvirt = true } },
    { ROW("cgroup 0::/\ncmdline\nqemu\0-mon\0chardev=charmonitor\0-chardev\0"
          "socket,id=charmonitor,fd=21,server=on\0"),
      { .is_libvirt = true } },
    { ROW(""), { .unit = NULL } },
};

static void unit_facts_are_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const struct unit_facts *e = &units[i].expected;
        struct unit_facts u = { .unit = NULL };

        unit_facts_parse(units[i].text, units[i].len, &u);
        assert_true(str_equal(u.unit, e->unit));
        assert_true(str_equal(u.restart, e->restart));
        assert_int_equal(u.of_user, e->of_user);
        assert_int_equal(u.triggers.count, e->triggers.count);
        assert_int_equal(u.is_mute, e->is_mute);
        assert_int_equal(u.is_asked, e->is_asked);
        assert_int_equal(u.ends_unit, e->ends_unit);
        assert_int_equal(u.enabled, e->enabled);
        assert_int_equal(u.clean_exit_is_final, e->clean_exit_is_final);
        assert_int_equal(u.is_libvirt, e->is_libvirt);
        unit_facts_done(&u);
    }
}

static const char fib_trie[] = "Main:\n"
                               "  +-- 0.0.0.0/0 3 0 5\n"
                               "     |-- 0.0.0.0\n"
                               "        /0 universe UNICAST\n"
                               "     +-- 192.0.2.0/24 2 0 2\n"
                               "        +-- 192.0.2.0/30 2 0 2\n"
                               "           |-- 192.0.2.0\n"
                               "              /24 link UNICAST\n"
                               "           |-- 192.0.2.2\n"
                               "              /32 host LOCAL\n"
                               "        |-- 192.0.2.255\n"
                               "           /32 link BROADCAST\n"
                               "     |-- 127.0.0.0\n"
                               "        /31 link UNICAST\n"
                               "        /8 host LOCAL\n"
                               "     |-- 198.51.100.64\n"
                               "        /29 host LOCAL\n";

static void addresses_are_found(void **state)
{
    static const struct {
        const char *address;
        bool there;
    } rows[] = {
        { "192.0.2.2", true },      { "192.0.2.3", false },
        { "192.0.2.0", false },     { "192.0.2.255", false },
        { "127.9.9.9", true },      { "198.51.100.71", true },
        { "198.51.100.72", false }, { "198.51.100.63", false },
        { "0.0.0.0", false },       { "203.0.113.1", false },
    };
    struct in_addr a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(inet_pton(AF_INET, rows[i].address, &a), 1);
        assert_int_equal(fib_trie_has(fib_trie, &a), rows[i].there);
        assert_false(fib_trie_has("", &a));
        assert_false(fib_trie_has("|-- x\n/32 host LOCAL\n", &a));
    }
}

#define NOBODY "00000000000000000000000000000000"

static const char ipv6_route[] =
    "20010db8000000000000000000000000 40 " NOBODY " 00 " NOBODY
    " 00000100 00000001 00000000 00000001     eth0\n"
    "20010db8000000000000000000000002 80 " NOBODY " 00 " NOBODY
    " 00000000 00000004 00000000 80200001     eth0\n"
    "20010db8000100000000000000000000 41 " NOBODY " 00 " NOBODY
    " 00000400 00000001 00000000 80200001       lo\n"
    "fe8000000000000000fc00fffe000001 80 " NOBODY " 00 " NOBODY
    " 00000000 00000002 00000000 80200001     eth0\n"
    "" NOBODY " 00 " NOBODY " 00 " NOBODY
    " ffffffff 00000001 00000000 00200200       lo\n";

static void v6_addresses_are_found(void **state)
{
    static const struct {
        const char *address;
        bool there;
    } rows[] = {
        { "2001:db8::2", true },        { "2001:db8::3", false },
        { "2001:db8:1::7", true },      { "2001:db8:1:0:8000::", false },
        { "fe80::fc:ff:fe00:1", true }, { "::1", false },
    };
    struct in6_addr a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(inet_pton(AF_INET6, rows[i].address, &a), 1);
        assert_int_equal(ipv6_route_has(ipv6_route, &a), rows[i].there);
        assert_false(ipv6_route_has("", &a));
        assert_false(ipv6_route_has("zz 80 a b c d e f 80000000\n\n", &a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_is_parsed_behind_the_name),
        cmocka_unit_test(zombie_with_threads_is_no_end),
        cmocka_unit_test(qemu_is_known_by_a_thread),
        cmocka_unit_test(unit_facts_are_parsed),
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(v6_addresses_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
