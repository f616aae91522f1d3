/*
 * The door: the port at which the destination waits for the RAM.
 *
 * It is open from migrate-incoming until the source's connections are there,
 * and meanwhile QEMU takes whoever comes.  Without TLS the first one is taken
 * for the source, and the destination is used up.  With TLS it must shake
 * hands, and a stranger who hangs up, or talks of other things, costs nothing;
 * but one who is silent freezes QEMU's main loop, since the handshake blocks
 * (all versions up to 11.1).  A source that connects now hangs in its own
 * handshake with a frozen destination, and its guest with it.
 *
 * happy path   The destination listens on a free port of the range, and still
 *              answers, and waits, right before the source is sent there.
 * what fails   A port in use: QEMU itself takes the next one of the range,
 *              as from 10.0 on it can be told but once.  A stranger came
 *              first: the
 *              source is not sent.  He came in the moment between: the source
 *              answers no more; its connection is cut where that can be done,
 *              or else the destination is ended at once: either ends the
 *              source's handshake and lets the guest run on.
 * undo         Once the door was open the destination is used up, since
 *              incoming is one-shot: it is ended.
 */
#include <string.h>

#include "base/cut.h"
#include "core/migration-private.h"

/* How long the destination may be silent before the source is sent: so often
 * a question, each given so long. */
#define ANSWER_LIMIT_MS 14000
#define ANSWER_PATIENCE_MS 5000
#define ANSWER_INTERVAL_MS 500
/* While the source shakes hands its guest may stand still. */
#define SOURCE_PATIENCE_MS 3000
#define DESTINATION_PATIENCE_MS 2000
#define HANGS_ALLOWED 2
/* A question to a side is three commands. */
#define QUESTION_TRIPS 3

char *door_uri(const char *host, unsigned port)
{
    return xasprintf(strchr(host, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", host,
                     port);
}

/* QEMU listens on the first port of the range that is free, in one step: no
 * other process can come between a look and a bind. */
static char *incoming_uri(const char *host, unsigned low, unsigned high)
{
    CLEANUP_FREE char *first = door_uri(host, low);

    return high > low ? xasprintf("%s,to=%u", first, high) : STEAL(first);
}

static int run_incoming(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_migrate_incoming(
        s->qmp, arg, s->features.has[QMP_FEATURE_INCOMING_EXIT_ON_ERROR], err);
}

/* It listens if it says where.  7.2 shows no status until the source
 * connects. */
static int asked_incoming(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    if (side_refresh(s, err) < 0)
        return -1;
    return s->status != MIGRATION_NONE || s->listen_port != 0;
}

static bool says(const struct qm_error *err, const char *words)
{
    return err->code == QM_ERR_QEMU && strstr(err->message, words);
}

/* As late as this: a destination that goes on waiting should not have been
 * told, as QEMU cannot be told to forget it. */
static int authorise(struct migration *m, struct qm_error *err)
{
    CLEANUP(qmp_settings_done) struct qmp_settings wanted = { 0 };
    CLEANUP_FREE char *authz = authz_id(m);

    if (!authz)
        return 0;
    qmp_settings_add_string(&wanted, "tls-authz", authz);
    return set_parameters(m, DESTINATION, &wanted, err);
}

/* The disks' server has that one. */
static unsigned first_port(const struct migration *m)
{
    unsigned low = m->plan->port_low;

    return low == m->nbd_port && low < m->plan->port_high ? low + 1 : low;
}

/* Has a `migrate-incoming` that was refused used it up?  From 10.0 on it has,
 * and shows `setup`; 7.2 may be told again. */
static bool is_used_up(struct migration *m)
{
    struct side *d = destination_of(m);
    struct qm_error failed = QM_ERROR_INIT;
    bool asked = side_ask(d, &failed) == 0;

    error_clear(&failed);
    return !asked || d->status != MIGRATION_NONE || d->listen_port != 0;
}

static int explain_door(const struct migration *m, unsigned from,
                        struct qm_error *failed, struct qm_error *err)
{
    if (!says(failed, "Address already in use"))
        return error_move(err, failed);
    error_clear(failed);
    error_set(err, QM_ERR_CONNECT,
              "destination: no port of %u-%u on %s is free for the RAM", from,
              m->plan->port_high, m->facts.bind);
    error_hint(err, "give another range with --ports");
    return -1;
}

int step_open_door(struct migration *m, struct qm_error *err)
{
    unsigned from = first_port(m);
    CLEANUP_FREE char *uri =
        incoming_uri(m->facts.bind, from, m->plan->port_high);
    struct qm_error failed = QM_ERROR_INIT;
    struct side *d = destination_of(m);

    if (machines_unchanged(m, false, err) < 0 || authorise(m, err) < 0 ||
        journal_port(m->journal, "ram-port", from, err) < 0)
        return -1;
    m->door_open = true;
    m->ram_port = from;
    if (side_do(d, run_incoming, asked_incoming, uri, &failed) == 0 ||
        (d->attempts > 1 && says(&failed, "already been started"))) {
        error_clear(&failed);
        return 0;
    }
    if (failed.code == QM_ERR_QEMU)
        m->door_open = is_used_up(m);
    return explain_door(m, from, &failed, err);
}

/* --- who is at the door? ---------------------------------------------------- */

static int ask_within(struct side *s, int64_t ms, struct qm_error *err)
{
    int ret;

    side_hurry(s, deadline_in_ms(ms + side_trips_ms(s, QUESTION_TRIPS)));
    ret = side_refresh(s, err);
    side_hurry(s, DEADLINE_NEVER);
    return ret;
}

static bool door_has_answered(struct migration *m)
{
    return m->door_answered;
}

static int ask_door(struct migration *m, struct qm_error *err)
{
    if (ask_within(destination_of(m), ANSWER_PATIENCE_MS, err) < 0)
        return -1;
    m->door_answered = true;
    return 0;
}

static int await_answer(struct migration *m, struct qm_error *err)
{
    const int questions = ANSWER_LIMIT_MS / ANSWER_PATIENCE_MS + 1;
    const struct wait wait = {
        .what = "the destination, whose RAM port is open, to answer",
        .holds = door_has_answered,
        .limit_ms = ANSWER_LIMIT_MS + side_trips_ms(destination_of(m),
                                                    questions * QUESTION_TRIPS),
        .ends_on = ENDS_ON_CANCEL | ENDS_ON_SOURCE_DEATH |
                   ENDS_ON_DESTINATION_DEATH | ENDS_ON_MIRROR_FAILURE |
                   ENDS_ON_GUEST_END,
        .ask = ask_door,
        .interval_ms = ANSWER_INTERVAL_MS,
    };

    return migration_wait(m, &wait, err);
}

static void hint_firewall(const struct migration *m, struct qm_error *err)
{
    error_hint(err,
               "allow only the source's host to reach %s port %u, by a "
               "firewall",
               m->facts.bind, m->ram_port);
}

static int say_silent(struct migration *m, struct qm_error *err)
{
    m->door_hangs = true;
    error_wrap(err,
               "destination: somebody may have connected to its RAM port and "
               "be silent");
    hint_firewall(m, err);
    return -1;
}

static bool is_waiting(const struct side *d)
{
    return d->status == MIGRATION_NONE || d->status == MIGRATION_SETUP;
}

/* Which port of the range it took. */
static int learn_port(struct migration *m, struct qm_error *err)
{
    unsigned port = destination_of(m)->listen_port;

    if (port < m->plan->port_low || port > m->plan->port_high)
        return error_set(err, QM_ERR_QEMU,
                         "destination: it was told to listen on a port of "
                         "%u-%u and says that it listens on %u",
                         m->plan->port_low, m->plan->port_high, port);
    if (port == m->ram_port)
        return 0;
    m->ram_port = port;
    return journal_port(m->journal, "ram-port", port, err);
}

int door_check(struct migration *m, struct qm_error *err)
{
    struct side *d = destination_of(m);

    m->door_answered = false;
    if (await_answer(m, err) < 0) {
        if (err->code == QM_ERR_TIMEOUT || err->code == QM_ERR_SILENT)
            return say_silent(m, err);
        if (d->process_dead)
            hint_firewall(m, err);
        return -1;
    }
    if (is_waiting(d))
        return learn_port(m, err);
    error_set(err, QM_ERR_MIGRATION,
              "destination: somebody connected to its RAM port %u before the "
              "source did: it is %s%s%s",
              m->ram_port, migration_status_name(d->status),
              d->error_desc ? ": " : "", d->error_desc ? d->error_desc : "");
    hint_firewall(m, err);
    return -1;
}

/* --- does the source hang in its handshake? --------------------------------- */

/* A destination that has the source's connection is `active`: then the source
 * is merely busy, as with the setup of a large guest.  One that still waits, or
 * cannot be asked, is asked again before it counts. */
static bool destination_hangs_too(struct migration *m)
{
    struct side *d = destination_of(m);
    struct qm_error failed = QM_ERROR_INIT;
    bool hangs;

    if (ask_within(d, DESTINATION_PATIENCE_MS, &failed) < 0 &&
        failed.code == QM_ERR_SILENT)
        hangs = true;
    else if (error_is_set(&failed) || is_waiting(d))
        hangs = ++m->door_hanging >= HANGS_ALLOWED;
    else
        hangs = false;
    error_clear(&failed);
    return hangs;
}

int door_ask_handshake(struct migration *m, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    if (m->plan->insecure)
        return 0;
    if (ask_within(source_of(m), SOURCE_PATIENCE_MS, &failed) == 0) {
        m->door_hanging = 0;
        return 0;
    }
    if (failed.code != QM_ERR_SILENT)
        return error_move(err, &failed);
    error_clear(&failed);
    if (!destination_hangs_too(m))
        return 0;
    m->door_hangs = true;
    error_set(err, QM_ERR_TIMEOUT,
              "source: it hangs in the TLS handshake with %s port %u: somebody "
              "else may be connected there, or in between, and be silent, or "
              "large packets may be lost on the way",
              m->facts.address, m->ram_port);
    error_hint(err,
               "allow only the source's host to reach %s port %u, by a "
               "firewall; compare the MTU of both hosts and of what lies "
               "between",
               m->facts.bind, m->ram_port);
    return -1;
}

/* --- undo ------------------------------------------------------------------- */

/* What hangs is not waited for. */
static int discard(struct migration *m, struct qm_error *err)
{
    struct side *d = destination_of(m);
    int ret;

    if (m->door_hangs)
        side_hurry(d, clock_now_ms());
    ret = destination_discard(m, err);
    side_hurry(d, DEADLINE_NEVER);
    return ret;
}

/* A source on this machine can be freed whoever holds it up. */
static bool cut_source(struct migration *m)
{
    struct side *s = source_of(m);
    struct qm_error err = QM_ERROR_INIT;
    int count;

    if (s->pidfd < 0)
        return false;
    count = process_cut(s->pidfd, s->process.pid, m->facts.address, m->ram_port,
                        &err);
    if (count < 0)
        migration_warn(m, "the source's connection cannot be cut: %s",
                       err.message);
    error_clear(&err);
    return count > 0;
}

/* The source has not been told to switch, so the destination has no guest to
 * lose: it may be ended before the source has said anything. */
void door_free_source(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (!m->door_hangs || m->switchover_us != 0 || cut_source(m))
        return;
    if (discard(m, &err) < 0)
        migration_warn(m,
                       "the destination, which holds up the source, could "
                       "not be ended: %s",
                       err.message);
    error_clear(&err);
}

void undo_open_door(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (!m->door_open || side_has_ended(destination_of(m)))
        return;
    destination_of(m)->given_up = true;
    if (!m->source_is_back) {
        migration_left(m,
                       "the destination's QEMU, held, which was not ended "
                       "because the source %s",
                       source_of(m)->process_dead ? "is dead"
                                                  : "could not be asked");
        return;
    }
    destination_of(m)->given_up = discard(m, &err) < 0;
    if (destination_of(m)->given_up)
        migration_left(m, "the destination's QEMU, which is used up: %s",
                       err.message);
    error_clear(&err);
}
