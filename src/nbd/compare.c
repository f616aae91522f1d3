/*
 * A few requests are always under way on both sides; they are looked at in the
 * order of their offsets.
 */
#include "nbd/compare.h"

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
    struct nbd_request read[2];
};

/* A ring of them: those under way are COUNT from FIRST on. */
struct ring {
    struct slot slot[SLOTS];
    size_t first, count;
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

static int fill(struct nbd_comparison *c, struct ring *r,
                struct nbd_cursor *cursor, struct qm_error *err)
{
    while (r->count < SLOTS) {
        struct slot *s = &r->slot[(r->first + r->count) % SLOTS];
        uint64_t length;

        if (!nbd_cursor_next(cursor, CHUNK, &s->offset, &length))
            return 0;
        s->length = (size_t)length;
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

    return nbd_request_is_over(&s->read[0]) && nbd_request_is_over(&s->read[1]);
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
        if (nbd_request_check(&s->read[i], err) < 0)
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

static int run(struct nbd_comparison *c, struct ring *r,
               struct nbd_cursor *cursor, struct qm_error *err)
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

/* What is not known to read as zeroes on both sides. */
static int map_window(struct nbd_comparison *c, uint64_t offset,
                      uint64_t length, struct nbd_ranges *ret,
                      struct qm_error *err)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges a = { 0 }, b = { 0 };
    CLEANUP(nbd_ranges_done) struct nbd_ranges both = { 0 };

    if (nbd_disk_map(c->side[0], offset, length, c->waiter, &a, err) < 0 ||
        nbd_disk_map(c->side[1], offset, length, c->waiter, &b, err) < 0)
        return -1;
    nbd_ranges_unite(&a, &b, &both);
    /* so that scattered data does not make small requests */
    nbd_ranges_align(&both, NBD_COMPARE_BLOCK, offset + length, ret);
    return 0;
}

static int compare_ranges(struct nbd_comparison *c,
                          const struct nbd_ranges *where, struct qm_error *err)
{
    struct nbd_cursor cursor = { .where = where };
    struct ring ring;
    int rc;

    ring_init(&ring);
    rc = run(c, &ring, &cursor, err);
    /* What is under way must not come to buffers that are gone. */
    for (size_t i = 0; rc < 0 && i < 2; i++)
        nbd_disk_abandon(c->side[i]);
    ring_done(&ring);
    return rc;
}

static uint64_t shared_size(const struct nbd_comparison *c)
{
    uint64_t a = nbd_disk_size(c->side[0]), b = nbd_disk_size(c->side[1]);

    return a < b ? a : b;
}

static int compare_all(struct nbd_comparison *c, struct qm_error *err)
{
    uint64_t size = shared_size(c);

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
    nbd_ranges_done(&c->different);
    return where ? compare_ranges(c, where, err) : compare_all(c, err);
}
