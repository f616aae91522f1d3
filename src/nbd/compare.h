/*
 * Are two exports equal, byte for byte?  Nothing is written to either.
 */
#ifndef QM_NBD_COMPARE_H
#define QM_NBD_COMPARE_H

#include "nbd/disk.h"

/* The grain of what is called different, bytes. */
#define NBD_COMPARE_BLOCK (64 * KIB)

struct nbd_comparison {
    struct nbd_disk *side[2]; /* borrowed */
    const struct nbd_waiter *waiter;

    /* What came of it; the caller frees `different`. */
    uint64_t read_bytes;         /* from each side */
    struct nbd_ranges different; /* whole blocks */
    uint64_t first_different;    /* the byte, if there are any */
};

/*
 * Compare what WHERE names, which both have; NULL: all that both have, except
 * for what both servers say reads as zeroes (their NBD_MAP_DATA).  0 when it was compared; ->different
 * was emptied before and says what came of it.  -1 with ERR: LINK, DISK,
 * PROTOCOL, or what the waiter says.
 */
int nbd_compare(struct nbd_comparison *c, const struct nbd_ranges *where,
                struct qm_error *err);

#endif
