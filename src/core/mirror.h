/*
 * Mirrors: what the steps that start and end them share.
 */
#ifndef QM_CORE_MIRROR_H
#define QM_CORE_MIRROR_H

#include "core/side.h"

struct migration;

bool some_mirror_has_failed(const struct migration *m);

/* The error of the mirror that failed: whose fault, where, what is missing.
 * Returns -1. */
int mirror_failure(struct migration *m, struct qm_error *err);

/* What to do about a disk's file system that is full: LEFT bytes were to be
 * copied, *ROOM are free there now, or NULL; the caller frees it. */
char *mirror_room_hint(uint64_t left, const uint64_t *room);

/* End D's mirror for another one that follows: its node stays. */
int mirror_end(struct migration *m, struct disk_copy *d, struct qm_error *err);

/*
 * While mirrors run: warn when write-blocking makes the guest's writes slow,
 * and when one does not advance; one that is stuck is yanked, so that the
 * guest's writes go on, and is a failure.  Asks QEMU once a second at most,
 * however often it is called.
 */
int mirrors_watch(struct migration *m, struct qm_error *err);

/* The same where the jobs have just been asked. */
int mirrors_watch_asked(struct migration *m, struct qm_error *err);

/* Cut the connection of D's mirror. */
void mirror_yank(struct migration *m, struct disk_copy *d);

#endif
