/*
 * Asking how far it is, and telling it: the figures have no events.
 */
#include "core/migration-private.h"
#include "core/mirror.h"

/* Tell progress at most this often, however often it is asked. */
#define TELL_INTERVAL_MS 200
#define RATE_WINDOW_MS 1000

static void list_disks(struct migration *m)
{
    if (!m->progress_disk && m->disk_count > 0)
        m->progress_disk = xcalloc(m->disk_count, sizeof(*m->progress_disk));
    for (size_t i = 0; i < m->disk_count; i++) {
        const struct disk_copy *d = &m->disk[i];

        m->progress_disk[i] = (struct progress_disk){
            .label = d->label,
            .state = mirror_state_name(d->state),
            .total = d->total_bytes,
            .copied = d->current_bytes,
        };
    }
    m->progress.disk = m->progress_disk;
}

const struct progress *progress_now(struct migration *m)
{
    m->progress.step = m->step;
    m->progress.elapsed_ms = (clock_now_us() - m->started_us) / 1000;
    list_disks(m);
    return &m->progress;
}

static void tell_progress(struct migration *m)
{
    int64_t now = clock_now_ms();

    if (now - m->told_at_ms < TELL_INTERVAL_MS)
        return;
    m->told_at_ms = now;
    migration_tell(m, &(struct narration){ .kind = NARRATE_PROGRESS,
                                           .progress = progress_now(m) });
}

static void measure_disk_rate(struct migration *m, uint64_t copied)
{
    int64_t span = clock_now_ms() - m->rate_at_ms;

    if (m->rate_at_ms != 0 && span < RATE_WINDOW_MS)
        return;
    if (m->rate_at_ms != 0 && copied >= m->rate_bytes)
        m->progress.disk_bps = (copied - m->rate_bytes) * 1000 / (uint64_t)span;
    m->rate_at_ms = clock_now_ms();
    m->rate_bytes = copied;
}

int progress_sample_disks(struct migration *m, struct qm_error *err)
{
    uint64_t copied = 0, total = 0;

    if (side_refresh_jobs(source_of(m), err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        copied += m->disk[i].current_bytes;
        total += m->disk[i].total_bytes;
    }
    m->progress.disk_copied = copied;
    m->progress.disk_total = total;
    measure_disk_rate(m, copied);
    tell_progress(m);
    return mirrors_watch_asked(m, err);
}

static void record_progress(struct migration *m, const struct qmp_migration *q)
{
    struct progress *p = &m->progress;

    p->ram = true;
    p->pass = (int64_t)q->ram_dirty_sync_count;
    p->ram_total = q->ram_total;
    p->ram_remaining = q->ram_remaining;
    p->ram_transferred = q->ram_transferred;
    p->dirty_bps = q->ram_dirty_pages_rate * q->ram_page_size;
    /* Prepared, it stands at a percent that nobody feels. */
    p->throttle_percent = q->throttle_percent > 1 ? q->throttle_percent : 0;
    if (p->throttle_percent > m->max_throttle)
        m->max_throttle = p->throttle_percent;
}

static struct converge_sample sample_of(const struct qmp_migration *q)
{
    return (struct converge_sample){
        .pass = (int64_t)q->ram_dirty_sync_count,
        .total = q->ram_total,
        .remaining = q->ram_remaining,
        .transferred = q->ram_transferred,
        .processed =
            q->ram_normal_bytes + q->ram_duplicate_pages * q->ram_page_size,
        .dirty_bps = q->ram_dirty_pages_rate * q->ram_page_size,
        .expected_downtime_ms = q->expected_downtime_ms,
        .throttle_percent = q->throttle_percent,
    };
}

static int ask_source(struct migration *m, struct converge_sample *ret,
                      struct qm_error *err)
{
    struct side *s = source_of(m);
    struct qmp_migration q = { 0 };

    if (qmp_query_migrate(s->qmp, &q, err) < 0)
        return -1;
    side_record_migration(s, &q);
    record_progress(m, &q);
    *ret = sample_of(&q);
    qmp_migration_done(&q);
    return 0;
}

int progress_sample(struct migration *m, struct converge_sample *ret,
                    struct qm_error *err)
{
    if (ask_source(m, ret, err) < 0)
        return -1;
    m->progress.ram_bps = m->converge.bps;
    m->progress.outlook = m->converge.outlook;
    m->progress.left_ms = m->converge.left_ms;
    m->progress.blackout_ms = m->converge.blackout_ms;
    m->progress.hot_bytes = m->converge.hot_bytes;
    m->progress.downtime_limit_ms = m->converge.limit_ms;
    m->progress.timeout_left_ms = m->converge.timeout_left_ms;
    m->progress.on_timeout = m->limits.value[LIMIT_ON_TIMEOUT];
    m->limits.timeout_ms =
        converge_timeout_ms(&m->converge.rules, m->progress.ram_total);
    tell_progress(m);
    return 0;
}

int progress_sample_rest(struct migration *m, struct qm_error *err)
{
    struct progress *p = &m->progress;
    struct converge_sample sample;
    int asked = ask_source(m, &sample, err);

    sample.at_ms = clock_now_ms();
    converge_rest(&m->rest, asked == 0 ? &sample : NULL,
                  m->postcopy.lost_ms > 0);
    p->ram_bps = m->rest.bps;
    p->outlook = m->rest.outlook;
    p->left_ms = m->rest.left_ms;
    /* the guest is not at the source any more */
    p->dirty_bps = 0;
    p->throttle_percent = 0;
    p->downtime_limit_ms = p->timeout_left_ms = 0;
    tell_progress(m);
    return asked;
}
