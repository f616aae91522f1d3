/*
 * Is the backing chain of a disk one that both sides use?
 *
 * Each of its images is looked at like the image of a disk of its own; the
 * chain is one if they are, layer by layer, and each is read in the same
 * format.
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

/* The layers of D as disks that only their files and their names tell apart. */
static struct qmp_disks layers_of(const struct qmp_disk *d, const char *name)
{
    struct qmp_disks layers = { .count = d->chain_file.count };

    layers.item = xcalloc(layers.count + 1, sizeof(*layers.item));
    for (size_t i = 0; i < layers.count; i++) {
        layers.item[i].qdev = xasprintf("%s/%zu", name, i);
        layers.item[i].device = xstrdup("");
        layers.item[i].protocol = xstrdup("file");
        layers.item[i].protocol_filename = xstrdup(d->chain_file.item[i]);
    }
    return layers;
}

static bool have_one_form(const struct qmp_disk *a, const struct qmp_disk *b)
{
    if (a->chain_file.count == 0 ||
        a->chain_file.count != b->chain_file.count) {
        return false;
    }
    for (size_t i = 0; i < a->chain_file.count; i++) {
        if (!str_equal(a->chain_format.item[i], b->chain_format.item[i])) {
            return false;
        }
    }
    return true;
}

/* Facts of the layers alone; the caller calls layers_done(). */
static int look_at_layers(const struct facts_input *in, const struct facts *f,
                          const struct qmp_disk *const disk[SIDES],
                          struct facts *ret)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    *ret = (struct facts){ .plan = f->plan };
    for (int side = 0; side < SIDES; side++) {
        const struct side_facts *s = &f->side[side];
        struct side_facts *l = &ret->side[side];

        l->process = s->process;
        l->host_is_local = s->host_is_local;
        l->disks = layers_of(disk[side], disk_label(disk[SOURCE]));
        l->disk_file = xcalloc(l->disks.count + 1, sizeof(*l->disk_file));
        if (facts_identify_disks(in->host[side], l, &ignored) < 0) {
            return -1;
        }
    }
    facts_collect_marks(in, ret);
    return 0;
}

static void layers_done(struct facts *layers)
{
    for (int side = 0; side < SIDES; side++) {
        qmp_disks_done(&layers->side[side].disks);
        free(layers->side[side].disk_file);
    }
    free(layers->mark);
    free(layers->mark_left);
}

static bool is_shared(const struct facts_input *in, struct facts *f, size_t i,
                      size_t j)
{
    const struct qmp_disk *const disk[SIDES] = {
        [SOURCE] = &f->side[SOURCE].disks.item[i],
        [DESTINATION] = &f->side[DESTINATION].disks.item[j],
    };
    struct facts layers;
    bool shared;

    if (!have_one_form(disk[SOURCE], disk[DESTINATION])) {
        return false;
    }
    shared = look_at_layers(in, f, disk, &layers) == 0;
    for (size_t k = 0; shared && k < layers.side[SOURCE].disks.count; k++) {
        shared = facts_storage(&layers, k, k).relation == STORAGE_SAME;
    }
    if (!f->mark_left) {
        f->mark_left = STEAL(layers.mark_left);
    }
    layers_done(&layers);
    return shared;
}

void facts_collect_backing(const struct facts_input *in, struct facts *f)
{
    size_t *counterpart;

    if (f->plan->disks_sync != DISKS_SYNC_TOP || !in->host[SOURCE] ||
        !in->host[DESTINATION]) {
        return;
    }
    counterpart = facts_counterparts(f);
    f->backing_shared =
        xcalloc(f->side[SOURCE].disks.count + 1, sizeof(*f->backing_shared));
    for (size_t i = 0; i < f->side[SOURCE].disks.count; i++) {
        f->backing_shared[i] =
            counterpart[i] && is_shared(in, f, i, counterpart[i] - 1);
    }
    free(counterpart);
}
