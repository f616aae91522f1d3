/*
 * Where a process was seen, and whether one looks for it there again.
 *
 * A pid and a start time count in namespaces of one boot of one machine.  Who
 * looks anywhere else finds nothing, which says nothing: another machine of
 * that name, a container, a journal on a shared file system.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/host-private.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define MACHINE_ID_LEN 32

/* --- read ------------------------------------------------------------------- */

int read_small_file(const char *path, char *buf, size_t size)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;

    if (fd < 0) {
        return -1;
    }
    for (;;) {
        ssize_t n = read(fd, buf + used, size - 1 - used);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        used += (size_t)n;
        if (n == 0 || used == size - 1) {
            buf[used] = '\0';
            return 0;
        }
    }
}

static bool is_machine_id(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return len == MACHINE_ID_LEN;
}

/* A word of at most SIZE - 1 characters; "-" is none. */
static bool take_word(const char **pos, const char *end, char *ret, size_t size)
{
    const char *word = *pos;
    size_t len = 0;

    while (word + len < end && word[len] != ' ') {
        len++;
    }
    if (len == 0 || len >= size) {
        return false;
    }
    *pos = word + len + (word + len < end);
    memcpy(ret, word, len);
    ret[len] = '\0';
    if (str_equal(ret, "-")) {
        *ret = '\0';
    }
    return true;
}

bool process_place_parse(const char *line, size_t len,
                         struct process_place *ret)
{
    struct process_place p = { .boot_id = "" };
    const char *end = line + len;
    char machine[sizeof(p.machine_id)];

    if (!take_word(&line, end, machine, sizeof(machine)) ||
        !take_word(&line, end, p.boot_id, sizeof(p.boot_id)) ||
        !take_word(&line, end, p.pid_namespace, sizeof(p.pid_namespace)) ||
        !take_word(&line, end, p.time_namespace, sizeof(p.time_namespace)) ||
        line != end || !p.boot_id[0]) {
        return false;
    }
    if (is_machine_id(machine, strlen(machine))) {
        memcpy(p.machine_id, machine, MACHINE_ID_LEN + 1);
    }
    *ret = p;
    return true;
}

static const char *or_none(const char *word)
{
    return *word ? word : "-";
}

char *process_place_line(const struct process_place *p)
{
    return xasprintf("%s %s %s %s", or_none(p->machine_id), p->boot_id,
                     or_none(p->pid_namespace), or_none(p->time_namespace));
}

/* One number behind NSpid: the /proc that is mounted here is that of our own
 * namespace. */
static bool proc_is_ours(void)
{
    char text[8192], rest;
    const char *line;
    long pid;

    if (read_small_file("/proc/self/status", text, sizeof(text)) < 0) {
        return false;
    }
    line = strstr(text, "\nNSpid:");
    return line && sscanf(line, "\nNSpid: %ld%c", &pid, &rest) == 2 &&
           rest == '\n';
}

static void read_link(const char *path, char *ret, size_t size)
{
    ssize_t n = readlink(path, ret, size - 1);

    ret[n > 0 ? n : 0] = '\0';
}

static void first_word(char *text)
{
    text[strcspn(text, " \n")] = '\0';
}

int process_place_here(struct process_place *ret, struct qm_error *err)
{
    struct process_place p = { .boot_id = "" };
    char machine[64] = "";

    if (read_small_file(BOOT_ID, p.boot_id, sizeof(p.boot_id)) < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "cannot read this machine's boot id");
    }
    first_word(p.boot_id);
    if (read_small_file("/etc/machine-id", machine, sizeof(machine)) < 0 ||
        !*machine) {
        (void)read_small_file("/var/lib/dbus/machine-id", machine,
                              sizeof(machine));
    }
    first_word(machine);
    if (is_machine_id(machine, strlen(machine))) {
        memcpy(p.machine_id, machine, MACHINE_ID_LEN + 1);
    }
    if (proc_is_ours()) {
        read_link("/proc/self/ns/pid", p.pid_namespace,
                  sizeof(p.pid_namespace));
        read_link("/proc/self/ns/time", p.time_namespace,
                  sizeof(p.time_namespace));
    }
    *ret = p;
    return 0;
}

/* --- compared --------------------------------------------------------------- */

static bool both_have(const char *a, const char *b)
{
    return *a && *b;
}

/* A machine without an id is known by its boot alone. */
static bool may_be_same_machine(const struct process_place *a,
                                const struct process_place *b)
{
    return str_equal(a->machine_id, b->machine_id);
}

static bool is_same_namespace(const struct process_place *a,
                              const struct process_place *b)
{
    return both_have(a->pid_namespace, b->pid_namespace) &&
           str_equal(a->pid_namespace, b->pid_namespace) &&
           str_equal(a->time_namespace, b->time_namespace);
}

enum process_place_relation process_place_compare(
    const struct process_place *was, const struct process_place *here)
{
    if (!is_same_namespace(was, here) || !may_be_same_machine(was, here)) {
        return PLACE_ELSEWHERE;
    }
    if (str_equal(was->boot_id, here->boot_id)) {
        return PLACE_SAME;
    }
    return *was->machine_id ? PLACE_REBOOTED : PLACE_ELSEWHERE;
}

bool process_place_fits(const struct process_place *a,
                        const struct process_place *b)
{
    return str_equal(a->boot_id, b->boot_id) &&
           (!both_have(a->machine_id, b->machine_id) ||
            may_be_same_machine(a, b)) &&
           (!both_have(a->pid_namespace, b->pid_namespace) ||
            is_same_namespace(a, b));
}

bool process_is_same(const struct process_identity *a,
                     const struct process_identity *b)
{
    return a->known && b->known && a->pid == b->pid &&
           a->start_time == b->start_time &&
           process_place_fits(&a->place, &b->place);
}

bool process_is_comparable(const struct process_identity *a,
                           const struct process_identity *b)
{
    return process_place_compare(&a->place, &b->place) == PLACE_SAME;
}

char *process_place_difference(const struct process_place *was,
                               const struct process_place *here)
{
    if (process_place_compare(was, here) != PLACE_ELSEWHERE) {
        return NULL;
    }
    if (!may_be_same_machine(was, here) &&
        both_have(was->machine_id, here->machine_id)) {
        return xasprintf("this is another machine: its machine id is %s, and "
                         "not %s",
                         here->machine_id, was->machine_id);
    }
    if (!*was->pid_namespace) {
        return xstrdup("the journal does not say in which PID namespace of "
                       "which machine it ran");
    }
    if (!*here->pid_namespace) {
        return xstrdup("/proc is that of another PID namespace");
    }
    if (!is_same_namespace(was, here)) {
        return xstrdup("this is another PID namespace");
    }
    return xstrdup("this may be another machine: one of both has no machine "
                   "id");
}
