/*
 * The states of the link.
 *
 * happy path   (FORWARDING, with ssh) CONNECTING, (SECURING, with TLS)
 *              GREETING, NEGOTIATING, READY; each but the last has a limit.
 * what fails   link_fail() remembers the reason and leaves the rest to a
 *              timer, so that no callback frees what it was called from: the
 *              link is taken down, what was asked ends with LINK, and after a
 *              back-off it is opened again, until it has been down for
 *              give_up_ms.  A first opening that fails is not repeated.
 * on close     link_take_down().
 *
 * While the link is opened again a refused or missing socket is no reason to
 * stop earlier: who listens there may be on its way.
 */
#include <assert.h>
#include <errno.h>

#include "qmp/client-internal.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 2000,
    TCP_CONNECT_MS = 10000, /* in all, where a name has several addresses, */
    TCP_ADDRESS_MS = 2500,  /* but not less for each */
    FORWARD_MS = 30000,     /* ssh: 10 s to connect, then keys and login */
    QUEUE_FULL_MS = 50,     /* no event tells when a listener has room again */
    NOT_LISTENING_MS = 2,   /* between ssh's bind() and listen() */
};

static void connect_now(struct qmp *q);

void link_enter(struct qmp *q, enum link_state state, int64_t limit_ms)
{
    q->state = state;
    if (limit_ms > 0) {
        loop_timer_start(q->limit, limit_ms);
    } else {
        loop_timer_stop(q->limit);
    }
}

void link_fail(struct qmp *q, struct qm_error *err)
{
    if (q->state == LINK_FAILED || q->state == LINK_GONE ||
        q->state == LINK_WAITING) {
        error_clear(err);
        return;
    }
    error_clear(&q->reason);
    error_move(&q->reason, err);
    if (q->watch) {
        loop_watch_set(q->watch, 0);
    }
    link_enter(q, LINK_FAILED, 0);
    loop_timer_start(q->step, 0);
}

void link_is_ready(struct qmp *q)
{
    bool again = q->opened;

    link_enter(q, LINK_READY, 0);
    loop_timer_stop(q->give_up);
    error_clear(&q->reason);
    q->backoff_ms = BACKOFF_FIRST_MS;
    q->opened = true;
    q->was_up = true;
    q->generation++;
    if (again && q->callbacks.on_link) {
        q->callbacks.on_link(q->callbacks.arg, true);
    }
}

void link_take_down(struct qmp *q)
{
    loop_watch_free(STEAL(q->watch));
    stream_close(STEAL(q->stream));
    close_fd(q->fd);
    q->fd = -1;
    forward_free(STEAL(q->forward));
    wire_reset(q->wire);
    buffer_done(&q->out);
}

void link_end(struct qmp *q)
{
    q->no_more = true;
    loop_timer_stop(q->step);
    loop_timer_stop(q->give_up);
    link_enter(q, LINK_GONE, 0);
}

/* --- opening ------------------------------------------------------------ */

static void fail_connect(struct qmp *q, int errnum)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    error_set_errno(&err, QM_ERR_CONNECT, errnum, "cannot connect to %s",
                    q->address.text);
    if (errnum == ECONNREFUSED && q->address.type == QMP_ADDRESS_UNIX) {
        error_hint(&err, "the socket is there but no process listens: has the "
                         "QEMU behind it ended?");
    }
    link_fail(q, &err);
}

static void connection_settled(void *arg, unsigned ready)
{
    struct qmp *q = arg;
    int failure = socket_result(q->fd);
    int fd = q->fd;

    (void)ready;
    if (failure != 0) {
        fail_connect(q, failure);
        return;
    }
    loop_watch_free(STEAL(q->watch));
    q->fd = -1;
    if (q->address.type == QMP_ADDRESS_TLS) {
        secure_begin(q, fd);
        return;
    }
    link_enter(q, LINK_GREETING, GREETING_MS);
    talk_begin(q, stream_from_fd(fd));
}

/* Not yet, but soon: within the limit of CONNECTING. */
static bool is_worth_a_retry(const struct qmp *q, int errnum,
                             int64_t *ret_after_ms)
{
    if (!q->numeric && errnum == EAGAIN) {
        *ret_after_ms = QUEUE_FULL_MS;
        return true;
    }
    if (q->address.type == QMP_ADDRESS_SSH && errnum == ECONNREFUSED) {
        *ret_after_ms = NOT_LISTENING_MS;
        return true;
    }
    return false;
}

static void connect_now(struct qmp *q)
{
    bool done;
    int errnum, fd;
    int64_t after_ms;

    if (q->numeric) {
        fd = socket_start_tcp(q->numeric, q->address.port, &done, &errnum);
    } else {
        fd = socket_start_unix(q->forward ? forward_path(q->forward)
                                          : q->address.path,
                               &done, &errnum);
    }
    if (fd < 0) {
        if (is_worth_a_retry(q, errnum, &after_ms)) {
            loop_timer_start(q->step, after_ms);
        } else {
            fail_connect(q, errnum);
        }
        return;
    }
    if (!done) {
        q->fd = fd;
        q->watch =
            loop_watch_fd(q->loop, fd, LOOP_WRITE, connection_settled, q);
        return;
    }
    if (q->address.type == QMP_ADDRESS_TLS) {
        secure_begin(q, fd);
        return;
    }
    /* the limit goes on where a listener's queue was full: it is the same
     * monitor that does not greet */
    q->state = LINK_GREETING;
    talk_begin(q, stream_from_fd(fd));
}

static void forward_changed(void *arg)
{
    struct qmp *q = arg;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (forward_state(q->forward) == FORWARD_ENDED) {
        forward_explain(q->forward, &err);
        link_fail(q, &err);
    } else if (q->state == LINK_FORWARDING) {
        link_enter(q, LINK_CONNECTING, GREETING_MS);
        connect_now(q);
    }
}

static int64_t connect_limit_ms(const struct qmp *q)
{
    int64_t share_ms;

    if (!q->numeric) {
        return GREETING_MS;
    }
    share_ms = TCP_CONNECT_MS / (int64_t)q->numerics.count;
    return q->opened || share_ms > TCP_ADDRESS_MS ? share_ms : TCP_ADDRESS_MS;
}

void link_begin(struct qmp *q)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (q->address.type != QMP_ADDRESS_SSH) {
        link_enter(q, LINK_CONNECTING, connect_limit_ms(q));
        connect_now(q);
        return;
    }
    link_enter(q, LINK_FORWARDING, FORWARD_MS);
    q->forward = forward_start(q->loop, &q->address, q->dir, q->who,
                               forward_changed, q, &err);
    if (!q->forward) {
        link_fail(q, &err);
    }
}

/* --- the timers --------------------------------------------------------- */

/*
 * A name may have several addresses, one of which is stale, or leads to a
 * network that is not there: the next one's turn.  Is there any?
 */
static bool try_next_address(struct qmp *q)
{
    const char *why = q->reason.message;

    if (q->opened || q->no_more || q->numerics.count < 2) {
        return false;
    }
    buffer_printf(&q->tried, "%s%s: %s", q->tried.len > 0 ? "; " : "",
                  q->numeric, why ? why : "");
    if (q->turn + 1 == q->numerics.count) {
        CLEANUP(error_clear) struct qm_error all = QM_ERROR_INIT;

        error_set(&all, q->reason.code,
                  "none of the addresses of %s answers (%s)", q->address.host,
                  q->tried.data);
        if (q->reason.hint) {
            error_hint(&all, "%s", q->reason.hint);
        }
        error_clear(&q->reason);
        error_move(&q->reason, &all);
        return false;
    }
    q->numeric = q->numerics.item[++q->turn];
    link_enter(q, LINK_WAITING, 0);
    loop_timer_start(q->step, 0);
    return true;
}

/* A LINK_FAILED is dealt with; what comes next? */
static void after_failure(struct qmp *q)
{
    bool was_up = q->was_up;

    link_take_down(q);
    q->was_up = false;
    if (try_next_address(q)) {
        return;
    }
    if (was_up) {
        q->down_since_ms = clock_now_ms();
        loop_timer_start(q->give_up, q->give_up_ms);
    }
    if (!q->opened || q->no_more || q->give_up_ms == 0) {
        link_end(q);
    } else {
        link_enter(q, LINK_WAITING, 0);
        loop_timer_start(q->step, q->backoff_ms);
        q->backoff_ms = q->backoff_ms * 2 < BACKOFF_MAX_MS ? q->backoff_ms * 2
                                                           : BACKOFF_MAX_MS;
    }
    requests_fail(q);
    if (was_up && q->callbacks.on_link) {
        q->callbacks.on_link(q->callbacks.arg, false);
    }
}

static void step_fires(void *arg)
{
    struct qmp *q = arg;

    switch (q->state) {
    case LINK_FAILED:
        after_failure(q);
        break;
    case LINK_WAITING:
        link_begin(q);
        break;
    case LINK_CONNECTING:
        connect_now(q);
        break;
    default:
        assert(!"no step is due in this state");
    }
}

static void fail_greeting(const struct qmp *q, struct qm_error *err)
{
    error_set(err, QM_ERR_BUSY,
              "the monitor at %s did not greet within %d s: "
              "another client holds it (libvirt?), or it is not a QMP monitor "
              "(the socket of a guest agent?)",
              q->address.text, GREETING_MS / 1000);
    error_hint(err, "end that client, or give this QEMU a second monitor: "
                    "-qmp unix:/PATH,server=on,wait=off");
}

static void limit_fires(void *arg)
{
    struct qmp *q = arg;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (q->state == LINK_GREETING || q->state == LINK_SECURING ||
        (q->state == LINK_CONNECTING && q->address.type == QMP_ADDRESS_UNIX)) {
        fail_greeting(q, &err);
    } else if (q->state == LINK_NEGOTIATING) {
        error_set(&err, QM_ERR_TIMEOUT,
                  "the monitor at %s did not answer qmp_capabilities in time",
                  q->address.text);
    } else {
        CLEANUP_FREE char *reason =
            ssh_reason(q->forward ? forward_complaint(q->forward) : "");

        error_set(&err, QM_ERR_CONNECT, "no connection to %s in time%s%s",
                  q->address.text, *reason ? ": " : "", reason);
    }
    link_fail(q, &err);
}

static void give_up_fires(void *arg)
{
    struct qmp *q = arg;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    q->no_more = true;
    if (q->state == LINK_WAITING) {
        link_end(q);
    } else if (q->state != LINK_FAILED) {
        error_set(&err, QM_ERR_CONNECT, "no answer from %s in time",
                  q->address.text);
        link_fail(q, &err);
    }
}

/* --- for client.c ------------------------------------------------------- */

void qmp_give_up_after(struct qmp *q, int64_t ms)
{
    q->give_up_ms = ms;
    if (q->opened && !q->was_up && q->state != LINK_GONE) {
        int64_t rest = q->down_since_ms + ms - clock_now_ms();

        loop_timer_start(q->give_up, rest > 0 ? rest : 0);
    }
}

void qmp_expect_end(struct qmp *q)
{
    q->no_more = true;
    if (q->state == LINK_WAITING) {
        link_end(q);
    }
}

void link_make_timers(struct qmp *q)
{
    q->step = loop_timer_new(q->loop, step_fires, q);
    q->limit = loop_timer_new(q->loop, limit_fires, q);
    q->give_up = loop_timer_new(q->loop, give_up_fires, q);
    q->backoff_ms = BACKOFF_FIRST_MS;
}
