/*
 * What became of a machine since it was compared with the other one.
 */
#include "core/changes.h"

#include "core/preflight.h"

static const struct qmp_device *find_device(const struct qmp_machine *m,
                                            const char *path)
{
    for (size_t i = 0; i < m->device_count; i++) {
        if (str_equal(m->device[i].path, path)) {
            return &m->device[i];
        }
    }
    return NULL;
}

static char *device_phrase(const struct qmp_device *d, const char *what)
{
    return xasprintf("device %s (%s) was %s", d->id ? d->id : d->path, d->type,
                     what);
}

char *changed_device(const struct qmp_machine *before,
                     const struct qmp_machine *now)
{
    for (size_t i = 0; i < before->device_count; i++) {
        const struct qmp_device *a = &before->device[i];
        const struct qmp_device *b = find_device(now, a->path);

        if (!a->path || !*a->path) {
            continue; /* onboard */
        }
        if (!b) {
            return xasprintf("device %s was unplugged",
                             a->id ? a->id : a->path);
        }
        if (!str_equal(a->type, b->type)) {
            return device_phrase(b, "plugged in the place of another");
        }
    }
    for (size_t i = 0; i < now->device_count; i++) {
        if (!find_device(before, now->device[i].path)) {
            return device_phrase(&now->device[i], "plugged");
        }
    }
    return NULL;
}

static bool has_bitmap(const struct qmp_bitmaps *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_equal(b->item[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The name of one that only A has; NULL: none. */
static const char *lone_bitmap(const struct qmp_bitmaps *a,
                               const struct qmp_bitmaps *b, const char *own)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!str_starts(a->item[i].name, own) &&
            !has_bitmap(b, a->item[i].name)) {
            return a->item[i].name;
        }
    }
    return NULL;
}

static const struct qmp_disk *find_disk(const struct qmp_disks *disks,
                                        const char *qom_path)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (str_equal(disks->item[i].qom_path, qom_path)) {
            return &disks->item[i];
        }
    }
    return NULL;
}

static char *changed(const struct qmp_disk *a, const struct qmp_disk *b,
                     const char *own)
{
    const char *name;

    if (!str_equal(a->node_name, b->node_name)) {
        return xasprintf("disk %s has another image: node %s, which was %s",
                         disk_label(a), b->node_name ? b->node_name : "none",
                         a->node_name ? a->node_name : "none");
    }
    if ((name = lone_bitmap(&b->bitmaps, &a->bitmaps, own))) {
        return xasprintf("disk %s has a new bitmap, %s", disk_label(a), name);
    }
    if ((name = lone_bitmap(&a->bitmaps, &b->bitmaps, own))) {
        return xasprintf("bitmap %s of disk %s is gone", name, disk_label(a));
    }
    return NULL;
}

char *changed_disk(const struct qmp_disks *before, const struct qmp_disks *now,
                   const char *own)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct qmp_disk *a = &before->item[i];
        const struct qmp_disk *b = find_disk(now, a->qom_path);
        char *phrase = a->qom_path && b ? changed(a, b, own) : NULL;

        if (phrase) {
            return phrase;
        }
    }
    return NULL;
}
