/*
 * Ending a process of a host: that one, and no other with its number.
 *
 * happy path   SIGKILL, then wait until it is gone: here by a pidfd, there by
 *              looking.
 * what fails   It is gone already, which is as good.  It may not be killed, or
 *              does not end: that is said.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/host-private.h"

/* Exit statuses of the script. */
enum {
    SAYS_FORBIDDEN = 5,
    SAYS_LIVES_ON = 6,
    SAYS_ELSEWHERE = 7,
};

static void note_ready(void *arg, unsigned ready)
{
    (void)ready;
    *(bool *)arg = true;
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

static int refuse_unseen(const struct host *h,
                         const struct process_identity *id,
                         const struct sight *seen, struct qm_error *err)
{
    CLEANUP_FREE char *why = sight_doubt(id, seen);

    return error_set(err, QM_ERR_SYSTEM,
                     "%s: process %d was not looked for where it ran: %s",
                     h->text, id->pid,
                     why ? why
                         : "another host or PID namespace "
                           "answered than a moment before");
}

/* 1: that process is there; 0: it is proved dead. */
static int look_for_it(struct host *h, const struct process_identity *id,
                       deadline_t by, struct sight *ret, struct qm_error *err)
{
    if (host_look(h, id->pid, by, ret, err) < 0) {
        return error_wrap(err, "kill process %d", id->pid);
    }
    switch (process_judge(id, ret)) {
    case PROCESS_ALIVE:
        return 1;
    case PROCESS_DEAD:
        return 0;
    case PROCESS_UNKNOWN:
        break;
    }
    return refuse_unseen(h, id, ret, err);
}

/* A pidfd is readable once its process and all its threads have ended. */
static int kill_here(struct host *h, const struct process_identity *id,
                     deadline_t by, struct qm_error *err)
{
    CLEANUP(close_fd) int fd = (int)syscall(SYS_pidfd_open, id->pid, 0);
    struct sight seen = { .there = false };
    struct loop_watch *watch;
    bool ended = false;
    int there;

    if (fd < 0 && errno != ESRCH) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "cannot open process %d", id->pid);
    }
    /* Only after the pidfd is ours does the look tell of the same process. */
    there = look_for_it(h, id, by, &seen, err);
    if (there <= 0) {
        return there;
    }
    if (fd < 0) {
        return error_set(err, QM_ERR_SYSTEM, "process %d comes and goes",
                         id->pid);
    }
    if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 &&
        errno != ESRCH) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "cannot kill process %d", id->pid);
    }
    watch = loop_watch_fd(h->loop, fd, LOOP_READ, note_ready, &ended);
    loop_wait(h->loop, is_true, &ended, by);
    loop_watch_free(watch);
    if (!ended) {
        return error_set(err, QM_ERR_TIMEOUT,
                         "process %d was killed but does not end", id->pid);
    }
    return 0;
}

static const char kill_script[] =
    "read -r pid start; read -r want; " HOST_PLACE "now=$(place) || exit 3; "
    "[ \"$now\" = \"$want\" ] || exit 7; "
    "set -f; "
    "is_alive() { "
    "  stat=$(cat /proc/$pid/stat 2>/dev/null) || "
    "  { [ -d /proc/$pid ]; return; }; "
    "  set -- ${stat##*\")\"}; "
    "  [ \"${20}\" = \"$start\" ] || return 1; "
    "  case $1 in Z|X) [ \"${18}\" -gt 1 ] ;; esac; "
    "}; "
    "is_alive || exit 0; "
    "kill -9 $pid || { is_alive || exit 0; exit 5; }; "
    "n=0; "
    "while is_alive; do "
    "  n=$((n + 1)); [ $n -gt 200 ] && exit 6; "
    "  sleep 0.05 2>/dev/null || sleep 1; "
    "done; "
    "exit 0";

static int kill_there(struct host *h, const struct process_identity *id,
                      deadline_t by, struct qm_error *err)
{
    CLEANUP_FREE char *input = NULL, *line = NULL;
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    struct sight seen = { .there = false };
    int status;

    status = look_for_it(h, id, by, &seen, err);
    if (status <= 0) {
        return status;
    }
    line = process_place_line(&seen.place);
    input = xasprintf("%d %" PRIu64 "\n%s\n", id->pid, id->start_time, line);
    status = host_run(h, kill_script, input, by, &out, err);
    switch (status) {
    case 0:
        return 0;
    case -1:
        return error_wrap(err, "kill process %d", id->pid);
    case SAYS_FORBIDDEN:
        return error_set(err, QM_ERR_SYSTEM,
                         "%s: not allowed to kill process %d", h->text,
                         id->pid);
    case SAYS_LIVES_ON:
        return error_set(err, QM_ERR_TIMEOUT,
                         "%s: process %d was killed but does not end", h->text,
                         id->pid);
    case SAYS_ELSEWHERE:
        return refuse_unseen(h, id, &seen, err);
    default:
        return host_complain(h, "read /proc", status, err);
    }
}

int host_kill_process(struct host *h, const struct process_identity *id,
                      deadline_t by, struct qm_error *err)
{
    if (!h || !id->known) {
        return error_set(err, QM_ERR_SYSTEM, "its process is not known");
    }
    return h->local ? kill_here(h, id, by, err) : kill_there(h, id, by, err);
}
