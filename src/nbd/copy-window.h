/*
 * Of copy.c alone: a part of the disk, what both sides have there, and what is
 * to be done about it.
 */
#ifndef QM_NBD_COPY_WINDOW_H
#define QM_NBD_COPY_WINDOW_H

#include "nbd/disk.h"

struct copy_window {
    uint64_t offset, length;            /* 0: nothing; zeroed at first */
    struct nbd_map map[2];              /* source, destination */
    bool told[2];                       /* the map is complete */
    struct nbd_ranges raw[2];           /* what the maps marked */
    struct nbd_ranges data, zero;       /* once both are told */
    struct nbd_cursor at_data, at_zero; /* what is not begun yet */
    bool planned;
};

/* Ask both SIDEs (source, destination) for the maps of that part; a LENGTH of
 * 0 asks for nothing.  -1 with ERR, which names side and offset. */
int copy_window_start(struct copy_window *w, struct nbd_disk *const *side,
                      uint64_t offset, uint64_t length, struct qm_error *err);
bool copy_window_has_news(const struct copy_window *w);
/* Take what was told of its extents; with all of it they are planned, in
 * blocks of GRAIN bytes.  -1 as above. */
int copy_window_advance(struct copy_window *w, uint64_t grain,
                        struct qm_error *err);
/* Bytes that read as zeroes on both sides; once it is planned. */
uint64_t copy_window_skipped(const struct copy_window *w);
/* While a map is asked for, only after both sides were abandoned. */
void copy_window_done(struct copy_window *w);

/* "SIDE, at offset N: " in front of ERR.  -1 */
int copy_blame(const char *side, uint64_t offset, struct qm_error *err);

#endif
