/*
 * Are the source's disks still those that were compared with the destination's?
 *
 * A disk that is copied is held by its mirror; one that both sides use by
 * nothing.  QEMU lets somebody put another node under it while the RAM moves,
 * a snapshot of a backup for example, and the destination would go on without
 * what was written there.  So they are looked at once the guest stands still,
 * when nothing can be written any more.
 */
#include "core/migration-private.h"

static int judge(const struct migration *m, const struct qmp_tops *now,
                 struct qm_error *err)
{
    const struct qmp_disks *disks = &m->facts.side[SOURCE].disks;

    for (size_t i = 0; i < disks->count; i++) {
        const struct qmp_disk *d = &disks->item[i];
        const struct qmp_top *top = qmp_tops_find(now, d->qom_path);

        /* a medium that the guest gave out is missed by nobody */
        if (!d->qom_path || !top || str_equal(top->node_name, d->node_name) ||
            (!top->node_name && d->removable))
            continue;
        error_set(err, QM_ERR_GUEST,
                  "source: disk %s has another image than when it was "
                  "compared: node %s, which was %s",
                  disk_label(d), top->node_name ? top->node_name : "none",
                  d->node_name ? d->node_name : "none");
        error_hint(err, "the destination has the former one; see who takes "
                        "snapshots or changes media, and try again with a "
                        "destination like the source as it is now");
        return -1;
    }
    return 0;
}

int handover_finish_look(struct migration *m, struct qmp_request *r,
                         struct qm_error *err)
{
    CLEANUP(qmp_tops_done) struct qmp_tops now = { 0 };

    return qmp_finish_query_tops(r, &now, err) < 0 ? -1 : judge(m, &now, err);
}

static int run_look(struct side *s, void *arg, struct qm_error *err)
{
    return handover_finish_look(arg, qmp_send_query_tops(s->qmp), err);
}

int handover_end_look(struct migration *m, struct qm_error *failed,
                      struct qm_error *err)
{
    if (!error_is_set(failed))
        return 0;
    if (failed->code != QM_ERR_LINK)
        return error_move(err, failed);
    return side_do(source_of(m), run_look, NULL, m, err);
}
