/*
 * Giving the guest back to the source.
 *
 * happy path   QEMU has started it again by itself, on cancel and failure.
 * what fails   The run state comes after the verdict, so it is awaited.  From
 *              7.2's pre-switchover, and from `completed`, QEMU does not
 *              start it: `cont`.  If that is refused for an image that the
 *              destination has locked, the destination is ended first.
 *
 * Once the destination owned it, that it never ran there is written down first:
 * from then on no one may start it there, not even whoever recovers.  Were the
 * destination ended before, and the engine killed in between, nobody could know
 * that the source may go on.
 */
#include <assert.h>
#include <string.h>

#include "core/migration-private.h"

#define RUN_STATE_INTERVAL_MS 50
#define RESUME_LIMIT_MS 10000
#define RUNS_ON_LIMIT_MS 10000

static bool run_state_is_final(struct migration *m)
{
    return !str_equal(source_of(m)->run_state, "finish-migrate");
}

static int ask_run_state(struct migration *m, struct qm_error *err)
{
    return side_refresh_run_state(source_of(m), err);
}

static const struct wait wait_for_run_state = {
    .what = "the source to leave finish-migrate",
    .holds = run_state_is_final,
    .limit_ms = RESUME_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
    .ask = ask_run_state,
    .interval_ms = RUN_STATE_INTERVAL_MS,
};

int source_settle(struct migration *m, struct qm_error *err)
{
    return migration_wait(m, &wait_for_run_state, err);
}

static bool image_is_locked(const struct qm_error *err)
{
    return err->code == QM_ERR_QEMU && strstr(err->message, " lock");
}

/*
 * A destination that has loaded the guest may hold the lock of an image that
 * both use.  The source has just said no, so it is known where it stands, and
 * it owns the guest: the destination goes first this once.
 */
static int start_source(struct migration *m, struct qm_error *err)
{
    struct qm_error refused = QM_ERROR_INIT, ignored = QM_ERROR_INIT;

    if (side_cont(source_of(m), &refused) == 0)
        return 0;
    if (!image_is_locked(&refused) || side_has_ended(destination_of(m)) ||
        destination_discard(m, &ignored) < 0) {
        error_clear(&ignored);
        return error_move(err, &refused);
    }
    error_clear(&refused);
    return side_cont(source_of(m), err);
}

/*
 * The guest runs on at the source if it did before.  That is safe whatever
 * became of the destination: it was held and never told `cont`.
 */
int source_resume(struct migration *m, struct qm_error *err)
{
    struct side *s = source_of(m);

    assert(!m->destination_owns || m->returned_to_source);
    if (side_ask_run_state(s, err) < 0 || source_settle(m, err) < 0)
        return -1;
    if ((!m->was_running || s->halted) &&
        str_equal(s->run_state, "postmigrate"))
        migration_warn(m, "the guest, which was stopped before, is now in "
                          "QEMU's state postmigrate; `cont` starts it, and "
                          "before that this QEMU does not let it be moved");
    /* what QEMU has stopped, a person starts */
    if (!m->was_running || s->running || s->guest_ended || s->halted)
        return 0;
    return start_source(m, err) < 0 ? -1 : side_ask_run_state(s, err);
}

/* --- although the destination owned it ---------------------------------------- */

static bool source_runs(struct migration *m)
{
    return source_of(m)->running;
}

static const struct wait wait_for_running = {
    .what = "the guest to run on at the source",
    .holds = source_runs,
    .limit_ms = RUNS_ON_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
    .ask = ask_run_state,
    .interval_ms = RUN_STATE_INTERVAL_MS,
};

/* A source whose stream failed starts by itself.  All else takes a destination
 * that is proved dead. */
static int may_resume(struct migration *m, struct qm_error *err)
{
    if (destination_of(m)->process_dead)
        return 0;
    if (source_has_given_up(m))
        return error_set(err, QM_ERR_MIGRATION,
                         "the destination is not proved dead");
    return m->was_running ? migration_wait(m, &wait_for_running, err) : 0;
}

int give_back(struct migration *m, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    if (journal_fact(m->journal, "returned", true, err) < 0 ||
        failpoint("returned", "written", err) < 0)
        return -1;
    if (destination_discard(m, &failed) < 0)
        destination_of(m)->given_up = true;
    if (may_resume(m, err) < 0 || failpoint("returned", "ended", err) < 0) {
        if (error_is_set(&failed))
            error_wrap(err, "%s", failed.message);
        error_clear(&failed);
        return -1;
    }
    error_clear(&failed);
    m->returned_to_source = true;
    return source_resume(m, err);
}
