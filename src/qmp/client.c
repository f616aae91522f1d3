/*
 * A QMP client that survives its link: see client.h, and client-internal.h
 * for what is where.
 */
#include <stdlib.h>

#include "qmp/client-internal.h"

enum { GIVE_UP_MS = 30000 };

static void copy_address(struct qmp_address *to, const struct qmp_address *from)
{
    to->type = from->type;
    to->text = xstrdup(from->text);
    to->path = xstrdup(from->path);
    to->user = xstrdup(from->user);
    to->host = xstrdup(from->host);
    to->port = from->port;
}

static struct qmp *make(struct loop *loop, const struct qmp_address *address,
                        const struct qmp_options *options)
{
    struct qmp *q = XNEW(struct qmp);

    q->loop = loop;
    copy_address(&q->address, address);
    q->dir = xstrdup(options->dir);
    if (address->type == QMP_ADDRESS_TLS) {
        q->tls_dir = xstrdup(options->tls_dir);
    }
    q->who = options->who;
    q->callbacks = options->callbacks;
    q->fd = -1;
    q->peer_pid = -1;
    q->give_up_ms = GIVE_UP_MS;
    q->hurry_by = DEADLINE_NEVER;
    q->wire = wire_new();
    q->version.package = xstrdup("");
    link_make_timers(q);
    return q;
}

void qmp_close(struct qmp *q)
{
    if (!q) {
        return;
    }
    link_take_down(q);
    requests_orphan(q);
    loop_timer_free(q->step);
    loop_timer_free(q->limit);
    loop_timer_free(q->give_up);
    wire_free(q->wire);
    error_clear(&q->reason);
    qmp_address_done(&q->address);
    free(q->version.package);
    strv_done(&q->numerics);
    buffer_done(&q->tried);
    free(q->tls_dir);
    free(q->dir);
    free(q);
}

static bool is_settled(void *arg)
{
    const struct qmp *q = arg;

    return q->state == LINK_READY || q->state == LINK_GONE;
}

static int explain_slow_opening(const struct qmp *q, struct qm_error *err)
{
    if (q->state == LINK_GREETING || q->state == LINK_SECURING) {
        return error_set(err, QM_ERR_BUSY,
                         "%s: the monitor at %s did not greet in time: another "
                         "client may hold it",
                         q->who, q->address.text);
    }
    return error_set(err, QM_ERR_CONNECT, "%s: no connection to %s in time",
                     q->who, q->address.text);
}

/* Give the reason of Q to ERR: -1. */
static int explain(struct qmp *q, struct qm_error *err)
{
    error_wrap(&q->reason, "%s", q->who);
    return error_move(err, &q->reason);
}

struct qmp *qmp_open(struct loop *loop, const struct qmp_address *address,
                     const struct qmp_options *options, deadline_t by,
                     struct qm_error *err)
{
    CLEANUP(qmp_close) struct qmp *q = make(loop, address, options);

    if (address->type == QMP_ADDRESS_TCP || address->type == QMP_ADDRESS_TLS) {
        if (resolve_addresses(address->host, &q->numerics, err) < 0) {
            error_wrap(err, "%s", q->who);
            return NULL;
        }
        q->numeric = q->numerics.item[0];
    }
    link_begin(q);
    if (!loop_wait(loop, is_settled, q, by)) {
        explain_slow_opening(q, err);
        return NULL;
    }
    if (q->state == LINK_GONE) {
        explain(q, err);
        return NULL;
    }
    return STEAL(q);
}

int qmp_wait_up(struct qmp *q, deadline_t by, struct qm_error *err)
{
    const char *why;

    if (loop_wait(q->loop, is_settled, q, by) && q->state == LINK_READY) {
        return 0;
    }
    why = q->reason.message;
    return error_set(err, QM_ERR_LINK, "%s: the link to QEMU %s%s%s", q->who,
                     q->state == LINK_GONE ? "is gone" : "did not come back",
                     why ? ": " : "", why ? why : "");
}

const char *qmp_who(const struct qmp *q)
{
    return q->who;
}

const struct qmp_version *qmp_version(const struct qmp *q)
{
    return &q->version;
}

bool qmp_version_at_least(const struct qmp *q, int major, int minor, int micro)
{
    const struct qmp_version *v = &q->version;

    if (v->major != major) {
        return v->major > major;
    }
    if (v->minor != minor) {
        return v->minor > minor;
    }
    return v->micro >= micro;
}

bool qmp_has_oob(const struct qmp *q)
{
    return q->oob;
}

bool qmp_is_up(const struct qmp *q)
{
    return q && q->state == LINK_READY;
}

bool qmp_is_gone(const struct qmp *q)
{
    return !q || q->state == LINK_GONE;
}

unsigned qmp_generation(const struct qmp *q)
{
    return q->generation;
}

const char *qmp_peer_address(const struct qmp *q)
{
    return q->numeric;
}

int qmp_peer_pid(const struct qmp *q)
{
    return q->peer_pid;
}
