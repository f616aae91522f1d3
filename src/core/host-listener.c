/*
 * Which process of a host holds a socket, and is it that QEMU?
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

/* Exit statuses of the script. */
enum {
    SAYS_NO_PROC = 3,
    SAYS_NOBODY = 4,
    SAYS_HIDDEN = 5,
    SAYS_SEVERAL = 6,
};

/*
 * Input: `unix` and the path on a line each, or `tcp` and the port, as /proc
 * writes it.  First the inodes of the sockets that listen there (00010000 is
 * __SO_ACCEPTCON, 0A is TCP_LISTEN), then whose descriptors they are.
 *
 * A socket made in a container has the name that it has there, and is seen in
 * /proc/net/unix only by who shares its network.  So if none is found, one
 * process of every other root folder, mount and network namespace is asked; the
 * files behind the names tell.
 */
static const char listener_script[] =
    "read -r kind; IFS= read -r want; inodes=\" \"; " HOST_PLACE
    "[ -r /proc/net/unix ] || exit 3; "
    "unix() { "
    "  while read -r num ref proto flags type st inode path; do "
    "    [ \"$flags\" = 00010000 ] || continue; "
    "    case $path in "
    "      \"$3\") ;; "
    "      /*) [ \"$2$path\" -ef \"$want\" ] || continue ;; "
    "      *) continue ;; "
    "    esac; "
    "    inodes=\"$inodes$inode \"; "
    "  done <$1; "
    "}; "
    "tcp() { "
    "  while read -r num local remote st queues timer retries uid more inode "
    "    rest; do "
    "    case $local:$st in *:$want:0A) inodes=\"$inodes$inode \" ;; esac; "
    "  done <$1; "
    "}; "
    "boxes() { "
    "  seen=\" $(readlink /proc/self/ns/mnt)$(readlink /proc/self/ns/net)/ \"; "
    "  LC_ALL=C ls -l /proc/[0-9]*/ns/mnt /proc/[0-9]*/ns/net "
    "    /proc/[0-9]*/root 2>/dev/null | "
    "  while read -r line; do "
    "    line=${line##* /proc/}; to=${line#* -> }; "
    "    case $line in "
    "      */ns/mnt*) box=$to; pid=${line%%/*} ;; "
    "      $pid/ns/net*) box=$box$to ;; "
    "      $pid/root*) "
    "        case $seen in *\" $box$to \"*) ;; "
    "          *) seen=\"$seen$box$to \"; echo $pid ;; esac ;; "
    "    esac; "
    "  done; "
    "}; "
    "case $kind in "
    "  unix) unix /proc/net/unix \"\" \"$want\" ;; "
    "  *) tcp /proc/net/tcp; [ -r /proc/net/tcp6 ] && tcp /proc/net/tcp6 ;; "
    "esac; "
    "if [ $kind = unix ] && [ \"$inodes\" = \" \" ]; then "
    "  for box in $(boxes); do "
    "    [ -x /proc/$box/root/ ] && [ -r /proc/$box/net/unix ] "
    "      && unix /proc/$box/net/unix /proc/$box/root \"\"; "
    "  done; "
    "fi; "
    "[ \"$inodes\" = \" \" ] && exit 4; "
    "pids=$(ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do "
    "  case $line in "
    "    /proc/*/fd:) pid=${line#/proc/}; pid=${pid%%/*} ;; "
    "    *socket:*) n=${line##*socket:?}; n=${n%?}; "
    "      case $inodes in *\" $n \"*) echo $pid ;; esac ;; "
    "  esac; "
    "done | sort -u); "
    "set -- $pids; "
    "[ $# -eq 0 ] && exit 5; "
    "echo $*; "
    "[ $# -eq 1 ] || exit 6; "
    "place && clock || exit 3; "
    "cat /proc/$1/stat || exit 5";

static int complain_listener(const struct host *h, const char *where,
                             int status, const char *output,
                             struct qm_error *err)
{
    switch (status) {
    case SAYS_NOBODY:
        return error_set(err, QM_ERR_SYSTEM, "%s: no process listens on %s",
                         h->text, where);
    case SAYS_HIDDEN:
        error_set(err, QM_ERR_SYSTEM,
                  "%s: the process that listens on %s is another user's",
                  h->text, where);
        error_hint(err, "log in there as root or as the user QEMU runs as");
        return -1;
    case SAYS_SEVERAL:
        return error_set(err, QM_ERR_SYSTEM,
                         "%s: more than one process listens on %s: %.*s",
                         h->text, where, (int)strcspn(output, "\n"), output);
    default:
        return host_complain(h, "read /proc", status, err);
    }
}

static int identify(struct host *h, const char *input, const char *where,
                    struct process_identity *ret, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    struct sight s = { .there = false };
    char *rest;
    long pid;
    int status;

    status = host_run(h, listener_script, input, deadline_in_ms(HOST_LIMIT_MS),
                      &out, err);
    if (status < 0) {
        return -1;
    }
    buffer_append(&out, "", 1); /* never NULL */
    if (status != 0) {
        return complain_listener(h, where, status, out.data, err);
    }
    pid = strtol(out.data, &rest, 10);
    if (pid <= 0 || pid > INT32_MAX || *rest != '\n' ||
        sight_parse(rest + 1, &s) < 0 || !s.there) {
        return host_complain(h, "understand /proc", status, err);
    }
    sight_identify((int)pid, &s, ret);
    return 0;
}

int host_identify_listener(struct host *h, const char *path,
                           struct process_identity *ret, struct qm_error *err)
{
    CLEANUP_FREE char *input = xasprintf("unix\n%s\n", path);

    return identify(h, input, path, ret, err);
}

int host_identify_tcp_listener(struct host *h, unsigned port,
                               struct process_identity *ret,
                               struct qm_error *err)
{
    CLEANUP_FREE char *input = xasprintf("tcp\n%04X\n", port);
    CLEANUP_FREE char *where = xasprintf("TCP port %u", port);

    return identify(h, input, where, ret, err);
}

/* --- what is there instead? --------------------------------------------------- */

enum host_socket host_look_at_socket(struct host *h, const char *path)
{
    static const char script[] =
        "IFS= read -r path; "
        "if [ -S \"$path\" ]; then "
        "  if [ -w \"$path\" ]; then echo there; else echo closed; fi; "
        "elif [ -d \"$path\" ]; then echo folder; "
        "elif [ -e \"$path\" ]; then echo other; "
        "else "
        "  d=${path%/*}; "
        "  while [ \"$d\" ] && [ ! -e \"$d/\" ]; do d=${d%/*}; done; "
        "  if [ -x \"$d/\" ]; then echo missing; else echo closed; fi; "
        "fi";
    static const char *const words[] = {
        [HOST_SOCKET_THERE] = "there\n",   [HOST_SOCKET_MISSING] = "missing\n",
        [HOST_SOCKET_CLOSED] = "closed\n", [HOST_SOCKET_FOLDER] = "folder\n",
        [HOST_SOCKET_OTHER] = "other\n",
    };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP_FREE char *input = xasprintf("%s\n", path);

    if (host_run(h, script, input, deadline_in_ms(HOST_LIMIT_MS), &out,
                 &ignored) != 0) {
        return HOST_SOCKET_UNKNOWN;
    }
    buffer_append(&out, "", 0);
    for (size_t i = HOST_SOCKET_THERE; i < ARRAY_LEN(words); i++) {
        if (str_equal(out.data, words[i])) {
            return (enum host_socket)i;
        }
    }
    return HOST_SOCKET_UNKNOWN;
}

/* --- is it that QEMU? -------------------------------------------------------- */

/* One thread's part of the text. */
struct thread {
    char name[16];
    long outer, inner; /* its number here, and in its own PID namespace */
    bool nested;
};

static void read_numbers(const char *list, struct thread *t)
{
    char *end;

    for (int count = 0;; count++, list = end) {
        long n = strtol(list, &end, 10);

        if (end == list) {
            return;
        }
        t->inner = n;
        t->nested = count > 0;
    }
}

/* Programs that are QEMU, and how that calls its threads when told to. */
static bool is_named_as_qemu(const char *name)
{
    return strstr(name, "qemu") || strstr(name, "kvm") ||
           str_starts(name, "CPU ");
}

/*
 * Numbers of two PID namespaces are both small: there it must be no process's
 * first thread, which no CPU has and a relay may, and the name has to fit.
 */
static bool is_that_thread(const struct thread *t, int pid, int thread)
{
    return t->inner == thread &&
           (!t->nested || (t->outer != pid && is_named_as_qemu(t->name)));
}

bool threads_are_of_qemu(const char *text, int pid, int thread)
{
    struct thread t = { .outer = 0 };

    while (text && *text) {
        const char *end = strchr(text, '\n');

        if (str_starts(text, "Name:\t")) {
            t = (struct thread){ .outer = 0 };
            snprintf(t.name, sizeof(t.name), "%.*s",
                     end ? (int)(end - text) - 6 : 0, text + 6);
        } else if (str_starts(text, "Pid:\t")) {
            t.outer = t.inner = strtol(text + 5, NULL, 10);
        } else if (str_starts(text, "NSpid:\t")) {
            read_numbers(text + 7, &t);
        }
        text = end ? end + 1 : NULL;
        if ((!text || !*text || str_starts(text, "Name:\t")) &&
            is_that_thread(&t, pid, thread)) {
            return true;
        }
    }
    return false;
}

bool host_process_is_qemu(struct host *h, int pid, int thread)
{
    static const char script[] =
        "read -r pid; "
        "grep -h -e ^Name: -e ^Pid: -e ^NSpid: /proc/$pid/task/[0-9]*/status "
        "2>/dev/null; :";
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP_FREE char *input = xasprintf("%d\n", pid);

    if (host_run(h, script, input, deadline_in_ms(HOST_LIMIT_MS), &out,
                 &ignored) != 0) {
        return false;
    }
    buffer_append(&out, "", 1);
    return threads_are_of_qemu(out.data, pid, thread);
}
