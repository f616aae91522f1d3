/*
 * What disks are called, and which of the two sides' belong together.
 */
#include <stdlib.h>

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

bool disk_is_called(const struct qmp_disk *d, const char *name)
{
    return str_equal(d->qdev, name) || str_equal(d->node_name, name) ||
           (d->device && d->device[0] && str_equal(d->device, name));
}

/* --- counterparts ------------------------------------------------------------------ */

const char *disk_verdict_word(enum disk_verdict verdict)
{
    static const char *const words[] = {
#define X(id, word) [DISK_##id] = word,
        DISK_VERDICTS(X)
#undef X
    };

    return words[verdict];
}

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

size_t *facts_counterparts(const struct facts *f)
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

void judge_names(const struct facts *f, const char *option,
                 const struct strv *ids, struct verdicts *v)
{
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    CLEANUP(strv_done) struct strv known = { .count = 0 };
    CLEANUP_FREE char *names = NULL;

    for (size_t i = 0; i < disks->count; i++) {
        strv_add(&known, disk_label(&disks->item[i]));
    }
    names = strv_join_words(&known);
    for (size_t n = 0; n < ids->count; n++) {
        bool found = false;

        for (size_t i = 0; i < disks->count; i++) {
            found |= disk_is_called(&disks->item[i], ids->item[n]);
        }
        if (!found) {
            struct verdict *b =
                verdict_block(v, ABOUT_SOURCE, "%s names %s, which is no disk",
                              option, ids->item[n]);

            verdict_fix(b, "the source's disks are %s",
                        disks->count ? names : "none");
        }
    }
}

bool disk_is_among(const struct strv *ids, const struct qmp_disk *d)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (disk_is_called(d, ids->item[i])) {
            return true;
        }
    }
    return false;
}

void judge_disk_sizes(const struct qmp_disk *a, const struct qmp_disk *b,
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
    if (!a->is_pflash && !a->read_only && b->virtual_size > a->virtual_size &&
        str_equal(image_format(b), "raw")) {
        verdict_fix(x,
                    "open the destination's with size=%llu (in its raw "
                    "node), or qemu-img resize --shrink it",
                    (unsigned long long)a->virtual_size);
        return;
    }
    verdict_fix(x, "make the destination's image anew with %llu bytes",
                (unsigned long long)a->virtual_size);
}
