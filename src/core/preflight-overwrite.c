/*
 * Does what a copy writes belong to something else?
 *
 * A disk is copied only if all that the destination's image is written to is
 * proved to hold no byte of anything that the source has open, whichever disk
 * it is of, copied or not, backing files too; and of nothing else that the
 * destination has open.
 */
#include "core/preflight-private.h"

/* "disk vd1", or "backing file of disk vd1"; the caller frees it. */
static char *name_part(const struct side_facts *s, size_t disk, size_t part)
{
    struct qmp_parts parts = facts_parts_of(s, disk);
    const struct qmp_part *p = &parts.item[part];

    if (disk == s->disks.count) {
        return xasprintf("%s %s", p->role, p->node);
    }
    return p->is_top ? xasprintf("disk %s", disk_label(&s->disks.item[disk]))
                     : xasprintf("%s of disk %s", p->role,
                                 disk_label(&s->disks.item[disk]));
}

static void refuse_overwriting(const struct qmp_disk *a, enum side_id side,
                               const char *victim, const struct storage *st,
                               struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_BOTH, "disk %s would be copied over the %s's %s%s",
        disk_label(a), side_name(side), victim,
        st->relation == STORAGE_SAME ? "" : ", or a part of it");

    verdict_why(x, "%s",
                st->relation == STORAGE_SAME
                    ? "the destination uses the same image for it"
                    : st->reason);
    verdict_fix(x, "give the destination images of its own, and its disks "
                   "the source's names in the source's order");
}

static void refuse_unproved(const struct qmp_disk *a, const char *victim,
                            const char *reason, struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_BOTH,
        "cannot determine whether disk %s would be copied over the source's "
        "%s: %s",
        disk_label(a), victim, reason);

    verdict_why(x, "the copy would destroy it");
    verdict_fix(x,
                "say --separate %s if nothing that the source has open lies "
                "in the destination's image of it",
                disk_label(a));
}

/* Disk I onto J, and one of the source's disks, or what is of none. */
struct look {
    const struct facts *f;
    size_t i, j, victim;
    struct verdicts *v;
    bool forbidden;
    struct storage unproved; /* the first that was found */
    size_t part;             /* of it */
};

/* PART of the source's, and part Q of J, which is written. */
static void look_at_part(struct look *l, size_t part, size_t q)
{
    const struct facts *f = l->f;
    const struct side_facts *s = &f->side[SOURCE];
    const struct qmp_part *b =
        &f->side[DESTINATION].disks.item[l->j].parts.item[q];
    struct storage st;

    if (l->victim == l->i && b->is_top &&
        s->disks.item[l->i].parts.item[part].is_top) {
        return; /* facts_storage() tells of these two */
    }
    st = facts_compare(f, (struct part_index){ l->victim, part },
                       (struct part_index){ l->j, q });
    if (st.relation == STORAGE_UNKNOWN) {
        /* RAM is no network image, and a folder of huge pages no disk */
        if (!l->unproved.reason &&
            !facts_parts_of(s, l->victim).item[part].is_memory) {
            l->unproved = st;
            l->part = part;
        }
    } else if (st.relation != STORAGE_DIFFERENT && !l->forbidden) {
        CLEANUP_FREE char *name = name_part(s, l->victim, part);

        l->forbidden = true;
        refuse_overwriting(&s->disks.item[l->i], SOURCE, name, &st, l->v);
    }
}

static void look_at_victim(struct look *l)
{
    const struct side_facts *s = &l->f->side[SOURCE];
    const struct qmp_parts written =
        facts_parts_of(&l->f->side[DESTINATION], l->j);
    const struct qmp_parts parts = facts_parts_of(s, l->victim);

    for (size_t p = 0; p < parts.count; p++) {
        for (size_t q = 0; q < written.count; q++) {
            if (written.item[q].is_written) {
                look_at_part(l, p, q);
            }
        }
    }
    if (l->unproved.reason && !l->forbidden &&
        !disk_is_among(&l->f->plan->separate_ids, &s->disks.item[l->i])) {
        CLEANUP_FREE char *name = name_part(s, l->victim, l->part);

        refuse_unproved(&s->disks.item[l->i], name, l->unproved.reason, l->v);
    }
}

/* The first disk of which it is not known what it stands on; NULL: none. */
static const struct qmp_disk *find_untold(const struct side_facts *s)
{
    for (size_t i = 0; i < s->disks.count; i++) {
        const struct qmp_disk *d = &s->disks.item[i];

        if (d->node_name && !d->graph_known) {
            return d;
        }
    }
    return NULL;
}

static void judge_untold(const struct facts *f, size_t i, size_t j,
                         struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct qmp_disk *untold = find_untold(&f->side[SOURCE]);
    CLEANUP_FREE char *name =
        untold ? xasprintf("disk %s", disk_label(untold)) : NULL;

    if (disk_is_among(&f->plan->separate_ids, a)) {
        return;
    }
    if (!b->graph_known) {
        refuse_unproved(a, "disks",
                        "the destination's QEMU does not tell all that it "
                        "stands on",
                        v);
    } else if (untold) {
        refuse_unproved(a, name,
                        "the source's QEMU does not tell all that it stands "
                        "on",
                        v);
    }
}

/* --- the destination's own -------------------------------------------------- */

/* Two parts of one QEMU; what is not known of them is its own QEMU's to see to:
 * it locks what it writes. */
static bool are_one(const struct side_facts *s, struct part_index a,
                    struct part_index b, struct storage *ret)
{
    struct extent x = facts_extent(s, a.disk, a.part);
    struct extent y = facts_extent(s, b.disk, b.part);

    *ret = extents_compare(HOSTS_ONE, MARK_NOT_TRIED, &x, &y);
    return ret->relation == STORAGE_SAME ||
           ret->relation == STORAGE_OTHERWISE ||
           ret->relation == STORAGE_PERHAPS;
}

/* Is what part Q of disk J writes something of another disk, K? */
static bool judge_neighbour(const struct facts *f, size_t i,
                            struct part_index q, size_t k, struct verdicts *v)
{
    const struct side_facts *d = &f->side[DESTINATION];
    const struct qmp_parts parts = facts_parts_of(d, k);
    struct storage st;

    for (size_t p = 0; p < parts.count; p++) {
        if (are_one(d, q, (struct part_index){ k, p }, &st)) {
            CLEANUP_FREE char *name = name_part(d, k, p);

            refuse_overwriting(&f->side[SOURCE].disks.item[i], DESTINATION,
                               name, &st, v);
            return true;
        }
    }
    return false;
}

static void judge_neighbours(const struct facts *f, size_t i, size_t j,
                             struct verdicts *v)
{
    const struct side_facts *d = &f->side[DESTINATION];
    const struct qmp_parts written = facts_parts_of(d, j);

    for (size_t k = 0; k <= d->disks.count; k++) {
        for (size_t q = 0; q < written.count && k != j; q++) {
            if (written.item[q].is_written &&
                judge_neighbour(f, i, (struct part_index){ j, q }, k, v)) {
                break;
            }
        }
    }
}

/* --- memory ------------------------------------------------------------------ */

/* Is part Q of the destination, which RAM is loaded into, something that the
 * source has open? */
static void judge_memory(const struct facts *f, struct part_index q,
                         struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    const char *id =
        facts_parts_of(&f->side[DESTINATION], q.disk).item[q.part].node;

    for (size_t k = 0; k <= s->disks.count; k++) {
        const struct qmp_parts parts = facts_parts_of(s, k);

        for (size_t p = 0; p < parts.count; p++) {
            struct storage st =
                facts_compare(f, (struct part_index){ k, p }, q);
            CLEANUP_FREE char *name = name_part(s, k, p);
            struct verdict *x;

            if (parts.item[p].is_memory || st.relation == STORAGE_DIFFERENT ||
                st.relation == STORAGE_UNKNOWN) {
                continue;
            }
            x = verdict_block(v, ABOUT_BOTH,
                              "memory backend %s of the destination is the "
                              "source's %s, or a part of it",
                              id, name);
            verdict_why(x, "RAM would be loaded over it while the guest runs");
            verdict_fix(x, "give the destination's backend another mem-path, "
                           "or share=off");
            return;
        }
    }
}

void preflight_memory_over_disks(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *d = &f->side[DESTINATION];
    const struct qmp_parts *loose = &d->disks.loose;

    for (size_t q = 0; q < loose->count; q++) {
        if (loose->item[q].is_memory && loose->item[q].is_written) {
            judge_memory(f, (struct part_index){ d->disks.count, q }, v);
        }
    }
}

void preflight_overwriting(const struct facts *f, size_t i, size_t j,
                           struct verdicts *v)
{
    for (size_t k = 0; k <= f->side[SOURCE].disks.count; k++) {
        look_at_victim(
            &(struct look){ .f = f, .i = i, .j = j, .victim = k, .v = v });
    }
    judge_untold(f, i, j, v);
    judge_neighbours(f, i, j, v);
}
