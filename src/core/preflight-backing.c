/*
 * Disks with a backing file: what becomes of it.
 */
#include "core/preflight-private.h"

static const char say_full[] = "copy the whole disk, with --disks-sync full";

/* A mirror of an overlay looks for what is allocated while the guest runs.
 * False: it must not. */
static bool judge_start(const struct facts *f, const struct qmp_disk *a,
                        struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    struct verdict *x;

    if (!preflight_mirror_loses_writes(s) || !s->run_state.running) {
        return true;
    }
    if (f->plan->verify) {
        x = verdict_warn(v, ABOUT_SOURCE,
                         "this QEMU may lose what the guest writes to disk %s "
                         "while its overlay's mirror starts",
                         disk_label(a));
        verdict_why(x, "--verify would find it, and the guest would stay");
        return true;
    }
    x = verdict_block(v, ABOUT_SOURCE,
                      "this QEMU loses what the guest writes to disk %s while "
                      "its overlay's mirror starts",
                      disk_label(a));
    verdict_why(x, "its fault: 8.2 to 10.0.12, 10.1, 10.2.0 and 10.2.1 have "
                   "it");
    verdict_fix(x, "%s; or stop the guest before, with `stop`; or add --verify",
                say_full);
    return false;
}

/* What keeps the overlay A from being copied onto B; false: something does. */
static bool judge_chains(const struct qmp_disk *a, const struct qmp_disk *b,
                         struct verdicts *v)
{
    struct verdict *x;

    if (!b->has_backing) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "disk %s has a backing file, and the destination's "
                          "image has none",
                          disk_label(a));
        verdict_fix(x,
                    "make it an overlay on the same backing file (qemu-img "
                    "create -b); or %s",
                    say_full);
        return false;
    }
    if (a->backing_size != b->backing_size) {
        x = verdict_block(
            v, ABOUT_BOTH,
            "the backing file of disk %s has %llu bytes at the source and "
            "%llu at the destination",
            disk_label(a), (unsigned long long)a->backing_size,
            (unsigned long long)b->backing_size);
        verdict_fix(x, "copy the source's there; or %s", say_full);
        return false;
    }
    if (!a->backing_node) {
        x = verdict_block(v, ABOUT_SOURCE,
                          "cannot determine which node is the backing file of "
                          "disk %s, so it cannot be compared",
                          disk_label(a));
        verdict_fix(x, "%s", say_full);
        return false;
    }
    return true;
}

/* The overlay alone of disk I is copied onto J. */
static void judge_top(const struct facts *f, size_t i, size_t j,
                      struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];

    if (!judge_chains(a, b, v) || !judge_start(f, a, v)) {
        return;
    }
    if (f->backing_shared && f->backing_shared[i]) {
        verdict_ok(v, ABOUT_BOTH,
                   "the overlay alone of disk %s is copied: its backing file "
                   "%s is one that both sides use",
                   disk_label(a), a->backing_file);
    } else {
        verdict_ok(v, ABOUT_BOTH,
                   "the overlay alone of disk %s is copied, once its backing "
                   "file %s was compared with the destination's",
                   disk_label(a), a->backing_file);
    }
}

void preflight_backing(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };
    bool wants_top = f->plan->disks_sync == DISKS_SYNC_TOP;

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        const struct disk_choice *one = &c.item[i];
        const struct qmp_disk *a = &f->side[SOURCE].disks.item[one->source];

        if (!one->copy) {
            continue;
        }
        if (one->top) {
            judge_top(f, one->source, one->destination, v);
        } else if (a->has_backing) {
            verdict_ok(v, ABOUT_BOTH,
                       "disk %s is copied whole: its backing chain is "
                       "flattened",
                       disk_label(a));
        } else if (wants_top) {
            verdict_ok(v, ABOUT_SOURCE,
                       "disk %s has no backing file, and is copied whole",
                       disk_label(a));
        }
    }
}
