/*
 * Who looks after a process: systemd's unit, libvirt, a container, its
 * parents.
 *
 * happy path   systemd is asked for the unit of the pid, and a user's own
 *              systemd where the system's names that one.
 * what fails   It cannot be asked: then its cgroup names a unit, of which
 *              nothing more is known, or none, which proves nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

/* systemd may be asked five times, for at most five seconds each. */
#define UNIT_LIMIT_MS 30000

/*
 * Lines: a word, a blank, the rest.  At the end "cmdline", and the raw command
 * line.
 *
 *     cgroup 0::/system.slice/vm.service      a line of /proc/PID/cgroup each
 *     container podman 0123..., policy always, main
 *     ha                                      in Proxmox VE's list
 *     unit vm.service, user                   by systemd; asked: it is none's;
 *                                             mute: it runs, and does not say
 *     below                                   the unit's main process, or ...
 *     Restart=always                          as systemctl says them
 *     parent 42 runsv, args, dir, state       each of the parents
 *
 * (printf is given no format with a line break, which would need a backslash.)
 * What others chose, as the name of a folder, has no line break left: it would
 * begin a line of its own.
 */
static const char unit_script[] =
    "read -r pid; "
    "[ -r /proc/$pid/cgroup ] || exit 4; "
    "say() { printf \"%s\" \"$*\" | tr \"[:cntrl:]\" \" \"; echo; }; "
    "t=; command -v timeout >/dev/null && t=\"timeout 5\"; "
    "while read -r line; do say cgroup \"$line\"; done </proc/$pid/cgroup; "
    "cg=$(cat /proc/$pid/cgroup); "

    "case $cg in *docker[-/]*|*libpod-*) "
    "  tool=docker; case $cg in *libpod-*) tool=podman ;; esac; "
    "  id=${cg##*docker[-/]}; id=${id##*libpod-}; id=${id%%[!0-9a-f]*}; "
    "  say container $tool $id; "
    "  say policy $($t $tool inspect "
    "    -f \"{{.HostConfig.RestartPolicy.Name}}\" $id 2>/dev/null); "
    "  while read -r key rest; do [ \"$key\" = NSpid: ] && break; "
    "  done </proc/$pid/status; "
    "  [ \"${rest##*[!0-9]}\" = 1 ] && echo main ;; "
    "esac; "
    "case $cg in */qemu.slice/*) "
    "  id=${cg##*/qemu.slice/}; id=${id%%[!0-9]*}; "
    "  while read -r kind name rest; do "
    "    [ \"$kind $name\" = \"vm: $id\" ] && echo ha; "
    "  done 2>/dev/null </etc/pve/ha/resources.cfg ;; "
    "esac; "

    "ctl() { LC_ALL=C SYSTEMD_COLORS=0 $t systemctl $scope --no-pager \"$@\" "
    "  2>/dev/null; }; "
    "unit_of() { ctl status -n 0 -- $pid | { read -r dot name rest; "
    "  case $dot in *.*) name=$dot ;; esac; printf \"%s\" \"$name\"; }; }; "
    "unit=; facts=; main=; "
    "if [ -d /run/systemd/system ]; then "
    "  scope=--system; unit=$(unit_of); "
    "  case $unit in user@*.service) "
    "    uid=${unit#user@}; uid=${uid%.service}; "
    "    if [ $(id -u) -eq 0 ]; then scope=\"--user -M $uid@.host\"; "
    "    else export XDG_RUNTIME_DIR=/run/user/$uid; scope=--user; fi; "
    "    unit=$(unit_of); echo user ;; "
    "  esac; "
    "  if [ -n \"$unit\" ]; then say unit \"$unit\"; "
    "  elif [ -n \"$(ctl show -p Version)\" ]; then echo asked; "
    "  else echo mute; fi; "
    "  case $unit in *.service) facts=$(ctl show -p MainPID -p Restart "
    "    -p UnitFileState -p TriggeredBy -p UpheldBy "
    "    -p RestartPreventExitStatus -- \"$unit\"); "
    "    main=${facts#*MainPID=}; main=${main%%[!0-9]*}; echo \"$facts\" ;; "
    "  esac; "
    "fi; "

    "set -f; p=$pid; "
    "while [ \"${p:-0}\" -gt 1 ]; do "
    "  [ \"$p\" = \"$main\" ] && echo below; "
    "  if [ $p != $pid ]; then "
    "    name=; read -r name </proc/$p/comm; say parent $p \"$name\"; "
    "    say args \"$(xargs -0 echo </proc/$p/cmdline 2>/dev/null | "
    "      head -n 1 | head -c 300)\"; "
    "    dir=$(readlink /proc/$p/cwd 2>/dev/null) && say dir \"$dir\"; "
    "    case $name in "
    "      runsv) say state \"$(cat /proc/$p/cwd/supervise/stat)\" ;; "
    "      supervise) w=$(tail -c 1 /proc/$p/cwd/supervise/status) && "
    "        case $w in u) say state want up ;; *) say state want down ;; "
    "        esac ;; "
    "      s6-supervise) say state \"$($t s6-svstat -o wantedup \"$dir\")\" ;; "
    "    esac 2>/dev/null; "
    "  fi; "
    "  stat=$(cat /proc/$p/stat 2>/dev/null) || break; "
    "  set -- ${stat##*\")\"}; p=$2; "
    "done; "
    "echo cmdline; "
    "cat /proc/$pid/cmdline";

/* --- a unit by its cgroup ------------------------------------------------------ */

static bool is_unit_name(const char *part, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return len > n && strncmp(part + len - n, suffix, n) == 0;
}

/* The process's unit is the last part of the path that is one. */
static void unit_by_cgroup(const char *path, struct unit_facts *ret)
{
    const char *end = path + strlen(path);

    while (end > path) {
        const char *part = end;

        while (part > path && part[-1] != '/') {
            part--;
        }
        if (is_unit_name(part, (size_t)(end - part), ".scope")) {
            return;
        }
        if (is_unit_name(part, (size_t)(end - part), ".service")) {
            ret->unit = xstrndup(part, (size_t)(end - part));
            ret->of_user = part > path && strstr(path, "/user@") &&
                           strstr(path, "/user@") < part - 1;
            return;
        }
        end = part > path ? part - 1 : path;
    }
}

/* systemd's own hierarchy: cgroup2, or the named one of version 1; where both
 * are there, either may be the one that is used. */
static const char *systemd_path(const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path || (!str_starts(line, "0::") &&
                  !str_starts(controllers, ":name=systemd:"))) {
        return NULL;
    }
    return path + 1;
}

static void find_unit_by_cgroup(struct unit_facts *ret)
{
    for (size_t i = 0; i < ret->cgroups.count && !ret->unit; i++) {
        const char *path = systemd_path(ret->cgroups.item[i]);

        if (path) {
            unit_by_cgroup(path, ret);
        }
    }
}

/* --- libvirt -------------------------------------------------------------------- */

/* libvirt gives each guest a monitor chardev of this name, and a folder. */
static bool is_libvirt_cmdline(const char *text, size_t len)
{
    static const char monitor[] = "id=charmonitor,";
    static const char folder[] = "libvirt/qemu/";

    if (memmem(text, len, monitor, strlen(monitor))) {
        return true;
    }
    for (;;) {
        const char *at = memmem(text, len, folder, strlen(folder));
        const char *stop;

        if (!at) {
            return false;
        }
        len -= (size_t)(at - text) + strlen(folder);
        text = at + strlen(folder);
        stop = memchr(text, '\0', len);
        if (memmem(text, stop ? (size_t)(stop - text) : len, "domain-", 7)) {
            return true;
        }
    }
}

/* --- the script's output -------------------------------------------------------- */

/* Does LIST, words separated by spaces, have the word "0" or "SUCCESS"? */
static bool prevents_clean_exit(const char *list)
{
    CLEANUP_FREE char *copy = xstrdup(list);
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        if (str_equal(word, "0") || str_equal(word, "SUCCESS")) {
            return true;
        }
    }
    return false;
}

static void take_cgroup(struct unit_facts *ret, const char *text)
{
    strv_add(&ret->cgroups, text);
    if (strstr(text, "/machine.slice/machine-qemu")) {
        ret->is_libvirt = true;
    }
}

static void take_container(struct unit_facts *ret, const char *text)
{
    const char *blank = strchr(text, ' ');

    if (!blank) {
        return;
    }
    free_string(ret->container_tool);
    ret->container_tool = xstrndup(text, (size_t)(blank - text));
    str_replace(&ret->container, blank + 1);
}

static void take_policy(struct unit_facts *ret, const char *text)
{
    str_replace(&ret->restart_policy, text);
}

static void take_unit(struct unit_facts *ret, const char *text)
{
    ret->is_asked = true;
    if (is_unit_name(text, strlen(text), ".service")) {
        str_replace(&ret->unit, text);
    }
}

static void take_parent(struct unit_facts *ret, const char *text)
{
    char *rest;
    long pid = strtol(text, &rest, 10);

    if (pid <= 0 || pid > INT32_MAX || *rest != ' ') {
        return;
    }
    ret->parent = xrealloc_array(ret->parent, ret->parent_count + 1,
                                 sizeof(*ret->parent));
    ret->parent[ret->parent_count++] =
        (struct parent_facts){ .pid = (int)pid, .name = xstrdup(rest + 1) };
}

static void take_word(char **field, const char *text)
{
    CLEANUP_FREE char *shown = str_printable(text);

    str_replace(field, shown);
}

static void take_args(struct unit_facts *ret, const char *text)
{
    if (ret->parent_count > 0) {
        take_word(&ret->parent[ret->parent_count - 1].args, text);
    }
}

static void take_dir(struct unit_facts *ret, const char *text)
{
    if (ret->parent_count > 0) {
        take_word(&ret->parent[ret->parent_count - 1].dir, text);
    }
}

static void take_state(struct unit_facts *ret, const char *text)
{
    if (ret->parent_count > 0) {
        take_word(&ret->parent[ret->parent_count - 1].state, text);
    }
}

static void take_restart(struct unit_facts *ret, const char *text)
{
    str_replace(&ret->restart, text);
}

static void take_prevent(struct unit_facts *ret, const char *text)
{
    ret->clean_exit_is_final = prevents_clean_exit(text);
}

static void take_file_state(struct unit_facts *ret, const char *text)
{
    ret->enabled = str_starts(text, "enabled") &&
                   !str_ends(text, "-runtime"); /* gone at the next boot */
}

/* Words separated by spaces. */
static void take_triggers(struct unit_facts *ret, const char *text)
{
    CLEANUP_FREE char *copy = xstrdup(text);
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        strv_add(&ret->triggers, word);
    }
}

static void parse_line(const char *line, struct unit_facts *ret)
{
    static const struct {
        const char *begins;
        void (*take)(struct unit_facts *ret, const char *text);
    } table[] = {
        { "cgroup ", take_cgroup },
        { "container ", take_container },
        { "policy ", take_policy },
        { "unit ", take_unit },
        { "parent ", take_parent },
        { "args ", take_args },
        { "dir ", take_dir },
        { "state ", take_state },
        { "Restart=", take_restart },
        { "RestartPreventExitStatus=", take_prevent },
        { "UnitFileState=", take_file_state },
        { "TriggeredBy=", take_triggers },
        { "UpheldBy=", take_triggers },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_starts(line, table[i].begins)) {
            table[i].take(ret, line + strlen(table[i].begins));
            return;
        }
    }
    ret->ends_unit |= str_equal(line, "below");
    ret->of_user |= str_equal(line, "user");
    ret->is_mute |= str_equal(line, "mute");
    ret->is_asked |= str_equal(line, "asked");
    ret->is_container_main |= str_equal(line, "main");
    ret->is_ha |= str_equal(line, "ha");
}

/* Where systemd was asked, what it says of the pid holds, and not a path. */
static void complete(struct unit_facts *ret, const char *cmdline, size_t len)
{
    ret->is_libvirt |= is_libvirt_cmdline(cmdline, len);
    buffer_append(&ret->cmdline, cmdline, len);
    if (!ret->is_asked) {
        find_unit_by_cgroup(ret);
    }
}

void unit_facts_parse(const char *text, size_t len, struct unit_facts *ret)
{
    const char *end = text + len;

    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        CLEANUP_FREE char *line = NULL;

        if (!eol) {
            return;
        }
        line = xstrndup(text, (size_t)(eol - text));
        text = eol + 1;
        if (str_equal(line, "cmdline")) {
            complete(ret, text, (size_t)(end - text));
            return;
        }
        parse_line(line, ret);
    }
}

int host_unit_facts(struct host *h, const struct process_identity *id,
                    struct unit_facts *ret, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    struct unit_facts u = { .unit = NULL };
    char input[32];
    int status;

    if (!id->known) {
        return error_set(err, QM_ERR_SYSTEM, "%s: its process is not known",
                         h->text);
    }
    snprintf(input, sizeof(input), "%d\n", id->pid);
    status = host_run(h, unit_script, input, deadline_in_ms(UNIT_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "read /proc", status, err);
    }
    unit_facts_parse(out.data ? out.data : "", out.len, &u);
    *ret = u;
    return 0;
}

void unit_facts_done(struct unit_facts *u)
{
    free(u->unit);
    free(u->restart);
    free(u->container_tool);
    free(u->container);
    free(u->restart_policy);
    strv_done(&u->triggers);
    strv_done(&u->cgroups);
    buffer_done(&u->cmdline);
    for (size_t i = 0; i < u->parent_count; i++) {
        free(u->parent[i].name);
        free(u->parent[i].args);
        free(u->parent[i].dir);
        free(u->parent[i].state);
    }
    free(u->parent);
    *u = (struct unit_facts){ .unit = NULL };
}
