/*
 * The files behind the RAM: is one of the destination's, to which it will
 * write, one of the source's?
 */
#include <stdlib.h>
#include <sys/random.h>

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

/* --- marks ------------------------------------------------------------------ */

struct memory_marks {
    size_t count;
    struct strv marks, paths[SIDES]; /* alike; "" passes one over */
    enum host_mark *made, *seen;
};

static void marks_done(struct memory_marks *m)
{
    strv_done(&m->marks);
    for (int side = 0; side < SIDES; side++) {
        strv_done(&m->paths[side]);
    }
    free(m->made);
    free(m->seen);
}
DEFINE_CLEANUP_DONE(struct memory_marks, marks_done)

/* A name that was never used; "" without randomness. */
static char *new_mark(void)
{
    uint64_t random[2];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return xstrdup("");
    }
    return xasprintf(".qmigrate-mark-%016llx%016llx",
                     (unsigned long long)random[0],
                     (unsigned long long)random[1]);
}

/* False if no pair needs one. */
static bool marks_init(struct memory_marks *m, const struct facts *f)
{
    bool any = false;

    *m = (struct memory_marks){ .count = f->memory_pair_count };
    for (size_t i = 0; i < m->count; i++) {
        const struct memory_pair *p = &f->memory_pair[i];
        CLEANUP_FREE char *name = new_mark();
        bool wanted = *name && memory_pair_needs_mark(f, p);

        any |= wanted;
        strv_add(&m->marks, name);
        for (int side = 0; side < SIDES; side++) {
            strv_add(&m->paths[side],
                     wanted ? memory_pair_path(f, p, (enum side_id)side) : "");
        }
    }
    m->made = xcalloc(m->count + 1, sizeof(*m->made));
    m->seen = xcalloc(m->count + 1, sizeof(*m->seen));
    return any;
}

static int mark(const struct facts_input *in, const struct facts *f,
                const struct memory_marks *m, enum side_id side,
                enum host_mark_deed deed, enum host_mark *ret)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    const struct process_identity *p = &f->side[side].process;

    return host_mark_files(in->host[side], p->known ? p->pid : 0, deed,
                           (const char *const *)m->paths[side].item,
                           (const char *const *)m->marks.item, m->count, ret,
                           &ignored);
}

static void remove_marks(const struct facts_input *in, struct facts *f,
                         const struct memory_marks *m, enum side_id side)
{
    enum host_mark *removed = xcalloc(m->count + 1, sizeof(*removed));
    bool asked = mark(in, f, m, side, MARK_REMOVE, removed) == 0;

    for (size_t i = 0; i < m->count; i++) {
        if (m->paths[side].item[i][0] && !f->mark_left &&
            m->made[i] != MARK_FAILED &&
            (!asked || removed[i] == MARK_FAILED)) {
            f->mark_left = xasprintf("%s beside %s of the %s", m->marks.item[i],
                                     m->paths[side].item[i], side_name(side));
        }
    }
    free(removed);
}

/* What could not be made is left for another try. */
static void mark_from(const struct facts_input *in, struct facts *f,
                      struct memory_marks *m, enum side_id maker)
{
    enum side_id looker = maker == SOURCE ? DESTINATION : SOURCE;
    bool looked = mark(in, f, m, maker, MARK_MAKE, m->made) == 0 &&
                  mark(in, f, m, looker, MARK_LOOK, m->seen) == 0;

    remove_marks(in, f, m, maker);
    for (size_t i = 0; i < m->count; i++) {
        if (m->made[i] == MARK_DONE && looked) {
            f->memory_pair[i].mark = m->seen[i];
            m->paths[SOURCE].item[i][0] = '\0';
            m->paths[DESTINATION].item[i][0] = '\0';
        }
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
    CLEANUP(marks_done) struct memory_marks m = { .count = 0 };

    add_pairs(f);
    for (int side = 0; side < SIDES; side++) {
        if (f->memory_pair_count == 0 || !in->host[side] ||
            identify(in, f, (enum side_id)side, &ignored) < 0) {
            return;
        }
    }
    if (!marks_init(&m, f)) {
        return;
    }
    mark_from(in, f, &m, SOURCE);
    mark_from(in, f, &m, DESTINATION);
}
