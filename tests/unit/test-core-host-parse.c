/*
 * What is read from a host's answers: /proc/PID/stat, cgroups, systemctl.
 */
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

static void unit_facts_are_parsed(void **state)
{
#define CMDLINE                                                                \
    "cmdline\nqemu\0-name\0guest\0-drive\0"                                    \
    "file=/var/lib/libvirt/images/a.qcow2\0"
    static const struct {
        const char *text;
        size_t len;
        struct unit_facts expected;
    } rows[] = {
#define ROW(t) .text = t, .len = sizeof(t) - 1
        { ROW("cgroup /system.slice/vm.service\nbelow\nMainPID=7\n"
              "Restart=always\nUnitFileState=enabled\n"
              "RestartPreventExitStatus=\n" CMDLINE),
          { .unit = (char *)"vm.service",
            .restart = (char *)"always",
            .ends_unit = true,
            .enabled = true } },
        { ROW("cgroup /system.slice/system-vm.slice/vm@a\\x2db.service/emu\n"
              "Restart=on-success\nUnitFileState=enabled-runtime\n"
              "RestartPreventExitStatus=3 0 SIGKILL\n" CMDLINE),
          { .unit = (char *)"vm@a\\x2db.service",
            .restart = (char *)"on-success",
            .clean_exit_is_final = true } },
        { ROW("cgroup /user.slice/user-7.slice/user@7.service/app.slice/"
              "vm.service\nRestart=no\nUnitFileState=static\n" CMDLINE),
          { .unit = (char *)"vm.service",
            .restart = (char *)"no",
            .of_user = true } },
        { ROW("cgroup /user.slice/user-7.slice/session-3.scope\n" CMDLINE),
          { .unit = NULL } },
        { ROW("cgroup /user.slice/user-7.slice/user@7.service/tmux.scope\n"),
          { .unit = NULL } },
        { ROW("cgroup /machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/"
              "emulator\n" CMDLINE),
          { .is_libvirt = true } },
        { ROW("cgroup /\ncmdline\nqemu\0-object\0secret,file=/home/u/.config/"
              "libvirt/qemu/lib/domain-1-vm/master-key.aes\0"),
          { .is_libvirt = true } },
        { ROW("cgroup /\ncmdline\nqemu\0-mon\0chardev=charmonitor\0-chardev\0"
              "socket,id=charmonitor,fd=21,server=on\0"),
          { .is_libvirt = true } },
        { ROW(""), { .unit = NULL } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct unit_facts *e = &rows[i].expected;
        struct unit_facts u = { .unit = NULL };

        unit_facts_parse(rows[i].text, rows[i].len, &u);
        assert_true(str_equal(u.unit, e->unit));
        assert_true(str_equal(u.restart, e->restart));
        assert_int_equal(u.of_user, e->of_user);
        assert_int_equal(u.ends_unit, e->ends_unit);
        assert_int_equal(u.enabled, e->enabled);
        assert_int_equal(u.clean_exit_is_final, e->clean_exit_is_final);
        assert_int_equal(u.is_libvirt, e->is_libvirt);
        unit_facts_done(&u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_is_parsed_behind_the_name),
        cmocka_unit_test(zombie_with_threads_is_no_end),
        cmocka_unit_test(unit_facts_are_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
