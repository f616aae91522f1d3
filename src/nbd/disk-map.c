/*
 * What a server knows of its extents.  It may tell less than was asked for,
 * and is then asked on.
 */
#include "nbd/disk-private.h"

#define MAP_CHUNK (1 * GIB) /* to ask of at once: lengths have 32 bits */
#define DIRTY_BIT 1u        /* of QEMU's bitmaps (its docs/interop/nbd.txt) */

static bool is_marked(const struct nbd_disk *d, uint32_t flags)
{
    switch (d->map_kind) {
    case MAP_DIRTY:
        return flags & DIRTY_BIT;
    case MAP_TOP:
        return flags == 1; /* 0: nowhere; 2 and more: below */
    case MAP_DATA:
        break;
    }
    return !(flags & LIBNBD_STATE_ZERO);
}

/* Pairs of length and flags; the last may go beyond what was asked. */
static int on_extents(void *arg, const char *context, uint64_t offset,
                      uint32_t *entries, size_t count, int *error)
{
    struct nbd_map *map = arg;

    (void)error;
    if (!str_equal(context, map->disk->map) || offset != map->position)
        return 0;
    for (size_t i = 0; i + 1 < count && map->position < map->end; i += 2) {
        uint64_t length = entries[i], left = map->end - map->position;

        if (length > left)
            length = left;
        if (is_marked(map->disk, entries[i + 1]))
            nbd_ranges_add(map->into, map->position, length);
        map->position += length;
    }
    return 0;
}

static int ask(struct nbd_map *map, struct qm_error *err)
{
    nbd_extent_callback extent = { .callback = on_extents, .user_data = map };
    uint64_t length = map->end - map->position;
    nbd_completion_callback done;
    struct nbd_channel *c = nbd_request_begin(
        map->disk, "its extents are not told", &map->request, &done, err);

    if (!c)
        return -1;
    map->asked_at = map->position;
    return nbd_request_started(
        &map->request,
        nbd_aio_block_status(c->link.h, length > MAP_CHUNK ? MAP_CHUNK : length,
                             map->position, extent, done, 0),
        err);
}

int nbd_map_start(struct nbd_disk *d, uint64_t offset, uint64_t length,
                  struct nbd_ranges *ret, struct nbd_map *map,
                  struct qm_error *err)
{
    *map = (struct nbd_map){
        .disk = d,
        .into = ret,
        .position = offset,
        .end = offset + length,
        .request = { .channel = d->channel[0], .done = true },
    };
    if (!d->has_map) {
        nbd_ranges_add(ret, offset, length);
        map->position = map->end;
    }
    return map->position == map->end ? 0 : ask(map, err);
}

int nbd_map_advance(struct nbd_map *map, struct qm_error *err)
{
    if (nbd_request_check(&map->request, err) < 0)
        return -1;
    if (map->position == map->end)
        return 1;
    if (map->position == map->asked_at)
        return error_set(err, QM_ERR_PROTOCOL,
                         "%s: the server told nothing of offset %llu",
                         map->disk->name, (unsigned long long)map->position);
    return ask(map, err);
}

static bool is_over(void *arg)
{
    const struct nbd_map *map = arg;

    return nbd_request_is_over(&map->request);
}

int nbd_disk_map(struct nbd_disk *d, uint64_t offset, uint64_t length,
                 const struct nbd_waiter *w, struct nbd_ranges *ret,
                 struct qm_error *err)
{
    struct nbd_map map;
    int rc = nbd_map_start(d, offset, length, ret, &map, err);

    while (rc == 0) {
        rc = w->until(w->arg, is_over, &map, err);
        if (rc == 0)
            rc = nbd_map_advance(&map, err);
    }
    if (rc < 0)
        nbd_disk_abandon(d); /* a late answer has nowhere to go */
    return rc < 0 ? -1 : 0;
}
