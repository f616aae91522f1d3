/*
 * Block nodes of our own, made and taken away over a link that may break.
 *
 * A read-only disk of the destination cannot take an export that is written
 * to, so a second node is opened over its image.  That works because a QEMU
 * that waits for a guest holds no lock on the images of its devices (7.2 to
 * 11.1); once the guest is to run the device takes its own, which does not
 * share writing, so that the second node has to be gone by then.  A guest's
 * QEMU elsewhere that has the same image open makes the export fail.
 */
#include "core/nodes.h"

#include <string.h>

#include "core/migration-private.h"

int node_asked(struct side *s, void *arg, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv nodes = { 0 };

    if (qmp_query_nodes(s->qmp, &nodes, err) < 0)
        return -1;
    return strv_contains(&nodes, arg);
}

static int run_remove(struct side *s, void *arg, struct qm_error *err)
{
    int there = node_asked(s, arg, err);

    return there <= 0 ? there : qmp_blockdev_del(s->qmp, arg, err);
}

int node_remove(struct side *s, const char *name, struct qm_error *err)
{
    return side_do(s, run_remove, NULL, (void *)name, err);
}

/* --- writers ---------------------------------------------------------------- */

static int run_writer_add(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;
    const struct qmp_file_node node = {
        .node_name = d->writer_node,
        .format = d->destination_format,
        .protocol = d->destination_protocol,
        .filename = d->destination_file,
    };

    return qmp_blockdev_add_file(s->qmp, &node, err);
}

static int asked_writer(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;

    return node_asked(s, d->writer_node, err);
}

int writer_add(struct migration *m, struct disk_copy *d, struct qm_error *err)
{
    d->writer_added = true;
    if (side_do(destination_of(m), run_writer_add, asked_writer, d, err) == 0)
        return 0;
    error_hint(err,
               "the destination QEMU must be able to write %s, although it is "
               "read-only for the guest; or copy it there yourself",
               d->destination_file);
    return error_wrap(err, "open the read-only image for writing");
}

int writers_remove(struct migration *m, struct qm_error *err)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        if (!d->writer_added)
            continue;
        if (node_remove(destination_of(m), d->writer_node, err) < 0)
            return error_wrap(err, "block node %s of the destination",
                              d->writer_node);
        d->writer_added = false;
    }
    return 0;
}

/* The guest cannot have changed what was copied meanwhile. */
void writers_confess(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        const struct disk_copy *d = &m->disk[i];

        if (!d->writer_node || d->state == MIRROR_NONE || d->make)
            continue; /* what was made is removed */
        migration_warn(m,
                       "read-only disk %s: %s of the destination was written "
                       "to, and has %s of the source's content",
                       d->label, d->destination_file,
                       d->state == MIRROR_CONCLUDED ? "all" : "some or all");
    }
}
