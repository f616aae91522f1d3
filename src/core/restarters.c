/*
 * Who, beside systemd, may start a QEMU again once it has ended.
 *
 * It is known by a parent that waits for the QEMU, by the cgroup, or by the
 * command line that it gives to its guests.  The parents count only as far as
 * they do nothing but wait for the next one: behind any other program it is
 * not known what an end would bring about.
 *
 * ALWAYS is said of a supervisor whose whole purpose is to start again what
 * ended, and which can be told not to; LIKELY where it depends on a setting
 * that cannot be read from outside.
 */
#include "core/restarters.h"

#include <stdlib.h>
#include <string.h>

enum known_by { BY_PARENT, BY_CGROUP, BY_COMMAND_LINE };

static const struct row {
    enum known_by by;
    const char *mark; /* a parent's name, or a part of the other two */
    const char *who;
    enum restart_when when;
    const char *never; /* a word in the parent's state: it does not */
    const char *fix;   /* {dir}: the parent's folder, {pid}: its number */
} table[] = {
    /* runsv(8): `once` does not start it again; the state is then "want down" */
    { BY_PARENT, "runsv", "runit", RESTART_ALWAYS, "want ", "sv once {dir}" },
    /* s6-supervise(8), s6-svc(8): -O, at most once */
    { BY_PARENT, "s6-supervise", "s6", RESTART_ALWAYS, "false",
      "s6-svc -O {dir}" },
    /* supervise(8), svc(8): -o, once, which is told by a byte of its status */
    { BY_PARENT, "supervise", "daemontools", RESTART_ALWAYS, "want down",
      "svc -o {dir}" },
    /* autorestart= of the program: it is in a file that any option names */
    { BY_PARENT, "supervisord", "supervisord", RESTART_LIKELY, NULL,
      "grep -rn autorestart /etc/supervisor* (it must be false)" },
    /* OpenRC; its name is cut off at 15 characters */
    { BY_PARENT, "supervise-daemo", "OpenRC's supervise-daemon", RESTART_LIKELY,
      NULL, "ps -o args= -p {pid}" },
    { BY_PARENT, "cron", "cron", RESTART_LIKELY, NULL,
      "grep -rn . /etc/crontab /etc/cron.d /var/spool/cron" },
    { BY_PARENT, "crond", "cron", RESTART_LIKELY, NULL,
      "grep -rn . /etc/crontab /etc/cron.d /var/spool/cron" },
    { BY_PARENT, "atd", "at", RESTART_LIKELY, NULL, "atq" },

    { BY_CGROUP, "/pacemaker.service", "Pacemaker", RESTART_LIKELY, NULL,
      "crm_resource --list, then crm_resource --resource NAME --meta "
      "--set-parameter is-managed --parameter-value false" },
    { BY_CGROUP, "kubepods", "Kubernetes", RESTART_LIKELY, NULL,
      "kubectl get pods -A -o wide, and the pod's restartPolicy" },
    { BY_CGROUP, "lxc.payload", "what runs in its LXC container",
      RESTART_LIKELY, NULL, "ps -eo pid,ppid,args --forest" },

    { BY_COMMAND_LINE, "/run/incus/", "Incus", RESTART_LIKELY, NULL,
      "incus config get NAME boot.autorestart" },
    { BY_COMMAND_LINE, "/run/lxd/", "LXD", RESTART_LIKELY, NULL, "lxc list" },
    { BY_COMMAND_LINE, "/snap/lxd/", "LXD", RESTART_LIKELY, NULL, "lxc list" },
    { BY_COMMAND_LINE, "/ganeti/kvm-hypervisor/", "Ganeti's watcher",
      RESTART_LIKELY, NULL, "gnt-cluster watcher pause 1h" },
};

/* Their end follows that of their child. */
static const char *const waits_only[] = {
    "sudo",    "su",        "runuser",      "doas",
    "setpriv", "nice",      "ionice",       "chrt",
    "taskset", "numactl",   "timeout",      "env",
    "nohup",   "setsid",    "unshare",      "nsenter",
    "ip",      "tini",      "dumb-init",    "catatonit",
    "conmon",  "softlimit", "setuidgid",    "envuidgid",
    "chpst",   "execlineb", "s6-setuidgid", "containerd-shim",
};

static const char *const shells[] = {
    "sh", "bash", "dash", "ash", "busybox", "ksh", "mksh", "zsh", "fish",
};

static bool is_shell(const struct parent_facts *p)
{
    return str_is_among(p->name, shells, ARRAY_LEN(shells));
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; at && *at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || !at[len])) {
            return true;
        }
    }
    return false;
}

/* A script, or -c; a person's shell has nothing, or says that it is one. */
static bool runs_a_script(const struct parent_facts *p)
{
    const char *rest = p->args ? strchr(p->args, ' ') : NULL;

    return rest && p->args[0] != '-' && !has_word(rest, "-i") &&
           !has_word(rest, "-l") && !has_word(rest, "--login");
}

/* --- the list ---------------------------------------------------------------- */

static void add(struct restarters *r, enum restart_when when, char *who,
                char *fix)
{
    r->item = xrealloc_array(r->item, r->count + 1, sizeof(*r->item));
    r->item[r->count++] =
        (struct restarter){ .when = when, .who = who, .fix = fix };
}

/* As sh takes it. */
static void put_quoted(struct buffer *b, const char *text)
{
    buffer_append(b, "'", 1);
    for (; *text; text++) {
        if (*text == '\'') {
            buffer_printf(b, "'\\''");
        } else {
            buffer_append(b, text, 1);
        }
    }
    buffer_append(b, "'", 1);
}

/* FIX with what stands in braces; the caller frees it. */
static char *fill(const char *fix, const struct parent_facts *p)
{
    struct buffer b = { .len = 0 };

    while (*fix) {
        if (str_starts(fix, "{dir}")) {
            put_quoted(&b, p && p->dir ? p->dir : "DIRECTORY");
            fix += strlen("{dir}");
        } else if (str_starts(fix, "{pid}")) {
            buffer_printf(&b, "%d", p ? p->pid : 0);
            fix += strlen("{pid}");
        } else {
            buffer_append(&b, fix++, 1);
        }
    }
    return b.data;
}

static void find_by_parent(const struct parent_facts *p, struct restarters *r)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];
        bool never =
            row->never && p->state && strstr(p->state, row->never) != NULL;

        if (row->by == BY_PARENT && str_equal(row->mark, p->name)) {
            add(r, never ? RESTART_NEVER : row->when,
                xasprintf("%s (process %d, %s)", row->who, p->pid, p->name),
                fill(row->fix, p));
        }
    }
}

static void find_script(const struct parent_facts *p, struct restarters *r)
{
    if (runs_a_script(p)) {
        add(r, RESTART_LIKELY,
            xasprintf("the script that waits for it (process %d, %s)", p->pid,
                      p->args),
            xasprintf("ps -o pid,ppid,args -p %d", p->pid));
    }
}

static void find_by_parents(const struct unit_facts *u, struct restarters *r)
{
    for (size_t i = 0; i < u->parent_count; i++) {
        const struct parent_facts *p = &u->parent[i];

        find_by_parent(p, r);
        if (is_shell(p)) {
            find_script(p, r);
        } else if (!str_is_among(p->name, waits_only, ARRAY_LEN(waits_only))) {
            return;
        }
    }
}

static bool is_in_cgroup(const struct unit_facts *u, const char *mark)
{
    for (size_t i = 0; i < u->cgroups.count; i++) {
        if (strstr(u->cgroups.item[i], mark)) {
            return true;
        }
    }
    return false;
}

static void find_by_marks(const struct unit_facts *u, struct restarters *r)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];

        if ((row->by == BY_CGROUP && is_in_cgroup(u, row->mark)) ||
            (row->by == BY_COMMAND_LINE && u->cmdline.len > 0 &&
             memmem(u->cmdline.data, u->cmdline.len, row->mark,
                    strlen(row->mark)))) {
            add(r, row->when, xstrdup(row->who), xstrdup(row->fix));
        }
    }
}

/* --- with settings of their own ------------------------------------------------ */

/* docker-run(1), podman-run(1): --restart.  A container ends with its main
 * process; where the QEMU is another one, that depends. */
static enum restart_when when_of_policy(const struct unit_facts *u)
{
    const char *policy = u->restart_policy;

    if (str_equal(policy, "no")) {
        return RESTART_NEVER;
    }
    if (!u->is_container_main) {
        return RESTART_LIKELY;
    }
    if (str_equal(policy, "always") || str_equal(policy, "unless-stopped")) {
        return RESTART_ALWAYS;
    }
    return policy && str_starts(policy, "on-failure") ? RESTART_AFTER_KILL
                                                      : RESTART_LIKELY;
}

static void find_container(const struct unit_facts *u, struct restarters *r)
{
    if (!u->container) {
        return;
    }
    add(r, when_of_policy(u),
        xasprintf("%s (container %.12s, restart policy %s)", u->container_tool,
                  u->container,
                  u->restart_policy && *u->restart_policy ? u->restart_policy
                                                          : "unknown"),
        xasprintf("%s update --restart=no %.12s", u->container_tool,
                  u->container));
}

/* The guest's number there, behind -id: its socket is NUMBER.qmp. */
static void find_proxmox(const struct unit_facts *u, struct restarters *r)
{
    static const char mark[] = "/qemu-server/";
    const char *at =
        u->cmdline.len > 0
            ? memmem(u->cmdline.data, u->cmdline.len, mark, strlen(mark))
            : NULL;
    long id = at ? strtol(at + strlen(mark), NULL, 10) : 0;

    if (!at) {
        return;
    }
    add(r, u->is_ha ? RESTART_ALWAYS : RESTART_LIKELY,
        xstrdup(u->is_ha ? "Proxmox VE's HA manager" : "Proxmox VE"),
        xasprintf(u->is_ha ? "ha-manager set vm:%ld --state ignored"
                           : "qm config %ld",
                  id));
}

struct restarters restarters_find(const struct unit_facts *u)
{
    struct restarters r = { .count = 0 };

    find_by_parents(u, &r);
    find_container(u, &r);
    find_proxmox(u, &r);
    find_by_marks(u, &r);
    return r;
}

void restarters_done(struct restarters *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->item[i].who);
        free(r->item[i].fix);
    }
    free(r->item);
    *r = (struct restarters){ .count = 0 };
}
