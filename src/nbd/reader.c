/*
 * Happy path: connect, TLS where it is asked for, NBD_OPT_GO with one meta
 * context; then NBD_CMD_READ and NBD_CMD_BLOCK_STATUS.
 *
 * What can fail: the server has no such export, or reads fail there (DISK); it
 * goes away (LINK): then no command that is under way will be answered, and
 * nbd_read_is_over() says so.
 *
 * On close libnbd drops what is under way: its callbacks are not called, and
 * buffers are not written to, any more.
 */
#include "nbd/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbd/internal.h"

#define MAP_CHUNK (1 * GIB) /* to ask of at once: lengths have 32 bits */
#define DIRTY_BIT 1u        /* of QEMU's bitmaps (its docs/interop/nbd.txt) */

struct nbd_reader {
    struct loop *loop;
    char *name; /* export "disk0" at 10.0.0.2:49153: for messages */
    char *map;  /* or NULL */
    bool is_dirty_map;
    struct relay *relay; /* NULL: clear */
    struct nbd_link link;
    uint64_t size;
    bool has_map;

    /* Recorded by libnbd's callbacks, read by steps */
    bool answered;
    int errnum;
    struct nbd_ranges *into; /* nbd_reader_map(): where to add */
    uint64_t position, end;  /* the same: how far it is told */
};

static int on_answer(void *arg, int *error)
{
    struct nbd_reader *r = arg;

    r->answered = true;
    r->errnum = *error;
    return 1; /* libnbd may forget it */
}

static bool is_greeted(void *arg)
{
    const struct nbd_reader *r = arg;

    return r->link.lost || nbd_aio_is_negotiating(r->link.h) > 0;
}

static bool is_answered(void *arg)
{
    const struct nbd_reader *r = arg;

    return r->link.lost || r->answered;
}

static int explain_loss(const struct nbd_reader *r, struct qm_error *err)
{
    return error_set(err, QM_ERR_LINK, "%s: the connection ended%s%s", r->name,
                     r->link.why ? ": " : "", r->link.why ? r->link.why : "");
}

/* The end of a connection is an answer too, and libnbd may know of it before
 * the loop does. */
static bool has_ended(const struct nbd_reader *r, int errnum)
{
    return r->link.lost || errnum == ENOTCONN ||
           nbd_aio_is_dead(r->link.h) > 0 || nbd_aio_is_closed(r->link.h) > 0;
}

static int explain_answer(const struct nbd_reader *r, int errnum,
                          const char *what, struct qm_error *err)
{
    if (has_ended(r, errnum))
        return explain_loss(r, err);
    return error_set_errno(err, QM_ERR_DISK, errnum, "%s: %s", r->name, what);
}

/* libnbd did not even take the command. */
static int explain_call(const struct nbd_reader *r, struct qm_error *err)
{
    if (has_ended(r, 0))
        return explain_loss(r, err);
    return error_set(err, QM_ERR_DISK, "%s: %s", r->name, nbd_get_error());
}

/* --- opening ---------------------------------------------------------- */

static int wait_until(struct nbd_reader *r, bool (*holds)(void *arg),
                      deadline_t by, struct qm_error *err)
{
    if (loop_wait(r->loop, holds, r, by))
        return r->link.lost ? explain_loss(r, err) : 0;
    return error_set(err, QM_ERR_TIMEOUT, "%s: the server stays silent",
                     r->name);
}

static int go(struct nbd_reader *r, deadline_t by, struct qm_error *err)
{
    nbd_completion_callback completion = {
        .callback = on_answer,
        .user_data = r,
    };
    int64_t size;

    if (wait_until(r, is_greeted, by, err) < 0)
        return -1;
    if ((r->map && nbd_add_meta_context(r->link.h, r->map) < 0) ||
        nbd_aio_opt_go(r->link.h, completion) < 0)
        return explain_call(r, err);
    nbd_link_kick(&r->link);
    if (wait_until(r, is_answered, by, err) < 0)
        return -1;
    size = r->errnum ? -1 : nbd_get_size(r->link.h);
    if (size < 0)
        return explain_answer(r, r->errnum, "the server does not give it", err);
    r->size = (uint64_t)size;
    r->has_map = r->map && nbd_can_meta_context(r->link.h, r->map) > 0;
    if (r->is_dirty_map && !r->has_map)
        return error_set(err, QM_ERR_DISK, "%s: it does not show %s", r->name,
                         r->map);
    return 0;
}

struct nbd_reader *nbd_reader_open(struct loop *loop, const struct nbd_probe *p,
                                   const char *map, deadline_t by,
                                   struct qm_error *err)
{
    CLEANUP(nbd_reader_free) struct nbd_reader *r = XNEW(struct nbd_reader);
    CLEANUP_FREE char *server = nbd_server_name(p);
    int fd;

    *r = (struct nbd_reader){
        .loop = loop,
        .name = xasprintf("export \"%s\" at %s", p->export_name, server),
        .map = xstrdup(map),
        .is_dirty_map = map && str_starts(map, NBD_MAP_DIRTY),
        .link = { .watched = -1 },
    };
    fd = nbd_attach(loop, p, server, by, &r->relay, err);
    if (fd < 0 || nbd_link_open(loop, fd, p->export_name, &r->link, err) < 0) {
        error_wrap(err, "%s", r->name);
        return NULL;
    }
    return go(r, by, err) < 0 ? NULL : STEAL(r);
}

uint64_t nbd_reader_size(const struct nbd_reader *r)
{
    return r->size;
}

void nbd_reader_abandon(struct nbd_reader *r)
{
    nbd_link_done(&r->link);
    r->link.lost = true;
}

void nbd_reader_free(struct nbd_reader *r)
{
    if (!r)
        return;
    nbd_link_done(&r->link);
    relay_free(r->relay);
    free(r->name);
    free(r->map);
    free(r);
}

/* --- the map ---------------------------------------------------------- */

static bool is_marked(const struct nbd_reader *r, uint32_t flags)
{
    return r->is_dirty_map ? flags & DIRTY_BIT : !(flags & LIBNBD_STATE_ZERO);
}

/* Pairs of length and flags; the last may go beyond what was asked. */
static int on_extents(void *arg, const char *map, uint64_t offset,
                      uint32_t *entries, size_t count, int *error)
{
    struct nbd_reader *r = arg;

    (void)error;
    if (!str_equal(map, r->map) || offset != r->position)
        return 0;
    for (size_t i = 0; i + 1 < count && r->position < r->end; i += 2) {
        uint64_t length = entries[i], left = r->end - r->position;

        if (length > left)
            length = left;
        if (is_marked(r, entries[i + 1]))
            nbd_ranges_add(r->into, r->position, length);
        r->position += length;
    }
    return 0;
}

/* One question, which may be answered in part. */
static int ask_map(struct nbd_reader *r, const struct nbd_waiter *w,
                   struct qm_error *err)
{
    nbd_extent_callback extent = { .callback = on_extents, .user_data = r };
    nbd_completion_callback completion = {
        .callback = on_answer,
        .user_data = r,
    };
    uint64_t before = r->position, length = r->end - before;

    if (r->link.lost)
        return explain_loss(r, err);
    r->answered = false;
    if (nbd_aio_block_status(r->link.h, length > MAP_CHUNK ? MAP_CHUNK : length,
                             before, extent, completion, 0) < 0)
        return explain_call(r, err);
    nbd_link_kick(&r->link);
    if (w->until(w->arg, is_answered, r, err) < 0)
        return -1;
    if (r->link.lost || r->errnum)
        return explain_answer(r, r->errnum, "its extents are not told", err);
    if (r->position == before)
        return error_set(err, QM_ERR_PROTOCOL,
                         "%s: the server told nothing of offset %llu", r->name,
                         (unsigned long long)before);
    return 0;
}

int nbd_reader_map(struct nbd_reader *r, uint64_t offset, uint64_t length,
                   const struct nbd_waiter *w, struct nbd_ranges *ret,
                   struct qm_error *err)
{
    if (!r->has_map) {
        nbd_ranges_add(ret, offset, length);
        return 0;
    }
    r->into = ret;
    r->position = offset;
    r->end = offset + length;
    while (r->position < r->end)
        if (ask_map(r, w, err) < 0) {
            r->end = r->position; /* a late answer adds nothing to RET */
            return -1;
        }
    return 0;
}

/* --- reading ---------------------------------------------------------- */

static int on_read(void *arg, int *error)
{
    struct nbd_read *read = arg;

    read->done = true;
    read->errnum = *error;
    return 1; /* libnbd may forget it */
}

int nbd_read_start(struct nbd_reader *r, void *buffer, size_t length,
                   uint64_t offset, struct nbd_read *read, struct qm_error *err)
{
    nbd_completion_callback completion = {
        .callback = on_read,
        .user_data = read,
    };

    *read = (struct nbd_read){ .reader = r };
    if (r->link.lost)
        return explain_loss(r, err);
    if (nbd_aio_pread(r->link.h, buffer, length, offset, completion, 0) < 0)
        return explain_call(r, err);
    nbd_link_kick(&r->link);
    return 0;
}

bool nbd_read_is_over(const struct nbd_read *read)
{
    return read->done || read->reader->link.lost;
}

int nbd_read_check(const struct nbd_read *read, struct qm_error *err)
{
    if (!read->done || read->errnum)
        return explain_answer(read->reader, read->errnum, "it cannot be read",
                              err);
    return 0;
}
