/*
 * Where images are to be made at the destination, and whether there is room.
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

/* As the operator said, else where the source has it; NULL: the source's is no
 * file. */
static const char *choose_path(const struct plan *p, const struct qmp_disk *d)
{
    for (size_t i = 0; i < p->create_ids.count; i++) {
        if (disk_is_called(d, p->create_ids.item[i])) {
            return p->create_paths.item[i];
        }
    }
    return str_equal(d->protocol, "file") && d->protocol_filename &&
                   d->protocol_filename[0] == '/'
               ? d->protocol_filename
               : NULL;
}

static bool choose_paths(struct facts *f)
{
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    size_t *counterpart = facts_counterparts(f);
    bool any = false;

    f->site = xcalloc(disks->count + 1, sizeof(*f->site));
    for (size_t i = 0; i < disks->count; i++) {
        if (counterpart[i] && facts_is_placeholder(f, i, counterpart[i] - 1)) {
            f->site[i].path = xstrdup(choose_path(f->plan, &disks->item[i]));
            any = true;
        }
    }
    free(counterpart);
    return any;
}

void facts_collect_sites(const struct facts_input *in, struct facts *f)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    const struct process_identity *process = &f->side[DESTINATION].process;

    if (!f->plan->create_disks || !choose_paths(f)) {
        return;
    }
    if (!in->host[DESTINATION]) {
        f->site_problem = xstrdup("nobody said how to reach it");
    } else if (host_look_at_sites(
                   in->host[DESTINATION], process->known ? process->pid : 0,
                   f->site, f->side[SOURCE].disks.count, &f->maker, &err) < 0) {
        f->site_problem = xstrdup(err.message);
    }
}
