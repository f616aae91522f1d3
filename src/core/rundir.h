/*
 * Our directories: 0700, ours, no links; and the locks on QEMU processes.
 */
#ifndef QM_CORE_RUNDIR_H
#define QM_CORE_RUNDIR_H

#include "core/host.h"

/* /run/qmigrate for root, else $XDG_RUNTIME_DIR/qmigrate; made if missing.
 * The caller frees it. */
char *rundir_path(struct qm_error *err);
/* /var/lib/qmigrate for root, else $XDG_STATE_HOME/qmigrate. */
char *statedir_path(struct qm_error *err);
/* A private directory below the run directory, for ssh's sockets. */
char *rundir_make_private(struct qm_error *err);
void rundir_remove_private(char *dir); /* and frees DIR; NULL is allowed */

/*
 * Lock a QEMU's process (boot id, pid, start time) against other engines of
 * this user on this machine.  The lock lasts until the fd is closed.  -1:
 * BUSY if another engine has it.
 */
int rundir_lock_process(const char *who, const struct process_identity *id,
                        struct qm_error *err);

#endif
