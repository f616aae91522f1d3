/*
 * Disks: exported at the destination, looked at, mirrored.
 *
 * happy path   The destination opens an NBD server on the first free port of
 *              the range and exports each disk; the engine looks at each
 *              export itself; then the source opens it and mirrors to it until
 *              it is in sync.  From 8.2 on the job is switched to
 *              write-blocking once the bulk is over, and is in sync for good.
 * what fails   A port in use: the next one.  A silent server: the probe finds
 *              it before the source, whose main loop it would freeze
 *              (QEMU.md fact 11); where no probe was possible the source's own
 *              attempt is short and yank is at hand.  A mirror that stops
 *              advancing for 30 s is a failure: the network is gone.
 * undo         yank first, since draining a dead connection freezes QEMU's
 *              main loop (fact 10), then cancel, dismiss, delete.
 */
#include <string.h>

#include "core/migration-private.h"

#define ADD_NODE_LIMIT_MS 15000
#define ADD_NODE_UNPROVED_LIMIT_MS 5000
#define MIRROR_STALL_MS 30000
#define MIRROR_QUIET_MS 600000 /* what QEMU does without progress */
#define MIRROR_LIMIT_MS (30LL * 24 * 3600 * 1000) /* the stall limit governs */
#define JOB_END_LIMIT_MS 20000
#define PROGRESS_INTERVAL_MS 250
#define SYNC_INTERVAL_MS 50 /* actively-synced has no event */

/* --- export ----------------------------------------------------------------- */

static int run_server_start(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_nbd_server_start(s->qmp, arg, err);
}

static bool port_is_taken(const struct qm_error *err)
{
    return err->code == QM_ERR_QEMU &&
           strstr(err->message, "Address already in use");
}

/* The link broke before the reply: the server that now runs is ours.  At the
 * first attempt it is another's, which no query shows until it has exports. */
static bool server_was_ours(const struct side *s, const struct qm_error *err)
{
    return s->attempts > 1 && err->code == QM_ERR_QEMU &&
           strstr(err->message, "NBD server already running");
}

static int explain_server(const struct migration *m, struct qm_error *failed,
                          struct qm_error *err)
{
    if (failed->code == QM_ERR_QEMU &&
        strstr(failed->message, "NBD server already running"))
        error_hint(failed, "end the one that somebody else started: "
                           "nbd-server-stop at the destination");
    else if (failed->code == QM_ERR_QEMU)
        error_hint(failed,
                   "%s must be an address of the destination's host: give "
                   "another one with --bind",
                   m->facts.bind);
    return error_move(err, failed);
}

static int start_server(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *tls = migration_own_id(m, "tls");
    struct qmp_nbd_server server = {
        .host = m->facts.bind,
        .tls_creds = m->plan->insecure ? NULL : tls,
    };

    for (unsigned port = m->plan->port_low; port <= m->plan->port_high;
         port++) {
        struct qm_error failed = QM_ERROR_INIT;

        server.port = port;
        m->nbd_server_up = true;
        if (side_do(destination_of(m), run_server_start, NULL, &server,
                    &failed) == 0 ||
            server_was_ours(destination_of(m), &failed)) {
            error_clear(&failed);
            m->nbd_port = port;
            return 0;
        }
        m->nbd_server_up = failed.code != QM_ERR_QEMU;
        if (!port_is_taken(&failed))
            return explain_server(m, &failed, err);
        error_clear(&failed);
    }
    error_set(err, QM_ERR_CONNECT,
              "destination: every port of %u-%u on %s is in use",
              m->plan->port_low, m->plan->port_high, m->facts.bind);
    error_hint(err, "give another range with --ports");
    return -1;
}

static int run_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;

    return qmp_export_add(s->qmp, d->export_id, d->destination_node,
                          d->export_name, true, err);
}

static int asked_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;
    CLEANUP(strv_done) struct strv exports = { 0 };

    if (qmp_query_exports(s->qmp, &exports, err) < 0)
        return -1;
    return strv_contains(&exports, d->export_id);
}

int step_export_disks(struct migration *m, struct qm_error *err)
{
    if (m->disk_count == 0)
        return 0;
    if (start_server(m, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        d->exported = true;
        if (side_do(destination_of(m), run_export, asked_export, d, err) < 0)
            return error_wrap(err, "disk %s", d->label);
    }
    return 0;
}

static int run_server_stop(struct side *s, void *arg, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    (void)arg;
    if (qmp_nbd_server_stop(s->qmp, &failed) == 0)
        return 0;
    if (failed.code == QM_ERR_QEMU && strstr(failed.message, "not running")) {
        error_clear(&failed);
        return 0;
    }
    return error_move(err, &failed);
}

int step_close_exports(struct migration *m, struct qm_error *err)
{
    if (!m->nbd_server_up)
        return 0;
    if (side_do(destination_of(m), run_server_stop, NULL, NULL, err) < 0)
        return -1;
    m->nbd_server_up = false;
    return 0;
}

static int run_deactivate(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_blockdev_set_active(s->qmp, arg, false, err);
}

/* An export makes an inactive node active, for good (and so QEMU locks the
 * image): it goes back to waiting. */
static void deactivate_disks(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        struct qm_error err = QM_ERROR_INIT;

        if (d->exported && d->was_inactive
            && side_do(destination_of(m), run_deactivate, NULL,
                       d->destination_node, &err) < 0
            && !side_has_ended(destination_of(m)))
            migration_left(m, "disk %s of the destination, in use: %s",
                           d->destination_node, err.message);
        error_clear(&err);
    }
}

void undo_export_disks(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (side_has_ended(destination_of(m)))
        return;
    if (step_close_exports(m, &err) == 0)
        deactivate_disks(m);
    else if (!side_has_ended(destination_of(m)))
        migration_left(m, "the NBD server of the destination, port %u: %s",
                       m->nbd_port, err.message);
    error_clear(&err);
}

/* --- mirror ----------------------------------------------------------------- */

static int run_add_node(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_nbd_node *n = arg;

    return qmp_blockdev_add_nbd(s->qmp, n, err);
}

static int asked_node(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_nbd_node *n = arg;
    CLEANUP(strv_done) struct strv nodes = { 0 };

    if (qmp_query_nodes(s->qmp, &nodes, err) < 0)
        return -1;
    return strv_contains(&nodes, n->node_name);
}

static int add_node(struct migration *m, struct disk_copy *d,
                    struct qm_error *err)
{
    CLEANUP_FREE char *tls = migration_own_id(m, "tls");
    bool secure = !m->plan->insecure;
    struct qmp_nbd_node node = {
        .node_name = d->node_name,
        .host = m->facts.address,
        .port = m->nbd_port,
        .export_name = d->export_name,
        .tls_creds = secure ? tls : NULL,
        .tls_hostname = secure ? m->facts.tls_hostname : NULL,
        .discard_unmap = d->discard,
        .limit_ms = d->probed ? ADD_NODE_LIMIT_MS : ADD_NODE_UNPROVED_LIMIT_MS,
    };

    d->node_added = true;
    if (side_do(source_of(m), run_add_node, asked_node, &node, err) == 0)
        return 0;
    if (err->code == QM_ERR_SILENT) {
        struct qm_error ignored = QM_ERROR_INIT;

        qmp_yank_node(source_of(m)->qmp, d->node_name, &ignored);
        error_clear(&ignored);
        error_hint(err,
                   "the NBD server at %s port %u does not answer the "
                   "source; is that the destination?",
                   node.host, node.port);
    }
    return -1;
}

static int run_mirror(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_blockdev_mirror(s->qmp, arg, err);
}

static int asked_mirror(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_mirror *mirror = arg;
    struct qmp_jobs jobs = { 0 };
    int found;

    if (qmp_query_jobs(s->qmp, &jobs, err) < 0)
        return -1;
    found = qmp_jobs_find(&jobs, mirror->job_id) != NULL;
    qmp_jobs_done(&jobs);
    return found;
}

static int start_mirror(struct migration *m, struct disk_copy *d,
                        struct qm_error *err)
{
    struct qmp_mirror mirror = {
        .job_id = d->job_id,
        .device = d->source_node,
        .target = d->node_name,
        .sync = "full",
        .speed_bps = m->plan->disk_bandwidth_bps,
    };

    if (add_node(m, d, err) < 0)
        return -1;
    d->state = MIRROR_RUNNING;
    d->mirror_started = true;
    return side_do(source_of(m), run_mirror, asked_mirror, &mirror, err);
}

static bool every_mirror_ready(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].state != MIRROR_READY)
            return false;
    return true;
}

static bool every_mirror_synced(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].write_blocking && !m->disk[i].actively_synced)
            return false;
    return true;
}

/*
 * Before it copies, a mirror may zero the whole target, and before it is ready
 * it flushes it: both without a byte of progress, for as long as the
 * destination's storage takes.  Nothing remains to be copied then.
 */
static int64_t stall_limit_ms(const struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].state == MIRROR_RUNNING &&
            m->disk[i].current_bytes == m->disk[i].total_bytes)
            return MIRROR_QUIET_MS;
    return MIRROR_STALL_MS;
}

/* Not one byte in all that time while a copy is not yet complete. */
static int check_stall(struct migration *m, struct qm_error *err)
{
    uint64_t copied = m->progress.disk_copied;
    int64_t limit_ms = stall_limit_ms(m);

    if (copied != m->disk_window_bytes || m->disk_window_ms == 0) {
        m->disk_window_bytes = copied;
        m->disk_window_ms = clock_now_ms();
        return 0;
    }
    if (clock_now_ms() - m->disk_window_ms < limit_ms)
        return 0;
    error_set(err, QM_ERR_TIMEOUT,
              "source: no byte of a disk has moved for %lld s",
              (long long)limit_ms / 1000);
    error_hint(err, "is the network to %s port %u cut?", m->facts.address,
               m->nbd_port);
    return -1;
}

static int ask_mirrors(struct migration *m, struct qm_error *err)
{
    return progress_sample_disks(m, err) < 0 ? -1 : check_stall(m, err);
}

static const struct wait wait_for_ready = {
    .what = "the mirrors to be in sync",
    .holds = every_mirror_ready,
    .limit_ms = MIRROR_LIMIT_MS,
    .ends_on = ENDS_ON_ANYTHING & ~(unsigned)ENDS_ON_STREAM_FAILURE,
    .ask = ask_mirrors,
    .interval_ms = PROGRESS_INTERVAL_MS,
};

static const struct wait wait_for_sync = {
    .what = "the mirrors to be in sync with every write",
    .holds = every_mirror_synced,
    .limit_ms = MIRROR_LIMIT_MS,
    .ends_on = ENDS_ON_ANYTHING & ~(unsigned)ENDS_ON_STREAM_FAILURE,
    .ask = ask_mirrors,
    .interval_ms = SYNC_INTERVAL_MS,
};

static int run_write_blocking(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_block_job_write_blocking(s->qmp, arg, err);
}

/* Every write then goes to both sides before the guest hears of it: nothing
 * is left to copy when the guest stops. */
static int switch_to_write_blocking(struct migration *m, struct qm_error *err)
{
    const bool *has = source_of(m)->features.has;

    if (!has[QMP_FEATURE_BLOCK_JOB_CHANGE] || !has[QMP_FEATURE_ACTIVELY_SYNCED])
        return 0;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        d->write_blocking = true;
        if (side_do(source_of(m), run_write_blocking, NULL, d->job_id, err) < 0)
            return error_wrap(err, "disk %s", d->label);
    }
    return migration_wait(m, &wait_for_sync, err);
}

int step_mirror(struct migration *m, struct qm_error *err)
{
    m->progress.disk_count = m->disk_count;
    if (m->disk_count == 0)
        return 0;
    for (size_t i = 0; i < m->disk_count; i++)
        if (start_mirror(m, &m->disk[i], err) < 0)
            return error_wrap(err, "disk %s", m->disk[i].label);
    if (migration_wait(m, &wait_for_ready, err) < 0)
        return -1;
    return switch_to_write_blocking(m, err);
}

/* --- undo ------------------------------------------------------------------- */

static bool every_mirror_over(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].mirror_started)
            return false;
    return true;
}

/* Dismiss what has concluded: that is how a mirror's end is seen. */
static int ask_to_dismiss(struct migration *m, struct qm_error *err)
{
    struct qmp_jobs jobs = { 0 };

    if (qmp_query_jobs(source_of(m)->qmp, &jobs, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        const struct qmp_job *job = qmp_jobs_find(&jobs, d->job_id);
        struct qm_error ignored = QM_ERROR_INIT;

        if (d->mirror_started &&
            (!job ||
             (str_equal(job->status, "concluded") &&
              qmp_job_dismiss(source_of(m)->qmp, d->job_id, &ignored) == 0)))
            d->mirror_started = false;
        error_clear(&ignored);
    }
    qmp_jobs_done(&jobs);
    return 0;
}

static const struct wait wait_for_jobs_end = {
    .what = "the mirrors to end",
    .holds = every_mirror_over,
    .limit_ms = JOB_END_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
    .ask = ask_to_dismiss,
    .interval_ms = SYNC_INTERVAL_MS,
};

static int run_yank(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_yank_node(s->qmp, arg, err);
}

static int run_cancel(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_block_job_cancel(s->qmp, arg, false, err);
}

void mirrors_yank(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct qm_error ignored = QM_ERROR_INIT;

        if (m->disk[i].mirror_started)
            side_do(source_of(m), run_yank, NULL, m->disk[i].node_name,
                    &ignored);
        error_clear(&ignored);
    }
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

static int run_del_node(struct side *s, void *arg, struct qm_error *err)
{
    struct qmp_nbd_node node = { .node_name = arg };
    int there = asked_node(s, &node, err);

    return there <= 0 ? there : qmp_blockdev_del(s->qmp, arg, err);
}

static void remove_nodes(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        struct qm_error err = QM_ERROR_INIT;

        if (!d->node_added)
            continue;
        if (side_do(source_of(m), run_del_node, NULL, d->node_name, &err) < 0)
            migration_left(m, "block node %s at the source: %s", d->node_name,
                           err.message);
        d->node_added = false;
        error_clear(&err);
    }
}

void undo_mirror(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;

    if (m->disk_count == 0 || side_has_ended(source_of(m)))
        return;
    if (!every_mirror_over(m)) {
        cancel_mirrors(m);
        if (migration_wait(m, &wait_for_jobs_end, &err) < 0)
            migration_left(m, "a mirror job at the source: %s", err.message);
        error_clear(&err);
    }
    remove_nodes(m);
}
