/*
 * What mirrors cost the guest: how long its writes take.
 *
 * While a mirror is write-blocking, a write of the guest ends when the
 * destination has it too.  QEMU counts the guest's writes and their time; when
 * that becomes much more than it was, the operator is told.
 */
#include "core/migration-private.h"
#include "core/mirror.h"

#define COUNT_INTERVAL_MS 1000

static void watch_disk(struct migration *m, struct disk_copy *d,
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

void mirrors_watch_writes(struct migration *m)
{
    CLEANUP(qmp_writes_list_done) struct qmp_writes_list list = { 0 };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    if (m->disk_count == 0 ||
        clock_now_ms() - m->writes_at_ms < COUNT_INTERVAL_MS)
        return;
    m->writes_at_ms = clock_now_ms();
    /* a figure only: what is wrong with the link, others find out */
    if (qmp_query_writes(source_of(m)->qmp, &list, &ignored) < 0)
        return;
    for (size_t i = 0; i < m->disk_count; i++)
        watch_disk(m, &m->disk[i], &list);
}
