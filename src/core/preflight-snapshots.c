/*
 * Internal snapshots: a mirror copies what the guest sees now, and nothing else
 * of an image, so they stay in the source's.
 */
#include "core/preflight-private.h"

static char *join_commas(const struct strv *v)
{
    char *all = xstrdup("");

    for (size_t i = 0; i < v->count; i++) {
        char *longer = xasprintf("%s%s%s", all, i > 0 ? ", " : "", v->item[i]);

        free_string(all);
        all = longer;
    }
    return all;
}

char *disk_choice_snapshots(const struct facts *f, const struct disk_choice *c)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    CLEANUP(strv_done) struct strv all = { .count = 0 };

    if (!c->copy) {
        return NULL;
    }
    for (size_t i = 0; i < a->snapshots.count; i++) {
        strv_add(&all, a->snapshots.item[i]);
    }
    /* with the overlay alone, what is below it is there already */
    for (size_t i = 0; !c->top && i < a->chain_snapshots.count; i++) {
        strv_add(&all, a->chain_snapshots.item[i]);
    }
    return all.count > 0 ? join_commas(&all) : NULL;
}

static void judge_source(const struct facts *f, const struct disk_choice *c,
                         struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    CLEANUP_FREE char *names = disk_choice_snapshots(f, c);
    struct verdict *x;

    if (!names) {
        return;
    }
    if (f->plan->drop_snapshots) {
        x = verdict_warn(v, ABOUT_SOURCE,
                         "the internal snapshots of disk %s stay behind, in "
                         "the source's image: %s",
                         disk_label(a), names);
        verdict_why(x, "the guest cannot go back to them at the destination");
        return;
    }
    x = verdict_block(v, ABOUT_SOURCE,
                      "the internal snapshots of disk %s cannot travel: %s",
                      disk_label(a), names);
    verdict_why(x, "a mirror copies what the guest sees now, and they would "
                   "stay behind in the source's image");
    verdict_fix(x, "say --drop-snapshots to leave them there, or copy the "
                   "image file while the guest is shut down");
}

/* Those that the destination's image had before are of other content. */
static void judge_destination(const struct facts *f,
                              const struct disk_choice *c, struct verdicts *v)
{
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[c->destination];
    CLEANUP_FREE char *names = NULL;
    struct verdict *x;

    if (!c->copy || c->making == MAKE_IMAGE || b->snapshots.count == 0) {
        return;
    }
    names = join_commas(&b->snapshots);
    x = verdict_warn(v, ABOUT_DESTINATION,
                     "the destination's image of disk %s has internal "
                     "snapshots already: %s",
                     disk_label(&f->side[SOURCE].disks.item[c->source]), names);
    verdict_why(x, "they stay, and hold what the image held before");
    verdict_fix(x, "delete them with qemu-img snapshot -d before the "
                   "destination is started, if they are of no use");
}

void preflight_snapshots(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        judge_source(f, &c.item[i], v);
        judge_destination(f, &c.item[i], v);
    }
}
