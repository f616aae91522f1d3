/*
 * Which disks are copied, where to, and what forbids it.
 */
#include <stdlib.h>

#include "core/preflight-private.h"

/* Why a disk can never be copied; NULL if it can. */
static const char *why_never(const struct qmp_disk *d)
{
    if (!d->qdev) {
        return "no device of the guest uses it";
    }
    if (d->is_pflash) {
        return "flash: its content travels with RAM";
    }
    if (d->tray_empty || !d->node_name) {
        return "empty tray";
    }
    return NULL;
}

/* --- a disk that is copied ---------------------------------------------------- */

/* What should be known before disk I is copied onto J. */
static void warn_of_copy(const struct facts *f, size_t i,
                         const struct storage *st, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    struct verdict *x;

    if (st->relation == STORAGE_UNKNOWN) {
        x = verdict_warn(v, ABOUT_BOTH,
                         "disk %s is copied on your word alone: %s",
                         disk_label(a), st->reason);
        verdict_why(x, "if both sides use one image, the copy destroys it");
    }
}

/* Nobody's word may have a disk mirrored onto itself. */
static void refuse_onto_itself(const struct qmp_disk *a,
                               const struct storage *st, struct verdicts *v)
{
    struct verdict *x;

    if (st->relation == STORAGE_SAME) {
        x = verdict_block(
            v, ABOUT_BOTH, "disk %s is the same image on both sides: %s (%s)",
            disk_label(a), a->protocol_filename ? a->protocol_filename : "",
            st->reason);
        verdict_fix(x, "leave it out of --disks, as --disks auto does");
    } else {
        x = verdict_block(v, ABOUT_BOTH,
                          "disk %s may be the same image on both sides: %s",
                          disk_label(a), st->reason);
        verdict_fix(x, "if it is, say --shared %s", disk_label(a));
    }
    verdict_why(x, "a copy onto itself would destroy it");
}

/* One image, by other layers or in part: no word mends that. */
static void refuse_otherwise(const struct qmp_disk *a, const struct storage *st,
                             struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_BOTH, "disk %s can be neither copied nor shared: %s",
        disk_label(a), st->reason);

    verdict_why(x, "a copy would destroy it, and without one the guest would "
                   "wake up with other bytes");
    verdict_fix(x, "start the destination with the same layers and parts of "
                   "it, or with an image of its own");
}

/* Disk A is to be copied onto B, which is read-only. */
static void judge_read_only(const struct qmp_disk *a, const struct qmp_disk *b,
                            struct verdicts *v)
{
    const char *why = a->read_only ? disk_why_no_writer(b) : NULL;
    struct verdict *x;

    if (!a->read_only) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "disk %s is read-only at the destination",
                          disk_label(a));
        verdict_fix(x, "open it for writing there (read-only=off)");
    } else if (why) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "read-only disk %s cannot be written at the "
                          "destination: %s",
                          disk_label(a), why);
        verdict_fix(x, "copy it there yourself, and name all others in "
                       "--disks");
    }
}

/* Everything that forbids copying disk I onto J. */
static void judge_copy(const struct facts *f, size_t i, size_t j,
                       const struct storage *st, struct disk_choice *c,
                       struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];

    if (b->tray_empty || !b->node_name) {
        verdict_block(v, ABOUT_DESTINATION,
                      "disk %s has no medium at the destination",
                      disk_label(a));
        return;
    }
    if (b->read_only) {
        judge_read_only(a, b, v);
    }
    if (facts_can_slice(f, i, j)) {
        char *reason = xasprintf("%s; onto a slice of its size", c->reason);

        free_string(c->reason);
        c->reason = reason;
        c->making = MAKE_SLICE;
    } else {
        judge_disk_sizes(a, b, v);
    }
    preflight_overwriting(f, i, j, v);
    warn_of_copy(f, i, st, v);
}

/* --- the choice ------------------------------------------------------------- */

static void decide(struct disk_choice *c, enum disk_verdict verdict,
                   const char *reason)
{
    c->verdict = verdict;
    c->copy = verdict == DISK_COPY;
    c->reason = xstrdup(reason);
}

/* What is below its top image matters to nobody but the reader. */
static void decide_copy(const struct facts *f, size_t i, struct disk_choice *c,
                        const char *reason)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    CLEANUP_FREE char *more = NULL;

    if (!a->has_backing) {
        decide(c, DISK_COPY, reason);
        return;
    }
    c->top = f->plan->disks_sync == DISKS_SYNC_TOP && !a->read_only;
    more = xasprintf("%s; %s", reason,
                     c->top ? "its overlay alone"
                            : "its backing chain is flattened");
    decide(c, DISK_COPY, more);
}

static void refuse_unknown(const struct qmp_disk *a, const struct storage *st,
                           struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_BOTH, "cannot determine whether disk %s is shared: %s",
        disk_label(a), st->reason);

    verdict_why(x, "one image that both sides use must not be copied, and two "
                   "must be");
    verdict_fix(x,
                "say --shared %s if both sides use it; if not, name it in "
                "--disks, with all others that are to be copied",
                disk_label(a));
}

/* The operator said nothing of disk I, or that it is to be copied. */
static void choose_by_storage(const struct facts *f, size_t i, size_t j,
                              struct disk_choice *c, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    bool automatic = f->plan->disks == DISKS_AUTO;
    struct storage st = facts_storage(f, i, j);

    if (st.relation == STORAGE_DIFFERENT) {
        decide_copy(f, i, c,
                    a->read_only ? content_reason(facts_content(f, i, j))
                                 : st.reason);
        judge_copy(f, i, j, &st, c, v);
    } else if (automatic && st.relation == STORAGE_SAME) {
        decide(c, DISK_SHARED, st.reason);
        preflight_shared_disk(f, i, j, &st, v);
    } else if (st.relation == STORAGE_OTHERWISE) {
        decide(c, DISK_REFUSE, st.reason);
        refuse_otherwise(a, &st, v);
    } else if (automatic) {
        decide(c, DISK_REFUSE, st.reason);
        refuse_unknown(a, &st, v);
    } else if (st.relation == STORAGE_UNKNOWN) {
        decide_copy(f, i, c,
                    a->read_only ? "read-only, as you said"
                                 : "writable, as you said");
        judge_copy(f, i, j, &st, c, v);
    } else {
        decide(c, DISK_REFUSE, st.reason);
        refuse_onto_itself(a, &st, v);
    }
}

/* The same of a read-only disk: nothing is lost with one that stays. */
static void choose_read_only(const struct facts *f, size_t i, size_t j,
                             struct disk_choice *c, struct verdicts *v)
{
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    bool named = f->plan->disks == DISKS_LIST;
    struct storage st = facts_storage(f, i, j);
    enum content_relation content = facts_content(f, i, j);

    if (!named && (b->tray_empty || !b->node_name)) {
        decide(c, DISK_LEAVE, "read-only");
        preflight_left_disk(f, i, &j, NULL, v);
    } else if (st.relation == STORAGE_SAME && !named) {
        decide(c, DISK_SHARED, st.reason);
        preflight_shared_disk(f, i, j, &st, v);
    } else if (content == CONTENT_SAME) {
        decide(c, DISK_LEAVE, content_reason(content));
    } else {
        choose_by_storage(f, i, j, c, v);
    }
}

static void refuse_lonely(const struct qmp_disk *a, struct disk_choice *c,
                          struct verdicts *v)
{
    struct verdict *b = verdict_block(
        v, ABOUT_DESTINATION, "disk %s has no counterpart at the destination",
        disk_label(a));

    verdict_fix(b, a->qdev[0] == '/'
                       ? "its device has no id: give the destination's the "
                         "same type and address (bus=, addr=, port=), or an "
                         "id= on both sides where several have these"
                       : "give the destination a disk whose device has the "
                         "same id");
    decide(c, DISK_REFUSE, "no counterpart at the destination");
}

/* The destination has nothing yet for disk I; LEFT: why it is not copied, or
 * NULL. */
static void choose_placeholder(const struct facts *f, size_t i, size_t j,
                               const char *left, struct disk_choice *c,
                               struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];

    if (left) {
        decide(c, DISK_LEAVE, left);
        preflight_lone_placeholder(f, i, left, v);
        return;
    }
    decide(c, DISK_COPY,
           a->has_backing
               ? "its image is made at the destination; its backing chain is "
                 "flattened"
               : "its image is made at the destination");
    c->making = MAKE_IMAGE;
    preflight_make_image(f, i, j, v);
}

/* One disk: fill *C, and say what is to be said.  J: of its counterpart, or
 * NULL. */
static void choose(const struct facts *f, size_t i, const size_t *j,
                   struct disk_choice *c, struct verdicts *v)
{
    const struct plan *p = f->plan;
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const char *never = why_never(a);
    bool shared = disk_is_among(&p->shared_ids, a);
    bool wanted = p->disks == DISKS_LIST ? disk_is_among(&p->disk_ids, a)
                                         : p->disks != DISKS_NONE;
    const char *left = never                    ? never
                       : wanted || shared       ? NULL
                       : p->disks == DISKS_NONE ? "--disks none"
                                                : "not named by --disks";

    c->source = i;
    c->destination = j ? *j : 0;
    if (j && facts_is_placeholder(f, i, *j)) {
        choose_placeholder(f, i, *j, shared ? "named by --shared" : left, c, v);
    } else if (left) {
        decide(c, DISK_LEAVE, left);
        preflight_left_disk(f, i, j, never, v);
    } else if (!j) {
        refuse_lonely(a, c, v);
    } else if (shared) {
        struct storage st = facts_storage(f, i, *j);

        decide(c, DISK_SHARED, "named by --shared");
        preflight_shared_disk(f, i, *j, &st, v);
    } else if (a->read_only) {
        choose_read_only(f, i, *j, c, v);
    } else {
        choose_by_storage(f, i, *j, c, v);
    }
    if (j && (c->copy || shared)) {
        judge_namesake(f, i, *j, v);
    }
    if (c->copy) {
        judge_passthrough(f, i, v);
    }
}

void preflight_choose_disks(const struct facts *f, struct disk_choices *ret,
                            struct verdicts *verdicts)
{
    CLEANUP(verdicts_done) struct verdicts ignored = { .count = 0 };
    struct verdicts *v = verdicts ? verdicts : &ignored;
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    size_t *counterpart = facts_counterparts(f);
    size_t first = v->count;

    ret->count = disks->count;
    ret->item = xcalloc(disks->count + 1, sizeof(*ret->item));
    for (size_t i = 0; i < disks->count; i++) {
        size_t j = counterpart[i] - 1;

        choose(f, i, counterpart[i] ? &j : NULL, &ret->item[i], v);
    }
    if (f->mark_left) {
        struct verdict *w = verdict_warn(
            v, ABOUT_BOTH, "an empty file may be left: %s", f->mark_left);

        verdict_fix(w, "remove it: it only showed whether a folder is shared");
    }
    judge_names(f, "--disks", &f->plan->disk_ids, v);
    judge_names(f, "--shared", &f->plan->shared_ids, v);
    judge_names(f, "--separate", &f->plan->separate_ids, v);
    preflight_create_names(f, v);
    verdicts_stamp(v, first, "disks");
    free(counterpart);
}

void disk_choices_done(struct disk_choices *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->item[i].reason);
    }
    free(c->item);
    *c = (struct disk_choices){ .count = 0 };
}

bool facts_copy_disks(const struct facts *f)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        if (c.item[i].copy) {
            return true;
        }
    }
    return false;
}

/* The check: the choice, and an OK for each disk about which nothing else was
 * said. */
void preflight_disks(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    size_t before = v->count;
    bool fine;

    preflight_choose_disks(f, &c, v);
    fine = v->count == before;
    for (size_t i = 0; i < c.count && fine; i++) {
        const struct qmp_disk *d = &disks->item[c.item[i].source];
        CLEANUP_FREE char *size = size_in_words(d->virtual_size);

        if (c.item[i].making == MAKE_IMAGE) {
            verdict_ok(v, ABOUT_BOTH,
                       "disk %s will be copied (%s, %s), onto an image that is "
                       "made: %s",
                       disk_label(d), size, d->driver, f->site[i].path);
        } else if (c.item[i].copy && d->read_only) {
            verdict_ok(v, ABOUT_BOTH, "disk %s will be copied (%s, %s)",
                       disk_label(d), size, c.item[i].reason);
        } else if (c.item[i].copy) {
            verdict_ok(v, ABOUT_BOTH, "disk %s will be copied (%s, %s%s)",
                       disk_label(d), size, d->driver ? d->driver : "?",
                       c.item[i].making == MAKE_SLICE
                           ? ", onto a slice of a larger block device"
                           : "");
        } else if (c.item[i].verdict == DISK_SHARED) {
            verdict_ok(v, ABOUT_BOTH, "disk %s is shared, and not copied (%s)",
                       disk_label(d), c.item[i].reason);
        } else if (d->qdev) {
            verdict_ok(v, ABOUT_SOURCE, "disk %s stays where it is (%s)",
                       disk_label(d), c.item[i].reason);
        }
    }
    if (c.count == 0) {
        verdict_ok(v, ABOUT_SOURCE, "the guest has no disks");
    }
}
