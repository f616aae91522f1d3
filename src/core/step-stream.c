/*
 * The RAM starts to move.
 *
 * happy path   The source is told `migrate`, and reaches the destination.
 * what fails   No byte moves: the network's fault, or a TLS handshake in which
 *              QEMU hangs (step-door.c).
 * undo         migrate_cancel, unless the source already decided; then wait
 *              for its final word, and let the guest run on (resume.c).
 */
#include <assert.h>

#include "core/migration-private.h"

#define SETUP_LIMIT_MS 30000
#define HANDSHAKE_INTERVAL_MS 1000
/* 7.2 in `setup` against a dead address cancels only when TCP gives up,
 * about two minutes (QEMU.md 3.4). */
#define CANCEL_LIMIT_MS 150000
#define CANCEL_PATIENCE_MS 3000 /* then yank */
#define LINK_LIMIT_MS 30000     /* for the source's link to come back */

/* --- start ------------------------------------------------------------------ */

static int run_migrate(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_migrate(s->qmp, arg, err);
}

/* A guest that came by a migration says `completed` of that one until the next
 * has begun; ours cannot be before migrate-continue. */
static int asked_started(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    if (side_refresh(s, err) < 0)
        return -1;
    return s->status != MIGRATION_NONE && s->status != MIGRATION_CANCELLED &&
           s->status != MIGRATION_COMPLETED;
}

bool stream_is_active(struct migration *m)
{
    enum migration_status status = source_of(m)->status;

    if (!m->stream_started)
        return false;
    if (status == MIGRATION_COMPLETED)
        return m->completed_us > 0;
    return status != MIGRATION_NONE && status != MIGRATION_SETUP &&
           status != MIGRATION_FAILED && status != MIGRATION_CANCELLED &&
           status != MIGRATION_CANCELLING;
}

static const struct wait wait_for_active = {
    .what = "the source to reach the destination's RAM port",
    .holds = stream_is_active,
    .limit_ms = SETUP_LIMIT_MS,
    .ends_on = ENDS_ON_ANYTHING,
    .ask = door_ask_handshake,
    .interval_ms = HANDSHAKE_INTERVAL_MS,
};

int step_start(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *uri = NULL;
    struct side *s = source_of(m);

    if (door_check(m, err) < 0)
        return -1;
    uri = door_uri(m->facts.address, m->ram_port);

    /* It may have changed while disks were copied.  If it cannot be asked now,
     * the wait will ask again. */
    follow_run_state(m, NULL);
    /* An earlier attempt's last word must not be taken for this one's. */
    s->status = MIGRATION_NONE;
    s->pass = 0;
    m->stream_started = true;
    m->migrate_us = clock_now_us();
    if (side_do(s, run_migrate, asked_started, uri, err) < 0)
        return -1;
    if (migration_wait(m, &wait_for_active, err) < 0) {
        if (err->code == QM_ERR_TIMEOUT)
            error_hint(err, "is %s port %u open between the hosts?",
                       m->facts.address, m->ram_port);
        return -1;
    }
    /* From now on no connection is made any more, with channels neither: QEMU
     * waits for all of them before it is active.  A post-copy may need new
     * ones until its last page. */
    if (!m->plan->postcopy)
        forget_key(m);
    return evidence_check(m, err);
}

/* --- undo ------------------------------------------------------------------- */

static bool status_is_final(enum migration_status status)
{
    return status == MIGRATION_NONE || status == MIGRATION_FAILED ||
           status == MIGRATION_CANCELLED || status == MIGRATION_COMPLETED;
}

static bool stream_has_ended(struct migration *m)
{
    return status_is_final(source_of(m)->status);
}

static const struct wait wait_for_end = {
    .what = "the source's last word on the stream",
    .holds = stream_has_ended,
    .limit_ms = CANCEL_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
};

static const struct wait wait_for_cancelled = {
    .what = "the stream to be cancelled",
    .holds = stream_has_ended,
    .limit_ms = CANCEL_PATIENCE_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
};

static int run_cancel(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return qmp_migrate_cancel(s->qmp, err);
}

static int asked_cancelled(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    if (side_refresh(s, err) < 0)
        return -1;
    return s->status == MIGRATION_CANCELLING || status_is_final(s->status);
}

int stream_cancel(struct migration *m, struct qm_error *err)
{
    assert(!m->destination_owns && !m->owner_unknown);
    return side_do(source_of(m), run_cancel, asked_cancelled, NULL, err);
}

static int end_stream(struct migration *m, struct qm_error *err)
{
    struct qm_error ignored = QM_ERROR_INIT;
    struct side *s = source_of(m);

    if (qmp_wait_up(s->qmp, deadline_in_ms(LINK_LIMIT_MS), err) < 0)
        return -1;
    mirrors_yank(m); /* or the source may not be able to answer */
    if (side_ask(s, err) < 0)
        return -1;
    if (stream_has_ended(m))
        return 0;
    if (s->status == MIGRATION_SETUP)
        migration_warn(m, "cancelling; against an address that does not "
                          "answer this can take two minutes, and the guest "
                          "runs meanwhile");
    /* What became of it is asked, not believed. */
    stream_cancel(m, &ignored);
    error_clear(&ignored);
    if (migration_wait(m, &wait_for_cancelled, &ignored) == 0)
        return 0;
    error_clear(&ignored);
    /* Where the peer is silent, its threads hang in send (10.0, multifd under
     * TLS: minutes, until TCP gives up). */
    qmp_yank_migration(s->qmp, &ignored);
    error_clear(&ignored);
    return migration_wait(m, &wait_for_end, err);
}

/* It hangs, and has no guest: nothing is put back in it. */
static void leave_source(struct migration *m, const struct qm_error *err)
{
    struct side *s = source_of(m);

    if (side_check_dead(s, clock_now_ms()))
        return;
    s->given_up = true;
    migration_left(m, "the source's QEMU, whose guest has ended: %s",
                   err->message);
}

/* A guest that came to its end at the source, where it ran, is not at the
 * destination either, whatever becomes of its QEMU.  Whoever recovers cannot
 * see that any more. */
static bool guest_is_over(struct migration *m)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (!source_of(m)->guest_is_over)
        return false;
    if (journal_fact(m->journal, "guest-ended", true, &err) < 0)
        migration_warn(m, "%s", err.message);
    return true;
}

/*
 * The source first, and the destination only once the source is known to be
 * back: if the source cannot be asked, the destination may hold the only
 * whole guest (doc/model/README.md).  Not so while both hang in a handshake:
 * the guest has not begun to move; nor if it has ended by itself.
 */
void undo_start(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (!m->stream_started)
        return;
    if (side_is_gone(source_of(m)))
        let_it_speak(source_of(m));
    m->source_is_back = guest_is_over(m);
    if (side_is_gone(source_of(m)))
        return;
    if (m->door_hangs)
        door_free_source(m);
    if (end_stream(m, &err) == 0 && source_resume(m, &err) == 0)
        m->source_is_back = true;
    else if (source_of(m)->guest_ended)
        leave_source(m, &err);
    else
        migration_left(m, "the guest at the source: %s", err.message);
    error_clear(&err);
}
