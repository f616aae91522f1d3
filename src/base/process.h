/*
 * Starting a process: the part of child.c that happens between fork() and
 * exec().  Private to base/.
 */
#ifndef QM_BASE_PROCESS_H
#define QM_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct process_start {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    int stdio[3];            /* what becomes 0, 1, 2; -1: /dev/null; borrowed */
    bool own_session;
};

/*
 * Start it, and return when the program itself runs (or could not be run:
 * -1 with ERR).  It gets SIGTERM when we die, no descriptor beyond the three,
 * default signal handlers and an empty signal mask.  *RET_PIDFD is readable
 * when it has exited; the caller closes it and reaps *RET_PID.
 */
int process_start(const struct process_start *start, pid_t *ret_pid,
                  int *ret_pidfd, struct qm_error *err);

#endif
