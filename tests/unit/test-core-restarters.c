/*
 * Who may start a QEMU again: from what the script says to a list.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/host-private.h"
#include "core/restarters.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHORT "0123456789ab"

static const char *const when_names[] = {
    [RESTART_NEVER] = "never",
    [RESTART_LIKELY] = "likely",
    [RESTART_AFTER_KILL] = "after-kill",
    [RESTART_ALWAYS] = "always",
};

/* "WHEN WHO | FIX", a line each. */
static char *said(const char *text, size_t len)
{
    struct unit_facts u = { .unit = NULL };
    CLEANUP(restarters_done) struct restarters r = { .count = 0 };
    struct buffer b = { .len = 0 };

    unit_facts_parse(text, len, &u);
    r = restarters_find(&u);
    buffer_append(&b, "", 0);
    for (size_t i = 0; i < r.count; i++) {
        buffer_printf(&b, "%s %s | %s\n", when_names[r.item[i].when],
                      r.item[i].who, r.item[i].fix);
    }
    unit_facts_done(&u);
    buffer_append(&b, "", 1);
    return b.data;
}

static const struct {
    const char *text;
    size_t len;
    const char *expected;
} rows[] = {
#define ROW(t) .text = t, .len = sizeof(t) - 1
#define QEMU "cmdline\nqemu\0-name\0guest\0"
    { ROW(QEMU), "" },
    { ROW(""), "" },

    { ROW("parent 7 runsv\nargs runsv /etc/sv/vm\ndir /etc/sv/vm\n"
          "state run\nparent 6 runsvdir\n" QEMU),
      "always runit (process 7, runsv) | sv once '/etc/sv/vm'\n" },
    { ROW("parent 7 runsv\ndir /etc/sv/vm\nstate run, want down\n" QEMU),
      "never runit (process 7, runsv) | sv once '/etc/sv/vm'\n" },
    { ROW("parent 7 runsv\nparent\nparent x y\n" QEMU),
      "always runit (process 7, runsv) | sv once 'DIRECTORY'\n" },
    { ROW("parent 7 s6-supervise\ndir /it's\nstate true\n" QEMU),
      "always s6 (process 7, s6-supervise) | s6-svc -O '/it'\\''s'\n" },
    { ROW("parent 7 s6-supervise\ndir /s\nstate false\n" QEMU),
      "never s6 (process 7, s6-supervise) | s6-svc -O '/s'\n" },
    { ROW("parent 7 supervise\ndir /s\nstate want up\n" QEMU),
      "always daemontools (process 7, supervise) | svc -o '/s'\n" },
    { ROW("parent 7 supervise\ndir /s\nstate want down\n" QEMU),
      "never daemontools (process 7, supervise) | svc -o '/s'\n" },
    { ROW("parent 7 supervisord\n" QEMU),
      "likely supervisord (process 7, supervisord) | grep -rn autorestart "
      "/etc/supervisor* (it must be false)\n" },

    /* through what only waits */
    { ROW("parent 9 sudo\nparent 8 setpriv\nparent 7 runsv\ndir /s\n" QEMU),
      "always runit (process 7, runsv) | sv once '/s'\n" },
    /* what a program makes of an end is not known */
    { ROW("parent 9 python3\nparent 7 runsv\ndir /s\n" QEMU), "" },

    { ROW("parent 9 sh\nargs sh /usr/local/bin/keep-vm\n"
          "parent 1 init\n" QEMU),
      "likely the script that waits for it (process 9, sh "
      "/usr/local/bin/keep-vm) | ps -o pid,ppid,args -p 9\n" },
    { ROW("parent 9 bash\nargs bash -c while :; do qemu; done\n" QEMU),
      "likely the script that waits for it (process 9, bash -c while :; do "
      "qemu; done) | ps -o pid,ppid,args -p 9\n" },
    { ROW("parent 9 sh\nargs sh -c ./vm\nparent 8 cron\n" QEMU),
      "likely the script that waits for it (process 9, sh -c ./vm) | "
      "ps -o pid,ppid,args -p 9\n"
      "likely cron (process 8, cron) | grep -rn . /etc/crontab "
      "/etc/cron.d /var/spool/cron\n" },
    /* a person's */
    { ROW("parent 9 bash\nargs -bash\nparent 8 sshd\n" QEMU), "" },
    { ROW("parent 9 bash\nargs bash\n" QEMU), "" },
    { ROW("parent 9 zsh\nargs /bin/zsh -i\n" QEMU), "" },
    { ROW("parent 9 bash\nargs bash --login\n" QEMU), "" },

    { ROW("container docker " ID "\npolicy unless-stopped\nmain\n" QEMU),
      "always docker (container " SHORT ", restart policy unless-stopped) "
      "| docker update --restart=no " SHORT "\n" },
    { ROW("container podman " ID "\npolicy always\nmain\n" QEMU),
      "always podman (container " SHORT ", restart policy always) | "
      "podman update --restart=no " SHORT "\n" },
    { ROW("container docker " ID "\npolicy always\n" QEMU),
      "likely docker (container " SHORT ", restart policy always) | "
      "docker update --restart=no " SHORT "\n" },
    { ROW("container docker " ID "\npolicy on-failure\nmain\n" QEMU),
      "after-kill docker (container " SHORT ", restart policy on-failure) "
      "| docker update --restart=no " SHORT "\n" },
    { ROW("container docker " ID "\npolicy no\nmain\n" QEMU),
      "never docker (container " SHORT ", restart policy no) | docker "
      "update --restart=no " SHORT "\n" },
    { ROW("container docker " ID "\npolicy \nmain\n" QEMU),
      "likely docker (container " SHORT ", restart policy unknown) | "
      "docker update --restart=no " SHORT "\n" },

#define PVE                                                                    \
    "cmdline\nkvm\0-id\000101\0-qmp\0unix:/var/run/qemu-server/101.qmp\0"
    { ROW("ha\n" PVE),
      "always Proxmox VE's HA manager | ha-manager set vm:101 --state "
      "ignored\n" },
    { ROW(PVE), "likely Proxmox VE | qm config 101\n" },
    { ROW("cmdline\nqemu\0-qmp\0unix:/run/incus/vm/qemu.monitor\0"),
      "likely Incus | incus config get NAME boot.autorestart\n" },
    { ROW("cgroup 0::/system.slice/pacemaker.service\n" QEMU),
      "likely Pacemaker | crm_resource --list, then crm_resource "
      "--resource NAME --meta --set-parameter is-managed "
      "--parameter-value false\n" },
    { ROW("cgroup 9:x:/kubepods.slice/kubepods-pod1.slice/y.scope\n" QEMU),
      "likely Kubernetes | kubectl get pods -A -o wide, and the pod's "
      "restartPolicy\n" },
};

static void restarters_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP_FREE char *text = said(rows[i].text, rows[i].len);

        assert_string_equal(text, rows[i].expected);
    }
}

/* A child that waits for a child of its own, in a folder of that name. */
static pid_t start_in(const char *folder, int *ret_child)
{
    int pair[2];
    pid_t pid;

    assert_int_equal(pipe(pair), 0);
    pid = fork();
    if (pid == 0) {
        pid_t child = chdir(folder) == 0 ? fork() : -1;

        if (child == 0) {
            pause();
        }
        if (write(pair[1], &child, sizeof(child)) == sizeof(child)) {
            pause();
        }
        _exit(1);
    }
    assert_true(pid > 0);
    assert_int_equal(read(pair[0], ret_child, sizeof(*ret_child)),
                     sizeof(*ret_child));
    assert_true(*ret_child > 0);
    close(pair[0]);
    close(pair[1]);
    return pid;
}

/* Whoever names a folder says nothing but the folder. */
static void a_folder_says_no_line_of_its_own(void **state)
{
    char dir[] = "/tmp/test-core-restarters-XXXXXX";
    CLEANUP_FREE char *folder =
        xasprintf("%s/a\nha\nmain\nRestart=no", mkdtemp(dir));
    struct process_identity id = { .known = true };
    struct unit_facts u = { .unit = NULL };
    struct qm_error err = QM_ERROR_INIT;
    struct loop *loop = loop_new();
    struct host *here = host_new(loop, "local", NULL);
    pid_t parent;

    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    parent = start_in(folder, &id.pid);
    assert_int_equal(host_unit_facts(here, &id, &u, &err), 0);
    kill(id.pid, SIGKILL);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_true(u.parent_count > 0);
    assert_int_equal(u.parent[0].pid, parent);
    assert_non_null(strstr(u.parent[0].dir, "/a ha main Restart=no"));
    assert_false(u.is_ha);
    assert_false(u.is_container_main);
    unit_facts_done(&u);
    rmdir(folder);
    rmdir(dir);
    host_free(here);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_says_no_line_of_its_own),
        cmocka_unit_test(restarters_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
