/*
 * What the disks' files and block devices are on their hosts, and, where
 * numbers prove nothing, whether both sides see the same folder.
 *
 * Files of a network or cluster file system have other device numbers on each
 * host, and inode numbers that may be equal by chance.  So a mark is made
 * beside the source's file and looked for beside the destination's, or, where
 * the source's folder takes none, the other way round; and it is removed.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

/* --- what they are ---------------------------------------------------------- */

const char *facts_disk_path(const struct side_facts *s, size_t i)
{
    const struct qmp_disk *d = &s->disks.item[i];

    if (!d->protocol || !d->protocol_filename ||
        (!str_equal(d->protocol, "file") &&
         !str_starts(d->protocol, "host_"))) {
        return "";
    }
    return d->protocol_filename[0] == '/' || s->process.known
               ? d->protocol_filename
               : "";
}

int facts_identify_disks(struct host *h, struct side_facts *s,
                         struct qm_error *err)
{
    CLEANUP(strv_done) struct strv paths = { .count = 0 };

    for (size_t i = 0; i < s->disks.count; i++) {
        strv_add(&paths, facts_disk_path(s, i));
    }
    if (paths.count == 0) {
        return 0;
    }
    return host_identify_files(h, s->process.known ? s->process.pid : 0,
                               (const char *const *)paths.item, paths.count,
                               s->disk_file, err);
}

/* --- marks ------------------------------------------------------------------ */

/* The pairs that are in question, alike in both lists: "" passes one over. */
struct marking {
    const struct facts_input *in;
    struct facts *f;
    size_t count;
    struct strv marks, paths[SIDES];
    enum host_mark *made, *seen;
};

static void marking_done(struct marking *m)
{
    strv_done(&m->marks);
    for (int side = 0; side < SIDES; side++) {
        strv_done(&m->paths[side]);
    }
    free(m->made);
    free(m->seen);
}
DEFINE_CLEANUP_DONE(struct marking, marking_done)

/* A name that nobody ever used; "" if there is no randomness to be had. */
static char *new_mark_name(void)
{
    uint64_t random[2];

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return xstrdup("");
    }
    return xasprintf(".qmigrate-mark-%016llx%016llx",
                     (unsigned long long)random[0],
                     (unsigned long long)random[1]);
}

/* False if no pair needs a mark. */
static bool marking_init(struct marking *m, const struct facts_input *in,
                         struct facts *f)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct side_facts *d = &f->side[DESTINATION];
    size_t *counterpart = facts_counterparts(f);
    bool any = false;

    *m = (struct marking){ .in = in, .f = f, .count = s->disks.count };
    for (size_t i = 0; i < m->count; i++) {
        size_t j = counterpart[i];
        CLEANUP_FREE char *name = new_mark_name();
        bool needed = j && *name && facts_need_mark(f, i, j - 1);

        any |= needed;
        strv_add(&m->marks, name);
        strv_add(&m->paths[SOURCE], needed ? facts_disk_path(s, i) : "");
        strv_add(&m->paths[DESTINATION],
                 needed ? facts_disk_path(d, j - 1) : "");
    }
    m->made = xcalloc(m->count + 1, sizeof(*m->made));
    m->seen = xcalloc(m->count + 1, sizeof(*m->seen));
    free(counterpart);
    return any;
}

static int mark(struct marking *m, enum side_id side, enum host_mark_deed deed,
                enum host_mark *ret, struct qm_error *err)
{
    const struct process_identity *process = &m->f->side[side].process;

    return host_mark_files(m->in->host[side], process->known ? process->pid : 0,
                           deed, (const char *const *)m->paths[side].item,
                           (const char *const *)m->marks.item, m->count, ret,
                           err);
}

/* Pairs whose fate is known are passed over from now on. */
static void pass_over(struct marking *m, size_t i)
{
    for (int side = 0; side < SIDES; side++) {
        m->paths[side].item[i][0] = '\0';
    }
}

/* Also after a failure, since then nobody knows how far the making came. */
static void remove_marks(struct marking *m, enum side_id side)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    enum host_mark *removed = xcalloc(m->count + 1, sizeof(*removed));
    bool asked = mark(m, side, MARK_REMOVE, removed, &err) == 0;

    for (size_t i = 0; i < m->count; i++) {
        if (m->paths[side].item[i][0] && !m->f->mark_left &&
            m->made[i] != MARK_FAILED &&
            (!asked || removed[i] == MARK_FAILED)) {
            m->f->mark_left =
                xasprintf("%s beside %s of the %s", m->marks.item[i],
                          m->paths[side].item[i], side_name(side));
        }
    }
    free(removed);
}

/* Make marks on one side, look for them on the other; what could not be made
 * is left for another try. */
static void mark_from(struct marking *m, enum side_id maker)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    enum side_id looker = maker == SOURCE ? DESTINATION : SOURCE;
    bool looked = false;

    if (mark(m, maker, MARK_MAKE, m->made, &err) == 0) {
        looked = mark(m, looker, MARK_LOOK, m->seen, &err) == 0;
    }
    remove_marks(m, maker);
    for (size_t i = 0; i < m->count; i++) {
        if (m->made[i] == MARK_DONE) {
            m->f->mark[i] = looked ? m->seen[i] : MARK_FAILED;
            pass_over(m, i);
        } else if (m->made[i] == MARK_FAILED) {
            m->f->mark[i] = MARK_FAILED;
        }
    }
}

void facts_collect_marks(const struct facts_input *in, struct facts *f)
{
    CLEANUP(marking_done) struct marking m = { .in = NULL };

    f->mark = xcalloc(f->side[SOURCE].disks.count + 1, sizeof(*f->mark));
    if (!in->host[SOURCE] || !in->host[DESTINATION] ||
        !marking_init(&m, in, f)) {
        return;
    }
    mark_from(&m, SOURCE);
    for (size_t i = 0; i < m.count; i++) {
        if (f->mark[i] == MARK_FAILED && m.paths[SOURCE].item[i][0]) {
            mark_from(&m, DESTINATION);
            return;
        }
    }
}
