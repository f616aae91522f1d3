/*
 * One file behind the RAM of both sides: what arrives is loaded into it, over
 * the memory of the guest that still runs, and the guest dies of it.
 *
 * It is only so where the destination shares its mapping: a private one takes
 * what is loaded for itself.  A folder as mem-path is harmless too, since QEMU
 * makes a file of its own in it.
 */
#include "core/preflight-private.h"

const char *memory_pair_path(const struct facts *f, const struct memory_pair *p,
                             enum side_id side)
{
    return f->side[side].machine.memory_backend[p->index[side]].file;
}

/* File systems whose files no other host sees, as stat -f calls them; of all
 * others a mark tells. */
static bool is_local(const struct file_identity *x)
{
    static const char *const local[] = {
        "tmpfs", "ramfs", "hugetlbfs", "ext2/ext3", "xfs", "btrfs", "zfs",
    };

    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (str_equal(x->fs_type, local[i])) {
            return true;
        }
    }
    return false;
}

static bool same_number(const struct memory_pair *p)
{
    const struct file_identity *a = &p->file[SOURCE];
    const struct file_identity *b = &p->file[DESTINATION];

    return a->is_block_device == b->is_block_device && a->device == b->device &&
           a->inode == b->inode;
}

static bool are_files(const struct memory_pair *p)
{
    for (int side = 0; side < SIDES; side++) {
        if (!p->file[side].known || p->is_folder[side]) {
            return false;
        }
    }
    return true;
}

bool memory_pair_needs_mark(const struct facts *f, const struct memory_pair *p)
{
    return are_files(p) && !(facts_same_machine(f) && same_number(p)) &&
           !(is_local(&p->file[SOURCE]) && is_local(&p->file[DESTINATION]));
}

enum memory_relation { MEMORY_UNKNOWN, MEMORY_SAME, MEMORY_DIFFERENT };

static enum memory_relation judge_mark(const struct memory_pair *p)
{
    const struct file_identity *a = &p->file[SOURCE];
    const struct file_identity *b = &p->file[DESTINATION];

    if (p->mark == MARK_DONE) {
        return a->inode == b->inode || str_equal(a->name, b->name)
                   ? MEMORY_SAME
                   : MEMORY_DIFFERENT;
    }
    return p->mark == MARK_UNSEEN && a->inode != b->inode ? MEMORY_DIFFERENT
                                                          : MEMORY_UNKNOWN;
}

static enum memory_relation judge(const struct facts *f,
                                  const struct memory_pair *p)
{
    bool two_machines = f->side[SOURCE].process.known &&
                        f->side[DESTINATION].process.known &&
                        !facts_same_machine(f);

    if (p->is_folder[SOURCE] || p->is_folder[DESTINATION]) {
        return MEMORY_DIFFERENT;
    }
    if (!are_files(p)) {
        return MEMORY_UNKNOWN;
    }
    if (same_number(p) && !two_machines) {
        return facts_same_machine(f) ? MEMORY_SAME : MEMORY_UNKNOWN;
    }
    return memory_pair_needs_mark(f, p) ? judge_mark(p) : MEMORY_DIFFERENT;
}

void preflight_memory_files(const struct facts *f, struct verdicts *v)
{
    for (size_t i = 0; i < f->memory_pair_count; i++) {
        const struct memory_pair *p = &f->memory_pair[i];
        const struct qmp_memory_backend *b =
            &f->side[DESTINATION].machine.memory_backend[p->index[DESTINATION]];
        enum memory_relation relation = judge(f, p);
        struct verdict *x;

        if (relation == MEMORY_DIFFERENT) {
            continue;
        }
        if (relation == MEMORY_SAME) {
            x = verdict_block(v, ABOUT_BOTH,
                              "memory backend %s of the destination is the "
                              "file that the source has for its guest's "
                              "memory, %s",
                              b->id, memory_pair_path(f, p, SOURCE));
            verdict_why(x, "what arrives would be loaded over the memory of "
                           "the running guest, which would die");
            verdict_fix(x, "give the destination's backend another mem-path, "
                           "or share=off");
            continue;
        }
        x = verdict_block(v, ABOUT_BOTH,
                          "cannot determine whether memory backend %s of the "
                          "destination, %s, is the file that the source has "
                          "for its guest's memory, %s",
                          b->id, b->file, memory_pair_path(f, p, SOURCE));
        verdict_why(x, "if it is, the running guest would die");
        verdict_fix(x, "let the files be looked at (--source-host, "
                       "--destination-host), or give the destination's "
                       "backend share=off, or a mem-path on a file system of "
                       "its own host");
    }
}
