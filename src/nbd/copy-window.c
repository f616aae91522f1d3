/*
 * What the source has becomes data, what only the destination has becomes
 * zeroes; what neither has is left.
 */
#include "nbd/copy-window.h"

int copy_blame(const char *side, uint64_t offset, struct qm_error *err)
{
    return error_wrap(err, "%s, at offset %llu", side,
                      (unsigned long long)offset);
}

static int blame(size_t side, uint64_t offset, struct qm_error *err)
{
    return copy_blame(side == 0 ? "source" : "destination", offset, err);
}

int copy_window_start(struct copy_window *w, struct nbd_disk *const *side,
                      uint64_t offset, uint64_t length, struct qm_error *err)
{
    copy_window_done(w);
    w->offset = offset;
    w->length = length;
    for (size_t i = 0; length > 0 && i < 2; i++)
        if (nbd_map_start(side[i], offset, length, &w->raw[i], &w->map[i],
                          err) < 0)
            return blame(i, offset, err);
    return 0;
}

bool copy_window_has_news(const struct copy_window *w)
{
    for (size_t i = 0; i < 2; i++)
        if (w->length > 0 && !w->told[i] &&
            nbd_request_is_over(&w->map[i].request))
            return true;
    return false;
}

static void plan(struct copy_window *w, uint64_t grain)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges there = { 0 };
    uint64_t end = w->offset + w->length;

    nbd_ranges_align(&w->raw[0], grain, end, &w->data);
    nbd_ranges_align(&w->raw[1], grain, end, &there);
    nbd_ranges_subtract(&there, &w->data, &w->zero);
    w->at_data = (struct nbd_cursor){ .where = &w->data };
    w->at_zero = (struct nbd_cursor){ .where = &w->zero };
    w->planned = true;
}

int copy_window_advance(struct copy_window *w, uint64_t grain,
                        struct qm_error *err)
{
    if (w->length == 0)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        int rc;

        if (w->told[i] || !nbd_request_is_over(&w->map[i].request))
            continue;
        rc = nbd_map_advance(&w->map[i], err);
        if (rc < 0)
            return blame(i, w->map[i].position, err);
        w->told[i] = rc > 0;
    }
    if (w->told[0] && w->told[1] && !w->planned)
        plan(w, grain);
    return 0;
}

uint64_t copy_window_skipped(const struct copy_window *w)
{
    return w->length - nbd_ranges_bytes(&w->data) - nbd_ranges_bytes(&w->zero);
}

void copy_window_done(struct copy_window *w)
{
    nbd_ranges_done(&w->raw[0]);
    nbd_ranges_done(&w->raw[1]);
    nbd_ranges_done(&w->data);
    nbd_ranges_done(&w->zero);
    *w = (struct copy_window){ .length = 0 };
}
