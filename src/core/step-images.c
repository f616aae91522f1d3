/*
 * Images for the destination's placeholders, and slices of its larger block
 * devices.
 *
 * happy path   An image is made on the destination's host, like the source's.
 *              Its node has to have the placeholder's name, which is the
 *              operator's, and a name is free only once its node is gone; so a
 *              blank node goes under the device for the moment in between:
 *              qom-set of `drive` works on a device that is realized.  A slice
 *              is a raw node of exact size on top of the operator's, which is
 *              left as it is: reopening that would reset the options that
 *              QEMU does not tell (discard, aio).
 * what fails   A device that takes no other drive, an image that the QEMU may
 *              not open, a disk that is full.
 * undo         The placeholder comes back in the same way; then exactly the
 *              file that was made is removed, whatever became of that QEMU: the
 *              source owns the guest, and a part of a copy is nobody's.
 */
#include <string.h>

#include "core/disk-make.h"
#include "core/migration-private.h"
#include "core/nodes.h"
#include "qmp/place.h"

/* --- nodes, by side_do() ----------------------------------------------------- */

static int asked_own(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return node_asked(s, k->own_node, err);
}

static int asked_old(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return node_asked(s, k->old_node, err);
}

static int add_null(struct side *s, const struct disk_make *k,
                    const char *driver, bool zeroes, const char *name,
                    struct qm_error *err)
{
    return qmp_blockdev_add_null(
        s->qmp,
        &(struct qmp_null_node){ .driver = driver,
                                 .node_name = name,
                                 .size_bytes = k->size_bytes,
                                 .read_zeroes = zeroes,
                                 .read_only = k->read_only },
        err);
}

static int run_add_blank(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return add_null(s, k, "null-co", true, k->own_node, err);
}

static int run_add_placeholder(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return add_null(s, k, k->placeholder, k->placeholder_zeroes, k->old_node,
                    err);
}

static int run_add_image(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return qmp_blockdev_add_image(s->qmp,
                                  &(struct qmp_image_node){
                                      .node_name = k->old_node,
                                      .format = k->format,
                                      .path = k->path,
                                      .direct = k->direct,
                                      .read_only = k->read_only,
                                  },
                                  err);
}

static int run_add_slice(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return qmp_blockdev_add_slice(s->qmp,
                                  &(struct qmp_slice_node){
                                      .node_name = k->own_node,
                                      .file = k->old_node,
                                      .size_bytes = k->size_bytes,
                                  },
                                  err);
}

static int set_drive(struct side *s, const struct disk_make *k,
                     const char *node, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_set_drive(s->qmp, k->device, node, &failed) == 0)
        return 0;
    if (failed.code != QM_ERR_QEMU || !strstr(failed.message, "is read-only"))
        return error_move(err, &failed);
    error_clear(&failed);
    if (qmp_wake_node(s->qmp, node, k->own_node, err) < 0)
        return -1;
    return qmp_set_drive(s->qmp, k->device, node, err);
}

static int run_set_own(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return set_drive(s, k, k->own_node, err);
}

static int run_set_old(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_make *k = arg;

    return set_drive(s, k, k->old_node, err);
}

/* --- exchanging them ---------------------------------------------------------- */

/* The node called OLD is another one from now on, which ADD adds. */
static int exchange(struct side *s, struct disk_make *k, side_run_fn *add,
                    struct qm_error *err)
{
    k->stage = DRIVE_SET;
    if (side_do(s, run_set_own, NULL, k, err) < 0)
        return -1;
    k->stage = OLD_DELETED;
    if (node_remove(s, k->old_node, err) < 0)
        return -1;
    k->stage = NODE_OPENED;
    if (side_do(s, add, asked_old, k, err) < 0 ||
        side_do(s, run_set_old, NULL, k, err) < 0)
        return -1;
    return node_remove(s, k->own_node, err);
}

static int make_image(struct migration *m, struct disk_make *k,
                      struct qm_error *err)
{
    struct side *s = destination_of(m);
    const struct image_spec spec = { .path = k->path,
                                     .format = k->format,
                                     .size_bytes = k->size_bytes,
                                     .options = k->options };

    if (journal_makes(m->journal, k->path, err) < 0 ||
        host_make_image(s->host, s->process.known ? s->process.pid : 0, &spec,
                        &k->made, &k->made_unsure, err) < 0 ||
        journal_made(m->journal, k->path, k->made.device, k->made.inode, err) <
            0)
        return -1;
    k->stage = NODE_ADDED;
    if (side_do(s, run_add_blank, asked_own, k, err) == 0 &&
        exchange(s, k, run_add_image, err) == 0)
        return 0;
    if (k->stage == NODE_OPENED)
        error_hint(err, "the destination's QEMU must be able to open %s",
                   k->path);
    return -1;
}

static int make_slice(struct migration *m, struct disk_make *k,
                      struct qm_error *err)
{
    struct side *s = destination_of(m);

    k->stage = NODE_ADDED;
    if (side_do(s, run_add_slice, asked_own, k, err) < 0)
        return -1;
    k->stage = DRIVE_SET;
    return side_do(s, run_set_own, NULL, k, err);
}

int step_make_disks(struct migration *m, struct qm_error *err)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        if (d->make &&
            (d->make->what == MAKE_IMAGE ? make_image(m, d->make, err)
                                         : make_slice(m, d->make, err)) < 0)
            return error_wrap(err, "disk %s", d->label);
    }
    return 0;
}

/* --- undo ----------------------------------------------------------------------- */

/* Is the node of the operator's name the operator's? */
static int old_node_is_there(struct side *s, const struct disk_make *k,
                             struct qm_error *err)
{
    if (k->what == MAKE_SLICE || k->stage < OLD_DELETED)
        return 1;
    return k->stage > OLD_DELETED ? 0 : node_asked(s, k->old_node, err);
}

static int put_node_back(struct side *s, struct disk_make *k,
                         struct qm_error *err)
{
    int there = old_node_is_there(s, k, err);

    if (there < 0)
        return -1;
    if (there == 0) {
        int blank = asked_own(s, k, err);

        if (blank < 0 ||
            (blank == 0 && side_do(s, run_add_blank, asked_own, k, err) < 0))
            return -1;
        return exchange(s, k, run_add_placeholder, err);
    }
    if (k->stage >= DRIVE_SET && side_do(s, run_set_old, NULL, k, err) < 0)
        return -1;
    return node_remove(s, k->own_node, err);
}

static void undo_nodes(struct migration *m, struct disk_copy *d)
{
    struct side *s = destination_of(m);
    struct qm_error err = QM_ERROR_INIT;

    if (d->make->stage == NODES_UNTOUCHED || !side_needs_cleaning(s))
        return;
    if (put_node_back(s, d->make, &err) < 0 && !side_has_ended(s))
        migration_left(m, "disk %s of the destination, without its node %s: %s",
                       d->label, d->make->old_node, err.message);
    d->make->stage = NODES_UNTOUCHED;
    error_clear(&err);
}

static void undo_file(struct migration *m, struct disk_make *k)
{
    struct side *s = destination_of(m);
    struct qm_error err = QM_ERROR_INIT;

    if (k->made.known &&
        host_remove_image(s->host, s->process.known ? s->process.pid : 0,
                          k->path, &k->made, &err) < 0)
        migration_left(m, "the image %s that was made: %s", k->path,
                       err.message);
    else if (k->made_unsure)
        migration_left(m,
                       "perhaps an image that was made on the destination's "
                       "host: %s",
                       k->path);
    k->made.known = k->made_unsure = false;
    error_clear(&err);
}

void undo_make_disks(struct migration *m)
{
    for (size_t i = m->disk_count; i-- > 0;) {
        if (!m->disk[i].make)
            continue;
        undo_nodes(m, &m->disk[i]);
        undo_file(m, m->disk[i].make);
    }
}
