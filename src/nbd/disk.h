/*
 * An NBD export, open for use: many requests at a time, over several
 * connections where its server allows that, and what it knows of its extents.
 *
 * Nothing here waits by itself but the opening: the caller says how, since
 * what ends its waits is its own affair (struct nbd_waiter).
 */
#ifndef QM_NBD_DISK_H
#define QM_NBD_DISK_H

#include "nbd/probe.h"
#include "nbd/ranges.h"

/* Connections to one export, at most. */
#define NBD_CONNECTIONS 4
/*
 * How many a server of so many exports must allow at once: to each a mirror,
 * the one that follows it, a look and a comparison; and some that linger, or
 * are strangers'.  QEMU's own limit is 100, and it turns away without a word
 * whoever is one too many.
 */
unsigned nbd_server_connections(size_t exports);

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

/* Of an overlay, what its own image has, not what is below it: QEMU's. */
#define NBD_MAP_TOP "qemu:allocation-depth"

struct nbd_disk;

/*
 * Open the export of P; MAP is the one that nbd_map_*() will read, or NULL.
 * Over up to CONNECTIONS (at most NBD_CONNECTIONS), if the server says that
 * they see each other's writes and P does not come with a socket.  NULL with
 * ERR (CONNECT, TLS, DISK, LINK, TIMEOUT) that names the export and the
 * server.
 */
struct nbd_disk *nbd_disk_open(struct loop *loop, const struct nbd_probe *p,
                               const char *map, size_t connections,
                               deadline_t by, struct qm_error *err);
/* What the server told; lives as long as D. */
const struct nbd_export *nbd_disk_export(const struct nbd_disk *d);
uint64_t nbd_disk_size(const struct nbd_disk *d); /* bytes */
size_t nbd_disk_connections(const struct nbd_disk *d);
void nbd_disk_free(struct nbd_disk *d); /* NULL is allowed */
DEFINE_CLEANUP(struct nbd_disk *, nbd_disk_free)
/* End the connections and forget what is under way: buffers may go. */
void nbd_disk_abandon(struct nbd_disk *d);

/* --- requests --------------------------------------------------------- */

/* One, under way; it, and its buffer, must stay where they are until it is
 * over, or its disk was abandoned. */
struct nbd_request {
    struct nbd_channel *channel;
    const char *failure; /* "it cannot be read": for messages */
    bool done;
    int errnum; /* with done; 0: it succeeded */
};

int nbd_read_start(struct nbd_disk *d, void *buffer, size_t length,
                   uint64_t offset, struct nbd_request *r,
                   struct qm_error *err);
int nbd_write_start(struct nbd_disk *d, const void *buffer, size_t length,
                    uint64_t offset, struct nbd_request *r,
                    struct qm_error *err);
/* FAST: rather fail (ENOTSUP) than take the time of a write.  The server may
 * make a hole. */
int nbd_zero_start(struct nbd_disk *d, uint64_t length, uint64_t offset,
                   bool fast, struct nbd_request *r, struct qm_error *err);
/* Of all that has been written over any of the connections; nothing for a
 * server that does not know of it. */
int nbd_flush_start(struct nbd_disk *d, struct nbd_request *r,
                    struct qm_error *err);
/* Done, or never to be: the connection ended. */
bool nbd_request_is_over(const struct nbd_request *r);
/* What became of it.  -1 with ERR: LINK, DISK. */
int nbd_request_check(const struct nbd_request *r, struct qm_error *err);

/* --- extents ---------------------------------------------------------- */

/* A part whose extents are being asked for; it must stay where it is, and
 * INTO too, until the request is over. */
struct nbd_map {
    struct nbd_disk *disk;
    struct nbd_ranges *into;
    uint64_t asked_at, position, end; /* told up to `position` */
    struct nbd_request request;       /* the question that is under way */
};

/*
 * Add to RET those parts of [OFFSET, OFFSET + LENGTH) that the map marks.  A
 * server without NBD_MAP_DATA has data everywhere; one without another map is
 * an error.
 */
int nbd_map_start(struct nbd_disk *d, uint64_t offset, uint64_t length,
                  struct nbd_ranges *ret, struct nbd_map *map,
                  struct qm_error *err);
/* Call it when the request is over: 1 if all is told, 0 if it was asked on,
 * -1 with ERR. */
int nbd_map_advance(struct nbd_map *map, struct qm_error *err);
/* All of that at once. */
int nbd_disk_map(struct nbd_disk *d, uint64_t offset, uint64_t length,
                 const struct nbd_waiter *w, struct nbd_ranges *ret,
                 struct qm_error *err);

#endif
