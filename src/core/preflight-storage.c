/*
 * Do two disks use the same image?
 *
 * A disk that both sides see must never be mirrored onto itself, and one that
 * they do not must not be left behind.  It is shared if all that it stands on
 * is, layer by layer: see extents.c for what tells of one.
 */
#include "core/preflight-private.h"

bool facts_same_machine(const struct facts *f)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct side_facts *d = &f->side[DESTINATION];

    if (s->process.known && d->process.known) {
        return str_equal(s->process.place.boot_id, d->process.place.boot_id);
    }
    return s->host_is_local && d->host_is_local;
}

enum hosts facts_hosts(const struct facts *f)
{
    return facts_same_machine(f) ? HOSTS_ONE
           : f->side[SOURCE].process.known && f->side[DESTINATION].process.known
               ? HOSTS_TWO
               : HOSTS_UNKNOWN;
}

bool disk_is_on_host(const struct qmp_disk *d)
{
    return extent_is_on_host(d->protocol);
}

/* --- extents ---------------------------------------------------------------- */

/* Parts are counted through: disk after disk, then those of no disk. */
static size_t first_part(const struct side_facts *s, size_t disk)
{
    size_t first = 0;

    for (size_t i = 0; i < disk; i++) {
        first += s->disks.item[i].parts.count;
    }
    return first;
}

size_t facts_count_parts(const struct side_facts *s)
{
    return first_part(s, s->disks.count) + s->disks.loose.count;
}

struct qmp_parts facts_parts_of(const struct side_facts *s, size_t disk)
{
    return disk < s->disks.count ? s->disks.item[disk].parts : s->disks.loose;
}

struct extent facts_extent(const struct side_facts *s, size_t disk, size_t part)
{
    const struct qmp_parts parts = facts_parts_of(s, disk);
    const struct qmp_part *p = &parts.item[part];
    const struct file_identity *file = NULL;

    if (p->is_top && s->disk_file) {
        file = &s->disk_file[disk];
    } else if (s->part_file) {
        file = &s->part_file[first_part(s, disk) + part];
    }
    return (struct extent){
        .driver = p->is_top ? s->disks.item[disk].protocol : p->driver,
        .filename =
            p->is_top ? s->disks.item[disk].protocol_filename : p->filename,
        .file = file && file->known && !file->is_not_open ? file : NULL,
        .is_replaced = file && file->is_not_open,
        .start = p->start,
        .end = p->end,
    };
}

enum host_mark *facts_mark(const struct facts *f, struct part_index source,
                           struct part_index destination)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct side_facts *d = &f->side[DESTINATION];

    return f->mark
               ? &f->mark[(first_part(s, source.disk) + source.part) *
                              facts_count_parts(d) +
                          first_part(d, destination.disk) + destination.part]
               : NULL;
}

struct storage facts_compare(const struct facts *f, struct part_index source,
                             struct part_index destination)
{
    struct extent a = facts_extent(&f->side[SOURCE], source.disk, source.part);
    struct extent b =
        facts_extent(&f->side[DESTINATION], destination.disk, destination.part);
    const enum host_mark *mark = facts_mark(f, source, destination);

    return extents_compare(facts_hosts(f), mark ? *mark : MARK_NOT_TRIED, &a,
                           &b);
}

/* --- disks ------------------------------------------------------------------ */

static struct storage storage(enum storage_relation relation,
                              const char *reason)
{
    return (struct storage){ .relation = relation, .reason = reason };
}

/* False: it has none, or nothing is known of it. */
static bool find_top(const struct side_facts *s, size_t disk,
                     struct part_index *ret)
{
    const struct qmp_parts *parts = &s->disks.item[disk].parts;

    for (size_t i = 0; i < parts->count; i++) {
        if (parts->item[i].is_top) {
            *ret = (struct part_index){ .disk = disk, .part = i };
            return true;
        }
    }
    return false;
}

bool facts_backing_is_shared(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    bool any = false;

    if (!a->graph_known || !b->graph_known || !str_equal(a->form, b->form)) {
        return false;
    }
    for (size_t n = 0; n < a->parts.count; n++) {
        if (a->parts.item[n].is_written) {
            continue;
        }
        any = true;
        if (facts_compare(f, (struct part_index){ i, n },
                          (struct part_index){ j, n })
                .relation != STORAGE_SAME) {
            return false;
        }
    }
    return any;
}

/* The images of both are one: is what lies below them, too? */
static struct storage judge_layers(const struct facts *f, size_t i, size_t j,
                                   struct storage top)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];

    if (!a->graph_known || !b->graph_known) {
        return storage(STORAGE_UNKNOWN,
                       "they have one image, but QEMU does not tell all that "
                       "it stands on");
    }
    if (!str_equal(a->form, b->form)) {
        return storage(STORAGE_OTHERWISE,
                       "the two sides read one image by different layers");
    }
    for (size_t n = 0; n < a->parts.count; n++) {
        struct storage st = facts_compare(f, (struct part_index){ i, n },
                                          (struct part_index){ j, n });

        if (st.relation == STORAGE_DIFFERENT ||
            st.relation == STORAGE_OTHERWISE) {
            return storage(STORAGE_OTHERWISE,
                           "they have one image, and below it another one");
        }
        if (st.relation != STORAGE_SAME) {
            return storage(STORAGE_UNKNOWN,
                           "they have one image, but perhaps not the same "
                           "below it");
        }
    }
    return top;
}

struct storage facts_storage(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[i];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[j];
    struct part_index x, y;
    struct storage st;

    if (str_starts(a->protocol, "null-") && str_starts(b->protocol, "null-")) {
        return storage(STORAGE_SAME, "it holds nothing");
    }
    if (!find_top(&f->side[SOURCE], i, &x) ||
        !find_top(&f->side[DESTINATION], j, &y)) {
        return storage(STORAGE_UNKNOWN,
                       "QEMU does not tell what they stand on");
    }
    st = facts_compare(f, x, y);
    return st.relation == STORAGE_SAME ? judge_layers(f, i, j, st) : st;
}
