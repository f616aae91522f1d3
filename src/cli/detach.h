/*
 * Going to the background: the process that was started waits until the one
 * that works says that it is under way, and ends.
 */
#ifndef QM_CLI_DETACH_H
#define QM_CLI_DETACH_H

#include "base/error.h"

/*
 * Before anything else is made.  In the process that goes on: 1, with *RET_FD
 * for detach_finish().  In the one that was started: 0, once it is known how
 * it goes, with the exit code; QUIET: it does not print the name.  -1: SYSTEM.
 */
int detach_begin(bool quiet, int *ret_fd, int *ret_exit, struct qm_error *err);

/* From now on this is a process of the background.  Terminals and pipes are
 * left, files that the output goes to are kept. */
void detach_leave(void);
/* The same, and the one that was started learns that this is NAME.  Closes
 * FD. */
void detach_finish(int fd, const char *name);

#endif
