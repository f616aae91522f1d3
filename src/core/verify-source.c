/*
 * What --verify and --disks-sync top make in the source, and take away again, over a link that
 * may break: a command that is sent twice finds its own work done.
 */
#include "core/verify-source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/side.h"
#include "nbd/compare.h"

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
    const struct qmp_nbd_server server = {
        .path = arg,
        .max_connections = nbd_server_connections(s->disk_count),
    };
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
    const struct source_bitmap *b = arg;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_bitmap_add(s->qmp, b->node_name, b->name, NBD_COMPARE_BLOCK,
                       &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "already exists", err);
}

static int run_bitmap_disable(struct side *s, void *arg, struct qm_error *err)
{
    const struct source_bitmap *b = arg;

    return qmp_bitmap_disable(s->qmp, b->node_name, b->name, err);
}

static int run_bitmap_remove(struct side *s, void *arg, struct qm_error *err)
{
    const struct source_bitmap *b = arg;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_bitmap_remove(s->qmp, b->node_name, b->name, &failed) == 0)
        return 0;
    return forgive_repeat(s, &failed, "not found", err);
}

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

/* Nothing is exported yet: whoever comes now finds nothing. */
static int close_to_others(const char *path, struct qm_error *err)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno, "the source's NBD socket %s",
                        path);
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

char *verify_socket_beside(const char *monitor, const char *name)
{
    const char *slash = strrchr(monitor, '/');

    return xasprintf("%.*s/%s.nbd", (int)(slash - monitor), monitor, name);
}

int verify_server_start(struct side *s, const char *path, bool *ret_up,
                        struct qm_error *err)
{
    struct sockaddr_un un;

    if (strlen(path) >= sizeof(un.sun_path))
        return error_set(err, QM_ERR_SYSTEM,
                         "a socket beside the source's monitor is needed, and "
                         "%s is too long a path for one",
                         path);
    *ret_up = true;
    if (side_do(s, run_server_start, NULL, (void *)path, err) < 0) {
        *ret_up = err->code != QM_ERR_QEMU;
        if (!*ret_up)
            error_hint(err, "--verify and --disks-sync top need the source's "
                            "NBD server; is one in use?  nbd-server-stop at "
                            "the source ends it");
        return -1;
    }
    return close_to_others(path, err);
}

int verify_server_stop(struct side *s, struct qm_error *err)
{
    return side_do(s, run_server_stop, NULL, NULL, err);
}

int verify_bitmap_add(struct side *s, struct source_bitmap *b,
                      struct qm_error *err)
{
    b->added = true;
    if (side_do(s, run_bitmap_add, NULL, b, err) == 0)
        return 0;
    b->added = err->code != QM_ERR_QEMU;
    return -1;
}

int verify_bitmap_disable(struct side *s, struct source_bitmap *b,
                          struct qm_error *err)
{
    return side_do(s, run_bitmap_disable, NULL, b, err);
}

int verify_bitmap_remove(struct side *s, struct source_bitmap *b,
                         struct qm_error *err)
{
    if (b->added && side_do(s, run_bitmap_remove, NULL, b, err) < 0)
        return -1;
    b->added = false;
    return 0;
}

int verify_export(struct side *s, const struct source_export *e,
                  struct qm_error *err)
{
    return side_do(s, run_export, asked_export, (void *)e, err);
}

struct nbd_disk *verify_open(struct side *s, const char *socket,
                             const struct source_export *e, const char *map,
                             int64_t limit_ms, struct qm_error *err)
{
    deadline_t by = deadline_in_ms(limit_ms);
    const struct nbd_probe where = {
        .path = socket,
        .fd = -1,
        .export_name = e->id,
    };
    /* the map of what was written takes one question */
    size_t connections = str_equal(map, NBD_MAP_DATA) ? NBD_CONNECTIONS : 1;
    struct nbd_disk *disk;

    if (verify_export(s, e, err) < 0)
        return NULL;
    disk = nbd_disk_open(s->loop, &where, map, connections, by, err);
    if (!disk)
        error_wrap(err, "source");
    return disk;
}
