/*
 * What --verify and --disks-sync top make in the source: an NBD server, bitmaps, exports.  Each
 * waits as side_do() does; -1 with ERR.
 */
#ifndef QM_CORE_VERIFY_SOURCE_H
#define QM_CORE_VERIFY_SOURCE_H

#include <stdint.h>

#include "base/error.h"

struct nbd_disk;
struct side;

/* A path for the server's socket beside the monitor's: QEMU could make one
 * there, and who may come to the one may come to the other.  The caller frees
 * it. */
char *verify_socket_beside(const char *monitor, const char *name);
/* An NBD server on the unix socket PATH, closed to others.  *RET_UP says, also
 * after a failure, whether it may be there. */
int verify_server_start(struct side *s, const char *path, bool *ret_up,
                        struct qm_error *err);
int verify_server_stop(struct side *s, struct qm_error *err);

/* A list of what is written, which QEMU keeps. */
struct source_bitmap {
    const char *node_name;
    const char *name;
    bool added; /* it may be there */
};
int verify_bitmap_add(struct side *s, struct source_bitmap *b,
                      struct qm_error *err);
int verify_bitmap_disable(struct side *s, struct source_bitmap *b,
                          struct qm_error *err);
/* Nothing if it is not there. */
int verify_bitmap_remove(struct side *s, struct source_bitmap *b,
                         struct qm_error *err);

struct source_export {
    const char *id; /* its name too */
    const char *node_name;
    const char *bitmap; /* that it shows: a disabled one; or NULL */
};
int verify_export(struct side *s, const struct source_export *e,
                  struct qm_error *err);
/* Make it, and open it at the server's SOCKET with the MAP (nbd/disk.h); the
 * caller frees it. */
struct nbd_disk *verify_open(struct side *s, const char *socket,
                             const struct source_export *e, const char *map,
                             int64_t limit_ms, struct qm_error *err);

#endif
