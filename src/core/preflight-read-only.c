/*
 * Read-only disks: installation media, configuration drives, swapped-in data.
 *
 * Many are the same file everywhere, copied there beforehand, so what both
 * sides have is compared before anything is copied.  At the destination a
 * second node writes to the image of the read-only one, which has it open.
 */
#include "core/preflight-private.h"

/* What a second node can be opened for, knowing no more than names. */
static const char *const formats[] = { "raw", "qcow2" };
static const char *const protocols[] = { "file", "host_device" };

/* More than a medium holds is not read for a mere check. */
#define DIGEST_MAX_BYTES (16 * GIB)

static bool has_known_format(const struct qmp_disk *d)
{
    return str_is_among(d->driver, formats, ARRAY_LEN(formats)) ||
           str_equal(d->driver, d->protocol);
}

/* No offset, no size, and no other node between. */
static bool is_whole(const struct qmp_disk *d)
{
    return str_equal(d->filename, d->protocol_filename);
}

const char *disk_why_no_writer(const struct qmp_disk *b)
{
    if (!str_is_among(b->protocol, protocols, ARRAY_LEN(protocols))) {
        return "it is neither a file nor a block device";
    }
    if (!has_known_format(b)) {
        return "it is neither raw nor qcow2";
    }
    if (!is_whole(b)) {
        return "it is a part of a file, or lies under more than a format";
    }
    return NULL;
}

/* Do the bytes of its one file tell all that is in it? */
static bool is_in_its_file(const struct qmp_disk *d)
{
    return has_known_format(d) && is_whole(d) && !d->has_backing &&
           !d->has_data_file;
}

static const struct file_digest *digest(const struct side_facts *s, size_t i)
{
    return s->disk_digest && s->disk_digest[i].known ? &s->disk_digest[i]
                                                     : NULL;
}

/* Images that are equal hold the same, if they are read in the same way and
 * all is in them; images that differ may, which is not looked into. */
enum content_relation facts_content(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct file_digest *x = digest(&f->side[SOURCE], i);
    const struct file_digest *y = digest(&f->side[DESTINATION], j);

    if (a->virtual_size != b->virtual_size) {
        return CONTENT_DIFFERENT;
    }
    if (!x || !y) {
        return CONTENT_UNKNOWN;
    }
    if (!str_equal(x->sha256, y->sha256)) {
        return CONTENT_DIFFERENT;
    }
    return str_equal(a->driver, b->driver) && is_in_its_file(a) &&
                   is_in_its_file(b)
               ? CONTENT_SAME
               : CONTENT_UNKNOWN;
}

const char *content_reason(enum content_relation content)
{
    static const char *const reasons[] = {
        [CONTENT_UNKNOWN] =
            "read-only, and it cannot be determined whether the "
            "destination has the same",
        [CONTENT_SAME] = "read-only, and the destination has the same, byte "
                         "for byte",
        [CONTENT_DIFFERENT] = "read-only, and the destination has something "
                              "else",
    };

    return reasons[content];
}

/* Is it worth reading, if the other side has an equal one? */
static bool can_be_digested(const struct qmp_disk *d)
{
    return d->qdev && d->node_name && !d->is_pflash && is_in_its_file(d) &&
           d->virtual_size <= DIGEST_MAX_BYTES;
}

bool facts_need_digest(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];

    return !disk_is_among(&f->plan->shared_ids, a) && a->read_only &&
           can_be_digested(a) && can_be_digested(b) &&
           str_equal(a->driver, b->driver) &&
           a->virtual_size == b->virtual_size &&
           facts_storage(f, i, j).relation != STORAGE_SAME;
}
