/*
 * What mirrors cost the guest, and whether they advance.
 *
 * While a mirror is write-blocking, a write of the guest ends when the
 * destination has it too.  QEMU counts the guest's writes and their time; when
 * that becomes much more than it was, the operator is told.  Where the network
 * or the destination's storage hangs no write ends at all, and what has to be
 * copied stays: each disk is looked at by itself, as one that moves would hide
 * another.
 */
#include "core/migration-private.h"
#include "core/mirror.h"

#define COUNT_INTERVAL_MS 1000

/* --- the guest's writes ------------------------------------------------------ */

static void count_writes(struct migration *m, struct disk_copy *d,
                         const struct qmp_writes_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct qmp_writes *w = &list->item[i];
        struct write_count count = { w->writes, w->total_ns };

        if (!str_equal(w->node_name, d->source_node))
            continue;
        if (mirror_slows_writes(&d->writes, clock_now_ms(), &count,
                                d->write_blocking))
            migration_warn(m,
                           "disk %s: a write of the guest takes %.0f ms (%.1f "
                           "ms before), since it waits for the destination "
                           "too: the disk there, or the network, is slow",
                           d->label, d->writes.now_ms, d->writes.usual_ms);
        return;
    }
}

static bool writes_are_due(struct migration *m)
{
    if (m->disk_count == 0 ||
        clock_now_ms() - m->writes_at_ms < COUNT_INTERVAL_MS)
        return false;
    m->writes_at_ms = clock_now_ms();
    return true;
}

static void watch_writes(struct migration *m, struct qmp_request *asked)
{
    CLEANUP(qmp_writes_list_done) struct qmp_writes_list list = { 0 };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    /* a figure only: what is wrong with the link, others find out */
    if (qmp_finish_query_writes(asked, &list, &ignored) < 0)
        return;
    for (size_t i = 0; i < m->disk_count; i++)
        count_writes(m, &m->disk[i], &list);
}

/* --- do they advance? --------------------------------------------------------- */

static void warn_quiet(struct migration *m, const struct disk_copy *d)
{
    if (d->rests) {
        migration_warn(m,
                       "disk %s: somebody has paused its mirror; continue it "
                       "with block-job-resume %s at the source, or the "
                       "migration is given up after %lld s",
                       d->label, d->job_id,
                       (long long)d->quiet.limit_ms / 1000);
        return;
    }
    migration_warn(m,
                   "disk %s: no byte has moved to the destination for %lld "
                   "s%s; after %lld s the migration is given up",
                   d->label, (long long)d->quiet.quiet_ms / 1000,
                   d->write_blocking ? ", and writes of the guest wait for that"
                                     : "",
                   (long long)d->quiet.limit_ms / 1000);
}

static int stuck_error(const struct migration *m, const struct disk_copy *d,
                       struct qm_error *err)
{
    if (d->rests) {
        error_set(err, QM_ERR_TIMEOUT,
                  "source: somebody has paused the mirror of disk %s (job %s), "
                  "for more than %lld s",
                  d->label, d->job_id, (long long)d->quiet.limit_ms / 1000);
        error_hint(err, "see who sends block-job-pause to that QEMU; the guest "
                        "goes on at the source");
        return -1;
    }
    error_set(err, QM_ERR_TIMEOUT,
              "source: no byte of disk %s has moved to the destination for "
              "%lld s%s",
              d->label, (long long)d->quiet.limit_ms / 1000,
              d->write_blocking ? ", and writes of the guest waited for that"
                                : "");
    error_hint(err,
               "is the network to %s port %u cut, or does the storage of %s "
               "hang there? The connection was cut off, and the guest goes on "
               "at the source",
               m->facts.address, m->nbd_port,
               d->destination_file ? d->destination_file : d->destination_node);
    return -1;
}

static int judge(struct migration *m, struct disk_copy *d, struct qm_error *err)
{
    const struct mirror_sight sight = {
        .now_ms = clock_now_ms(),
        .current = d->current_bytes,
        .total = d->total_bytes,
        .ready = d->state == MIRROR_READY,
        .blocking = d->write_blocking,
        .patient = m->postcopy_asked,
        .speed_bps = m->limits.value[LIMIT_DISK_BANDWIDTH],
    };

    if (d->ending || (d->state != MIRROR_RUNNING && d->state != MIRROR_READY))
        return 0;
    switch (mirror_is_stuck(&d->quiet, &sight)) {
    case MIRROR_IS_WELL:
        return 0;
    case MIRROR_IS_QUIET:
        warn_quiet(m, d);
        return 0;
    case MIRROR_IS_STUCK:
        break;
    }
    mirror_yank(m, d); /* at once: the guest's writes wait for it */
    return stuck_error(m, d, err);
}

static int judge_all(struct migration *m, struct qm_error *err)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (judge(m, &m->disk[i], err) < 0)
            return -1;
    return 0;
}

int mirrors_watch_asked(struct migration *m, struct qm_error *err)
{
    if (writes_are_due(m))
        watch_writes(m, qmp_send_query_writes(source_of(m)->qmp));
    return judge_all(m, err);
}

int mirrors_watch(struct migration *m, struct qm_error *err)
{
    struct qmp_request *writes;
    int asked;

    if (!writes_are_due(m))
        return 0;
    /* in one go: the guest may stop in the meantime, and then waits */
    writes = qmp_send_query_writes(source_of(m)->qmp);
    asked = side_refresh_jobs(source_of(m), err);
    watch_writes(m, writes);
    return asked < 0 ? -1 : judge_all(m, err);
}
