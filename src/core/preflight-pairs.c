/*
 * What disks are called, and which of the two sides' belong together.
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

/* What proves which disk of the other side is meant. */
enum disk_key {
    KEY_NONE,  /* no device of the guest uses it */
    KEY_ID,    /* its device has one */
    KEY_PLACE, /* its device has none, but a type and an address */
    KEY_ONBOARD,
};

static enum disk_key key_of(const struct qmp_disk *d)
{
    static const char anonymous[] = "/machine/peripheral-anon/";

    if (!d->qdev) {
        return KEY_NONE;
    }
    if (str_starts(d->qdev, anonymous)) {
        return KEY_PLACE;
    }
    return d->onboard_type || d->qdev[0] == '/' ? KEY_ONBOARD : KEY_ID;
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

/* The index of the device D belongs to, the count if it is not known. */
static size_t device_of(const struct qmp_machine *m, const struct qmp_disk *d)
{
    size_t i;

    for (i = 0; d->qdev && i < m->device_count; i++) {
        const char *path = m->device[i].path;

        if (str_equal(m->device[i].id, d->qdev) || str_equal(path, d->qdev)) {
            break;
        }
        /* a part of it: usb-storage has a disk of its own making */
        if (path && *path && str_starts(d->qdev, path) &&
            d->qdev[strlen(path)] == '/') {
            break;
        }
    }
    return d->qdev ? i : m->device_count;
}

struct disk_pairs {
    const struct facts *f;
    size_t *device; /* facts_device_pairs() */
};

static bool same_device(const struct disk_pairs *p, const struct qmp_disk *a,
                        const struct qmp_disk *b)
{
    const struct qmp_machine *s = &p->f->side[SOURCE].machine;
    const struct qmp_machine *d = &p->f->side[DESTINATION].machine;
    size_t i, j;

    if (key_of(a) != key_of(b)) {
        return false;
    }
    switch (key_of(a)) {
    case KEY_ID:
        return str_equal(a->qdev, b->qdev);
    case KEY_PLACE:
        i = device_of(s, a);
        j = device_of(d, b);
        return i < s->device_count && j < d->device_count &&
               p->device[i] == j + 1;
    case KEY_ONBOARD:
        return str_equal(a->onboard_type, b->onboard_type) &&
               (a->onboard_place && b->onboard_place
                    ? str_equal(a->onboard_place, b->onboard_place)
                    : str_equal(a->qdev, b->qdev));
    case KEY_NONE:
        break;
    }
    return false;
}

/* By name: of what no device uses; and, so that it is one difference that is
 * told, where an id that only one side has forbids the migration. */
static bool may_go_by_name(const struct qmp_disk *a, const struct qmp_disk *b)
{
    return key_of(a) == KEY_ID || key_of(b) == KEY_ID ||
           (key_of(a) == KEY_NONE && key_of(b) == KEY_NONE);
}

static bool same_node_name(const struct disk_pairs *p, const struct qmp_disk *a,
                           const struct qmp_disk *b)
{
    (void)p;
    return may_go_by_name(a, b) && same_node(a, b);
}

static bool same_drive_name(const struct disk_pairs *p,
                            const struct qmp_disk *a, const struct qmp_disk *b)
{
    (void)p;
    return may_go_by_name(a, b) && same_drive(a, b);
}

size_t *facts_counterparts(const struct facts *f)
{
    static bool (*const rules[])(const struct disk_pairs *p,
                                 const struct qmp_disk *a,
                                 const struct qmp_disk *b) = {
        same_device,
        same_node_name,
        same_drive_name,
    };
    const struct qmp_disks *s = &f->side[SOURCE].disks;
    const struct qmp_disks *d = &f->side[DESTINATION].disks;
    struct disk_pairs p = { .f = f, .device = facts_device_pairs(f) };
    size_t *counterpart = xcalloc(s->count + 1, sizeof(size_t));
    bool *taken = xcalloc(d->count + 1, sizeof(bool));

    for (size_t rule = 0; rule < ARRAY_LEN(rules); rule++) {
        for (size_t i = 0; i < s->count; i++) {
            for (size_t j = 0; j < d->count && !counterpart[i]; j++) {
                if (!taken[j] && rules[rule](&p, &s->item[i], &d->item[j])) {
                    counterpart[i] = j + 1;
                    taken[j] = true;
                }
            }
        }
    }
    free(p.device);
    free(taken);
    return counterpart;
}

/* The destination's disk, beside J, with the name of A's node or drive. */
static const struct qmp_disk *find_namesake(const struct facts *f,
                                            const struct qmp_disk *a, size_t j)
{
    const struct qmp_disks *d = &f->side[DESTINATION].disks;

    for (size_t k = 0; k < d->count; k++) {
        const struct qmp_disk *b = &d->item[k];

        if (k != j && b->qdev && (same_node(a, b) || same_drive(a, b))) {
            return b;
        }
    }
    return NULL;
}

void judge_namesake(const struct facts *f, size_t i, size_t j,
                    struct verdicts *v)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    const struct qmp_disk *c = find_namesake(f, a, j);
    bool by_node = c && same_node(a, c);
    struct verdict *x;

    if (!c) {
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION,
                      "disk %s: the same device of the destination uses %s %s, "
                      "and another device uses %s",
                      disk_label(a), by_node ? "node" : "drive",
                      by_node ? b->node_name : b->device,
                      by_node ? a->node_name : a->device);
    verdict_why(x, "the names say otherwise than the devices, so that it is "
                   "not certain which image is meant");
    verdict_fix(x, "give each device of the destination the node or drive that "
                   "it has at the source, or use other names there");
}

void judge_passthrough(const struct facts *f, size_t i, struct verdicts *v)
{
    static const char *const types[] = { "scsi-block", "scsi-generic" };
    const struct qmp_machine *m = &f->side[SOURCE].machine;
    const struct qmp_disk *d = &f->side[SOURCE].disks.item[i];
    size_t owner = device_of(m, d);

    for (size_t k = 0; k < ARRAY_LEN(types) && owner < m->device_count; k++) {
        struct verdict *x;

        if (!str_equal(m->device[owner].type, types[k])) {
            continue;
        }
        x = verdict_block(v, ABOUT_SOURCE,
                          "disk %s is a %s, which cannot be copied",
                          disk_label(d), types[k]);
        verdict_why(x, "the guest's SCSI commands fail while a mirror runs");
        verdict_fix(x, "let both hosts use one device (--shared), or give the "
                       "guest a scsi-hd");
    }
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
                verdict_block(v, ABOUT_SOURCE,
                              "%s names %s, which is not a disk of the source",
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
