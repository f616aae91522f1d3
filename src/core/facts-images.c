/*
 * Where images are to be made at the destination, and whether there is room.
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

static bool choose_paths(struct facts *f)
{
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    size_t *counterpart = facts_counterparts(f);
    bool any = false;

    f->site = xcalloc(disks->count + 1, sizeof(*f->site));
    for (size_t i = 0; i < disks->count; i++) {
        if (counterpart[i] && facts_is_placeholder(f, i, counterpart[i] - 1)) {
            f->site[i].path = image_place(f, i, &f->site[i].why);
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
        f->site_problem = xstrdup("it is not known how to reach it");
    } else if (host_look_at_sites(
                   in->host[DESTINATION], process->known ? process->pid : 0,
                   f->site, f->side[SOURCE].disks.count, &f->maker, &err) < 0) {
        f->site_problem = xstrdup(err.message);
    }
}
