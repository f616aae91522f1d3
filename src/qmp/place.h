/*
 * Putting another node under a device of a guest that has not begun to run:
 * its property `drive` can be set from QEMU 6.0 on, also when it is realized.
 */
#ifndef QM_QMP_PLACE_H
#define QM_QMP_PLACE_H

#include "qmp/client.h"

/* A node that keeps nothing of what is written. */
struct qmp_null_node {
    const char *driver; /* "null-co" or "null-aio" */
    const char *node_name;
    uint64_t size_bytes;
    bool read_zeroes; /* else what is read is anything */
    bool read_only;
};
int qmp_blockdev_add_null(struct qmp *q, const struct qmp_null_node *n,
                          struct qm_error *err);

/* An image file: FORMAT over file, with discard=unmap on both. */
struct qmp_image_node {
    const char *node_name;
    const char *format; /* "raw", "qcow2" */
    const char *path;
    bool direct; /* cache.direct */
    bool read_only;
};
int qmp_blockdev_add_image(struct qmp *q, const struct qmp_image_node *n,
                           struct qm_error *err);

/* The first SIZE_BYTES, a multiple of 512, of the node FILE. */
struct qmp_slice_node {
    const char *node_name;
    const char *file;
    uint64_t size_bytes;
};
int qmp_blockdev_add_slice(struct qmp *q, const struct qmp_slice_node *n,
                           struct qm_error *err);

/* DEVICE: struct qmp_disk's qom_path.  What is set already is not set again:
 * QEMU dies of it (10.0.2: bdrv_replace_child_noperm's assertion). */
int qmp_set_drive(struct qmp *q, const char *device, const char *node_name,
                  struct qm_error *err);
/*
 * A device whose node was exported may write, for good, and takes no inactive
 * node any more ("Block node is read-only").  Before 10.0 no command makes a
 * node active; but an export does, before it is refused because no NBD server
 * runs (7.2.22, 10.0.2: blk_exp_add()).  ID: of that export.
 */
int qmp_wake_node(struct qmp *q, const char *node_name, const char *id,
                  struct qm_error *err);
/* The name of the node; NULL with ERR; the caller frees it. */
char *qmp_get_drive(struct qmp *q, const char *device, struct qm_error *err);

#endif
