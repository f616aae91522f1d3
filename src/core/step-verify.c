/*
 * --verify: does each copied disk equal the source's when the guest moves?
 *
 * happy path   Once the mirrors are in sync the source gets a dirty bitmap a
 *              disk, an NBD server on a unix socket beside its monitor, and a
 *              read-only export a disk; the destination is read through the
 *              exports that the mirrors write to.  The guest runs while the
 *              whole is compared.  What differs then may only have been
 *              written meanwhile: it is compared again with what the bitmap
 *              has, while the guest is stopped and the mirrors have concluded.
 *              A block that is in neither was equal after the bitmap began,
 *              and was not written since.
 * why two      QEMU (7.2 to 11.1) does not show a bitmap that is still
 * exports      recording through a read-only export: it is disabled first,
 *              and shown by a second one.
 * what fails   A difference: the guest stays.  Longer than the handover may
 *              take: the same.
 * undo         The mirrors are yanked first: to end an export drains its disk,
 *              which would wait for a dead destination (QEMU.md fact 10).
 */
#include <stdlib.h>
#include <unistd.h>

#include "core/migration-private.h"
#include "core/verify-source.h"
#include "nbd/compare.h"

#define OPEN_LIMIT_MS 10000
#define READ_LIMIT_MS 30000 /* of one request while the guest runs */
#define TELL_INTERVAL_MS 250

struct disk_verify {
    struct disk_copy *disk; /* borrowed */
    char *bitmap_name;      /* and that of the export that shows it */
    struct source_bitmap bitmap;
    struct nbd_disk *source, *destination;
    struct nbd_comparison comparison;
};

struct verify {
    struct migration *m;
    char *socket; /* the source's NBD server */
    bool server_up;
    bool stopped; /* the guest is */
    int64_t asked_ms;
    struct nbd_waiter waiter;
    size_t count;
    struct disk_verify *disk;

    /* What is waited for now */
    bool (*holds)(void *what);
    void *what;
};

/* --- waiting ------------------------------------------------------------- */

static bool verify_has_news(struct migration *m)
{
    return m->verify->holds(m->verify->what);
}

static int ask_progress(struct migration *m, struct qm_error *err)
{
    m->verify->asked_ms = clock_now_ms();
    return progress_sample_disks(m, err);
}

static int wait_until(void *arg, bool (*holds)(void *what), void *what,
                      struct qm_error *err)
{
    struct verify *v = arg;
    bool ask = !v->stopped && clock_now_ms() - v->asked_ms >= TELL_INTERVAL_MS;
    const struct wait wait = {
        .what = "the disks to be read",
        .holds = verify_has_news,
        .limit_ms = v->stopped ? handover_left_ms(v->m) : READ_LIMIT_MS,
        .ends_on = v->stopped
                       ? (unsigned)ENDS_ON_ANYTHING
                       : ENDS_ON_ANYTHING & ~(unsigned)ENDS_ON_STREAM_FAILURE,
        .ask = ask ? ask_progress : NULL,
        .interval_ms = TELL_INTERVAL_MS,
    };

    v->holds = holds;
    v->what = what;
    return migration_wait(v->m, &wait, err);
}

/* --- opening -------------------------------------------------------------- */

static struct nbd_disk *open_source(struct verify *v,
                                    const struct source_export *e,
                                    const char *map, int64_t limit_ms,
                                    struct qm_error *err)
{
    return verify_open(source_of(v->m), v->socket, e, map, limit_ms, err);
}

/* --- while the guest runs ------------------------------------------------ */

static struct verify *verify_new(struct migration *m)
{
    struct verify *v = XNEW(struct verify);

    *v = (struct verify){
        .m = m,
        .socket = verify_socket_beside(m->plan->peer[SOURCE].path, m->id),
        .waiter = { .until = wait_until, .arg = v },
        .count = m->disk_count,
        .disk = xcalloc(m->disk_count, sizeof(*v->disk)),
    };
    for (size_t i = 0; i < v->count; i++) {
        struct disk_verify *d = &v->disk[i];

        d->disk = &m->disk[i];
        d->bitmap_name = xasprintf("%s-written", d->disk->export_name);
        d->bitmap = (struct source_bitmap){
            .node_name = d->disk->source_node,
            .name = d->bitmap_name,
        };
    }
    return v;
}

static void verify_free(struct verify *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++) {
        struct disk_verify *d = &v->disk[i];

        nbd_disk_free(d->source);
        nbd_disk_free(d->destination);
        nbd_ranges_done(&d->comparison.different);
        free(d->bitmap_name);
    }
    free(v->disk);
    free(v->socket);
    free(v);
}

static int open_disk(struct verify *v, struct disk_verify *d,
                     struct qm_error *err)
{
    const struct source_export e = { .id = d->disk->export_id,
                                     .node_name = d->disk->source_node };

    if (verify_bitmap_add(source_of(v->m), &d->bitmap, err) < 0)
        return -1;
    d->source = open_source(v, &e, NBD_MAP_DATA, OPEN_LIMIT_MS, err);
    if (!d->source)
        return -1;
    d->destination =
        destination_open(v->m, d->disk, NBD_MAP_DATA, OPEN_LIMIT_MS, err);
    if (!d->destination)
        return -1;
    if (nbd_disk_size(d->source) != nbd_disk_size(d->destination))
        return error_set(err, QM_ERR_DISK,
                         "the source's export has %llu bytes, the "
                         "destination's %llu",
                         (unsigned long long)nbd_disk_size(d->source),
                         (unsigned long long)nbd_disk_size(d->destination));
    d->comparison = (struct nbd_comparison){
        .side = { d->source, d->destination },
        .waiter = &v->waiter,
    };
    return 0;
}

/* What differs is looked at again at once: much of it was on its way, and
 * need not be read while the guest is stopped. */
static int compare_disk(struct disk_verify *d, struct qm_error *err)
{
    struct nbd_comparison *c = &d->comparison;
    CLEANUP(nbd_ranges_done) struct nbd_ranges again = { 0 };

    if (nbd_compare(c, NULL, err) < 0)
        return -1;
    again = c->different;
    c->different = (struct nbd_ranges){ 0 };
    return nbd_compare(c, &again, err);
}

int step_compare(struct migration *m, struct qm_error *err)
{
    struct verify *v;

    if (!m->plan->verify || m->disk_count == 0)
        return 0;
    v = m->verify = verify_new(m);
    if (verify_server_start(source_of(m), v->socket, &v->server_up, err) < 0)
        return -1;
    for (size_t i = 0; i < v->count; i++)
        if (open_disk(v, &v->disk[i], err) < 0)
            return error_wrap(err, "disk %s", v->disk[i].disk->label);
    for (size_t i = 0; i < v->count; i++) {
        if (compare_disk(&v->disk[i], err) < 0)
            return error_wrap(err, "disk %s", v->disk[i].disk->label);
        m->compared_bytes += v->disk[i].comparison.read_bytes;
    }
    return 0;
}

/* --- while it is stopped ------------------------------------------------- */

static int map_written(struct verify *v, struct disk_verify *d,
                       struct nbd_ranges *ret, struct qm_error *err)
{
    CLEANUP_FREE char *map = xasprintf(NBD_MAP_DIRTY "%s", d->bitmap_name);
    CLEANUP(nbd_disk_free) struct nbd_disk *shows = NULL;
    const struct source_export e = { .id = d->bitmap_name,
                                     .node_name = d->disk->source_node,
                                     .bitmap = d->bitmap_name };

    if (verify_bitmap_disable(source_of(v->m), &d->bitmap, err) < 0)
        return -1;
    shows = open_source(v, &e, map, handover_left_ms(v->m), err);
    if (!shows)
        return -1;
    return nbd_disk_map(shows, 0, nbd_disk_size(shows), &v->waiter, ret, err);
}

static int judge(const struct disk_verify *d, struct qm_error *err)
{
    const struct nbd_comparison *c = &d->comparison;

    if (c->different.count == 0)
        return 0;
    error_set(err, QM_ERR_DISK,
              "the destination's copy differs from the source: the first byte "
              "at offset %llu, %llu KiB in all",
              (unsigned long long)c->first_different,
              (unsigned long long)((nbd_ranges_bytes(&c->different) + KIB - 1) /
                                   KIB));
    error_hint(err, "somebody else writes to the destination's disk, its "
                    "storage is not sound, or QEMU's mirror is not (see QEMU "
                    "FAULTS WORKED AROUND in qmigrate-protocol(7))");
    return -1;
}

static int verify_disk(struct verify *v, struct disk_verify *d,
                       struct qm_error *err)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges written = { 0 }, all = { 0 };
    uint64_t before = d->comparison.read_bytes;

    if (map_written(v, d, &written, err) < 0)
        return -1;
    nbd_ranges_unite(&written, &d->comparison.different, &all);
    if (nbd_compare(&d->comparison, &all, err) < 0)
        return -1;
    v->m->compared_stopped_bytes += d->comparison.read_bytes - before;
    return judge(d, err);
}

/* Take away what is in the source; ERR names the first thing that stays. */
static int clean_source(struct verify *v, struct qm_error *err)
{
    struct side *s = source_of(v->m);

    for (size_t i = 0; i < v->count; i++) { /* or the server waits for them */
        nbd_disk_free(STEAL(v->disk[i].source));
        nbd_disk_free(STEAL(v->disk[i].destination));
    }
    if (v->server_up && verify_server_stop(s, err) < 0)
        return error_wrap(err, "the NBD server of the source, at %s",
                          v->socket);
    v->server_up = false;
    for (size_t i = 0; i < v->count; i++) {
        struct disk_verify *d = &v->disk[i];

        if (verify_bitmap_remove(s, &d->bitmap, err) < 0)
            return error_wrap(err, "the dirty bitmap %s of the source's %s",
                              d->bitmap_name, d->disk->source_node);
    }
    return 0;
}

int step_verify(struct migration *m, struct qm_error *err)
{
    struct verify *v = m->verify;

    if (!v)
        return 0;
    v->stopped = true;
    for (size_t i = 0; i < v->count; i++)
        if (verify_disk(v, &v->disk[i], err) < 0)
            return error_wrap(err, "disk %s", v->disk[i].disk->label);
    if (clean_source(v, err) < 0)
        return -1;
    verify_free(STEAL(m->verify));
    m->verified_us = clock_now_us();
    return 0;
}

void verify_adopt(struct migration *m)
{
    struct verify *v = m->verify = verify_new(m);

    v->server_up = true;
    for (size_t i = 0; i < v->count; i++)
        v->disk[i].bitmap.added = true;
}

void undo_compare(struct migration *m)
{
    struct verify *v = STEAL(m->verify);
    struct qm_error err = QM_ERROR_INIT;

    if (!v)
        return;
    if (!side_has_ended(source_of(m))) {
        mirrors_yank(m);
        if (clean_source(v, &err) < 0 && !side_has_ended(source_of(m)))
            migration_left(m, "%s", err.message);
    }
    (void)unlink(v->socket); /* of a source that died */
    error_clear(&err);
    verify_free(v);
}
