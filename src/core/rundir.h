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
/*
 * A private directory below the run directory, for ssh's sockets.  *RET_LOCK
 * is held while it is in use: what an engine that was killed has left is not
 * locked, and is removed here.
 */
char *rundir_make_private(int *ret_lock, struct qm_error *err);
/* And frees DIR, which may be NULL, and closes LOCK. */
void rundir_remove_private(char *dir, int lock);

/*
 * Lock a QEMU's process (boot id, pid, start time) against other engines of
 * this user on this machine.  The lock lasts until the fd is closed; who ends
 * in order removes its file as well.  -1: BUSY if another engine has it.
 */
int rundir_lock_process(const char *who, const struct process_identity *id,
                        struct qm_error *err);

void rundir_unlock_process(int lock); /* may be -1 */

/* What stands before SUFFIX in the names of FOLDER's files, where it is one that
 * IS_ONE takes; added to RET and all of it sorted.  -1 with a SYSTEM error. */
int rundir_stems(const char *folder, const char *suffix,
                 bool (*is_one)(const char *stem), struct strv *ret,
                 struct qm_error *err);
/* The same of names of migrations. */
int rundir_names(const char *folder, const char *suffix, struct strv *ret,
                 struct qm_error *err);

#endif
