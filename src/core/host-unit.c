/*
 * Who started a process: systemd's unit, libvirt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

/*
 * First the cgroup's path ("cgroup /system.slice/vm.service"), then "below"
 * if the process is the unit's main process or under it, then systemctl's
 * KEY=VALUE lines, "cmdline", and the raw command line.
 *
 * The process's unit is the last part of the path that is one.  A user's own
 * systemd is asked as that user, or through --machine by root.
 */
static const char unit_script[] =
    "read -r pid; "
    "[ -r /proc/$pid/cgroup ] || exit 4; "
    "path=; "
    "while IFS=: read -r id controllers rest; do "
    "  case $id:$controllers in "
    "    *:name=systemd) path=$rest; break ;; "
    "    0:) path=$rest ;; "
    "  esac; "
    "done </proc/$pid/cgroup; "
    "echo \"cgroup $path\"; "
    "unit=; rest=$path; "
    "while [ -n \"$rest\" ]; do "
    "  case ${rest##*/} in *.service|*.scope) unit=${rest##*/}; break ;; esac; "
    "  rest=${rest%/*}; "
    "done; "
    "ask() { systemctl \"$@\" show -p MainPID -p Restart -p UnitFileState "
    "  -p RestartPreventExitStatus -- \"$unit\" 2>/dev/null; }; "
    "case $unit in *.service) "
    "  case $path in "
    "    */user@*.service/*) "
    "      uid=${path##*/user@}; uid=${uid%%.*}; "
    "      if [ $(id -u) -eq 0 ]; then facts=$(ask --user -M \"$uid@.host\"); "
    "      else export XDG_RUNTIME_DIR=/run/user/$uid; "
    "      facts=$(ask --user); fi ;; "
    "    *) facts=$(ask --system) ;; "
    "  esac; "
    "  main=${facts#*MainPID=}; main=${main%%[!0-9]*}; "
    "  set -f; p=$pid; "
    "  while [ \"${p:-0}\" -gt 1 ]; do "
    "    [ \"$p\" = \"$main\" ] && echo below && break; "
    "    stat=$(cat /proc/$p/stat 2>/dev/null) || break; "
    "    set -- ${stat##*\")\"}; p=$2; "
    "  done; "
    "  echo \"$facts\" ;; "
    "esac; "
    "echo cmdline; "
    "cat /proc/$pid/cmdline";

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

static bool is_unit_name(const char *part, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return len > n && strncmp(part + len - n, suffix, n) == 0;
}

static void parse_cgroup(const char *path, struct unit_facts *ret)
{
    const char *end = path + strlen(path);

    if (strstr(path, "/machine.slice/machine-qemu")) {
        ret->is_libvirt = true;
    }
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

static void parse_line(const char *line, struct unit_facts *ret)
{
    static const char prevent[] = "RestartPreventExitStatus=";

    if (str_starts(line, "cgroup ")) {
        parse_cgroup(line + strlen("cgroup "), ret);
    } else if (str_equal(line, "below")) {
        ret->ends_unit = true;
    } else if (str_starts(line, "Restart=")) {
        str_replace(&ret->restart, line + strlen("Restart="));
    } else if (str_starts(line, "UnitFileState=enabled")) {
        ret->enabled = true; /* enabled-runtime is gone at the next boot */
        ret->enabled = !str_ends(line, "-runtime");
    } else if (str_starts(line, prevent)) {
        ret->clean_exit_is_final = prevents_clean_exit(line + strlen(prevent));
    }
}

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
            ret->is_libvirt |= is_libvirt_cmdline(text, (size_t)(end - text));
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
        return error_set(err, QM_ERR_SYSTEM,
                         "%s: nobody knows which process it is", h->text);
    }
    snprintf(input, sizeof(input), "%d\n", id->pid);
    status = host_run(h, unit_script, input, deadline_in_ms(HOST_LIMIT_MS),
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
    *u = (struct unit_facts){ .unit = NULL };
}
