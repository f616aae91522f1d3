/*
 * What a QEMU's host tells of it.
 */
#include <stdlib.h>

#include "core/facts-private.h"

/* Where the host finds a disk's file; NULL where that is no file.  A relative
 * name is QEMU's own folder's; the caller frees it. */
static char *path_of_disk(const struct qmp_disk *d,
                          const struct process_identity *process)
{
    if (!d->protocol || !d->protocol_filename ||
        (!str_equal(d->protocol, "file") &&
         !str_starts(d->protocol, "host_"))) {
        return NULL;
    }
    if (d->protocol_filename[0] == '/') {
        return xstrdup(d->protocol_filename);
    }
    return process->known ? xasprintf("/proc/%d/cwd/%s", process->pid,
                                      d->protocol_filename)
                          : NULL;
}

static int identify_disks(struct host *h, struct side_facts *s,
                          struct qm_error *err)
{
    CLEANUP(strv_done) struct strv paths = { .count = 0 };
    int rc;

    for (size_t i = 0; i < s->disks.count; i++) {
        CLEANUP_FREE char *path = path_of_disk(&s->disks.item[i], &s->process);

        strv_add(&paths, path ? path : "");
    }
    if (paths.count == 0) {
        return 0;
    }
    rc = host_identify_files(h, (const char *const *)paths.item, paths.count,
                             s->disk_file, err);
    return rc;
}

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
    if (identify_disks(h, s, &err) < 0 && !s->host_problem) {
        s->host_problem = xstrdup(err.message);
        s->host_known = false;
    }
}
