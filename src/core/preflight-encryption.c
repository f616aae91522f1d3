/*
 * Encryption at rest: a mirror copies what the guest sees, which is in clear,
 * so what lies at the destination is encrypted only if the image there is.
 */
#include "core/preflight-private.h"

/* A disk whose content moves: by a mirror or, of flash, with the RAM. */
static bool moves(const struct facts *f, const struct disk_choice *c)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    const struct qmp_disks *there = &f->side[DESTINATION].disks;

    return c->copy || (a->is_pflash && c->destination < there->count &&
                       there->item[c->destination].is_pflash);
}

const char *disk_choice_encryption(const struct facts *f,
                                   const struct disk_choice *c)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    bool here = a->is_encrypted || a->chain_is_encrypted, there;

    if (!moves(f, c)) {
        return NULL;
    }
    there = c->making != MAKE_IMAGE &&
            f->side[DESTINATION].disks.item[c->destination].is_encrypted;
    return here && there ? ENCRYPTION_KEPT
           : here        ? ENCRYPTION_LOST
           : there       ? ENCRYPTION_GAINED
                         : NULL;
}

static void judge_lost(const struct facts *f, const struct disk_choice *c,
                       struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    const char *label = disk_label(a);
    const char *where = c->making == MAKE_IMAGE ? "the image that is made at "
                                                  "the destination"
                                                : "the destination's image";
    struct verdict *x;

    if (disk_is_among(&f->plan->unencrypted_ids, a)) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s is encrypted at the source, and %s is not, "
                         "as you allowed",
                         label, where);
        verdict_why(x, "whoever can read that image can read the guest's data");
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION,
                      "disk %s is encrypted at the source, and %s is not",
                      label, where);
    verdict_why(x, "whoever can read that image could read the guest's data");
    verdict_fix(x,
                "give the destination an encrypted image, or allow it with "
                "--allow-unencrypted-destination %s",
                label);
}

void preflight_encryption(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        const struct disk_choice *one = &c.item[i];
        const char *becomes = disk_choice_encryption(f, one);
        const char *label =
            disk_label(&f->side[SOURCE].disks.item[one->source]);

        if (str_equal(becomes, ENCRYPTION_LOST)) {
            judge_lost(f, one, v);
        } else if (becomes) {
            verdict_ok(v, ABOUT_BOTH, "disk %s is encrypted %s", label,
                       str_equal(becomes, ENCRYPTION_KEPT)
                           ? "on both sides"
                           : "at the destination, and not at the source");
        }
    }
    judge_names(f, "--allow-unencrypted-destination", &f->plan->unencrypted_ids,
                v);
}
