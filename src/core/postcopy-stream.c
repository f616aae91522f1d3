/*
 * The stream of a post-copy, which must not end before the last page.
 *
 * happy path   Pages flow.
 * what fails   The network: one side notices and pauses, or none does, and no
 *              byte moves.  Whoever still believes in the stream is told to
 *              pause, out of band, since QEMU's main loop may wait for a page:
 *              the destination first, and the source once that has paused.  A
 *              source that pauses first closes the stream, of which the
 *              destination may notice half, and its own main loop may hang.
 *              With both paused the destination listens on another port, and
 *              the source goes on there, under the same TLS; a try that fails
 *              pauses both again, and is followed by another, without end.
 *
 * A monitor that cannot be reached is no news of the stream: it is awaited, and
 * what it was told last still holds.
 *
 * A destination that has not yet got the guest's devices cannot be paused: it
 * could not go on.  They are sent in one piece, which TCP delivers late, if at
 * all; once they are there its status is post-copy too.
 */
#include <string.h>

#include "core/migration-private.h"

#define SILENCE_MS 10000
/* A stream that was told to go on may have to be connected first. */
#define RESUMING_FACTOR 12
/* 7.2 tells nothing while it connects; TCP gives up after about 127 s. */
#define CONNECT_LIMIT_MS 150000
#define PAUSE_INTERVAL_MS 1000
/* One try blocks no longer: both sides are to be looked after. */
#define TRY_LIMIT_MS 10000
#define BACK_OFF_MIN_MS 1000
#define BACK_OFF_MAX_MS 30000

static bool is_paused(const struct side *s)
{
    return s->status == MIGRATION_POSTCOPY_PAUSED;
}

static bool is_recovering(const struct side *s)
{
    return s->status == MIGRATION_POSTCOPY_RECOVER ||
           s->status == MIGRATION_POSTCOPY_RECOVER_SETUP;
}

static bool is_in_postcopy(const struct side *s)
{
    return s->status == MIGRATION_POSTCOPY_ACTIVE || is_paused(s) ||
           is_recovering(s);
}

/* --- noticing ------------------------------------------------------------------ */

static int64_t silence_limit_ms(const struct postcopy_stream *p)
{
    return failpoint_ms(SILENCE_MS) * (p->resumed_ms > 0 ? RESUMING_FACTOR : 1);
}

/* Has no byte moved, nor a side changed its mind, for so long?  A source that
 * was not HEARD may send as ever. */
static bool is_silent(struct migration *m, bool heard)
{
    struct postcopy_stream *p = &m->postcopy;
    uint64_t moved = m->progress.ram_transferred;

    if (moved != p->moved_bytes || p->moved_ms == 0 || !heard) {
        p->moved_bytes = moved;
        p->moved_ms = clock_now_ms();
    }
    for (int i = 0; i < SIDES; i++) {
        if (p->seen_status[i] == m->side[i].status)
            continue;
        p->seen_status[i] = m->side[i].status;
        p->moved_ms = clock_now_ms();
        /* the other one's news may be on the way */
        p->next_pause_ms = clock_now_ms() + PAUSE_INTERVAL_MS;
    }
    return clock_now_ms() - p->moved_ms >= silence_limit_ms(p);
}

static void pause_side(struct side *s)
{
    struct qm_error ignored = QM_ERROR_INIT;

    /* Refused where it has just ended by itself, and asked again. */
    if (!is_paused(s) && qmp_is_up(s->qmp))
        qmp_migrate_pause(s->qmp, &ignored);
    error_clear(&ignored);
}

/* What was paused is not told again and again.  The source waits until the
 * destination has paused. */
static void pause_both(struct migration *m)
{
    struct postcopy_stream *p = &m->postcopy;
    struct side *d = destination_of(m);

    if (clock_now_ms() < p->next_pause_ms)
        return;
    p->next_pause_ms = clock_now_ms() + PAUSE_INTERVAL_MS;
    if (is_paused(d) || d->status == MIGRATION_COMPLETED)
        pause_side(source_of(m));
    else
        pause_side(d);
}

/* --- trying again --------------------------------------------------------------- */

static void schedule(struct postcopy_stream *p)
{
    int64_t ms = BACK_OFF_MAX_MS;

    if (p->tries < 5)
        ms = (int64_t)BACK_OFF_MIN_MS << p->tries;
    p->tries++;
    p->next_try_ms = clock_now_ms() + ms;
}

static unsigned next_port(const struct migration *m, unsigned port)
{
    return port >= m->plan->port_high ? m->plan->port_low : port + 1;
}

/* The destination listens anew: 0, and the port is in M. */
static int listen_anew(struct migration *m, struct qm_error *err)
{
    struct postcopy_stream *p = &m->postcopy;
    unsigned first = p->port ? p->port : m->ram_port;

    p->port = first;
    do {
        CLEANUP_FREE char *uri = NULL;

        p->port = next_port(m, p->port);
        uri = door_uri(m->facts.bind, p->port);
        error_clear(err);
        if (qmp_migrate_recover(destination_of(m)->qmp, uri, err) == 0)
            return 0;
    } while (p->port != first && err->code == QM_ERR_QEMU &&
             strstr(err->message, "Address already in use"));
    return -1;
}

static void try_again(struct migration *m)
{
    struct postcopy_stream *p = &m->postcopy;
    struct side *s = source_of(m);
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *uri = NULL;

    schedule(p);
    p->resumed_ms = 0;
    sides_hurry(m, deadline_in_ms(TRY_LIMIT_MS));
    if (renew_key(m, &err) == 0 && listen_anew(m, &err) == 0) {
        uri = door_uri(m->facts.address, p->port);
        p->pauses = s->pauses;
        p->resumed_ms = clock_now_ms();
        if (qmp_migrate_resume(s->qmp, uri, &err) < 0 &&
            err.code == QM_ERR_QEMU)
            p->resumed_ms = 0;
    }
    sides_hurry(m, DEADLINE_NEVER);
    if (error_is_set(&err))
        migration_warn(m, "the stream is not back yet: %s", err.message);
    error_clear(&err);
}

/* Is the source still about to connect? */
static bool is_trying(const struct migration *m)
{
    const struct postcopy_stream *p = &m->postcopy;

    return p->resumed_ms > 0 && m->side[SOURCE].pauses == p->pauses &&
           clock_now_ms() - p->resumed_ms < CONNECT_LIMIT_MS;
}

static void tell_lost(struct migration *m)
{
    struct postcopy_stream *p = &m->postcopy;

    if (p->lost_ms > 0)
        return;
    p->lost_ms = clock_now_ms();
    p->tries = 0;
    p->next_try_ms = 0;
    migration_warn(m, "the network between the hosts is lost: the guest goes "
                      "on until it needs a page that is still at the source; "
                      "this is tried again until it is back");
}

static void tell_back(struct migration *m)
{
    struct postcopy_stream *p = &m->postcopy;

    if (p->lost_ms == 0)
        return;
    p->recoveries++;
    migration_warn(m, "the network is back after %.1f s, and RAM flows again",
                   (double)(clock_now_ms() - p->lost_ms) / 1000.0);
    p->lost_ms = p->resumed_ms = 0;
    p->moved_ms = 0;
}

static void mend(struct migration *m)
{
    struct side *s = source_of(m), *d = destination_of(m);

    tell_lost(m);
    if (!is_paused(s) || !is_paused(d)) {
        pause_both(m);
        return;
    }
    if (!qmp_is_up(s->qmp) || !qmp_is_up(d->qmp))
        return; /* neither would hear of it */
    if (!is_trying(m) && clock_now_ms() >= m->postcopy.next_try_ms)
        try_again(m);
}

/* --- looking after it ------------------------------------------------------------ */

/* Can the source be reached, whether it answers or not? */
static bool sample(struct migration *m)
{
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;

    return progress_sample_rest(m, &failed) == 0 || failed.code != QM_ERR_LINK;
}

/* One that is away for a moment is not worth a word. */
static void watch_link(struct migration *m, enum side_id side)
{
    struct postcopy_stream *p = &m->postcopy;
    int64_t *since_ms = &p->away_ms[side];
    int64_t now_ms = clock_now_ms();

    if (qmp_is_up(m->side[side].qmp)) {
        if (p->away_told[side])
            migration_warn(m, "the %s can be reached again, after %.1f s",
                           side_name(side), (double)(now_ms - *since_ms) / 1e3);
        p->away_told[side] = false;
        *since_ms = 0;
        return;
    }
    if (*since_ms == 0)
        *since_ms = now_ms;
    if (p->away_told[side] || now_ms - *since_ms < failpoint_ms(SILENCE_MS))
        return;
    p->away_told[side] = true;
    migration_warn(m,
                   "the %s cannot be reached: its monitor is tried again for "
                   "as long as it takes; until it is proved dead nothing is "
                   "lost",
                   side_name(side));
}

void postcopy_watch_links(struct migration *m)
{
    for (int i = 0; i < SIDES; i++)
        if (m->side[i].qmp)
            watch_link(m, (enum side_id)i);
}

void postcopy_tend(struct migration *m)
{
    struct side *s = source_of(m), *d = destination_of(m);
    bool silent, heard;

    if (!s->qmp || !d->qmp)
        return; /* recover reached but one of them */
    heard = sample(m);
    silent = is_silent(m, heard);
    postcopy_watch_links(m);
    if (d->status == MIGRATION_COMPLETED) {
        /* its word of that may be lost */
        if (silent && is_in_postcopy(s))
            pause_both(m);
        return;
    }
    if (!is_in_postcopy(s) || !is_in_postcopy(d))
        return;
    if (is_recovering(s) && !silent)
        return;
    if (silent || (is_paused(s) && !is_recovering(d)) || is_paused(d))
        mend(m);
    else if (!is_recovering(s) && !is_recovering(d))
        tell_back(m);
}
