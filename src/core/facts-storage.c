/*
 * What the disks' files and block devices are on their hosts, and, where numbers
 * prove nothing, of RAM's too, whether both sides see the same folder.
 *
 * Files of a network or cluster file system have other device numbers on each
 * host, and inode numbers that may be equal by chance.  So a mark is made
 * beside the source's file and looked for beside the destination's, and, unless
 * it was seen, the other way round; and it is removed.  A folder is marked
 * once, whatever lies in it.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

/* --- what they are ---------------------------------------------------------- */

static const char *path_on_host(const struct side_facts *s, const char *driver,
                                const char *filename)
{
    if (!driver || !filename || !extent_is_on_host(driver)) {
        return "";
    }
    return filename[0] == '/' || s->process.known ? filename : "";
}

const char *facts_disk_path(const struct side_facts *s, size_t i)
{
    return s->disk_file && s->disk_file[i].is_not_open
               ? ""
               : path_on_host(s, s->disks.item[i].protocol,
                              s->disks.item[i].protocol_filename);
}

/* Where the identities of those paths go, which are asked for once each. */
struct asking {
    struct strv paths;
    size_t count;
    size_t *path; /* one an identity: of it in PATHS */
    struct file_identity **to;
};

static void ask_for(struct asking *a, const char *path,
                    struct file_identity *to)
{
    size_t n = 0;

    if (!*path) {
        return;
    }
    while (n < a->paths.count && !str_equal(a->paths.item[n], path)) {
        n++;
    }
    if (n == a->paths.count) {
        strv_add(&a->paths, path);
    }
    a->path = xrealloc_array(a->path, a->count + 1, sizeof(*a->path));
    a->to = xrealloc_array(a->to, a->count + 1, sizeof(*a->to));
    a->path[a->count] = n;
    a->to[a->count++] = to;
}

static void asking_done(struct asking *a)
{
    strv_done(&a->paths);
    free(a->path);
    free(a->to);
}
DEFINE_CLEANUP_DONE(struct asking, asking_done)

static void ask_for_all(struct asking *a, struct side_facts *s)
{
    struct file_identity *to = s->part_file;

    for (size_t i = 0; i < s->disks.count; i++) {
        ask_for(a, facts_disk_path(s, i), &s->disk_file[i]);
    }
    for (size_t i = 0; i <= s->disks.count; i++) {
        const struct qmp_parts parts = facts_parts_of(s, i);

        for (size_t n = 0; n < parts.count; n++, to++) {
            ask_for(
                a,
                path_on_host(s, parts.item[n].driver, parts.item[n].filename),
                to);
        }
    }
}

int facts_identify_disks(struct host *h, struct side_facts *s,
                         struct qm_error *err)
{
    CLEANUP(asking_done) struct asking a = { .count = 0 };
    struct file_identity *found;
    int ret;

    if (!s->part_file) {
        s->part_file = xcalloc(facts_count_parts(s) + 1, sizeof(*s->part_file));
    }
    ask_for_all(&a, s);
    if (a.paths.count == 0) {
        return 0;
    }
    found = xcalloc(a.paths.count, sizeof(*found));
    ret = host_identify_files(h, s->process.known ? s->process.pid : 0,
                              (const char *const *)a.paths.item, a.paths.count,
                              found, err);
    for (size_t i = 0; i < a.count && ret == 0; i++) {
        *a.to[i] = found[a.path[i]];
    }
    free(found);
    return ret;
}

/* --- marks ------------------------------------------------------------------ */

/* A pair that is in question: what is marked and what is looked at, as indices
 * of FOLDERS of either side, and where the answer goes. */
struct question {
    size_t folder[SIDES];
    enum host_mark *answer;
    bool is_closed; /* the answer will not change */
};

/* A folder, by the path of one file in it. */
struct folder {
    const char *path;
    const struct file_identity *file;
};

struct marking {
    const struct facts_input *in;
    struct facts *f;
    size_t count;
    struct question *question;
    size_t folders[SIDES];
    struct folder *folder[SIDES];
};

static void marking_done(struct marking *m)
{
    free(m->question);
    for (int side = 0; side < SIDES; side++) {
        free(m->folder[side]);
    }
}
DEFINE_CLEANUP_DONE(struct marking, marking_done)

static bool are_one_folder(const struct folder *x, const struct extent *e)
{
    const struct file_identity *a = x->file, *b = e->file;

    return str_equal(x->path, e->filename) ||
           (a->folder_inode && a->folder_device == b->folder_device &&
            a->folder_inode == b->folder_inode &&
            a->mounted == MOUNTED_WITH_FOLDER &&
            b->mounted == MOUNTED_WITH_FOLDER);
}

static size_t folder_of(struct marking *m, enum side_id side,
                        const struct extent *e)
{
    struct folder *known = m->folder[side];
    size_t n = m->folders[side];

    for (size_t i = 0; i < n; i++) {
        if (are_one_folder(&known[i], e)) {
            return i;
        }
    }
    m->folder[side] = xrealloc_array(known, n + 1, sizeof(*known));
    m->folder[side][n] = (struct folder){ e->filename, e->file };
    m->folders[side]++;
    return n;
}

/* A of the source and B of the destination. */
static void ask_pair(struct marking *m, const struct extent *a,
                     const struct extent *b, enum host_mark *answer)
{
    const struct side_facts *s = &m->f->side[SOURCE];
    const struct side_facts *d = &m->f->side[DESTINATION];

    if (!extents_need_mark(facts_hosts(m->f), a, b) ||
        !*path_on_host(s, a->driver, a->filename) ||
        !*path_on_host(d, b->driver, b->filename)) {
        return;
    }
    m->question =
        xrealloc_array(m->question, m->count + 1, sizeof(*m->question));
    m->question[m->count++] = (struct question){
        .folder = { folder_of(m, SOURCE, a), folder_of(m, DESTINATION, b) },
        .answer = answer,
    };
}

static void ask_parts(struct marking *m, struct part_index source,
                      struct part_index destination)
{
    struct extent a =
        facts_extent(&m->f->side[SOURCE], source.disk, source.part);
    struct extent b = facts_extent(&m->f->side[DESTINATION], destination.disk,
                                   destination.part);

    ask_pair(m, &a, &b, facts_mark(m->f, source, destination));
}

static void find_memory_questions(struct marking *m)
{
    for (size_t i = 0; i < m->f->memory_pair_count; i++) {
        struct memory_pair *p = &m->f->memory_pair[i];
        struct extent a = memory_pair_extent(m->f, p, SOURCE);
        struct extent b = memory_pair_extent(m->f, p, DESTINATION);

        ask_pair(m, &a, &b, &p->mark);
    }
}

static void find_questions(struct marking *m)
{
    const struct side_facts *s = &m->f->side[SOURCE];
    const struct side_facts *d = &m->f->side[DESTINATION];

    for (size_t i = 0; i <= s->disks.count; i++) {
        for (size_t p = 0; p < facts_parts_of(s, i).count; p++) {
            for (size_t j = 0; j <= d->disks.count; j++) {
                for (size_t q = 0; q < facts_parts_of(d, j).count; q++) {
                    ask_parts(m, (struct part_index){ i, p },
                              (struct part_index){ j, q });
                }
            }
        }
    }
}

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

/* What is asked of one host at once: a mark and a path each. */
struct errand {
    struct strv marks, paths;
    enum host_mark *result;
};

static void errand_done(struct errand *e)
{
    strv_done(&e->marks);
    strv_done(&e->paths);
    free(e->result);
}
DEFINE_CLEANUP_DONE(struct errand, errand_done)

static void errand_add(struct errand *e, const char *mark, const char *path)
{
    strv_add(&e->marks, mark);
    strv_add(&e->paths, path);
}

static int run_errand(const struct marking *m, enum side_id side,
                      enum host_mark_deed deed, struct errand *e)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    const struct process_identity *process = &m->f->side[side].process;

    free(e->result);
    e->result = xcalloc(e->paths.count + 1, sizeof(*e->result));
    return host_mark_files(m->in->host[side], process->known ? process->pid : 0,
                           deed, (const char *const *)e->paths.item,
                           (const char *const *)e->marks.item, e->paths.count,
                           e->result, &ignored);
}

/* Also after a failure, since then nobody knows how far the making came.  MADE:
 * the errand that made them. */
static void remove_marks(struct marking *m, enum side_id side,
                         const struct errand *made)
{
    CLEANUP(errand_done) struct errand e = { .result = NULL };
    bool asked;

    for (size_t i = 0; i < made->paths.count; i++) {
        errand_add(&e, made->marks.item[i],
                   made->result[i] == MARK_FAILED ? "" : made->paths.item[i]);
    }
    asked = run_errand(m, side, MARK_REMOVE, &e) == 0;
    for (size_t i = 0; i < e.paths.count; i++) {
        if (e.paths.item[i][0] && !m->f->mark_left &&
            (!asked || e.result[i] == MARK_FAILED)) {
            m->f->mark_left =
                xasprintf("%s beside %s of the %s", e.marks.item[i],
                          e.paths.item[i], side_name(side));
        }
    }
}

/* The answer to Q, whose maker's folder has been marked; LOOKED: what was found
 * by looking.  What could not be looked at is not known, ever. */
static void answer(struct question *q, enum host_mark made,
                   enum host_mark looked)
{
    if (made != MARK_DONE) {
        if (*q->answer == MARK_NOT_TRIED) {
            *q->answer = made;
        }
    } else if (looked == MARK_DONE || *q->answer != MARK_UNSEEN) {
        *q->answer = looked;
    }
    q->is_closed = made == MARK_DONE && looked != MARK_UNSEEN;
}

/* Look on the other side for what was MADE, once for each two folders. */
static void look_for_marks(struct marking *m, enum side_id maker,
                           const struct errand *made)
{
    enum side_id looker = maker == SOURCE ? DESTINATION : SOURCE;
    CLEANUP(errand_done) struct errand e = { .result = NULL };
    size_t *at = xcalloc(m->folders[maker] * m->folders[looker] + 1,
                         sizeof(*at)); /* + 1: 0 is for none */
    bool looked;

    for (size_t i = 0; i < m->count; i++) {
        const size_t *n = m->question[i].folder;
        size_t *place = &at[n[maker] * m->folders[looker] + n[looker]];

        if (!m->question[i].is_closed && !*place &&
            made->result[n[maker]] == MARK_DONE) {
            errand_add(&e, made->marks.item[n[maker]],
                       m->folder[looker][n[looker]].path);
            *place = e.paths.count;
        }
    }
    looked = e.paths.count && run_errand(m, looker, MARK_LOOK, &e) == 0;
    for (size_t i = 0; i < m->count; i++) {
        const size_t *n = m->question[i].folder;
        size_t place = at[n[maker] * m->folders[looker] + n[looker]];

        if (!m->question[i].is_closed) {
            answer(&m->question[i], made->result[n[maker]],
                   looked && place ? e.result[place - 1] : MARK_FAILED);
        }
    }
    free(at);
}

/* Mark the folders of one side that are still in question, and look for that
 * on the other. */
static void mark_from(struct marking *m, enum side_id maker)
{
    CLEANUP(errand_done) struct errand e = { .result = NULL };
    bool *wanted = xcalloc(m->folders[maker] + 1, sizeof(*wanted));

    for (size_t i = 0; i < m->count; i++) {
        wanted[m->question[i].folder[maker]] |= !m->question[i].is_closed;
    }
    for (size_t i = 0; i < m->folders[maker]; i++) {
        CLEANUP_FREE char *name = new_mark_name();

        errand_add(&e, name,
                   wanted[i] && *name ? m->folder[maker][i].path : "");
    }
    free(wanted);
    if (run_errand(m, maker, MARK_MAKE, &e) == 0) {
        look_for_marks(m, maker, &e);
    }
    remove_marks(m, maker, &e);
}

void facts_collect_marks(const struct facts_input *in, struct facts *f)
{
    CLEANUP(marking_done) struct marking m = { .in = in, .f = f };

    f->mark = xcalloc(facts_count_parts(&f->side[SOURCE]) *
                              facts_count_parts(&f->side[DESTINATION]) +
                          1,
                      sizeof(*f->mark));
    if (!in->host[SOURCE] || !in->host[DESTINATION]) {
        return;
    }
    find_questions(&m);
    find_memory_questions(&m);
    if (m.count == 0) {
        return;
    }
    mark_from(&m, SOURCE);
    for (size_t i = 0; i < m.count; i++) {
        if (!m.question[i].is_closed) {
            mark_from(&m, DESTINATION);
            return;
        }
    }
}
