/*
 * Dirty bitmaps of the source's disks: which of them travel with the guest.
 *
 * QEMU carries them in its migration stream, and freezes them for as long as
 * that takes.  It refuses to begin if a node that it is told of has one that
 * is in use or broken, wanted or not, and to load one whose name is there
 * already; so a disk's bitmaps travel all together or not at all, and what
 * stays behind is named.
 */
#include <stdlib.h>
#include <string.h>

#include "core/preflight-private.h"

/* QEMU's limit for the name that travels. */
#define NAME_MAX_LEN 255

struct obstacle {
    const char *bitmap; /* the one in the way, or NULL */
    const char *why;    /* NULL: nothing is in the way */
    const char *fix;
};

static bool has_bitmap(const struct qmp_disk *d, const char *name)
{
    for (size_t i = 0; i < d->bitmaps.count; i++) {
        if (str_equal(d->bitmaps.item[i].name, name)) {
            return true;
        }
    }
    return false;
}

static struct obstacle obstacle_of(const struct qmp_bitmap *b,
                                   const struct qmp_disk *there)
{
    struct obstacle o = { .bitmap = b->name };

    if (b->busy) {
        o.why = "is in use";
        o.fix = "wait until the backup, or whatever uses it, is over";
    } else if (b->inconsistent) {
        o.why = "is broken, by a QEMU that did not end well";
        o.fix = "remove it with block-dirty-bitmap-remove";
    } else if (strlen(b->name) > NAME_MAX_LEN) {
        o.why = "has too long a name";
    } else if (has_bitmap(there, b->name)) {
        o.why = "is at the destination already";
        o.fix = "remove the destination's with block-dirty-bitmap-remove";
    }
    return o;
}

static bool can_carry(const struct side_facts *s)
{
    return s->features.has[QMP_FEATURE_CAP_DIRTY_BITMAPS] &&
           s->features.has[QMP_FEATURE_PARAM_BLOCK_BITMAP_MAPPING];
}

/* The first thing that keeps the bitmaps of C's disk from travelling. */
static struct obstacle find_obstacle(const struct facts *f,
                                     const struct disk_choice *c)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    struct obstacle o = { .why = NULL };

    if (c->verdict != DISK_COPY && c->verdict != DISK_SHARED) {
        return (struct obstacle){ .why = "the disk stays behind" };
    }
    if (a->read_only) { /* QEMU takes only those that it could write to */
        return (struct obstacle){ .why = "the disk is read-only" };
    }
    if (c->making == MAKE_SLICE) { /* of the whole device they would be */
        return (struct obstacle){ .why = "the destination's disk is a slice "
                                         "of a larger one" };
    }
    for (int side = 0; side < SIDES; side++) {
        if (!can_carry(&f->side[side])) {
            return (struct obstacle){ .why = "one of the two QEMUs is too old "
                                             "to carry them" };
        }
    }
    for (size_t i = 0; i < a->bitmaps.count && !o.why; i++) {
        o = obstacle_of(&a->bitmaps.item[i],
                        &f->side[DESTINATION].disks.item[c->destination]);
    }
    return o;
}

char *preflight_bitmap_mapping(const struct facts *f, enum side_id side)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };
    CLEANUP(strv_done) struct strv aliases = { .count = 0 };
    struct qmp_bitmap_node *nodes;
    char *mapping = NULL;
    size_t count = 0;

    preflight_choose_disks(f, &c, NULL);
    nodes = xcalloc(c.count + 1, sizeof(*nodes));
    for (size_t i = 0; i < c.count; i++) {
        CLEANUP_FREE char *alias = xasprintf("disk%zu", i);

        strv_add(&aliases, alias);
    }
    for (size_t i = 0; i < c.count; i++) {
        const struct disk_choice *one = &c.item[i];
        const struct qmp_disk *a = &f->side[SOURCE].disks.item[one->source];
        size_t there = side == SOURCE ? one->source : one->destination;

        if (a->bitmaps.count == 0 || find_obstacle(f, one).why) {
            continue;
        }
        nodes[count++] = (struct qmp_bitmap_node){
            .node_name = f->side[side].disks.item[there].node_name,
            .alias = aliases.item[i],
            .bitmaps = &a->bitmaps,
        };
    }
    if (count > 0) {
        mapping = qmp_bitmap_mapping(nodes, count);
    }
    free(nodes);
    return mapping;
}

void disk_choice_old_bitmaps(const struct facts *f, const struct disk_choice *c,
                             struct strv *ret)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[c->destination];

    /* a shared image keeps the source's own */
    if (!c->copy || c->making == MAKE_IMAGE || find_obstacle(f, c).why) {
        return;
    }
    for (size_t i = 0; i < b->stored_bitmaps.count; i++) {
        if (has_bitmap(a, b->stored_bitmaps.item[i])) {
            strv_add(ret, b->stored_bitmaps.item[i]);
        }
    }
}

/* --- what is said ----------------------------------------------------------- */

/* The names of those that are persistent; the caller frees them. */
static char *kept_names(const struct qmp_bitmaps *b)
{
    struct qmp_bitmaps kept = { .count = 0 };
    char *names;

    for (size_t i = 0; i < b->count; i++) {
        if (b->item[i].persistent) {
            qmp_bitmaps_add(&kept, &b->item[i]);
        }
    }
    names = qmp_bitmaps_names(&kept);
    qmp_bitmaps_done(&kept);
    return names;
}

static void say_left_behind(const struct qmp_disk *a, const struct obstacle *o,
                            struct verdicts *v)
{
    CLEANUP_FREE char *names = qmp_bitmaps_names(&a->bitmaps);
    struct verdict *x =
        verdict_warn(v, ABOUT_SOURCE,
                     "the dirty bitmaps of disk %s do not travel (%s): %s%s%s",
                     disk_label(a), names, o->bitmap ? o->bitmap : "",
                     o->bitmap ? " " : "", o->why);

    verdict_why(x, "the next incremental backup has to be a full one");
    if (o->fix) {
        verdict_fix(x, "%s", o->fix);
    }
}

/* Only qcow2 has a place for them. */
static void say_travels(const struct qmp_disk *a, const char *format,
                        struct verdicts *v)
{
    CLEANUP_FREE char *names = qmp_bitmaps_names(&a->bitmaps);
    CLEANUP_FREE char *kept = kept_names(&a->bitmaps);

    verdict_ok(v, ABOUT_BOTH, "the dirty bitmaps of disk %s travel along: %s",
               disk_label(a), names);
    if (*kept && !str_equal(format, "qcow2")) {
        struct verdict *x = verdict_warn(
            v, ABOUT_DESTINATION,
            "disk %s cannot keep its persistent dirty bitmaps (%s): the "
            "destination's image is %s",
            disk_label(a), kept, format ? format : "of another format");

        verdict_why(x, "they end with that QEMU");
        verdict_fix(x, "give the destination a qcow2 image");
    }
}

static const char *format_there(const struct facts *f,
                                const struct disk_choice *c)
{
    return c->making == MAKE_IMAGE
               ? image_format(&f->side[SOURCE].disks.item[c->source])
               : f->side[DESTINATION].disks.item[c->destination].driver;
}

/*
 * An image that is copied to may keep bitmaps of what it held before.  Those
 * of other names stay, and a mirror need not write what it finds to be zero
 * already: a backup that trusts one may miss a change.
 */
static void say_old(const struct facts *f, const struct disk_choice *c,
                    struct verdicts *v)
{
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[c->destination];
    const char *label = disk_label(&f->side[SOURCE].disks.item[c->source]);
    CLEANUP(strv_done) struct strv removed = { .count = 0 };
    CLEANUP(strv_done) struct strv stay = { .count = 0 };
    CLEANUP_FREE char *names = NULL, *others = NULL;
    struct verdict *x;

    if (!c->copy || c->making == MAKE_IMAGE) {
        return;
    }
    disk_choice_old_bitmaps(f, c, &removed);
    for (size_t i = 0; i < b->stored_bitmaps.count; i++) {
        if (!strv_contains(&removed, b->stored_bitmaps.item[i])) {
            strv_add(&stay, b->stored_bitmaps.item[i]);
        }
    }
    names = strv_join_words(&removed);
    others = strv_join_words(&stay);
    if (removed.count > 0) {
        verdict_ok(v, ABOUT_DESTINATION,
                   "the destination's image of disk %s keeps dirty bitmaps of "
                   "those names, of what it held before: %s; they are removed "
                   "as it is overwritten",
                   label, names);
    }
    if (stay.count > 0) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "the destination's image of disk %s keeps dirty "
                         "bitmaps of what it held before: %s",
                         label, others);
        verdict_why(x, "an incremental backup that trusts them may be wrong");
        verdict_fix(x, "remove them with block-dirty-bitmap-remove, or before "
                       "with qemu-img bitmap --remove");
    }
}

static void say_others(const struct facts *f, struct verdicts *v)
{
    const struct strv *others = &f->side[SOURCE].disks.other_bitmaps;

    for (size_t i = 0; i < others->count; i++) {
        struct verdict *x = verdict_warn(
            v, ABOUT_SOURCE,
            "dirty bitmaps of a node below a disk, or of no disk, do not "
            "travel: %s",
            others->item[i]);

        verdict_why(x, "they end with the source's QEMU, but for persistent "
                       "ones of an image that the destination uses too");
    }
}

void preflight_bitmaps(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        const struct disk_choice *one = &c.item[i];
        const struct qmp_disk *a = &f->side[SOURCE].disks.item[one->source];
        struct obstacle o;

        say_old(f, one, v);
        /* a read-only image that is not copied has its own at both sides */
        if (a->bitmaps.count == 0 || one->verdict == DISK_REFUSE ||
            (a->read_only && !one->copy)) {
            continue;
        }
        o = find_obstacle(f, one);
        if (o.why) {
            say_left_behind(a, &o, v);
        } else {
            say_travels(a, format_there(f, one), v);
        }
    }
    say_others(f, v);
}
