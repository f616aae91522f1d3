/*
 * Parts of a disk.
 */
#include "nbd/ranges.h"

#include <assert.h>
#include <stdlib.h>

void nbd_ranges_add(struct nbd_ranges *r, uint64_t offset, uint64_t length)
{
    struct nbd_range *last = r->count ? &r->item[r->count - 1] : NULL;

    if (length == 0)
        return;
    assert(!last || offset >= last->offset);
    if (last && offset <= last->offset + last->length) {
        if (offset + length > last->offset + last->length)
            last->length = offset + length - last->offset;
        return;
    }
    if ((r->count & (r->count - 1)) == 0) /* full: 0, 1, 2, 4, ... */
        r->item = xrealloc_array(r->item, r->count ? 2 * r->count : 1,
                                 sizeof(*r->item));
    r->item[r->count++] = (struct nbd_range){ offset, length };
}

void nbd_ranges_unite(const struct nbd_ranges *a, const struct nbd_ranges *b,
                      struct nbd_ranges *ret)
{
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        bool from_a = j == b->count ||
                      (i < a->count && a->item[i].offset <= b->item[j].offset);
        const struct nbd_range *next = from_a ? &a->item[i++] : &b->item[j++];

        nbd_ranges_add(ret, next->offset, next->length);
    }
}

uint64_t nbd_ranges_bytes(const struct nbd_ranges *r)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < r->count; i++)
        bytes += r->item[i].length;
    return bytes;
}

void nbd_ranges_done(struct nbd_ranges *r)
{
    free(r->item);
    *r = (struct nbd_ranges){ 0 };
}
