/*
 * Happy path: connect, greeting, STARTTLS, TLS handshake, then NBD_OPT_INFO,
 * which tells everything about an export without opening it for use, and
 * NBD_OPT_ABORT.
 *
 * What can fail, and what is then said: see the functions named explain_*.
 * The deadline is over the whole.  On close the goodbye has a limit of its
 * own, and no error: the answer is already there.
 */
#include "nbd/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbd/internal.h"

enum {
    GOODBYE_MS = 1000,
    LONGEST_NAME = 4096, /* of the protocol: three packets, or one of 4 KiB */
};

struct probe {
    struct loop *loop;
    const struct nbd_probe *p;
    char *server;        /* "10.0.0.2:49153" */
    struct relay *relay; /* NULL: clear */
    struct nbd_link link;

    /* Recorded by libnbd's callback, read by steps */
    bool answered;
    int errnum; /* of the answer; 0: good */
    char *said; /* libnbd's words, with errnum */
};

static void probe_done(struct probe *run)
{
    nbd_link_done(&run->link);
    relay_free(run->relay);
    free(run->server);
    free(run->said);
}
DEFINE_CLEANUP_DONE(struct probe, probe_done)

static int on_answer(void *arg, int *error)
{
    struct probe *run = arg;

    run->answered = true;
    run->errnum = *error;
    if (*error)
        run->said = str_printable(nbd_get_error() ? nbd_get_error() : "");
    return 0;
}

static bool is_greeted(void *arg)
{
    const struct probe *run = arg;

    return run->link.lost || nbd_aio_is_negotiating(run->link.h) > 0;
}

static bool is_answered(void *arg)
{
    const struct probe *run = arg;

    return run->link.lost || run->answered;
}

static bool is_closed(void *arg)
{
    const struct probe *run = arg;

    return run->link.lost || nbd_aio_is_closed(run->link.h) > 0 ||
           nbd_aio_is_dead(run->link.h) > 0;
}

/* The connection ended before the answer. */
static int explain_loss(const struct probe *run, struct qm_error *err)
{
    if (run->relay && run->p->tls_dir && relay_was_turned_away(run->relay)) {
        error_set(err, QM_ERR_TLS,
                  "%s closed the connection after the TLS handshake: it does "
                  "not accept %s/client-cert.pem",
                  run->server, run->p->tls_dir);
        error_hint(err, "is its CA in the destination's ca-cert.pem, and does "
                        "the destination's tls-authz allow its subject?");
        return -1;
    }
    return error_set(err, QM_ERR_LINK,
                     "the connection to the NBD server at %s ended: %s",
                     run->server, run->link.why);
}

/* The server answered, and said no. */
static int explain_refusal(const struct probe *run, struct qm_error *err)
{
    if (run->errnum == ENOENT)
        return error_set(err, QM_ERR_DISK,
                         "the NBD server at %s has no export \"%s\"",
                         run->server, run->p->export_name);
    if (!run->relay && strstr(run->said, "requires TLS")) {
        error_set(err, QM_ERR_TLS,
                  "the NBD server at %s insists on TLS, and was asked without",
                  run->server);
        return -1;
    }
    return error_set(err, QM_ERR_DISK,
                     "the NBD server at %s will not tell of it: %s",
                     run->server, run->said);
}

static int wait_for(struct probe *run, bool (*holds)(void *arg),
                    const char *what, deadline_t by, struct qm_error *err)
{
    if (loop_wait(run->loop, holds, run, by))
        return 0;
    return error_set(err, QM_ERR_TIMEOUT,
                     "the NBD server at %s stays silent: no %s in time",
                     run->server, what);
}

static void say_goodbye(struct probe *run)
{
    deadline_t by = deadline_in_ms(GOODBYE_MS);

    if (!run->link.lost && nbd_aio_opt_abort(run->link.h) == 0) {
        nbd_link_kick(&run->link);
        (void)loop_wait(run->loop, is_closed, run, by);
    }
    nbd_link_done(&run->link);
    if (run->relay)
        relay_drain(run->relay, by);
}

/* What is not told is what the protocol takes for granted. */
static uint32_t limit_of(struct nbd_handle *h, int which, uint32_t standard)
{
    int64_t n = nbd_get_block_size(h, which);

    return n > 0 && n <= UINT32_MAX ? (uint32_t)n : standard;
}

void nbd_read_export(struct nbd_handle *h, struct nbd_export *ret)
{
    int64_t size = nbd_get_size(h);

    ret->complete = size >= 0;
    ret->size = size >= 0 ? (uint64_t)size : 0;
    ret->read_only = nbd_is_read_only(h) != 0; /* unknown counts as yes */
    ret->can_flush = nbd_can_flush(h) > 0;
    ret->can_zero = nbd_can_zero(h) > 0;
    ret->can_fast_zero = nbd_can_fast_zero(h) > 0;
    ret->can_trim = nbd_can_trim(h) > 0;
    ret->can_multi_conn = nbd_can_multi_conn(h) > 0;
    ret->block_min = limit_of(h, LIBNBD_SIZE_MINIMUM, 1);
    ret->request_max = limit_of(h, LIBNBD_SIZE_MAXIMUM, (uint32_t)(32 * MIB));
}

static int ask(struct probe *run, deadline_t by, struct nbd_export *seen,
               struct qm_error *err)
{
    nbd_completion_callback completion = {
        .callback = on_answer,
        .user_data = run,
    };

    if (wait_for(run, is_greeted, "greeting", by, err) < 0)
        return -1;
    if (!run->link.lost) {
        seen->reached = true;
        if (nbd_aio_opt_info(run->link.h, completion) < 0)
            return error_set(err, QM_ERR_DISK, "ask for it: %s",
                             nbd_get_error());
        nbd_link_kick(&run->link);
        if (wait_for(run, is_answered, "answer", by, err) < 0)
            return -1;
    }
    /* The end of a connection answers too, with ENOTCONN: look at it first. */
    if (run->link.lost)
        return explain_loss(run, err);
    if (run->errnum)
        return explain_refusal(run, err);
    nbd_read_export(run->link.h, seen);
    if (!seen->complete)
        return error_set(err, QM_ERR_DISK,
                         "the NBD server at %s does not tell its size",
                         run->server);
    return 0;
}

static int probe(struct probe *run, deadline_t by, struct nbd_export *seen,
                 struct qm_error *err)
{
    const struct nbd_probe *p = run->p;
    int fd = nbd_attach(run->loop, p, run->server, by, &run->relay, err);

    if (fd < 0)
        return -1;
    seen->tls = run->relay != NULL;
    if (run->relay)
        relay_look(run->relay, &seen->seen);
    if (nbd_link_open(run->loop, fd, p->export_name, &run->link, err) < 0)
        return -1;

    int rc = ask(run, by, seen, err);
    if (rc < 0 && seen->tls && !p->psk && !p->has_client_key &&
        relay_was_turned_away(run->relay)) {
        /* It wants a certificate that is not ours to show. */
        error_clear(err);
        seen->reached = true;
        return 0;
    }
    say_goodbye(run);
    return rc;
}

int nbd_probe_route(struct loop *loop, const struct nbd_probe *p, deadline_t by,
                    struct qm_error *err)
{
    char name[LONGEST_NAME + 1];
    struct nbd_probe asked = *p;
    CLEANUP(probe_done)
    struct probe run = {
        .loop = loop,
        .p = &asked,
        .server = nbd_server_name(p),
        .link = { .watched = -1 },
    };
    CLEANUP(error_clear) struct qm_error own = QM_ERROR_INIT;
    struct nbd_export seen = { .reached = false };

    memset(name, 'x', LONGEST_NAME);
    name[LONGEST_NAME] = 0;
    asked.export_name = name;
    if (probe(&run, by, &seen, &own) == 0 || run.errnum != 0)
        return 0;
    return error_move(err, &own);
}

int nbd_probe_export(struct loop *loop, const struct nbd_probe *p,
                     deadline_t by, struct nbd_export *ret,
                     struct qm_error *err)
{
    CLEANUP(probe_done)
    struct probe run = {
        .loop = loop,
        .p = p,
        .server = nbd_server_name(p),
        .link = { .watched = -1 },
    };
    CLEANUP(error_clear) struct qm_error own = QM_ERROR_INIT;
    struct nbd_export seen = { .reached = false };

    if (probe(&run, by, &seen, &own) < 0) {
        CLEANUP_FREE char *name = str_printable(p->export_name);
        error_wrap(&own, "probe export \"%s\"", name);
        return error_move(err, &own);
    }
    *ret = seen;
    return 0;
}
