/*
 * Is the backing chain of a disk one that both sides use?
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

void facts_collect_backing(struct facts *f)
{
    size_t *counterpart;

    if (f->plan->disks_sync != DISKS_SYNC_TOP) {
        return;
    }
    counterpart = facts_counterparts(f);
    f->backing_shared =
        xcalloc(f->side[SOURCE].disks.count + 1, sizeof(*f->backing_shared));
    for (size_t i = 0; i < f->side[SOURCE].disks.count; i++) {
        f->backing_shared[i] =
            counterpart[i] && facts_backing_is_shared(f, i, counterpart[i] - 1);
    }
    free(counterpart);
}
