/*
 * Are bytes of one side bytes of the other?
 *
 * Equal names prove nothing by themselves, nor do identifiers of different
 * layers.  On one machine device and inode tell; of a network or cluster file
 * system a mark does, which was made beside one and seen beside the other; of a
 * block device what the hardware calls itself; of a network image its name, if
 * that means the same everywhere.  What is left is UNKNOWN, and the operator
 * has to say it.
 */
#include "core/extents.h"

#include <string.h>
#include <strings.h>

static struct storage storage(enum storage_relation relation,
                              const char *reason)
{
    return (struct storage){ .relation = relation, .reason = reason };
}

/* --- ranges ----------------------------------------------------------------- */

struct range {
    uint64_t start, end;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* As bytes of what the file or device is a part of. */
static struct range whole_range(const struct extent *e)
{
    const struct file_identity *f = e->file;
    uint64_t from = f->is_block_device ? f->partition_start : f->offset;
    uint64_t limit = f->is_block_device ? f->partition_size : f->limit;
    uint64_t end = limit && limit < e->end ? limit : e->end;

    return (struct range){ sum(from, e->start), sum(from, end) };
}

/* Of one object, which WORD says. */
static struct storage judge_ranges(struct range a, struct range b,
                                   const char *word)
{
    if (a.start == b.start) {
        return storage(STORAGE_SAME, word);
    }
    return a.start < b.end && b.start < a.end
               ? storage(STORAGE_OTHERWISE,
                         "the two sides use different parts of one image, "
                         "which overlap")
               : storage(STORAGE_DIFFERENT,
                         "writable, two parts of one image that have no byte "
                         "in common");
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

    return str_is_among(x->fs_type, local, ARRAY_LEN(local));
}

/* One file system that shows another's files, under other numbers. */
static bool is_layered(const struct file_identity *x)
{
    return str_equal(x->fs_type, "overlayfs");
}

static bool same_number(const struct file_identity *a,
                        const struct file_identity *b)
{
    return a->is_block_device == b->is_block_device && a->device == b->device &&
           a->inode == b->inode;
}

static bool are_in_question(enum hosts hosts, const struct file_identity *a,
                            const struct file_identity *b)
{
    return !a->is_block_device && !b->is_block_device &&
           !(hosts == HOSTS_ONE && same_number(a, b)) &&
           (!is_local_fs(a) || !is_local_fs(b) ||
            (hosts == HOSTS_ONE && is_layered(a) != is_layered(b)));
}

/* May they be two names of one inode? */
static bool may_be_linked(const struct file_identity *a,
                          const struct file_identity *b)
{
    return a->links != 1 && b->links != 1 &&
           (a->links == b->links || !a->links || !b->links);
}

/* The mark was seen: both lie in one folder.  The last name and the inode tell
 * of the file; file systems that ignore case are there too. */
static struct storage judge_in_folder(const struct file_identity *a,
                                      const struct file_identity *b)
{
    bool one_name = str_equal(a->name, b->name);

    if (one_name || (a->inode == b->inode && may_be_linked(a, b))) {
        return storage(STORAGE_SAME, "one file: a mark beside it was seen "
                                     "from the other side");
    }
    if (a->inode == b->inode || !strcasecmp(a->name, b->name)) {
        return storage(STORAGE_UNKNOWN, "two names of one folder, which may "
                                        "be one file");
    }
    return may_be_linked(a, b)
               ? storage(STORAGE_UNKNOWN, "two files of one folder that have "
                                          "further names, and may be one")
               : storage(STORAGE_DIFFERENT, "writable, two files of one "
                                            "folder");
}

static struct storage judge_in_two_folders(const struct file_identity *a,
                                           const struct file_identity *b)
{
    if (a->inode == b->inode) {
        return storage(STORAGE_UNKNOWN,
                       "a mark beside it was not seen from the other side, "
                       "and yet the inode numbers are equal");
    }
    if (is_layered(a) || is_layered(b)) {
        return storage(STORAGE_UNKNOWN,
                       "a mark beside it was not seen from the other side, "
                       "but an overlay hides what lies below it");
    }
    return may_be_linked(a, b)
               ? storage(STORAGE_UNKNOWN,
                         "a mark beside it was not seen from the other side, "
                         "but both files have further names")
               : storage(STORAGE_DIFFERENT,
                         "writable, in another folder: a mark beside it was "
                         "not seen from the other side");
}

static struct storage judge_mark(enum host_mark mark,
                                 const struct file_identity *a,
                                 const struct file_identity *b)
{
    if (mark != MARK_DONE && mark != MARK_UNSEEN) {
        return storage(STORAGE_UNKNOWN, "on a file system that hosts may "
                                        "share, where no mark could be made");
    }
    if (a->mounted != MOUNTED_WITH_FOLDER ||
        b->mounted != MOUNTED_WITH_FOLDER) {
        return storage(STORAGE_UNKNOWN,
                       "on a file system that hosts may share, and mounted as "
                       "a single file, of which its folder says nothing");
    }
    return mark == MARK_DONE ? judge_in_folder(a, b)
                             : judge_in_two_folders(a, b);
}

static struct storage judge_files(enum hosts hosts, enum host_mark mark,
                                  const struct extent *x,
                                  const struct extent *y)
{
    const struct file_identity *a = x->file, *b = y->file;
    struct storage st;

    if (hosts == HOSTS_ONE && same_number(a, b)) {
        return judge_ranges(whole_range(x), whole_range(y),
                            "one file, which both sides use");
    }
    if (!are_in_question(hosts, a, b)) {
        return storage(STORAGE_DIFFERENT,
                       hosts == HOSTS_ONE ? "writable, two files of one machine"
                                          : "writable, local to each host");
    }
    st = judge_mark(mark, a, b);
    return st.relation == STORAGE_SAME
               ? judge_ranges(whole_range(x), whole_range(y), st.reason)
               : st;
}

/* --- block devices ---------------------------------------------------------- */

static const char file_and_device[] =
    "writable, a file on one side and a block device on the other";
static const char same_device[] =
    "one block device: it says the same of itself on both sides";
static const char nothing_says[] =
    "nothing says whether the block devices of the two sides are one";

/* Both are the same hardware, or parts of it. */
static struct storage judge_one_device(const struct extent *x,
                                       const struct extent *y)
{
    const struct file_identity *a = x->file, *b = y->file;
    bool known = (!a->partition || a->partition_size) &&
                 (!b->partition || b->partition_size);

    if (known) {
        return judge_ranges(whole_range(x), whole_range(y), same_device);
    }
    if (a->partition == b->partition) {
        return judge_ranges((struct range){ x->start, x->end },
                            (struct range){ y->start, y->end }, same_device);
    }
    return a->partition && b->partition
               ? storage(STORAGE_UNKNOWN,
                         "two partitions of one block device, whose extent is "
                         "not known")
               : storage(STORAGE_PERHAPS, "one is a partition of the other");
}

static struct storage judge_devices(enum hosts hosts, const struct extent *x,
                                    const struct extent *y)
{
    const struct file_identity *a = x->file, *b = y->file;
    bool one_machine = hosts == HOSTS_ONE;

    if (one_machine && same_number(a, b) && a->partition == b->partition) {
        return judge_ranges((struct range){ x->start, x->end },
                            (struct range){ y->start, y->end },
                            "one block device, which both sides use");
    }
    switch (block_ids_compare(a->block_id, b->block_id, one_machine)) {
    case BLOCKS_EQUAL:
        return judge_one_device(x, y);
    case BLOCKS_OVERLAP:
        return storage(STORAGE_PERHAPS,
                       "both lie on the same hardware, and may overlap");
    case BLOCKS_APART:
        return storage(STORAGE_DIFFERENT, "writable, two block devices");
    case BLOCKS_UNKNOWN:
        break;
    }
    return storage(STORAGE_UNKNOWN, nothing_says);
}

/* A file whose file system lies on no block device. */
static bool is_in_memory(const struct file_identity *x)
{
    return str_equal(x->fs_type, "tmpfs") || str_equal(x->fs_type, "ramfs") ||
           str_equal(x->fs_type, "hugetlbfs");
}

/* What file FILE's file system lies on, and device DEVICE of that machine. */
static struct storage judge_below(const struct file_identity *file,
                                  const struct extent *device)
{
    struct file_identity below = *file;
    const struct extent under = { .file = &below, .end = UINT64_MAX };
    struct storage st;

    if (is_in_memory(file)) {
        return storage(STORAGE_DIFFERENT, file_and_device);
    }
    below.is_block_device = true;
    below.inode = 0;
    below.offset = below.limit = 0;
    st = judge_devices(HOSTS_ONE, &under, device);
    if (st.relation == STORAGE_DIFFERENT) {
        return storage(STORAGE_DIFFERENT, file_and_device);
    }
    return storage(st.relation == STORAGE_UNKNOWN ? STORAGE_UNKNOWN
                                                  : STORAGE_PERHAPS,
                   "a block device on one side, and on the other a file that "
                   "may lie on it");
}

/*
 * A file, and a block device that is no loop.  What another host offers as a
 * device may be a file of this one, whatever it calls itself.
 */
static struct storage judge_mixed(enum hosts hosts, const struct extent *x,
                                  const struct extent *y)
{
    const struct extent *device = x->file->is_block_device ? x : y;
    const struct file_identity *file =
        x->file->is_block_device ? y->file : x->file;

    if (!is_local_fs(file)) {
        return storage(STORAGE_UNKNOWN,
                       "a block device on one side, and on the other a file "
                       "that hosts may share");
    }
    if (!block_id_is_local(device->file->block_id)) {
        return storage(STORAGE_UNKNOWN,
                       "a file on one side, and on the other a block device "
                       "that may be that file, offered by its host");
    }
    return hosts == HOSTS_TWO ? storage(STORAGE_DIFFERENT, file_and_device)
                              : judge_below(file, device);
}

/* --- names ------------------------------------------------------------------ */

bool extent_is_on_host(const char *driver)
{
    return !driver || str_equal(driver, "file") || str_starts(driver, "host_");
}

static struct storage judge_network(enum hosts hosts, const struct extent *a,
                                    const struct extent *b)
{
    bool same_name = a->filename && str_equal(a->driver, b->driver) &&
                     str_equal(a->filename, b->filename);
    enum name_reach reach = network_name_reach(a->driver, a->filename);
    const struct range x = { a->start, a->end }, y = { b->start, b->end };

    if (same_name && reach == NAME_GLOBAL) {
        return judge_ranges(x, y, "one network image, which both sides name");
    }
    if (same_name) {
        return storage(hosts == HOSTS_ONE ? STORAGE_PERHAPS : STORAGE_UNKNOWN,
                       reach == NAME_NEAR
                           ? "the same name of something near each host"
                           : "the same name, of a server that may be another "
                             "one for each host");
    }
    return storage(STORAGE_UNKNOWN,
                   "two names of network images, which may be one");
}

/* No file of a host holds an image of a Ceph cluster. */
static bool is_of_ceph(const struct extent *network, const struct extent *other)
{
    return str_equal(network->driver, "rbd") && other->file &&
           !other->file->is_block_device && is_local_fs(other->file);
}

static struct storage judge_names(enum hosts hosts, const struct extent *a,
                                  const struct extent *b)
{
    bool a_here = extent_is_on_host(a->driver);
    bool b_here = extent_is_on_host(b->driver);

    if (!a_here && !b_here) {
        return judge_network(hosts, a, b);
    }
    if (a_here ? is_of_ceph(b, a) : is_of_ceph(a, b)) {
        return storage(STORAGE_DIFFERENT,
                       "writable, a file on one side and an image of a Ceph "
                       "cluster on the other");
    }
    return storage(STORAGE_UNKNOWN,
                   "a network image on one side and not on the other");
}

static struct storage judge_unseen(enum hosts hosts, const struct extent *a,
                                   const struct extent *b)
{
    bool same_name = a->filename && str_equal(a->filename, b->filename);

    if (a->is_replaced || b->is_replaced) {
        return storage(STORAGE_UNKNOWN,
                       a->is_replaced
                           ? "the source's QEMU has another file open than is "
                             "there now"
                           : "the destination's QEMU has another file open "
                             "than is there now");
    }
    return hosts == HOSTS_ONE && same_name
               ? storage(STORAGE_PERHAPS, "one name on one machine, which "
                                          "could not be looked at")
               : storage(STORAGE_UNKNOWN,
                         a->file   ? "the destination's could not be looked at"
                         : b->file ? "the source's could not be looked at"
                                   : "neither side's could be looked at");
}

/* --- all -------------------------------------------------------------------- */

struct storage extents_compare(enum hosts hosts, enum host_mark mark,
                               const struct extent *a, const struct extent *b)
{
    if (!extent_is_on_host(a->driver) || !extent_is_on_host(b->driver)) {
        return judge_names(hosts, a, b);
    }
    if (!a->file || !b->file) {
        return judge_unseen(hosts, a, b);
    }
    if (hosts == HOSTS_UNKNOWN && same_number(a->file, b->file)) {
        return storage(STORAGE_PERHAPS, "the same numbers on both sides, which "
                                        "may be one machine");
    }
    if (a->file->is_block_device != b->file->is_block_device) {
        return judge_mixed(hosts, a, b);
    }
    return a->file->is_block_device ? judge_devices(hosts, a, b)
                                    : judge_files(hosts, mark, a, b);
}

bool extents_need_mark(enum hosts hosts, const struct extent *a,
                       const struct extent *b)
{
    return a->file && b->file && extent_is_on_host(a->driver) &&
           extent_is_on_host(b->driver) &&
           are_in_question(hosts, a->file, b->file);
}
