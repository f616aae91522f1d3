/*
 * Are two disks the same image?
 *
 * A disk that both sides see must never be mirrored onto itself, and one that
 * they do not must not be left behind; so equal names prove nothing by
 * themselves.  On one machine device and inode tell; of a network or cluster
 * file system a mark does, which was made beside one and seen beside the other;
 * of a block device what the hardware calls itself; of a network image, whose
 * server is nobody's here, its name.  What is left is UNKNOWN, and the operator
 * has to say it.
 */
#include <ctype.h>
#include <string.h>

#include "core/preflight-private.h"

bool facts_same_machine(const struct facts *f)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct side_facts *d = &f->side[DESTINATION];

    if (s->process.known && d->process.known) {
        return str_equal(s->process.place.boot_id, d->process.place.boot_id);
    }
    return s->host_is_local && d->host_is_local;
}

/* They are two machines for sure. */
static bool are_two_machines(const struct facts *f)
{
    return f->side[SOURCE].process.known &&
           f->side[DESTINATION].process.known && !facts_same_machine(f);
}

static const struct file_identity *identity(const struct side_facts *s,
                                            size_t i)
{
    return s->disk_file && s->disk_file[i].known ? &s->disk_file[i] : NULL;
}

static struct storage storage(enum storage_relation relation,
                              const char *reason)
{
    return (struct storage){ .relation = relation, .reason = reason };
}

/* --- files ------------------------------------------------------------------ */

/* File systems whose files no other host sees at the same time, as stat -f
 * calls them.  What is not here (FUSE, virtiofs, and whatever comes) may be
 * anybody's. */
static bool is_local_fs(const struct file_identity *x)
{
    static const char *const local[] = {
        "ext2/ext3", "xfs",       "btrfs",    "zfs", "tmpfs",     "ramfs",
        "f2fs",      "overlayfs", "bcachefs", "jfs", "reiserfs",  "msdos",
        "exfat",     "isofs",     "squashfs", "udf", "hugetlbfs",
    };

    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (str_equal(x->fs_type, local[i])) {
            return true;
        }
    }
    return false;
}

static bool same_number(const struct file_identity *a,
                        const struct file_identity *b)
{
    return a->is_block_device == b->is_block_device && a->device == b->device &&
           a->inode == b->inode;
}

static bool are_in_question(bool one_machine, const struct file_identity *a,
                            const struct file_identity *b)
{
    return !a->is_block_device && !b->is_block_device &&
           !(one_machine && same_number(a, b)) &&
           (!is_local_fs(a) || !is_local_fs(b));
}

/* The mark tells of the folder: the last name and the inode tell of the
 * file. */
static struct storage judge_mark(enum host_mark mark,
                                 const struct file_identity *a,
                                 const struct file_identity *b)
{
    switch (mark) {
    case MARK_DONE:
        return a->inode == b->inode || str_equal(a->name, b->name)
                   ? storage(STORAGE_SAME, "one file: a mark beside it was "
                                           "seen from the other side")
                   : storage(STORAGE_DIFFERENT,
                             "writable, two files of one folder");
    case MARK_UNSEEN:
        return a->inode == b->inode
                   ? storage(STORAGE_UNKNOWN,
                             "a mark beside it was not seen from the other "
                             "side, and yet the inode numbers are equal")
                   : storage(STORAGE_DIFFERENT,
                             "writable, in another folder: a mark beside it "
                             "was not seen from the other side");
    case MARK_FAILED:
    case MARK_NOT_TRIED:
        break;
    }
    return storage(STORAGE_UNKNOWN, "on a file system that hosts may share, "
                                    "where no mark could be made");
}

static struct storage judge_files(bool one_machine, enum host_mark mark,
                                  const struct file_identity *a,
                                  const struct file_identity *b)
{
    if (one_machine && same_number(a, b)) {
        return a->offset == b->offset
                   ? storage(STORAGE_SAME, "one file, which both sides use")
                   : storage(STORAGE_UNKNOWN, "two parts of one file");
    }
    if (are_in_question(one_machine, a, b)) {
        return judge_mark(mark, a, b);
    }
    return storage(STORAGE_DIFFERENT, one_machine
                                          ? "writable, two files of one machine"
                                          : "writable, local to each host");
}

/* --- block devices ---------------------------------------------------------- */

static struct storage judge_devices(bool one_machine,
                                    const struct file_identity *a,
                                    const struct file_identity *b)
{
    if (one_machine && same_number(a, b)) {
        return storage(STORAGE_SAME, "one block device, which both sides use");
    }
    switch (block_ids_compare(a->block_id, b->block_id, one_machine)) {
    case BLOCKS_EQUAL:
        if (a->partition == b->partition) {
            return storage(STORAGE_SAME, "one block device: it says the same "
                                         "of itself on both sides");
        }
        return a->partition && b->partition
                   ? storage(STORAGE_DIFFERENT,
                             "writable, two partitions of one block device")
                   : storage(STORAGE_PERHAPS,
                             "one is a partition of the other");
    case BLOCKS_OVERLAP:
        return storage(STORAGE_PERHAPS,
                       "both lie on the same hardware, and may overlap");
    case BLOCKS_APART:
        return storage(STORAGE_DIFFERENT, "writable, two block devices");
    case BLOCKS_UNKNOWN:
        break;
    }
    return storage(STORAGE_UNKNOWN, "nothing says whether the block devices "
                                    "of the two sides are one");
}

/* A file, and a block device that is no loop. */
static struct storage judge_mixed(const struct file_identity *a,
                                  const struct file_identity *b)
{
    const struct file_identity *file = a->is_block_device ? b : a;

    return is_local_fs(file)
               ? storage(STORAGE_DIFFERENT,
                         "writable, a file on one side and a block device on "
                         "the other")
               : storage(STORAGE_UNKNOWN,
                         "a block device on one side, and on the other a file "
                         "that hosts may share");
}

/* --- names ------------------------------------------------------------------ */

/* Is WORD in NAME, and not the end of a longer word or address? */
static bool has_word(const char *name, const char *word)
{
    for (const char *at = name; (at = strstr(at, word)); at++) {
        if (at == name || (!isalnum((unsigned char)at[-1]) && at[-1] != '.' &&
                           at[-1] != ':')) {
            return true;
        }
    }
    return false;
}

/* A name that means another thing on another machine. */
static bool is_local_name(const struct qmp_disk *d)
{
    static const char *const protocols[] = { "nvme", "nvme-io_uring",
                                             "io_uring", "vvfat" };
    static const char *const words[] = { "127.", "localhost", "::1",
                                         "unix", "vsock",     "\"fd\"" };

    if (str_starts(d->protocol, "virtio-")) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (str_equal(d->protocol, protocols[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (has_word(d->protocol_filename, words[i])) {
            return true;
        }
    }
    return false;
}

bool disk_is_on_host(const struct qmp_disk *d)
{
    return !d->protocol || str_equal(d->protocol, "file") ||
           str_starts(d->protocol, "host_");
}

static struct storage judge_network(bool one_machine, const struct qmp_disk *a,
                                    const struct qmp_disk *b, bool same_name)
{
    if (str_starts(a->protocol, "null-") && str_starts(b->protocol, "null-")) {
        return storage(STORAGE_SAME, "it holds nothing");
    }
    if (same_name && !is_local_name(a)) {
        return storage(STORAGE_SAME,
                       "one network image, which both sides name");
    }
    if (same_name) {
        return storage(one_machine ? STORAGE_PERHAPS : STORAGE_UNKNOWN,
                       "the same name of something near each host");
    }
    return storage(STORAGE_UNKNOWN,
                   "two names of network images, which may be one");
}

/* --- all -------------------------------------------------------------------- */

static struct storage judge(const struct facts *f, size_t i, size_t j,
                            enum host_mark mark)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct file_identity *x = identity(&f->side[SOURCE], i);
    const struct file_identity *y = identity(&f->side[DESTINATION], j);
    bool one_machine = facts_same_machine(f);
    bool same_name = a->protocol_filename &&
                     str_equal(a->protocol, b->protocol) &&
                     str_equal(a->protocol_filename, b->protocol_filename);

    if (!disk_is_on_host(a) || !disk_is_on_host(b)) {
        return disk_is_on_host(a) || disk_is_on_host(b)
                   ? storage(STORAGE_UNKNOWN,
                             "a network image on one side and not on the other")
                   : judge_network(one_machine, a, b, same_name);
    }
    if (!x || !y) {
        return one_machine && same_name
                   ? storage(STORAGE_PERHAPS, "one name on one machine, which "
                                              "could not be looked at")
                   : storage(STORAGE_UNKNOWN,
                             x   ? "the destination's could not be looked at"
                             : y ? "the source's could not be looked at"
                                 : "neither side's could be looked at");
    }
    if (!one_machine && !are_two_machines(f) && same_number(x, y)) {
        return storage(STORAGE_PERHAPS, "the same numbers on both sides, which "
                                        "may be one machine");
    }
    if (x->is_block_device != y->is_block_device) {
        return judge_mixed(x, y);
    }
    return x->is_block_device ? judge_devices(one_machine, x, y)
                              : judge_files(one_machine, mark, x, y);
}

struct storage facts_storage(const struct facts *f, size_t i, size_t j)
{
    return judge(f, i, j, f->mark ? f->mark[i] : MARK_NOT_TRIED);
}

bool facts_is_overwritten(const struct facts *f, size_t i, size_t j)
{
    enum storage_relation relation = judge(f, i, j, MARK_NOT_TRIED).relation;

    return relation == STORAGE_SAME || relation == STORAGE_PERHAPS;
}

bool facts_need_mark(const struct facts *f, size_t i, size_t j)
{
    const struct file_identity *x = identity(&f->side[SOURCE], i);
    const struct file_identity *y = identity(&f->side[DESTINATION], j);

    return x && y && are_in_question(facts_same_machine(f), x, y);
}
