/*
 * Mirrors: what the steps that start and end them share.
 */
#ifndef QM_CORE_MIRROR_H
#define QM_CORE_MIRROR_H

#include "core/side.h"

struct migration;

/* The error of the mirror that failed: whose fault, where, what is missing.
 * Returns -1. */
int mirror_failure(struct migration *m, struct qm_error *err);

/* End D's mirror for another one that follows: its node stays. */
int mirror_end(struct migration *m, struct disk_copy *d, struct qm_error *err);

/* Warn when write-blocking makes the guest's writes slow; asks QEMU once a
 * second at most, however often it is called. */
void mirrors_watch_writes(struct migration *m);

#endif
