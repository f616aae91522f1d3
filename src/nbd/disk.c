/*
 * Happy path: connect, TLS where it is asked for, NBD_OPT_GO with one meta
 * context; the same again for each further connection.  Then requests
 * (disk-request.c) and questions for extents (disk-map.c).
 *
 * What can fail: the server has no such export, or requests fail there (DISK);
 * it goes away (LINK): then no request that is under way will be answered, and
 * nbd_request_is_over() says so.
 *
 * On close libnbd drops what is under way: its callbacks are not called, and
 * buffers are not written to, any more.
 */
#include "nbd/disk.h"

#include <errno.h>
#include <stdlib.h>

#include "nbd/disk-private.h"

#define LINGERING 100

int nbd_explain_loss(const struct nbd_channel *c, struct qm_error *err)
{
    return error_set(err, QM_ERR_LINK, "%s: the connection ended%s%s", c->name,
                     c->link.why ? ": " : "", c->link.why ? c->link.why : "");
}

/* The end of a connection is an answer too, and libnbd may know of it before
 * the loop does. */
static bool has_ended(const struct nbd_channel *c, int errnum)
{
    return c->link.lost || errnum == ENOTCONN ||
           nbd_aio_is_dead(c->link.h) > 0 || nbd_aio_is_closed(c->link.h) > 0;
}

int nbd_explain_answer(const struct nbd_channel *c, int errnum,
                       const char *failure, struct qm_error *err)
{
    if (has_ended(c, errnum))
        return nbd_explain_loss(c, err);
    return error_set_errno(err, QM_ERR_DISK, errnum, "%s: %s", c->name,
                           failure);
}

int nbd_explain_call(const struct nbd_channel *c, struct qm_error *err)
{
    if (has_ended(c, 0))
        return nbd_explain_loss(c, err);
    return error_set(err, QM_ERR_DISK, "%s: %s", c->name, nbd_get_error());
}

/* --- a connection ----------------------------------------------------- */

static int on_answer(void *arg, int *error)
{
    struct nbd_channel *c = arg;

    c->answered = true;
    c->errnum = *error;
    return 1; /* libnbd may forget it */
}

static bool is_greeted(void *arg)
{
    const struct nbd_channel *c = arg;

    return c->link.lost || nbd_aio_is_negotiating(c->link.h) > 0;
}

static bool is_answered(void *arg)
{
    const struct nbd_channel *c = arg;

    return c->link.lost || c->answered;
}

static void channel_free(struct nbd_channel *c)
{
    if (!c)
        return;
    nbd_link_done(&c->link);
    relay_free(c->relay);
    free(c);
}
DEFINE_CLEANUP(struct nbd_channel *, channel_free)

static int wait_until(const struct nbd_disk *d, struct nbd_channel *c,
                      bool (*holds)(void *arg), deadline_t by,
                      struct qm_error *err)
{
    if (loop_wait(d->loop, holds, c, by))
        return c->link.lost ? nbd_explain_loss(c, err) : 0;
    return error_set(err, QM_ERR_TIMEOUT, "%s: the server stays silent",
                     d->name);
}

static int go(const struct nbd_disk *d, struct nbd_channel *c, deadline_t by,
              struct qm_error *err)
{
    nbd_completion_callback completion = {
        .callback = on_answer,
        .user_data = c,
    };

    if (wait_until(d, c, is_greeted, by, err) < 0)
        return -1;
    if ((d->map && nbd_add_meta_context(c->link.h, d->map) < 0) ||
        nbd_aio_opt_go(c->link.h, completion) < 0)
        return nbd_explain_call(c, err);
    nbd_link_kick(&c->link);
    if (wait_until(d, c, is_answered, by, err) < 0)
        return -1;
    if (c->errnum || nbd_get_size(c->link.h) < 0)
        return nbd_explain_answer(c, c->errnum, "the server does not give it",
                                  err);
    return 0;
}

static struct nbd_channel *channel_open(const struct nbd_disk *d,
                                        const struct nbd_probe *p,
                                        deadline_t by, struct qm_error *err)
{
    CLEANUP(channel_free) struct nbd_channel *c = XNEW(struct nbd_channel);
    CLEANUP_FREE char *server = nbd_server_name(p);
    int fd;

    *c = (struct nbd_channel){ .name = d->name, .link = { .watched = -1 } };
    fd = nbd_attach(d->loop, p, server, by, &c->relay, err);
    if (fd < 0 ||
        nbd_link_open(d->loop, fd, p->export_name, &c->link, err) < 0) {
        error_wrap(err, "%s", d->name);
        return NULL;
    }
    return go(d, c, by, err) < 0 ? NULL : STEAL(c);
}

/* --- the export ------------------------------------------------------- */

/* Told by the first connection. */
static int take_export(struct nbd_disk *d, struct qm_error *err)
{
    struct nbd_channel *c = d->channel[0];

    nbd_read_export(c->link.h, &d->export);
    d->export.tls = c->relay != NULL;
    d->has_map = d->map && nbd_can_meta_context(c->link.h, d->map) > 0;
    if (d->map_kind != MAP_DATA && !d->has_map)
        return error_set(err, QM_ERR_DISK, "%s: it does not show %s", d->name,
                         d->map);
    return 0;
}

static enum nbd_map_kind map_kind(const char *map)
{
    if (map && str_starts(map, NBD_MAP_DIRTY))
        return MAP_DIRTY;
    return str_equal(map, NBD_MAP_TOP) ? MAP_TOP : MAP_DATA;
}

static int add_channel(struct nbd_disk *d, const struct nbd_probe *p,
                       deadline_t by, struct qm_error *err)
{
    struct nbd_channel *c = channel_open(d, p, by, err);

    if (!c)
        return -1;
    d->channel[d->count++] = c;
    if (d->count == 1)
        return take_export(d, err);
    if (nbd_get_size(c->link.h) != (int64_t)d->export.size)
        return error_set(err, QM_ERR_PROTOCOL,
                         "%s: a second connection shows another size", d->name);
    return 0;
}

struct nbd_disk *nbd_disk_open(struct loop *loop, const struct nbd_probe *p,
                               const char *map, size_t connections,
                               deadline_t by, struct qm_error *err)
{
    CLEANUP(nbd_disk_free) struct nbd_disk *d = XNEW(struct nbd_disk);
    CLEANUP_FREE char *server = nbd_server_name(p);

    *d = (struct nbd_disk){
        .loop = loop,
        .name = xasprintf("export \"%s\" at %s", p->export_name, server),
        .map = xstrdup(map),
        .map_kind = map_kind(map),
    };
    do {
        if (add_channel(d, p, by, err) < 0)
            return NULL;
    } while (d->export.can_multi_conn && p->fd < 0 && d->count < connections &&
             d->count < NBD_CONNECTIONS);
    return STEAL(d);
}

const struct nbd_export *nbd_disk_export(const struct nbd_disk *d)
{
    return &d->export;
}

uint64_t nbd_disk_size(const struct nbd_disk *d)
{
    return d->export.size;
}

unsigned nbd_server_connections(size_t exports)
{
    return (unsigned)(exports * (3 + NBD_CONNECTIONS) + LINGERING);
}

size_t nbd_disk_connections(const struct nbd_disk *d)
{
    return d->count;
}

void nbd_disk_abandon(struct nbd_disk *d)
{
    for (size_t i = 0; i < d->count; i++) {
        nbd_link_done(&d->channel[i]->link);
        d->channel[i]->link.lost = true;
    }
}

void nbd_disk_free(struct nbd_disk *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        channel_free(d->channel[i]);
    free(d->name);
    free(d->map);
    free(d);
}
