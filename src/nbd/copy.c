/*
 * Happy path: the maps of both sides are asked for in windows, the next one
 * while the last is being copied.  What the source has there becomes reads,
 * each followed by a write from the same buffer; what only the destination
 * has becomes zeroes.  SLOTS of them are under way, in no order.
 *
 * Zeroes: at first in large pieces that must be fast; once the server says
 * that they are not, in such that a slow one does not hold up the rest; as
 * data where it knows no other way.  A read that brought nothing but zeroes
 * is written as such.
 *
 * What can fail: any request; the first failure ends the copy, and what else
 * is under way is dropped with its connections.
 */
#include "nbd/copy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbd/copy-window.h"

/* More under way does not make it faster on one machine (./dev bench disks):
 * the servers' buffers then no longer fit their caches. */
enum {
    SLOTS = 16,
    CHUNK = 256 * 1024,           /* bytes of a read or write */
    SLOW_ZERO = 32 * 1024 * 1024, /* bytes of zeroes that may be slow */
    GRAIN = 4096,                 /* what extents are rounded to */
};
#define WINDOW (1 * GIB) /* whose maps are asked for at once */

enum slot_state { SLOT_FREE, SLOT_READS, SLOT_WRITES, SLOT_ZEROES };

struct slot {
    enum slot_state state;
    char *buffer; /* of CHUNK bytes, made when first used */
    uint64_t offset, length;

    /* Of SLOT_ZEROES: what is done, and what is under way */
    uint64_t zeroed, asked;
    bool asked_fast;

    struct nbd_request request;
};

struct run {
    struct nbd_copy *c;
    uint64_t size, grain, chunk;
    struct copy_window window[2]; /* the current one, and the next */
    size_t current;
    uint64_t mapped; /* windows were begun up to here */
    bool zero_is_slow;
    char *zeroes; /* CHUNK of them, for a server that only knows data */
    struct slot slot[SLOTS];
};

/* --- windows ---------------------------------------------------------- */

static int start_window(struct run *r, struct copy_window *w,
                        struct qm_error *err)
{
    struct nbd_disk *const side[2] = { r->c->source, r->c->destination };
    uint64_t offset = r->mapped, left = r->size - offset;

    r->mapped += left < WINDOW ? left : WINDOW;
    return copy_window_start(w, side, offset, r->mapped - offset, err);
}

static int advance_window(struct run *r, struct copy_window *w,
                          struct qm_error *err)
{
    bool was_planned = w->planned;

    if (copy_window_advance(w, r->grain, err) < 0)
        return -1;
    if (w->planned && !was_planned)
        r->c->skipped_bytes += copy_window_skipped(w);
    return 0;
}

/* --- slots ------------------------------------------------------------ */

static int start_read(struct run *r, struct slot *s, struct qm_error *err)
{
    if (!s->buffer)
        s->buffer = xcalloc(1, CHUNK);
    s->state = SLOT_READS;
    if (nbd_read_start(r->c->source, s->buffer, (size_t)s->length, s->offset,
                       &s->request, err) < 0)
        return copy_blame("source", s->offset, err);
    return 0;
}

/* What may be asked for at once. */
static uint64_t zero_piece(const struct run *r)
{
    return r->zeroes ? r->chunk : r->zero_is_slow ? SLOW_ZERO : WINDOW;
}

/* The next piece of what is to be zeroes. */
static int continue_zero(struct run *r, struct slot *s, struct qm_error *err)
{
    struct nbd_disk *to = r->c->destination;
    uint64_t at = s->offset + s->zeroed, left = s->length - s->zeroed;
    int rc;

    s->asked = left < zero_piece(r) ? left : zero_piece(r);
    s->asked_fast = !r->zeroes && !r->zero_is_slow;
    if (r->zeroes)
        rc = nbd_write_start(to, r->zeroes, (size_t)s->asked, at, &s->request,
                             err);
    else
        rc = nbd_zero_start(to, s->asked, at, s->asked_fast, &s->request, err);
    return rc < 0 ? copy_blame("destination", at, err) : 0;
}

static int start_zero(struct run *r, struct slot *s, struct qm_error *err)
{
    s->state = SLOT_ZEROES;
    s->zeroed = 0;
    return continue_zero(r, s, err);
}

static bool is_zero(const char *bytes, size_t length)
{
    size_t head = length < 16 ? length : 16;

    for (size_t i = 0; i < head; i++)
        if (bytes[i])
            return false;
    return memcmp(bytes, bytes + head, length - head) == 0;
}

static int start_write(struct run *r, struct slot *s, struct qm_error *err)
{
    if (is_zero(s->buffer, (size_t)s->length))
        return start_zero(r, s, err);
    s->state = SLOT_WRITES;
    if (nbd_write_start(r->c->destination, s->buffer, (size_t)s->length,
                        s->offset, &s->request, err) < 0)
        return copy_blame("destination", s->offset, err);
    return 0;
}

static int advance_read(struct run *r, struct slot *s, struct qm_error *err)
{
    if (nbd_request_check(&s->request, err) < 0)
        return copy_blame("source", s->offset, err);
    return start_write(r, s, err);
}

static int advance_write(struct run *r, struct slot *s, struct qm_error *err)
{
    if (nbd_request_check(&s->request, err) < 0)
        return copy_blame("destination", s->offset, err);
    r->c->written_bytes += s->length;
    s->state = SLOT_FREE;
    return 0;
}

static int advance_zero(struct run *r, struct slot *s, struct qm_error *err)
{
    bool refused = s->request.done && (s->request.errnum == ENOTSUP ||
                                       s->request.errnum == EOPNOTSUPP);

    if (refused && s->asked_fast) {
        r->zero_is_slow = true;
        return continue_zero(r, s, err);
    }
    if (nbd_request_check(&s->request, err) < 0)
        return copy_blame("destination", s->offset + s->zeroed, err);
    s->zeroed += s->asked;
    r->c->zeroed_bytes += s->asked;
    if (s->zeroed < s->length)
        return continue_zero(r, s, err);
    s->state = SLOT_FREE;
    return 0;
}

static int advance_slot(struct run *r, struct slot *s, struct qm_error *err)
{
    static int (*const advance[])(struct run * r, struct slot * s,
                                  struct qm_error * err) = {
        [SLOT_READS] = advance_read,
        [SLOT_WRITES] = advance_write,
        [SLOT_ZEROES] = advance_zero,
    };

    return advance[s->state](r, s, err);
}

/* --- the whole -------------------------------------------------------- */

/* Begin what the current window still has, in this slot. */
static int fill_slot(struct run *r, struct slot *s, bool *ret_filled,
                     struct qm_error *err)
{
    struct copy_window *w = &r->window[r->current];
    int rc;

    if (!w->planned)
        return 0;
    if (nbd_cursor_next(&w->at_data, r->chunk, &s->offset, &s->length))
        rc = start_read(r, s, err);
    else if (nbd_cursor_next(&w->at_zero, zero_piece(r), &s->offset,
                             &s->length))
        rc = start_zero(r, s, err);
    else
        return 0;
    *ret_filled = true;
    return rc;
}

/* Nothing is left to be begun in the current window: on to the next. */
static int turn_window(struct run *r, struct qm_error *err)
{
    struct copy_window *w = &r->window[r->current];

    if (!w->planned || r->window[!r->current].length == 0)
        return 0;
    r->current = !r->current;
    return start_window(r, w, err);
}

static int fill(struct run *r, struct qm_error *err)
{
    for (size_t i = 0; i < SLOTS; i++) {
        bool filled = false;

        if (r->slot[i].state != SLOT_FREE)
            continue;
        if (fill_slot(r, &r->slot[i], &filled, err) < 0)
            return -1;
        if (!filled && (turn_window(r, err) < 0 ||
                        fill_slot(r, &r->slot[i], &filled, err) < 0))
            return -1;
        if (!filled)
            return 0;
    }
    return 0;
}

static bool slot_has_news(const struct slot *s)
{
    return s->state != SLOT_FREE && nbd_request_is_over(&s->request);
}

static bool has_news(void *arg)
{
    const struct run *r = arg;

    for (size_t i = 0; i < SLOTS; i++)
        if (slot_has_news(&r->slot[i]))
            return true;
    return copy_window_has_news(&r->window[0]) ||
           copy_window_has_news(&r->window[1]);
}

static int advance(struct run *r, struct qm_error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (advance_window(r, &r->window[i], err) < 0)
            return -1;
    for (size_t i = 0; i < SLOTS; i++)
        if (slot_has_news(&r->slot[i]) && advance_slot(r, &r->slot[i], err) < 0)
            return -1;
    return fill(r, err);
}

static bool is_complete(const struct run *r)
{
    const struct nbd_copy *c = r->c;

    return c->written_bytes + c->zeroed_bytes + c->skipped_bytes == r->size;
}

static int copy_all(struct run *r, struct qm_error *err)
{
    const struct nbd_copy *c = r->c;

    for (size_t i = 0; i < 2; i++)
        if (start_window(r, &r->window[i], err) < 0)
            return -1;
    for (;;) {
        if (advance(r, err) < 0)
            return -1;
        if (c->progress)
            c->progress(c->progress_arg,
                        c->written_bytes + c->zeroed_bytes + c->skipped_bytes);
        if (is_complete(r))
            return 0;
        if (c->waiter->until(c->waiter->arg, has_news, r, err) < 0)
            return -1;
    }
}

static bool is_flushed(void *arg)
{
    return nbd_request_is_over(arg);
}

static int flush(struct nbd_copy *c, struct qm_error *err)
{
    struct nbd_request request;

    if (nbd_flush_start(c->destination, &request, err) < 0 ||
        c->waiter->until(c->waiter->arg, is_flushed, &request, err) < 0 ||
        nbd_request_check(&request, err) < 0) {
        nbd_disk_abandon(c->destination); /* REQUEST is gone */
        return error_wrap(err, "destination");
    }
    return 0;
}

static void run_init(struct run *r, struct nbd_copy *c)
{
    const struct nbd_export *from = nbd_disk_export(c->source);
    const struct nbd_export *to = nbd_disk_export(c->destination);
    uint32_t max = from->request_max < to->request_max ? from->request_max
                                                       : to->request_max;

    *r = (struct run){
        .c = c,
        .size = from->size,
        .grain = GRAIN,
        .chunk = max < CHUNK ? max : CHUNK,
        .zero_is_slow = !to->can_fast_zero,
        .zeroes = to->can_zero ? NULL : xcalloc(1, CHUNK),
    };
    if (from->block_min > r->grain)
        r->grain = from->block_min;
    if (to->block_min > r->grain)
        r->grain = to->block_min;
    c->written_bytes = c->zeroed_bytes = c->skipped_bytes = 0;
}

static void run_done(struct run *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        free(r->slot[i].buffer);
    copy_window_done(&r->window[0]);
    copy_window_done(&r->window[1]);
    free(r->zeroes);
}

int nbd_copy(struct nbd_copy *c, struct qm_error *err)
{
    struct run *r = XNEW(struct run);
    int rc;

    assert(nbd_disk_size(c->source) <= nbd_disk_size(c->destination));
    run_init(r, c);
    rc = copy_all(r, err);
    if (rc < 0) { /* nothing must come to buffers that are gone */
        nbd_disk_abandon(c->source);
        nbd_disk_abandon(c->destination);
    }
    run_done(r);
    free(r);
    return rc < 0 ? -1 : flush(c, err);
}
