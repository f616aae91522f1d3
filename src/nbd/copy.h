/*
 * One export's content written to another.
 */
#ifndef QM_NBD_COPY_H
#define QM_NBD_COPY_H

#include "nbd/disk.h"

struct nbd_copy {
    struct nbd_disk *source, *destination; /* borrowed, open with NBD_MAP_DATA;
                                              the destination not smaller */
    const struct nbd_waiter *waiter;
    /* Called after each wait, or NULL: DONE_BYTES of the source are now at
     * the destination.  It only looks and tells. */
    void (*progress)(void *arg, uint64_t done_bytes);
    void *progress_arg;

    /* What came of it, so far if it failed */
    uint64_t written_bytes; /* of data */
    uint64_t zeroed_bytes;  /* holes made, or zeroes written */
    uint64_t skipped_bytes; /* read as zeroes on both sides */
};

/*
 * Copy all of the source and flush the destination; what that has beyond is
 * left as it is.  Holes are not read, and not written where the destination
 * says that it reads as zeroes already.
 *
 * -1 with ERR: LINK, DISK, PROTOCOL, or what the waiter says; it names the
 * side, and the offset of a request that failed.  Then both disks were
 * abandoned, and the destination has a part.
 */
int nbd_copy(struct nbd_copy *c, struct qm_error *err);

#endif
