/*
 * The handover: from the source's stop to the destination's start.
 *
 * happy path   The destination is asked first: at pre-switchover the source
 *              does not notice that its peer died (QEMU.md fact 9).  Meanwhile
 *              every mirror is concluded; migrate-continue is sent, both sides
 *              awaited at `completed`, the NBD server stopped, the owner
 *              written, and `cont` sent.
 * what fails   Before the owner record: everything is undone.  If a cancel
 *              comes too late and the source says `completed`, the source
 *              still owns the guest: undo starts it from postmigrate.
 *              After the record: `cont` is repeated until its effect is seen.
 *              Only where the destination itself refused `cont`, and is then
 *              proved dead, does the guest return to the source.
 */
#include <string.h>

#include "core/migration-private.h"

#define ALIVE_LIMIT_MS 2000
#define PAUSED_LIMIT_MS 10000
#define RUN_LIMIT_MS 10000

/* Commands of one monitor that may be under way at once (qmp/client.h). */
#define AT_ONCE 4
#define ENDED_AT_ONCE (AT_ONCE - 1) /* and the look at the disks */

/* --- settle ----------------------------------------------------------------- */

static int judge_destination(const struct side *d, struct qm_error *err)
{
    if (!str_equal(d->run_state, "inmigrate"))
        return error_set(err, QM_ERR_MIGRATION,
                         "destination: it should be in inmigrate but is %s",
                         d->run_state);
    return 0;
}

static bool every_mirror_concluded(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].state != MIRROR_CONCLUDED)
            return false;
    return true;
}

int64_t handover_left_ms(const struct migration *m)
{
    /* one that we paused stood still while its RAM moved, as was wanted */
    int64_t since_us =
        m->we_paused ? m->switchover_us : m->side[SOURCE].stopped_us;
    int64_t left = m->plan->abort_handover_ms;

    if (since_us > 0 && m->was_running)
        left -= (clock_now_us() - since_us) / 1000;
    return left > 0 ? left : 0;
}

/*
 * A guest stands still: the destination is asked while the first mirrors end,
 * as many as the client allows to be under way.  What they answer is left to
 * the caller, by the replies' errors; a destination that is not as it should
 * be has the last word, as its mirrors' end is then undone anyway.
 */
static int ask_and_end_mirrors(struct migration *m, struct qm_error *ended,
                               size_t count, struct qm_error *looked,
                               struct qm_error *err)
{
    struct qmp_request *disks;
    struct qmp_request *cancel[ENDED_AT_ONCE];
    struct side *d = destination_of(m);
    struct qmp_request *asked;
    int ret;

    if (qmp_wait_up(d->qmp, deadline_in_ms(ALIVE_LIMIT_MS), err) < 0)
        return -1;
    asked = qmp_send_query_status(d->qmp);
    for (size_t i = 0; i < count; i++)
        cancel[i] =
            qmp_send_block_job_cancel(source_of(m)->qmp, m->disk[i].job_id);
    disks = qmp_send_query_tops(source_of(m)->qmp);
    ret = side_finish_run_state(d, asked, err);
    for (size_t i = 0; i < count; i++)
        qmp_finish(cancel[i], NULL, &ended[i]);
    handover_finish_look(m, disks, looked);
    return ret < 0 ? -1 : judge_destination(d, err);
}

static int run_end_mirror(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;

    return qmp_block_job_cancel(s->qmp, d->job_id, err);
}

/* Asked twice, the second cancel would find no job, or one that concluded. */
static int asked_mirror_ending(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;

    if (side_refresh_jobs(s, err) < 0)
        return -1;
    return d->state == MIRROR_CONCLUDED || d->state == MIRROR_FAILED;
}

/* The link took a reply with it, and may be back by now. */
static int run_end_mirror_again(struct side *s, void *arg, struct qm_error *err)
{
    int ending = asked_mirror_ending(s, arg, err);

    return ending == 0 ? run_end_mirror(s, arg, err) : ending < 0 ? -1 : 0;
}

static int end_mirror(struct migration *m, struct disk_copy *d,
                      struct qm_error *lost, struct qm_error *err)
{
    side_run_fn *run = run_end_mirror;

    if (lost && lost->code != QM_ERR_LINK)
        return error_move(err, lost);
    if (lost)
        run = run_end_mirror_again;
    return side_do(source_of(m), run, asked_mirror_ending, d, err);
}

static int end_mirrors(struct migration *m, struct qm_error *err)
{
    struct qm_error ended[ENDED_AT_ONCE] = { QM_ERROR_INIT };
    struct qm_error looked = QM_ERROR_INIT;
    size_t at_once = m->disk_count;
    int ret;

    if (at_once > ENDED_AT_ONCE)
        at_once = ENDED_AT_ONCE;
    ret = ask_and_end_mirrors(m, ended, at_once, &looked, err);
    for (size_t i = 0; i < m->disk_count && ret == 0; i++) {
        if (i < at_once && !error_is_set(&ended[i]))
            continue;
        ret = end_mirror(m, &m->disk[i], i < at_once ? &ended[i] : NULL, err);
        if (ret < 0 && err->code == QM_ERR_QEMU &&
            strstr(err->message, "paused"))
            error_hint(err, "somebody has paused that mirror; see who sends "
                            "block-job-pause to the source's QEMU");
        if (ret < 0)
            error_wrap(err, "disk %s", m->disk[i].label);
    }
    if (ret == 0)
        ret = handover_end_look(m, &looked, err);
    for (size_t i = 0; i < at_once; i++)
        error_clear(&ended[i]);
    error_clear(&looked);
    return ret;
}

int step_settle(struct migration *m, struct qm_error *err)
{
    struct wait wait = {
        .what = "the mirrors to conclude while the guest is stopped",
        .holds = every_mirror_concluded,
        .ends_on = ENDS_ON_ANYTHING,
    };

    m->switchover_us = clock_now_us();
    /* Nothing may take longer than the guest may stand still: the undo, or the
     * source's `completed`, ends the hurry. */
    sides_hurry(m, deadline_in_ms(handover_left_ms(m)));
    if (end_mirrors(m, err) < 0)
        return -1;
    wait.limit_ms = handover_left_ms(m);
    if (migration_wait(m, &wait, err) < 0)
        return -1;
    m->settled_us = clock_now_us();
    return 0;
}

/* --- switch over ------------------------------------------------------------ */

static int run_continue(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return qmp_migrate_continue(s->qmp, err);
}

static int asked_continued(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    if (side_refresh(s, err) < 0)
        return -1;
    return s->status != MIGRATION_PRE_SWITCHOVER;
}

static bool source_is_done(struct migration *m)
{
    return source_of(m)->status == MIGRATION_COMPLETED;
}

static bool destination_is_done(struct migration *m)
{
    return destination_of(m)->status == MIGRATION_COMPLETED;
}

/* QEMU says so once it has left inmigrate, and not before: it is the last
 * thing that process_incoming_migration_bh() does (7.2 to 10.2), meant for
 * those who then start the guest.  So nothing more is asked. */
static const struct wait wait_for_destination = {
    .what = "the destination to complete",
    .holds = destination_is_done,
    .limit_ms = PAUSED_LIMIT_MS,
    .ends_on = ENDS_ON_DESTINATION_DEATH | ENDS_ON_LOAD_FAILURE,
};

int source_continue(struct migration *m, struct qm_error *err)
{
    return side_do(source_of(m), run_continue, asked_continued, NULL, err);
}

static int await_source(struct migration *m, struct qm_error *err)
{
    const struct wait wait = {
        .what = "the source to complete",
        .holds = source_is_done,
        .limit_ms =
            plan_device_limit_ms(m->plan, m->limits.value[LIMIT_MAX_DOWNTIME]),
        .ends_on =
            ENDS_ON_STREAM_FAILURE | ENDS_ON_GUEST_END | ENDS_ON_SOURCE_DEATH,
    };

    sides_hurry(m, deadline_in_ms(wait.limit_ms));
    return migration_wait(m, &wait, err);
}

int step_switch_over(struct migration *m, struct qm_error *err)
{
    if (m->postcopy_asked)
        return postcopy_switch(m, err);
    if (source_continue(m, err) < 0 || await_source(m, err) < 0)
        return -1;
    m->completed_us = clock_now_us();
    sides_hurry(m, DEADLINE_NEVER);
    if (migration_wait(m, &wait_for_destination, err) < 0)
        return -1;
    /* A cancel that comes now comes too late. */
    m->hold_interrupts = true;
    return 0;
}

/* --- run the destination ---------------------------------------------------- */

/* The two parts of a guest are brought together by nobody but us. */
static bool is_in_two_parts(const struct migration *m)
{
    enum migration_status source = m->side[SOURCE].status;

    return m->postcopy_asked && m->last_page_us == 0 &&
           source != MIGRATION_FAILED && source != MIGRATION_CANCELLED;
}

void owner_be_patient(struct migration *m)
{
    int64_t ms = is_in_two_parts(m) ? AS_LONG_AS_IT_TAKES_MS
                                    : failpoint_ms(OWNER_PATIENCE_MS);

    for (int i = 0; i < SIDES; i++)
        if (m->side[i].qmp)
            side_be_patient(&m->side[i], ms);
}

int owner_write(struct migration *m, bool source_gave_up, struct qm_error *err)
{
    int written = journal_destination_owns(m->journal, source_gave_up, err);

    m->hold_interrupts = true;
    m->destination_owns = written == 0;
    m->owner_unknown = written == -2;
    if (m->destination_owns)
        owner_be_patient(m);
    m->source_gave_up = m->destination_owns && source_gave_up;
    return written == 0 ? failpoint("owner", "written", err) : -1;
}

/* Its link may be up for a moment longer than its process.  Looked at only
 * where that costs nothing: the guest stands still. */
static int refuse_dead_owner(struct side *d, struct qm_error *err)
{
    return d->pidfd >= 0 && side_check_dead(d, clock_now_ms())
               ? side_gone_error(d, err)
               : 0;
}

/* Durable before `cont`: only a source that gave the guest up allows it. */
static int write_gave_up(struct migration *m, struct qm_error *err)
{
    if (!m->destination_owns)
        return refuse_dead_owner(destination_of(m), err) < 0
                   ? -1
                   : owner_write(m, true, err);
    if (m->source_gave_up)
        return 0;
    if (journal_fact(m->journal, "source-gave-up", true, err) < 0)
        return -1;
    m->source_gave_up = true;
    return failpoint("gave-up", "written", err);
}

bool destination_runs(struct migration *m)
{
    return destination_of(m)->running || destination_of(m)->resumed_us > 0;
}

/* The destination answered `cont` with an error, so its guest never ran; unless
 * an answer was lost before. */
static void return_to_source(struct migration *m)
{
    struct side *d = destination_of(m);
    struct qm_error err = QM_ERROR_INIT;

    if (d->attempts > 1)
        error_set(&err, QM_ERR_MIGRATION, "it may have run at the destination");
    else if (side_refresh_run_state(d, &err) == 0 && d->running)
        error_set(&err, QM_ERR_MIGRATION, "the destination runs it");
    if (error_is_set(&err) || give_back(m, &err) < 0)
        migration_left(m, "the guest, stopped on both sides: %s", err.message);
    error_clear(&err);
}

int start_destination(struct migration *m, struct qm_error *err)
{
    /* its RESUME may be lost with the link */
    const struct wait wait = {
        .what = "the guest to run at the destination",
        .holds = destination_runs,
        .limit_ms = RUN_LIMIT_MS + destination_of(m)->patience_ms,
        .ends_on = ENDS_ON_DESTINATION_DEATH,
    };

    if (m->postcopy_asked)
        return postcopy_run(m, err);
    if (side_cont(destination_of(m), err) < 0)
        return -1;
    return migration_wait(m, &wait, err);
}

static int start_guest(struct migration *m, struct qm_error *err)
{
    if (start_destination(m, err) == 0)
        return 0;
    /* In post-copy a part of it is there, and stays there. */
    if (err->code == QM_ERR_QEMU && !m->postcopy_asked)
        return_to_source(m);
    return -1;
}

/* It runs: what the journal cannot take now is no reason to stop. */
static void note_start(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (journal_fact(m->journal, "started", true, &err) < 0)
        migration_warn(m, "%s", err.message);
    error_clear(&err);
}

int step_run_destination(struct migration *m, struct qm_error *err)
{
    bool stays_paused = !m->was_running || m->plan->paused;

    /* recover may find that it was started */
    if (write_gave_up(m, err) < 0 ||
        (!stays_paused && !m->guest_started && start_guest(m, err) < 0))
        return -1;
    m->guest_started = true;
    if (!stays_paused)
        note_start(m);
    m->running_us =
        stays_paused ? clock_now_us() : destination_of(m)->resumed_us;
    if (m->running_us == 0)
        m->running_us = clock_now_us();
    return 0;
}

/* Tell the network where the guest is now: what QEMU announced by itself came
 * before `cont`.  The schedule is the destination's own, but for what the
 * operator says. */
int step_announce(struct migration *m, struct qm_error *err)
{
    const struct qmp_settings *p = &m->facts.side[DESTINATION].parameters;
    static const char *const names[] = { "announce-initial", "announce-max",
                                         "announce-rounds", "announce-step" };
    int64_t v[ARRAY_LEN(names)] = { 50, 550, 5, 100 }; /* options.c:78 */
    struct qm_error failed = QM_ERROR_INIT;

    (void)err;
    if (!destination_of(m)->running)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint64_t n;
        const char *text = qmp_settings_get(p, names[i]);

        if (text && str_to_u64(text, 0, 100000, &n))
            v[i] = (int64_t)n;
    }
    if (m->plan->announce_rounds != PLAN_ANNOUNCE_THEIRS)
        v[2] = m->plan->announce_rounds;
    if (qmp_announce_self(destination_of(m)->qmp, v[0], v[1], v[2], v[3],
                          &failed) == 0)
        m->announced_us = clock_now_us();
    else
        migration_warn(m, "the network was not told of the new place: %s",
                       failed.message);
    error_clear(&failed);
    return 0;
}
