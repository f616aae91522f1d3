/*
 * Parts of a disk: a list of ranges in bytes, sorted, none touching the next.
 */
#ifndef QM_NBD_RANGES_H
#define QM_NBD_RANGES_H

#include "base/util.h"

struct nbd_range {
    uint64_t offset, length; /* bytes */
};

struct nbd_ranges {
    size_t count;
    struct nbd_range *item; /* NULL while empty */
};

/* OFFSET must not be before the last range's; one that touches it, or begins
 * in it, makes it longer.  Nothing for a LENGTH of 0. */
void nbd_ranges_add(struct nbd_ranges *r, uint64_t offset, uint64_t length);
/* What is in A, in B or in both, added to RET, which ends before both. */
void nbd_ranges_unite(const struct nbd_ranges *a, const struct nbd_ranges *b,
                      struct nbd_ranges *ret);
/* What is in A but not in B, added to RET, which ends before both. */
void nbd_ranges_subtract(const struct nbd_ranges *a, const struct nbd_ranges *b,
                         struct nbd_ranges *ret);
/* FROM in whole blocks of GRAIN bytes, but not beyond END, added to RET. */
void nbd_ranges_align(const struct nbd_ranges *from, uint64_t grain,
                      uint64_t end, struct nbd_ranges *ret);
uint64_t nbd_ranges_bytes(const struct nbd_ranges *r);
void nbd_ranges_done(struct nbd_ranges *r);
DEFINE_CLEANUP_DONE(struct nbd_ranges, nbd_ranges_done)

/* A walk over ranges, in pieces.  Zeroed but for `where`, which it borrows. */
struct nbd_cursor {
    const struct nbd_ranges *where;
    size_t index;
    uint64_t done; /* of that range */
};

/* The next piece, at most MAX bytes; false at the end. */
bool nbd_cursor_next(struct nbd_cursor *c, uint64_t max, uint64_t *ret_offset,
                     uint64_t *ret_length);

#endif
