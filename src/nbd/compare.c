/*
 * A few requests are always under way on both sides; they are looked at in the
 * order of their offsets.
 */
#include "nbd/compare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 8,                  /* pairs of requests under way */
    CHUNK = 512 * 1024,         /* bytes of a request */
    WINDOW = 256 * 1024 * 1024, /* whose map is asked for at once: blocks */
};

struct slot {
    char *buffer[2];
    uint64_t offset;
    size_t length;
    struct nbd_read read[2];
};

/* A ring of them: those under way are COUNT from FIRST on. */
struct ring {
    struct slot slot[SLOTS];
    size_t first, count;
};

/* What is still to be asked for. */
struct cursor {
    const struct nbd_ranges *where;
    size_t index;
    uint64_t done; /* of that range */
};

static void ring_init(struct ring *r)
{
    *r = (struct ring){ .first = 0 };
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t side = 0; side < 2; side++)
            r->slot[i].buffer[side] = xcalloc(1, CHUNK);
}

static void ring_done(struct ring *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t side = 0; side < 2; side++)
            free(r->slot[i].buffer[side]);
}

static bool cursor_next(struct cursor *c, uint64_t *ret_offset,
                        size_t *ret_length)
{
    const struct nbd_range *range;
    uint64_t left;

    if (c->index == c->where->count)
        return false;
    range = &c->where->item[c->index];
    left = range->length - c->done;
    *ret_offset = range->offset + c->done;
    *ret_length = left > CHUNK ? CHUNK : (size_t)left;
    c->done += *ret_length;
    if (c->done == range->length) {
        c->index++;
        c->done = 0;
    }
    return true;
}

static int fill(struct nbd_comparison *c, struct ring *r, struct cursor *cursor,
                struct qm_error *err)
{
    while (r->count < SLOTS) {
        struct slot *s = &r->slot[(r->first + r->count) % SLOTS];

        if (!cursor_next(cursor, &s->offset, &s->length))
            return 0;
        for (size_t i = 0; i < 2; i++)
            if (nbd_read_start(c->side[i], s->buffer[i], s->length, s->offset,
                               &s->read[i], err) < 0)
                return -1;
        r->count++;
    }
    return 0;
}

static bool slot_is_over(void *arg)
{
    const struct slot *s = arg;

    return nbd_read_is_over(&s->read[0]) && nbd_read_is_over(&s->read[1]);
}

static void note_difference(struct nbd_comparison *c, const struct slot *s,
                            size_t at, size_t length)
{
    if (c->different.count == 0) {
        size_t i = at;

        while (s->buffer[0][i] == s->buffer[1][i])
            i++;
        c->first_different = s->offset + i;
    }
    nbd_ranges_add(&c->different, s->offset + at, length);
}

static int look(struct nbd_comparison *c, const struct slot *s,
                struct qm_error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (nbd_read_check(&s->read[i], err) < 0)
            return -1;
    for (size_t at = 0; at < s->length; at += NBD_COMPARE_BLOCK) {
        size_t left = s->length - at;
        size_t length = left > NBD_COMPARE_BLOCK ? NBD_COMPARE_BLOCK : left;

        if (memcmp(s->buffer[0] + at, s->buffer[1] + at, length) != 0)
            note_difference(c, s, at, length);
    }
    c->read_bytes += s->length;
    return 0;
}

static int run(struct nbd_comparison *c, struct ring *r, struct cursor *cursor,
               struct qm_error *err)
{
    for (;;) {
        struct slot *s = &r->slot[r->first];

        if (fill(c, r, cursor, err) < 0)
            return -1;
        if (r->count == 0)
            return 0;
        if (c->waiter->until(c->waiter->arg, slot_is_over, s, err) < 0 ||
            look(c, s, err) < 0)
            return -1;
        r->first = (r->first + 1) % SLOTS;
        r->count--;
    }
}

/* In whole blocks, so that scattered data does not make small requests. */
static void add_blocks(struct nbd_ranges *ret, const struct nbd_ranges *from,
                       uint64_t end)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct nbd_range *r = &from->item[i];
        uint64_t low = r->offset / NBD_COMPARE_BLOCK * NBD_COMPARE_BLOCK;
        uint64_t high = r->offset + r->length + NBD_COMPARE_BLOCK - 1;

        high = high / NBD_COMPARE_BLOCK * NBD_COMPARE_BLOCK;
        nbd_ranges_add(ret, low, (high < end ? high : end) - low);
    }
}

/* What is not known to read as zeroes on both sides. */
static int map_window(struct nbd_comparison *c, uint64_t offset,
                      uint64_t length, struct nbd_ranges *ret,
                      struct qm_error *err)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges a = { 0 }, b = { 0 };
    CLEANUP(nbd_ranges_done) struct nbd_ranges both = { 0 };

    if (nbd_reader_map(c->side[0], offset, length, c->waiter, &a, err) < 0 ||
        nbd_reader_map(c->side[1], offset, length, c->waiter, &b, err) < 0)
        return -1;
    nbd_ranges_unite(&a, &b, &both);
    add_blocks(ret, &both, offset + length);
    return 0;
}

static int compare_ranges(struct nbd_comparison *c,
                          const struct nbd_ranges *where, struct qm_error *err)
{
    struct cursor cursor = { .where = where };
    struct ring ring;
    int rc;

    ring_init(&ring);
    rc = run(c, &ring, &cursor, err);
    /* What is under way must not come to buffers that are gone. */
    for (size_t i = 0; rc < 0 && i < 2; i++)
        nbd_reader_abandon(c->side[i]);
    ring_done(&ring);
    return rc;
}

static int compare_all(struct nbd_comparison *c, struct qm_error *err)
{
    uint64_t size = nbd_reader_size(c->side[0]);

    for (uint64_t at = 0; at < size; at += WINDOW) {
        CLEANUP(nbd_ranges_done) struct nbd_ranges data = { 0 };
        uint64_t length = size - at < WINDOW ? size - at : WINDOW;

        if (map_window(c, at, length, &data, err) < 0 ||
            compare_ranges(c, &data, err) < 0)
            return -1;
    }
    return 0;
}

int nbd_compare(struct nbd_comparison *c, const struct nbd_ranges *where,
                struct qm_error *err)
{
    assert(nbd_reader_size(c->side[0]) == nbd_reader_size(c->side[1]));
    nbd_ranges_done(&c->different);
    return where ? compare_ranges(c, where, err) : compare_all(c, err);
}
