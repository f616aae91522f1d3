/*
 * Which disks are copied, where to, and what forbids it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/preflight-private.h"

const char *disk_label(const struct qmp_disk *disk)
{
    if (disk->qdev && disk->qdev[0] != '/') {
        return disk->qdev;
    }
    if (disk->node_name && disk->node_name[0] != '#') {
        return disk->node_name;
    }
    if (disk->device && disk->device[0]) {
        return disk->device;
    }
    return disk->node_name ? disk->node_name
           : disk->qdev    ? disk->qdev
                           : "(unnamed)";
}

static bool is_called(const struct qmp_disk *d, const char *name)
{
    return str_equal(d->qdev, name) || str_equal(d->node_name, name) ||
           (d->device && d->device[0] && str_equal(d->device, name));
}

/* --- counterparts ------------------------------------------------------------------ */

static bool same_qdev(const struct qmp_disk *a, const struct qmp_disk *b)
{
    return a->qdev && str_equal(a->qdev, b->qdev);
}

static bool same_node(const struct qmp_disk *a, const struct qmp_disk *b)
{
    return a->node_name && a->node_name[0] != '#' &&
           str_equal(a->node_name, b->node_name);
}

static bool same_drive(const struct qmp_disk *a, const struct qmp_disk *b)
{
    return a->device && a->device[0] && str_equal(a->device, b->device);
}

/* counterpart[i] is an index + 1, 0 if there is none. */
static size_t *find_counterparts(const struct facts *f)
{
    static bool (*const rules[])(const struct qmp_disk *a,
                                 const struct qmp_disk *b) = {
        same_qdev,
        same_node,
        same_drive,
    };
    const struct qmp_disks *s = &f->side[SOURCE].disks;
    const struct qmp_disks *d = &f->side[DESTINATION].disks;
    size_t *counterpart = xcalloc(s->count + 1, sizeof(size_t));
    bool *taken = xcalloc(d->count + 1, sizeof(bool));

    for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++) {
        for (size_t i = 0; i < s->count; i++) {
            for (size_t j = 0; j < d->count && !counterpart[i]; j++) {
                if (!taken[j] && rules[rule](&s->item[i], &d->item[j])) {
                    counterpart[i] = j + 1;
                    taken[j] = true;
                }
            }
        }
    }
    free(taken);
    return counterpart;
}

/* --- the choice ----------------------------------------------------------------------- */

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
    if (d->read_only) {
        return "read-only";
    }
    return NULL;
}

static bool is_wanted(const struct plan *p, const struct qmp_disk *d,
                      bool *ret_named)
{
    *ret_named = false;
    if (p->disks == DISKS_NONE) {
        return false;
    }
    if (p->disks != DISKS_LIST) {
        return true;
    }
    for (size_t i = 0; i < p->disk_ids.count; i++) {
        *ret_named |= is_called(d, p->disk_ids.item[i]);
    }
    return *ret_named;
}

static void judge_sizes(const struct qmp_disk *a, const struct qmp_disk *b,
                        struct verdicts *v)
{
    struct verdict *x;

    if (a->virtual_size == b->virtual_size) {
        return;
    }
    x = verdict_block(v, ABOUT_BOTH,
                      "disk %s has %llu bytes at the source and %llu at the "
                      "destination",
                      disk_label(a), (unsigned long long)a->virtual_size,
                      (unsigned long long)b->virtual_size);
    verdict_why(x, a->is_pflash ? "RAM and flash load only into their own size"
                                : "a mirror needs the same size to the byte");
    verdict_fix(x, "make the destination's image anew with %llu bytes",
                (unsigned long long)a->virtual_size);
}

/* What should be known before disk I is copied onto J. */
static void warn_of_copy(const struct facts *f, size_t i, size_t j,
                         struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    struct verdict *x;

    if (facts_looks_shared(f, i, j)) {
        x = verdict_warn(v, ABOUT_BOTH,
                         "disk %s has the same name and inode number on both "
                         "hosts",
                         disk_label(a));
        verdict_why(x, "if it is on a file system that both mount, it must "
                       "not be copied");
        verdict_fix(x, "leave it out of --disks if it is shared");
    }
    if (a->has_dirty_bitmaps) {
        x = verdict_warn(v, ABOUT_SOURCE,
                         "disk %s has dirty bitmaps, which do not move",
                         disk_label(a));
        verdict_why(x, "the next incremental backup has to be a full one");
    }
}

/* Everything that forbids copying disk I onto J. */
static void judge_copy(const struct facts *f, size_t i, size_t j,
                       struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    struct verdict *x;

    if (b->tray_empty || !b->node_name) {
        verdict_block(v, ABOUT_DESTINATION,
                      "disk %s has no medium at the destination",
                      disk_label(a));
        return;
    }
    if (facts_same_storage(f, i, j) == STORAGE_SAME) {
        x = verdict_block(
            v, ABOUT_BOTH, "disk %s is the same image on both sides: %s",
            disk_label(a), a->protocol_filename ? a->protocol_filename : "");
        verdict_why(x, "a copy onto itself would destroy it");
        verdict_fix(x, "leave it out of --disks (--disks none, if all disks "
                       "are shared)");
        return;
    }
    if (b->read_only) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "disk %s is read-only at the destination",
                          disk_label(a));
        verdict_fix(x, "open it for writing there (read-only=off)");
    }
    judge_sizes(a, b, v);
    warn_of_copy(f, i, j, v);
}

/* What should be known of a disk that stays where it is. */
static void judge_left(const struct facts *f, size_t i, size_t counterpart,
                       bool named, const char *never, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b =
        counterpart ? &f->side[DESTINATION].disks.item[counterpart - 1] : NULL;
    struct verdict *x;

    if (named) {
        x = verdict_block(v, ABOUT_SOURCE, "disk %s cannot be copied: %s",
                          disk_label(a), never);
        verdict_fix(x, "leave it out of --disks");
    } else if (a->is_pflash && b && a->virtual_size != b->virtual_size) {
        judge_sizes(a, b, v);
    } else if (!never && b &&
               facts_same_storage(f, i, counterpart - 1) == STORAGE_DIFFERENT) {
        x = verdict_warn(v, ABOUT_BOTH,
                         "disk %s is not copied, and its images on the two "
                         "sides are different files",
                         disk_label(a));
        verdict_why(x, "the guest would wake up with the destination's");
        verdict_fix(x, "add it to --disks");
    } else if (a->qdev && !a->is_pflash && !a->tray_empty && b &&
               b->tray_empty) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s has a medium at the source and none at the "
                         "destination",
                         disk_label(a));
        verdict_why(x, "the guest would find it gone");
    }
}

static void judge_named(const struct facts *f, struct verdicts *v)
{
    const struct strv *ids = &f->plan->disk_ids;
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    CLEANUP(strv_done) struct strv known = { .count = 0 };
    CLEANUP_FREE char *names = NULL;

    for (size_t i = 0; i < disks->count; i++) {
        strv_add(&known, disk_label(&disks->item[i]));
    }
    names = strv_join_words(&known);
    for (size_t n = 0; n < ids->count && f->plan->disks == DISKS_LIST; n++) {
        bool found = false;

        for (size_t i = 0; i < disks->count; i++) {
            found |= is_called(&disks->item[i], ids->item[n]);
        }
        if (!found) {
            struct verdict *b = verdict_block(
                v, ABOUT_SOURCE, "--disks names %s, which is no disk",
                ids->item[n]);

            verdict_fix(b, "the source's disks are %s",
                        disks->count ? names : "none");
        }
    }
}

/* One disk: fill *C, and say what is to be said. */
static void choose(const struct facts *f, size_t i, size_t counterpart,
                   struct disk_choice *c, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const char *never = why_never(a);
    bool named;
    bool wanted = is_wanted(f->plan, a, &named);

    c->source = i;
    if (never || !wanted) {
        c->reason =
            xstrdup(never                          ? never
                    : f->plan->disks == DISKS_NONE ? "--disks none"
                                                   : "not named by --disks");
        judge_left(f, i, counterpart, named && never, never, v);
        return;
    }
    if (!counterpart) {
        struct verdict *b = verdict_block(v, ABOUT_DESTINATION,
                                          "disk %s has no counterpart at the "
                                          "destination",
                                          disk_label(a));

        verdict_fix(b, "give the destination a disk whose device or node has "
                       "the same name");
        c->reason = xstrdup("no counterpart at the destination");
        return;
    }
    c->copy = true;
    c->destination = counterpart - 1;
    c->reason = xstrdup("writable, local to each host");
    judge_copy(f, i, counterpart - 1, v);
}

void preflight_choose_disks(const struct facts *f, struct disk_choices *ret,
                            struct verdicts *verdicts)
{
    CLEANUP(verdicts_done) struct verdicts ignored = { .count = 0 };
    struct verdicts *v = verdicts ? verdicts : &ignored;
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    size_t *counterpart = find_counterparts(f);
    size_t first = v->count;

    ret->count = disks->count;
    ret->item = xcalloc(disks->count + 1, sizeof(*ret->item));
    for (size_t i = 0; i < disks->count; i++) {
        choose(f, i, counterpart[i], &ret->item[i], v);
    }
    judge_named(f, v);
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

        if (c.item[i].copy) {
            verdict_ok(v, ABOUT_BOTH, "disk %s will be copied (%s, %s)",
                       disk_label(d), size, d->driver ? d->driver : "?");
        } else if (d->qdev) {
            verdict_ok(v, ABOUT_SOURCE, "disk %s stays where it is (%s)",
                       disk_label(d), c.item[i].reason);
        }
    }
    if (c.count == 0) {
        verdict_ok(v, ABOUT_SOURCE, "the guest has no disks");
    }
}
