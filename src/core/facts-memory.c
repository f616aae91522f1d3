/*
 * The files behind the RAM: is one of the destination's, to which it will
 * write, one of the source's?
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

/* Of each pair: what the path is, and whether it is a folder. */
static int identify(const struct facts_input *in, struct facts *f,
                    enum side_id side, struct qm_error *err)
{
    const struct process_identity *p = &f->side[side].process;
    CLEANUP(strv_done) struct strv paths = { .count = 0 };
    struct file_identity *found;
    int ret;

    for (size_t i = 0; i < f->memory_pair_count; i++) {
        const char *path = memory_pair_path(f, &f->memory_pair[i], side);
        CLEANUP_FREE char *inside = xasprintf("%s/.", path);

        strv_add(&paths, path);
        strv_add(&paths, inside);
    }
    found = xcalloc(paths.count, sizeof(*found));
    ret = host_identify_files(in->host[side], p->known ? p->pid : 0,
                              (const char *const *)paths.item, paths.count,
                              found, err);
    for (size_t i = 0; ret == 0 && i < f->memory_pair_count; i++) {
        f->memory_pair[i].file[side] = found[2 * i];
        f->memory_pair[i].is_folder[side] = found[2 * i + 1].known;
    }
    free(found);
    return ret;
}

void facts_add_memory(struct side_facts *s)
{
    struct qmp_parts *parts = &s->disks.loose;

    for (size_t i = 0; i < s->machine.memory_backend_count; i++) {
        const struct qmp_memory_backend *b = &s->machine.memory_backend[i];

        if (!b->file) {
            continue;
        }
        parts->item =
            xrealloc_array(parts->item, parts->count + 1, sizeof(*parts->item));
        parts->item[parts->count++] = (struct qmp_part){
            .node = xstrdup(b->id),
            .driver = xstrdup("file"),
            .filename = xstrdup(b->file),
            .role = "memory backend",
            .end = UINT64_MAX,
            .is_written = b->share,
            .is_memory = true,
        };
    }
}

static void add_pairs(struct facts *f)
{
    const struct qmp_machine *s = &f->side[SOURCE].machine;
    const struct qmp_machine *d = &f->side[DESTINATION].machine;

    for (size_t j = 0; j < d->memory_backend_count; j++) {
        for (size_t i = 0; i < s->memory_backend_count; i++) {
            if (!d->memory_backend[j].share || !d->memory_backend[j].file ||
                !s->memory_backend[i].file) {
                continue;
            }
            f->memory_pair =
                xrealloc_array(f->memory_pair, f->memory_pair_count + 1,
                               sizeof(*f->memory_pair));
            f->memory_pair[f->memory_pair_count++] = (struct memory_pair){
                .index = { [SOURCE] = i, [DESTINATION] = j }
            };
        }
    }
}

void facts_collect_memory(const struct facts_input *in, struct facts *f)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    add_pairs(f);
    for (int side = 0; side < SIDES; side++) {
        if (f->memory_pair_count == 0 || !in->host[side] ||
            identify(in, f, (enum side_id)side, &ignored) < 0) {
            return;
        }
    }
}
