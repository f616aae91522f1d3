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

void nbd_ranges_subtract(const struct nbd_ranges *a, const struct nbd_ranges *b,
                         struct nbd_ranges *ret)
{
    size_t j = 0;

    for (size_t i = 0; i < a->count; i++) {
        uint64_t at = a->item[i].offset;
        uint64_t end = at + a->item[i].length;

        while (j < b->count && b->item[j].offset + b->item[j].length <= at)
            j++;
        /* one of B may reach into the next of A: J stays there */
        for (size_t k = j; k < b->count && b->item[k].offset < end; k++) {
            if (b->item[k].offset > at)
                nbd_ranges_add(ret, at, b->item[k].offset - at);
            at = b->item[k].offset + b->item[k].length;
        }
        if (at < end)
            nbd_ranges_add(ret, at, end - at);
    }
}

void nbd_ranges_align(const struct nbd_ranges *from, uint64_t grain,
                      uint64_t end, struct nbd_ranges *ret)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct nbd_range *r = &from->item[i];
        uint64_t low = r->offset / grain * grain;
        uint64_t high = (r->offset + r->length + grain - 1) / grain * grain;

        nbd_ranges_add(ret, low, (high < end ? high : end) - low);
    }
}

bool nbd_cursor_next(struct nbd_cursor *c, uint64_t max, uint64_t *ret_offset,
                     uint64_t *ret_length)
{
    const struct nbd_range *range;
    uint64_t left;

    if (c->index == c->where->count)
        return false;
    range = &c->where->item[c->index];
    left = range->length - c->done;
    *ret_offset = range->offset + c->done;
    *ret_length = left > max ? max : left;
    c->done += *ret_length;
    if (c->done == range->length) {
        c->index++;
        c->done = 0;
    }
    return true;
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
