/*
 * Requests to an export: each goes to the connection that has least to do.
 */
#include "nbd/disk-private.h"

static int on_done(void *arg, int *error)
{
    struct nbd_request *r = arg;

    r->done = true;
    r->errnum = *error;
    r->channel->under_way--;
    return 1; /* libnbd may forget it */
}

static struct nbd_channel *least_busy(const struct nbd_disk *d)
{
    struct nbd_channel *least = d->channel[0];

    for (size_t i = 1; i < d->count; i++)
        if (d->channel[i]->under_way < least->under_way)
            least = d->channel[i];
    return least;
}

struct nbd_channel *nbd_request_begin(struct nbd_disk *d, const char *failure,
                                      struct nbd_request *r,
                                      nbd_completion_callback *ret_completion,
                                      struct qm_error *err)
{
    struct nbd_channel *c = least_busy(d);

    if (c->link.lost) {
        nbd_explain_loss(c, err);
        return NULL;
    }
    *r = (struct nbd_request){ .channel = c, .failure = failure };
    *ret_completion = (nbd_completion_callback){
        .callback = on_done,
        .user_data = r,
    };
    c->under_way++;
    return c;
}

int nbd_request_started(struct nbd_request *r, int64_t cookie,
                        struct qm_error *err)
{
    if (cookie < 0) {
        r->channel->under_way--;
        return nbd_explain_call(r->channel, err);
    }
    nbd_link_kick(&r->channel->link);
    return 0;
}

int nbd_read_start(struct nbd_disk *d, void *buffer, size_t length,
                   uint64_t offset, struct nbd_request *r, struct qm_error *err)
{
    nbd_completion_callback done;
    struct nbd_channel *c =
        nbd_request_begin(d, "it cannot be read", r, &done, err);

    if (!c)
        return -1;
    return nbd_request_started(
        r, nbd_aio_pread(c->link.h, buffer, length, offset, done, 0), err);
}

int nbd_write_start(struct nbd_disk *d, const void *buffer, size_t length,
                    uint64_t offset, struct nbd_request *r,
                    struct qm_error *err)
{
    nbd_completion_callback done;
    struct nbd_channel *c =
        nbd_request_begin(d, "it cannot be written", r, &done, err);

    if (!c)
        return -1;
    return nbd_request_started(
        r, nbd_aio_pwrite(c->link.h, buffer, length, offset, done, 0), err);
}

int nbd_zero_start(struct nbd_disk *d, uint64_t length, uint64_t offset,
                   bool fast, struct nbd_request *r, struct qm_error *err)
{
    uint32_t flags = fast ? LIBNBD_CMD_FLAG_FAST_ZERO : 0;
    nbd_completion_callback done;
    struct nbd_channel *c =
        nbd_request_begin(d, "zeroes cannot be written", r, &done, err);

    if (!c)
        return -1;
    return nbd_request_started(
        r, nbd_aio_zero(c->link.h, length, offset, done, flags), err);
}

int nbd_flush_start(struct nbd_disk *d, struct nbd_request *r,
                    struct qm_error *err)
{
    nbd_completion_callback done;
    struct nbd_channel *c;

    if (!d->export.can_flush) {
        *r = (struct nbd_request){ .channel = d->channel[0], .done = true };
        return 0;
    }
    c = nbd_request_begin(d, "it cannot be flushed", r, &done, err);
    if (!c)
        return -1;
    return nbd_request_started(r, nbd_aio_flush(c->link.h, done, 0), err);
}

bool nbd_request_is_over(const struct nbd_request *r)
{
    return r->done || r->channel->link.lost;
}

int nbd_request_check(const struct nbd_request *r, struct qm_error *err)
{
    if (!r->done || r->errnum)
        return nbd_explain_answer(r->channel, r->errnum, r->failure, err);
    return 0;
}
