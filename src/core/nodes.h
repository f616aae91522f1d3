/*
 * Block nodes of our own in either QEMU.
 */
#ifndef QM_CORE_NODES_H
#define QM_CORE_NODES_H

#include "core/side.h"

struct migration;

/* For side_do(): is the node that the string ARG names among S's? */
int node_asked(struct side *s, void *arg, struct qm_error *err);
/* Delete it, if it is there. */
int node_remove(struct side *s, const char *name, struct qm_error *err);

/* A read-only disk's second node at the destination, which writes to its
 * image; writers_remove() before anything can run there. */
int writer_add(struct migration *m, struct disk_copy *d, struct qm_error *err);
int writers_remove(struct migration *m, struct qm_error *err);
/* After a failure: what is to be said of the images that were written to. */
void writers_confess(struct migration *m);

#endif
