/*
 * Are two disks the same image?
 *
 * A disk must never be mirrored onto itself, so it is looked at from three
 * directions: device and inode where both QEMUs run on one machine, the name
 * of a network image where they do not, and, where nobody could look, the bare
 * file name.
 */
#include <string.h>

#include "core/preflight-private.h"

bool facts_same_machine(const struct facts *f)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct side_facts *d = &f->side[DESTINATION];

    if (s->process.known && d->process.known) {
        return str_equal(s->process.boot_id, d->process.boot_id);
    }
    return s->host_is_local && d->host_is_local;
}

static const struct file_identity *identity(const struct side_facts *s,
                                            size_t i)
{
    return s->disk_file && s->disk_file[i].known ? &s->disk_file[i] : NULL;
}

static bool same_file(const struct file_identity *a,
                      const struct file_identity *b)
{
    return a->is_block_device == b->is_block_device && a->device == b->device &&
           a->inode == b->inode;
}

/* A name that means another thing on another machine. */
static bool is_local_name(const struct qmp_disk *d)
{
    static const char *const local[] = { "127.", "localhost", "[::1]", "+unix",
                                         "unix:" };

    if (!d->protocol || str_equal(d->protocol, "file") ||
        str_starts(d->protocol, "host_")) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (strstr(d->protocol_filename, local[i])) {
            return true;
        }
    }
    return false;
}

enum storage_relation facts_same_storage(const struct facts *f, size_t i,
                                         size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct file_identity *x = identity(&f->side[SOURCE], i);
    const struct file_identity *y = identity(&f->side[DESTINATION], j);
    bool same_name = a->protocol_filename &&
                     str_equal(a->protocol, b->protocol) &&
                     str_equal(a->protocol_filename, b->protocol_filename);

    if (facts_same_machine(f)) {
        if (x && y) {
            return same_file(x, y) ? STORAGE_SAME : STORAGE_DIFFERENT;
        }
        return same_name ? STORAGE_SAME : STORAGE_UNKNOWN;
    }
    return same_name && !is_local_name(a) ? STORAGE_SAME : STORAGE_UNKNOWN;
}

bool facts_looks_shared(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct file_identity *x = identity(&f->side[SOURCE], i);
    const struct file_identity *y = identity(&f->side[DESTINATION], j);

    return !facts_same_machine(f) && x && y && !x->is_block_device &&
           !y->is_block_device && x->inode == y->inode &&
           str_equal(a->protocol_filename, b->protocol_filename);
}
