/*
 * Disks that are not copied, and what is to be said of them.
 */
#include <string.h>

#include "core/preflight-private.h"

/* Hazard of shared files: one host's page cache is not the other's. */
static void warn_of_cache(const struct facts *f, size_t i, size_t j,
                          struct verdicts *v)
{
    const struct qmp_disk *disk[SIDES] = {
        [SOURCE] = &f->side[SOURCE].disks.item[i],
        [DESTINATION] = &f->side[DESTINATION].disks.item[j],
    };

    for (int side = 0; side < SIDES && !facts_same_machine(f); side++) {
        struct verdict *x;

        if (!disk[side]->is_cached) {
            continue;
        }
        x = verdict_warn(v, verdict_about((enum side_id)side),
                         "disk %s is shared, and the %s uses its host's page "
                         "cache for it",
                         disk_label(disk[SOURCE]),
                         side_name((enum side_id)side));
        verdict_why(x, "what one host has cached may be older than what the "
                       "other wrote");
        verdict_fix(x, "open it with cache.direct=on (cache=none) on both "
                       "sides");
    }
}

/* A reason to copy a disk says first that it is writable. */
static const char *without_writable(const char *reason)
{
    static const char word[] = "writable, ";

    return str_starts(reason, word) ? reason + strlen(word) : reason;
}

/* A QEMU has the size that the image had when it was opened there, until it is
 * told block_resize. */
static void refuse_other_size(const struct qmp_disk *a,
                              const struct qmp_disk *b, bool named,
                              struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_BOTH,
        "shared disk %s has %llu bytes at the source and %llu at the "
        "destination",
        disk_label(a), (unsigned long long)a->virtual_size,
        (unsigned long long)b->virtual_size);

    verdict_why(x, "a QEMU has the size that the image had when it was opened "
                   "there");
    verdict_fix(x,
                a->virtual_size > b->virtual_size
                    ? "start a fresh destination%s"
                    : "block_resize at the source, if the image has grown%s",
                named ? "; or, if the two are not one image, leave it out of "
                        "--shared, so that it is copied"
                      : "");
}

void preflight_shared_disk(const struct facts *f, size_t i, size_t j,
                           const struct storage *st, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];

    if (st->relation == STORAGE_DIFFERENT ||
        st->relation == STORAGE_OTHERWISE) {
        struct verdict *x =
            verdict_block(v, ABOUT_BOTH, "disk %s is not shared: %s",
                          disk_label(a), without_writable(st->reason));

        verdict_why(x, "the guest would wake up with the destination's");
        verdict_fix(x, st->relation == STORAGE_OTHERWISE
                           ? "start the destination with the same layers and "
                             "parts of it"
                           : "leave it out of --shared, so that it is copied");
        return;
    }
    if (a->virtual_size != b->virtual_size) {
        refuse_other_size(a, b, disk_is_among(&f->plan->shared_ids, a), v);
        return;
    }
    if (!a->read_only) {
        warn_of_cache(f, i, j, v);
    }
}

/* Flash has no mirror: its content goes with RAM, into an image of its size. */
static void judge_flash(const struct qmp_disk *a, const struct qmp_disk *b,
                        struct verdicts *v)
{
    struct verdict *x;

    if (b && !b->tray_empty) {
        judge_disk_sizes(a, b, v);
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION,
                      "flash %s has no image at the destination",
                      disk_label(a));
    verdict_why(x, "what the firmware stores in it would be lost");
    verdict_fix(x, "give it one of %llu bytes there",
                (unsigned long long)a->virtual_size);
}

/* A read-only disk A that stays, though both sides could be compared. */
static void warn_of_content(const struct qmp_disk *a, struct verdicts *v)
{
    struct verdict *x = verdict_warn(
        v, ABOUT_BOTH,
        "read-only disk %s is not copied, and the destination has something "
        "else in its place",
        disk_label(a));

    verdict_why(x, "the guest would wake up with the destination's");
    verdict_fix(x, "add it to --disks");
}

/* A writable disk A that stays, though it is one that both sides may have. */
static void judge_writable(const struct facts *f, size_t i, size_t j,
                           struct verdicts *v)
{
    struct storage st = facts_storage(f, i, j);
    struct verdict *x;

    if (st.relation != STORAGE_DIFFERENT) {
        warn_of_cache(f, i, j, v);
        return;
    }
    x = verdict_warn(v, ABOUT_BOTH,
                     "disk %s is not copied, and its images on the two sides "
                     "are different files",
                     disk_label(&f->side[SOURCE].disks.item[i]));
    verdict_why(x, "the guest would wake up with the destination's");
    verdict_fix(x, "add it to --disks");
}

/* A drive with a medium on one side alone. */
static void warn_of_medium(const struct qmp_disk *a, struct verdicts *v)
{
    struct verdict *x;

    if (a->tray_empty) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s has a medium at the destination and none at "
                         "the source",
                         disk_label(a));
        verdict_why(x, "the guest would find it in the drive");
        verdict_fix(x, "eject it there");
    } else {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s has a medium at the source and none at the "
                         "destination",
                         disk_label(a));
        verdict_why(x, "the guest would find it gone");
    }
}

void preflight_left_disk(const struct facts *f, size_t i, const size_t *j,
                         const char *never, struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = j ? &f->side[DESTINATION].disks.item[*j] : NULL;
    struct verdict *x;

    if (f->plan->disks == DISKS_LIST && never &&
        disk_is_among(&f->plan->disk_ids, a)) {
        x = verdict_block(v, ABOUT_SOURCE, "disk %s cannot be copied: %s",
                          disk_label(a), never);
        verdict_fix(x, "leave it out of --disks");
    } else if (a->qdev && a->is_pflash) {
        judge_flash(a, b, v);
    } else if (!never && b && !a->read_only) {
        judge_writable(f, i, *j, v);
    } else if (!never && b && b->node_name &&
               facts_content(f, i, *j) == CONTENT_DIFFERENT) {
        warn_of_content(a, v);
    } else if (a->qdev && b && a->tray_empty != b->tray_empty) {
        warn_of_medium(a, v);
    }
}
