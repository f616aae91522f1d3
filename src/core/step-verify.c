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
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/stream.h"
#include "core/migration-private.h"
#include "nbd/compare.h"

#define OPEN_LIMIT_MS 10000
#define READ_LIMIT_MS 30000 /* of one request while the guest runs */
#define TELL_INTERVAL_MS 250

struct disk_verify {
    struct disk_copy *disk; /* borrowed */
    char *bitmap;           /* and the export that shows it */
    bool bitmap_added;
    struct nbd_reader *source, *destination;
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

/* --- the source's side --------------------------------------------------- */

/* The link broke before the reply to our first attempt. */
static int forgive_repeat(const struct side *s, struct qm_error *failed,
                          const char *says, struct qm_error *err)
{
    if (s->attempts > 1 && failed->code == QM_ERR_QEMU &&
        strstr(failed->message, says)) {
        error_clear(failed);
        return 0;
    }
    return error_move(err, failed);
}

static int run_server_start(struct side *s, void *arg, struct qm_error *err)
{
    const struct qmp_nbd_server server = { .path = arg };
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_nbd_server_start(s->qmp, &server, &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "already running", err);
}

static int run_server_stop(struct side *s, void *arg, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    (void)arg;
    if (qmp_nbd_server_stop(s->qmp, &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "not running", err);
}

static int run_bitmap_add(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_verify *d = arg;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_bitmap_add(s->qmp, d->disk->source_node, d->bitmap,
                       NBD_COMPARE_BLOCK, &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "already exists", err);
}

static int run_bitmap_disable(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_verify *d = arg;

    return qmp_bitmap_disable(s->qmp, d->disk->source_node, d->bitmap, err);
}

static int run_bitmap_remove(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_verify *d = arg;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_bitmap_remove(s->qmp, d->disk->source_node, d->bitmap,
                          &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "not found", err);
}

struct source_export {
    const char *id; /* its name too */
    const char *node_name;
    const char *bitmap; /* or NULL */
};

static int run_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct source_export *e = arg;

    return qmp_export_add_reading(s->qmp, e->id, e->node_name, e->bitmap, err);
}

static int asked_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct source_export *e = arg;
    CLEANUP(strv_done) struct strv exports = { 0 };

    if (qmp_query_exports(s->qmp, &exports, err) < 0)
        return -1;
    return strv_contains(&exports, e->id);
}

/* Beside the monitor's socket: QEMU could make one there, and who may come to
 * the one may come to the other. */
static char *socket_beside(const char *monitor, const char *name)
{
    const char *slash = strrchr(monitor, '/');

    return xasprintf("%.*s/%s.nbd", (int)(slash - monitor), monitor, name);
}

/* Nothing is exported yet: whoever comes now finds nothing. */
static int close_to_others(const char *path, struct qm_error *err)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno,
                        "the source's NBD socket %s", path);
        error_hint(err, "the engine must see the source's file system: run it "
                        "where that QEMU runs");
        return -1;
    }
    if ((st.st_mode & 07) != 0 && chmod(path, st.st_mode & 0770) < 0 &&
        (st.st_mode & 02) != 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "keep others from the source's NBD socket %s",
                               path);
    return 0;
}

static int start_server(struct verify *v, struct qm_error *err)
{
    struct sockaddr_un un;

    if (strlen(v->socket) >= sizeof(un.sun_path))
        return error_set(err, QM_ERR_SYSTEM,
                         "--verify needs a socket beside the source's monitor, "
                         "and %s is too long a path for one",
                         v->socket);
    v->server_up = true;
    if (side_do(source_of(v->m), run_server_start, NULL, v->socket, err) < 0) {
        v->server_up = err->code != QM_ERR_QEMU;
        if (!v->server_up)
            error_hint(err, "--verify needs the source's NBD server; is one "
                            "in use?  nbd-server-stop at the source ends it");
        return -1;
    }
    return close_to_others(v->socket, err);
}

static struct nbd_reader *open_source(struct verify *v,
                                      const struct source_export *e,
                                      const char *map, int64_t limit_ms,
                                      struct qm_error *err)
{
    deadline_t by = deadline_in_ms(limit_ms);
    struct nbd_probe where = { .export_name = e->id };
    struct nbd_reader *reader = NULL;

    if (side_do(source_of(v->m), run_export, asked_export, (void *)e, err) < 0)
        return NULL;
    where.fd = socket_connect_unix(v->m->loop, v->socket, by, err);
    if (where.fd >= 0)
        reader = nbd_reader_open(v->m->loop, &where, map, by, err);
    if (!reader)
        error_wrap(err, "source");
    return reader;
}

/* --- while the guest runs ------------------------------------------------ */

static struct verify *verify_new(struct migration *m)
{
    struct verify *v = XNEW(struct verify);

    *v = (struct verify){
        .m = m,
        .socket = socket_beside(m->plan->peer[SOURCE].path, m->id),
        .waiter = { .until = wait_until, .arg = v },
        .count = m->disk_count,
        .disk = xcalloc(m->disk_count, sizeof(*v->disk)),
    };
    for (size_t i = 0; i < v->count; i++) {
        v->disk[i].disk = &m->disk[i];
        v->disk[i].bitmap = xasprintf("%s-written", m->disk[i].export_name);
    }
    return v;
}

static void verify_free(struct verify *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++) {
        struct disk_verify *d = &v->disk[i];

        nbd_reader_free(d->source);
        nbd_reader_free(d->destination);
        nbd_ranges_done(&d->comparison.different);
        free(d->bitmap);
    }
    free(v->disk);
    free(v->socket);
    free(v);
}

static int open_destination(struct verify *v, struct disk_verify *d,
                            struct qm_error *err)
{
    struct migration *m = v->m;
    struct nbd_probe where = {
        .host = m->facts.address,
        .port = m->nbd_port,
        .fd = -1,
        .export_name = d->disk->export_name,
    };
    const char *problem = probe_credentials(m, &where);

    if (problem)
        return error_set(err, QM_ERR_TLS,
                         "the destination's disk cannot be read: %s", problem);
    d->destination =
        nbd_reader_open(m->loop, &where, NBD_MAP_DATA,
                        deadline_in_ms(OPEN_LIMIT_MS), err);
    return d->destination ? 0 : error_wrap(err, "destination");
}

static int open_disk(struct verify *v, struct disk_verify *d,
                     struct qm_error *err)
{
    const struct source_export e = { .id = d->disk->export_id,
                                     .node_name = d->disk->source_node };

    d->bitmap_added = true;
    if (side_do(source_of(v->m), run_bitmap_add, NULL, d, err) < 0) {
        d->bitmap_added = err->code != QM_ERR_QEMU;
        return -1;
    }
    d->source = open_source(v, &e, NBD_MAP_DATA, OPEN_LIMIT_MS, err);
    if (!d->source || open_destination(v, d, err) < 0)
        return -1;
    if (nbd_reader_size(d->source) != nbd_reader_size(d->destination))
        return error_set(err, QM_ERR_DISK,
                         "the source's export has %llu bytes, the "
                         "destination's %llu",
                         (unsigned long long)nbd_reader_size(d->source),
                         (unsigned long long)nbd_reader_size(d->destination));
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
    if (start_server(v, err) < 0)
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
    CLEANUP_FREE char *map = xasprintf(NBD_MAP_DIRTY "%s", d->bitmap);
    CLEANUP(nbd_reader_free) struct nbd_reader *shows = NULL;
    const struct source_export e = { .id = d->bitmap,
                                     .node_name = d->disk->source_node,
                                     .bitmap = d->bitmap };

    if (side_do(source_of(v->m), run_bitmap_disable, NULL, d, err) < 0)
        return -1;
    shows = open_source(v, &e, map, handover_left_ms(v->m), err);
    if (!shows)
        return -1;
    return nbd_reader_map(shows, 0, nbd_reader_size(shows), &v->waiter, ret,
                          err);
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
        nbd_reader_free(STEAL(v->disk[i].source));
        nbd_reader_free(STEAL(v->disk[i].destination));
    }
    if (v->server_up && side_do(s, run_server_stop, NULL, NULL, err) < 0)
        return error_wrap(err, "the NBD server of the source, at %s",
                          v->socket);
    v->server_up = false;
    for (size_t i = 0; i < v->count; i++) {
        struct disk_verify *d = &v->disk[i];

        if (d->bitmap_added &&
            side_do(s, run_bitmap_remove, NULL, d, err) < 0)
            return error_wrap(err, "the dirty bitmap %s of the source's %s",
                              d->bitmap, d->disk->source_node);
        d->bitmap_added = false;
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
