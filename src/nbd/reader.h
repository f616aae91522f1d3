/*
 * An NBD export, open for reading: many reads at a time, and what the server
 * knows of its extents.
 *
 * Nothing here waits by itself but the opening: the caller says how, since
 * what ends its waits is its own affair (struct nbd_waiter).
 */
#ifndef QM_NBD_READER_H
#define QM_NBD_READER_H

#include "nbd/probe.h"
#include "nbd/ranges.h"

/* How the caller waits: serve the loop until HOLDS(WHAT), which only looks.
 * -1 with ERR: it gave up. */
struct nbd_waiter {
    int (*until)(void *arg, bool (*holds)(void *what), void *what,
                 struct qm_error *err);
    void *arg;
};

/* What to ask of the extents. */
#define NBD_MAP_DATA "base:allocation" /* what may not read as zeroes */
/* Followed by a bitmap's name: what QEMU's bitmap says is dirty. */
#define NBD_MAP_DIRTY "qemu:dirty-bitmap:"

struct nbd_reader;

/*
 * Open the export of P; MAP is the one that nbd_reader_map() will read, or
 * NULL.  NULL with ERR (CONNECT, TLS, DISK, LINK, TIMEOUT) that names the
 * export and the server.
 */
struct nbd_reader *nbd_reader_open(struct loop *loop, const struct nbd_probe *p,
                                   const char *map, deadline_t by,
                                   struct qm_error *err);
uint64_t nbd_reader_size(const struct nbd_reader *r); /* bytes */
void nbd_reader_free(struct nbd_reader *r);           /* NULL is allowed */
DEFINE_CLEANUP(struct nbd_reader *, nbd_reader_free)
/* End the connection and forget what is under way: buffers may go. */
void nbd_reader_abandon(struct nbd_reader *r);

/*
 * Add to RET those parts of [OFFSET, OFFSET + LENGTH) that the map marks.  A
 * server without NBD_MAP_DATA has data everywhere; one without the bitmap is
 * an error.
 */
int nbd_reader_map(struct nbd_reader *r, uint64_t offset, uint64_t length,
                   const struct nbd_waiter *w, struct nbd_ranges *ret,
                   struct qm_error *err);

/* One read, under way; it, and its buffer, must stay where they are until it
 * is over, or its reader was abandoned. */
struct nbd_read {
    struct nbd_reader *reader;
    bool done;
    int errnum; /* with done; 0: BUFFER holds the bytes */
};
int nbd_read_start(struct nbd_reader *r, void *buffer, size_t length,
                   uint64_t offset, struct nbd_read *read,
                   struct qm_error *err);
/* Done, or never to be: the connection ended. */
bool nbd_read_is_over(const struct nbd_read *read);
/* What became of it.  -1 with ERR: LINK, DISK. */
int nbd_read_check(const struct nbd_read *read, struct qm_error *err);

#endif
