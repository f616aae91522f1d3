/*
 * What a QEMU's host tells of it.
 */
#include <stdlib.h>

#include "core/facts-private.h"

void facts_collect_host(const struct facts_input *in, enum side_id side,
                        struct side_facts *s)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct host *h = in->host[side];

    if (!h) {
        s->host_problem = xstrdup("nobody said how to reach it");
        return;
    }
    s->host_is_local = host_is_local(h);
    s->process = *in->process[side];
    if (!s->process.known) {
        s->host_problem = xstrdup(in->process_problem[side]);
    } else if (host_unit_facts(h, &s->process, &s->unit, &err) < 0) {
        s->host_problem = xstrdup(err.message);
        error_clear(&err);
    } else {
        s->host_known = true;
    }
    /* also without the process: the same disk on both sides is fatal */
    if (facts_identify_disks(h, s, &err) < 0 && !s->host_problem) {
        s->host_problem = xstrdup(err.message);
        s->host_known = false;
    }
}
