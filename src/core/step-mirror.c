/*
 * Disks mirrored to the destination's exports.
 *
 * happy path   The source opens each export, which the engine has looked at
 *              itself, and mirrors to it until it is in sync.  From 8.2 on the
 *              job is switched to write-blocking once the bulk is over, and is
 *              in sync for good.  A disk that is written faster than it is
 *              copied goes write-blocking at once.
 * what fails   A silent server: the probe finds it before the source, whose
 *              main loop it would freeze (QEMU.md fact 11); where no probe was
 *              possible the source's own attempt is short and yank is at hand.
 *              A mirror that stops advancing is a failure: mirror-watch.c.
 * undo         mirror-undo.c
 */
#include <string.h>

#include "core/migration-private.h"
#include "core/mirror.h"
#include "core/nodes.h"

#define ADD_NODE_LIMIT_MS 15000
#define ADD_NODE_UNPROVED_LIMIT_MS 5000
#define MIRROR_LIMIT_MS (30LL * 24 * 3600 * 1000) /* mirror-watch.c governs */
#define PROGRESS_INTERVAL_MS 250
#define SYNC_INTERVAL_MS 50 /* actively-synced has no event */

static int run_add_node(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_nbd_node *n = arg;

    return qmp_blockdev_add_nbd(s->qmp, n, err);
}

static int asked_node(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_nbd_node *n = arg;

    return node_asked(s, (void *)n->node_name, err);
}

static int add_node(struct migration *m, struct disk_copy *d,
                    struct qm_error *err)
{
    CLEANUP_FREE char *tls = credentials_id(m);
    struct qmp_nbd_node node = {
        .node_name = d->node_name,
        .host = m->facts.address,
        .port = m->nbd_port,
        .export_name = d->export_name,
        .tls_creds = tls,
        .tls_hostname = secure_hostname(m),
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
    return error_wrap(err, "open the destination's export");
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

static int start_job(struct migration *m, struct disk_copy *d,
                     struct qm_error *err)
{
    struct qmp_mirror mirror = {
        .job_id = d->job_id,
        .device = d->source_node,
        .target = d->node_name,
        .sync = d->top ? "top" : "full",
        .write_blocking = d->write_blocking,
        .speed_bps = m->limits.value[LIMIT_DISK_BANDWIDTH],
    };

    d->state = MIRROR_RUNNING;
    d->mirror_started = true;
    return side_do(source_of(m), run_mirror, asked_mirror, &mirror, err);
}

static int start_mirror(struct migration *m, struct disk_copy *d,
                        struct qm_error *err)
{
    return add_node(m, d, err) < 0 ? -1 : start_job(m, d, err);
}

/* --- bitmaps of what the destination's image held before -------------------- */

struct old_bitmap {
    const char *node, *name;
};

static int run_remove_bitmap(struct side *s, void *arg, struct qm_error *err)
{
    const struct old_bitmap *b = arg;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_bitmap_remove(s->qmp, b->node, b->name, &failed) == 0)
        return 0;
    if (failed.code == QM_ERR_QEMU && strstr(failed.message, "not found")) {
        error_clear(&failed); /* it was removed, and the reply lost */
        return 0;
    }
    return error_move(err, &failed);
}

/* The stream brings those of the source under these names, and cannot load
 * them beside.  The export has made the image active, which loaded them; and
 * by now it is overwritten. */
static int remove_old_bitmaps(struct migration *m, const struct disk_copy *d,
                              struct qm_error *err)
{
    for (size_t i = 0; i < d->old_bitmaps.count; i++) {
        struct old_bitmap b = { d->destination_node, d->old_bitmaps.item[i] };

        if (side_do(destination_of(m), run_remove_bitmap, NULL, &b, err) < 0)
            return error_wrap(err, "remove a dirty bitmap");
    }
    return 0;
}

/* --- until they are in sync -------------------------------------------------- */

static bool some_mirror_overtaken(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].overtaken)
            return true;
    return false;
}

static bool every_mirror_ready(struct migration *m)
{
    if (some_mirror_overtaken(m))
        return true; /* as far as it gets this way */
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

static int ask_mirrors(struct migration *m, struct qm_error *err)
{
    if (progress_sample_disks(m, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        if (d->state == MIRROR_RUNNING && !d->write_blocking &&
            mirror_is_overtaken(&d->pace, clock_now_ms(), d->current_bytes,
                                d->total_bytes))
            d->overtaken = true;
    }
    return 0;
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

        if (d->write_blocking)
            continue;
        d->write_blocking = true;
        if (side_do(source_of(m), run_write_blocking, NULL, d->job_id, err) < 0)
            return error_wrap(err, "disk %s", d->label);
    }
    return migration_wait(m, &wait_for_sync, err);
}

/*
 * It is never in sync as long as it copies in the background.  From 8.2 on the
 * mode can be changed at any time; before, another mirror has to begin anew.
 */
static int hold_writes(struct migration *m, struct disk_copy *d,
                       struct qm_error *err)
{
    migration_warn(m,
                   "disk %s is written faster than it is copied (%.1f and "
                   "%.1f MiB/s): from now on a write of the guest waits until "
                   "the destination has it too",
                   d->label, (double)d->pace.written_bps / (double)MIB,
                   (double)d->pace.copied_bps / (double)MIB);
    d->overtaken = false;
    d->write_blocking = true;
    if (source_of(m)->features.has[QMP_FEATURE_BLOCK_JOB_CHANGE])
        return side_do(source_of(m), run_write_blocking, NULL, d->job_id, err);
    return mirror_end(m, d, err) < 0 ? -1 : start_job(m, d, err);
}

static int copy_until_ready(struct migration *m, struct qm_error *err)
{
    do {
        for (size_t i = 0; i < m->disk_count; i++)
            if (m->disk[i].overtaken && hold_writes(m, &m->disk[i], err) < 0)
                return error_wrap(err, "disk %s", m->disk[i].label);
        if (migration_wait(m, &wait_for_ready, err) < 0)
            return -1;
    } while (some_mirror_overtaken(m));
    return 0;
}

int step_mirror(struct migration *m, struct qm_error *err)
{
    m->progress.disk_count = m->disk_count;
    if (m->disk_count == 0)
        return 0;
    for (size_t i = 0; i < m->disk_count; i++)
        if (start_mirror(m, &m->disk[i], err) < 0 ||
            remove_old_bitmaps(m, &m->disk[i], err) < 0)
            return error_wrap(err, "disk %s", m->disk[i].label);
    if (copy_until_ready(m, err) < 0)
        return -1;
    return switch_to_write_blocking(m, err);
}
