/*
 * The device trees.  A device that only the source has ends the stream; one
 * that only the destination has is accepted by QEMU without a word, and the
 * guest finds it in the state of a fresh machine (seen on 7.2 and 10.0).
 *
 * Devices are paired by id; those without one by type and address, and what
 * is then left by path, so that a moved device is told as one difference.
 */
#include <stdlib.h>

#include "core/preflight-private.h"

struct pairing {
    const struct qmp_machine *source, *destination;
    size_t *counterpart; /* one a source device: index + 1, 0 none yet */
    bool *taken;         /* one a destination device */
};

static bool same_id(const struct qmp_device *a, const struct qmp_device *b)
{
    return a->id && str_equal(a->id, b->id);
}

static bool same_kind_and_place(const struct qmp_device *a,
                                const struct qmp_device *b)
{
    return !a->id && !b->id && str_equal(a->type, b->type) && a->address &&
           str_equal(a->address, b->address);
}

static bool same_path(const struct qmp_device *a, const struct qmp_device *b)
{
    return !a->id && !b->id && a->path && str_equal(a->path, b->path);
}

static void pair_by(struct pairing *p, bool (*same)(const struct qmp_device *a,
                                                    const struct qmp_device *b))
{
    for (size_t i = 0; i < p->source->device_count; i++) {
        for (size_t j = 0;
             j < p->destination->device_count && !p->counterpart[i]; j++) {
            if (!p->taken[j] &&
                same(&p->source->device[i], &p->destination->device[j])) {
                p->counterpart[i] = j + 1;
                p->taken[j] = true;
            }
        }
    }
}

static size_t count_alike(const struct qmp_machine *m,
                          const struct qmp_device *d)
{
    size_t n = 0;

    for (size_t i = 0; i < m->device_count; i++) {
        n += same_kind_and_place(d, &m->device[i]);
    }
    return n;
}

static void pairing_init(struct pairing *p, const struct facts *f)
{
    *p = (struct pairing){
        .source = &f->side[SOURCE].machine,
        .destination = &f->side[DESTINATION].machine,
    };
    p->counterpart = xcalloc(p->source->device_count + 1, sizeof(size_t));
    p->taken = xcalloc(p->destination->device_count + 1, sizeof(bool));
    pair_by(p, same_id);
    pair_by(p, same_kind_and_place);
}

size_t *facts_device_pairs(const struct facts *f)
{
    struct pairing p;

    pairing_init(&p, f);
    for (size_t i = 0; i < p.source->device_count; i++) {
        const struct qmp_device *d = &p.source->device[i];

        if (!d->id && (count_alike(p.source, d) > 1 ||
                       count_alike(p.destination, d) > 1)) {
            p.counterpart[i] = 0;
        }
    }
    free(p.taken);
    return p.counterpart;
}

/* "virtio-net-pci net0 at pci.0 03.0" */
static char *describe(const struct qmp_device *d)
{
    return xasprintf("%s%s%s%s%s", d->type, d->id ? " " : "",
                     d->id ? d->id : "", d->address ? " at " : "",
                     d->address ? d->address : "");
}

static void judge_pair(const struct qmp_device *a, const struct qmp_device *b,
                       struct verdicts *v)
{
    CLEANUP_FREE char *da = NULL, *db = NULL;
    struct verdict *x;

    if (str_equal(a->type, b->type) && str_equal(a->address, b->address)) {
        return;
    }
    da = describe(a);
    db = describe(b);
    x = verdict_block(v, ABOUT_BOTH,
                      "a device differs: %s at the source, %s at the "
                      "destination",
                      da, db);
    verdict_fix(x, "give it the same type and address (bus=,addr=) on both "
                   "command lines");
}

static void judge_alone(const struct qmp_device *d, enum side_id has,
                        struct verdicts *v)
{
    enum side_id lacks = has == SOURCE ? DESTINATION : SOURCE;
    CLEANUP_FREE char *text = describe(d);
    struct verdict *x;

    x = verdict_block(v, verdict_about(lacks),
                      "the %s has a device that the %s has not: %s",
                      side_name(has), side_name(lacks), text);
    if (has == SOURCE) {
        verdict_why(x, "the destination could not load its state");
        verdict_fix(x, "add it to the destination's command line, also if it "
                       "was hot-plugged at the source");
    } else {
        verdict_why(x, "QEMU would not notice, and the guest would find it in "
                       "an unknown state");
        verdict_fix(x, "remove it from the destination's command line");
    }
}

void preflight_devices(const struct facts *f, struct verdicts *v)
{
    struct pairing p;
    size_t before = v->count;

    pairing_init(&p, f);
    pair_by(&p, same_path);
    for (size_t i = 0; i < p.source->device_count; i++) {
        const struct qmp_device *d = &p.source->device[i];

        if (p.counterpart[i]) {
            judge_pair(d, &p.destination->device[p.counterpart[i] - 1], v);
        } else {
            judge_alone(d, SOURCE, v);
        }
    }
    for (size_t j = 0; j < p.destination->device_count; j++) {
        if (!p.taken[j]) {
            judge_alone(&p.destination->device[j], DESTINATION, v);
        }
    }
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH, "%zu devices are the same on both sides",
                   p.source->device_count);
    }
    free(p.counterpart);
    free(p.taken);
}
