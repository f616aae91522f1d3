/*
 * Mirrors taken back.
 *
 * yank first, since draining a dead connection freezes QEMU's main loop
 * (QEMU.md fact 10), then cancel, dismiss, delete.
 */
#include <string.h>

#include "core/migration-private.h"
#include "core/mirror.h"
#include "core/nodes.h"

#define JOB_END_LIMIT_MS 20000
#define JOB_END_INTERVAL_MS 50  /* that a job has concluded may be missed */
#define RECONNECT_LIMIT_MS 2000 /* five round trips, each of 0.4 s */

static bool every_mirror_over(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].mirror_started)
            return false;
    return true;
}

/* Dismiss what has concluded: that is how a mirror's end is seen. */
static int dismiss(struct migration *m, bool only_ending, struct qm_error *err)
{
    struct qmp_jobs jobs = { 0 };

    if (qmp_query_jobs(source_of(m)->qmp, &jobs, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        const struct qmp_job *job = qmp_jobs_find(&jobs, d->job_id);
        struct qm_error ignored = QM_ERROR_INIT;

        if (d->mirror_started && (d->ending || !only_ending) &&
            (!job ||
             (str_equal(job->status, "concluded") &&
              qmp_job_dismiss(source_of(m)->qmp, d->job_id, &ignored) == 0)))
            d->mirror_started = false;
        error_clear(&ignored);
    }
    qmp_jobs_done(&jobs);
    return 0;
}

static int ask_to_dismiss(struct migration *m, struct qm_error *err)
{
    return dismiss(m, false, err);
}

static const struct wait wait_for_jobs_end = {
    .what = "the mirrors to end",
    .holds = every_mirror_over,
    .limit_ms = JOB_END_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
    .ask = ask_to_dismiss,
    .interval_ms = JOB_END_INTERVAL_MS,
};

static int run_yank(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_yank_node(s->qmp, arg, err);
}

static int run_cancel(struct side *s, void *arg, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_block_job_cancel(s->qmp, arg, &failed) == 0)
        return 0;
    /* A job that a person has paused ends only once it goes on. */
    if (failed.code != QM_ERR_QEMU || !strstr(failed.message, "paused"))
        return error_move(err, &failed);
    error_clear(&failed);
    return qmp_block_job_resume(s->qmp, arg, err) < 0
               ? -1
               : qmp_block_job_cancel(s->qmp, arg, err);
}

void mirror_yank(struct migration *m, struct disk_copy *d)
{
    struct qm_error ignored = QM_ERROR_INIT;

    side_do(source_of(m), run_yank, NULL, d->node_name, &ignored);
    error_clear(&ignored);
}

void mirrors_yank(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].mirror_started)
            mirror_yank(m, &m->disk[i]);
}

/*
 * Never by force: in 10.0.2 that corrupts the heap of a source whose guest
 * writes through a write-blocking mirror, within some ten tries, and the guest
 * is lost.  Yank has ended the connection, so there is nothing to wait for.
 */
static void cancel_mirrors(struct migration *m)
{
    mirrors_yank(m);
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        struct qm_error ignored = QM_ERROR_INIT;

        if (!d->mirror_started)
            continue;
        side_do(source_of(m), run_cancel, NULL, d->job_id, &ignored);
        error_clear(&ignored);
    }
}

/* --- one that another follows ------------------------------------------------ */

static bool ending_is_over(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].ending && m->disk[i].mirror_started)
            return false;
    return true;
}

static int ask_to_dismiss_ending(struct migration *m, struct qm_error *err)
{
    return dismiss(m, true, err);
}

static const struct wait wait_for_ending = {
    .what = "a mirror to end for another",
    .holds = ending_is_over,
    .limit_ms = JOB_END_LIMIT_MS,
    .ends_on = ENDS_ON_ANYTHING & ~(unsigned)ENDS_ON_STREAM_FAILURE,
    .ask = ask_to_dismiss_ending,
    .interval_ms = JOB_END_INTERVAL_MS,
};

int mirror_end(struct migration *m, struct disk_copy *d, struct qm_error *err)
{
    struct qm_error ignored = QM_ERROR_INIT;

    /* What it answers does not matter: it may have ended by itself. */
    d->ending = true;
    side_do(source_of(m), run_cancel, NULL, d->job_id, &ignored);
    error_clear(&ignored);
    if (migration_wait(m, &wait_for_ending, err) < 0)
        return -1;
    d->ending = false;
    d->state = MIRROR_NONE;
    d->current_bytes = 0;
    d->quiet = (struct mirror_quiet){ 0 };
    return 0;
}

/* --- nodes -------------------------------------------------------------------- */

static void remove_nodes(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        struct qm_error err = QM_ERROR_INIT;

        if (!d->node_added)
            continue;
        if (node_remove(source_of(m), d->node_name, &err) < 0)
            migration_left(m, "block node %s at the source: %s", d->node_name,
                           err.message);
        d->node_added = false;
        error_clear(&err);
    }
}

static bool never(struct migration *m)
{
    (void)m;
    return false;
}

static const struct wait wait_for_no_reconnect = {
    .what = "an attempt to connect again to be over",
    .holds = never,
    .limit_ms = RECONNECT_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH | ENDS_ON_DESTINATION_DEATH,
};

/*
 * QEMU's NBD client connects again by itself when its connection was cut, in a
 * thread that outlives its node.  If the destination's server is ended amid the
 * TLS handshake of that, the destination hangs for good, and now and then the
 * source dies: the thread runs the main loop beside the main thread
 * (nbd_receive_starttls(); with 10.0.2 one cut of ten, and one of some
 * thousand).  No QEMU tells when it is over.  After yank it does not connect
 * again.
 */
static void let_reconnect_end(struct migration *m)
{
    struct qm_error ignored = QM_ERROR_INIT;

    if (!m->plan->insecure)
        migration_wait(m, &wait_for_no_reconnect, &ignored);
    error_clear(&ignored);
}

void undo_mirror(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;
    bool was_cut = some_mirror_has_failed(m);

    if (m->disk_count == 0 || !side_needs_cleaning(source_of(m)))
        return;
    if (!every_mirror_over(m)) {
        cancel_mirrors(m);
        if (migration_wait(m, &wait_for_jobs_end, &err) < 0)
            migration_left(m, "a mirror job at the source: %s", err.message);
        error_clear(&err);
    }
    remove_nodes(m);
    if (was_cut)
        let_reconnect_end(m);
}
