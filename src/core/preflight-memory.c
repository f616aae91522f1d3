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

struct extent memory_pair_extent(const struct facts *f,
                                 const struct memory_pair *p, enum side_id side)
{
    bool is_file = p->file[side].known && !p->is_folder[side];

    return (struct extent){
        .driver = "file",
        .filename = memory_pair_path(f, p, side),
        .file = is_file ? &p->file[side] : NULL,
        .end = UINT64_MAX,
    };
}

enum memory_relation { MEMORY_UNKNOWN, MEMORY_SAME, MEMORY_DIFFERENT };

static enum memory_relation judge(const struct facts *f,
                                  const struct memory_pair *p)
{
    struct extent a = memory_pair_extent(f, p, SOURCE);
    struct extent b = memory_pair_extent(f, p, DESTINATION);

    if (p->is_folder[SOURCE] || p->is_folder[DESTINATION]) {
        return MEMORY_DIFFERENT;
    }
    switch (extents_compare(facts_hosts(f), p->mark, &a, &b).relation) {
    case STORAGE_DIFFERENT:
        return MEMORY_DIFFERENT;
    case STORAGE_SAME:
    case STORAGE_OTHERWISE:
        return MEMORY_SAME;
    case STORAGE_PERHAPS:
    case STORAGE_UNKNOWN:
        break;
    }
    return MEMORY_UNKNOWN;
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
