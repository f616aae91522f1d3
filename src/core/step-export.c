/*
 * Disks exported by the destination.
 *
 * happy path   The destination opens an NBD server on the first free port of
 *              the range and exports each disk, a read-only one through a
 *              second node; once the mirrors are over the server ends, and
 *              such nodes go, before anything can run there.
 * what fails   A port in use: the next one.  A server that somebody else
 *              started: refused, since there is one to a process.
 * undo         The server ends, and its exports with it; disks that waited
 *              inactive before wait so again.  One that does not end has QEMU's
 *              main loop: that QEMU is of no use, and is ended.
 */
#include <string.h>

#include "core/migration-private.h"
#include "core/nodes.h"
#include "nbd/disk.h"

/* In which it ends where nobody is in a hurry: the writes that are under way
 * reach the disk first. */
#define CLOSE_LIMIT_MS 20000

static int run_server_start(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_nbd_server_start(s->qmp, arg, err);
}

static bool port_is_taken(const struct qm_error *err)
{
    return err->code == QM_ERR_QEMU &&
           strstr(err->message, "Address already in use");
}

/* The link broke before the reply: the server that now runs is ours.  At the
 * first attempt it is another's, which no query shows until it has exports. */
static bool server_was_ours(const struct side *s, const struct qm_error *err)
{
    return s->attempts > 1 && err->code == QM_ERR_QEMU &&
           strstr(err->message, "NBD server already running");
}

static int explain_server(const struct migration *m, struct qm_error *failed,
                          struct qm_error *err)
{
    if (failed->code == QM_ERR_QEMU &&
        strstr(failed->message, "NBD server already running"))
        error_hint(failed, "end the one that somebody else started: "
                           "nbd-server-stop at the destination");
    else if (failed->code == QM_ERR_QEMU)
        error_hint(failed,
                   "%s must be an address of the destination's host: give "
                   "another one with --bind",
                   m->facts.bind);
    return error_move(err, failed);
}

static int start_server(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *tls = credentials_id(m);
    CLEANUP_FREE char *authz = authz_id(m);
    struct qmp_nbd_server server = {
        .host = m->facts.bind,
        .tls_creds = tls,
        .tls_authz = authz,
        .max_connections = nbd_server_connections(m->disk_count),
    };

    for (unsigned port = m->plan->port_low; port <= m->plan->port_high;
         port++) {
        struct qm_error failed = QM_ERROR_INIT;

        if (journal_port(m->journal, "nbd-port", port, err) < 0)
            return -1;
        server.port = port;
        m->nbd_server_up = true;
        if (side_do(destination_of(m), run_server_start, NULL, &server,
                    &failed) == 0 ||
            server_was_ours(destination_of(m), &failed)) {
            error_clear(&failed);
            m->nbd_port = port;
            return 0;
        }
        m->nbd_server_up = failed.code != QM_ERR_QEMU;
        if (!port_is_taken(&failed))
            return explain_server(m, &failed, err);
        error_clear(&failed);
    }
    error_set(err, QM_ERR_CONNECT,
              "destination: every port of %u-%u on %s is in use",
              m->plan->port_low, m->plan->port_high, m->facts.bind);
    error_hint(err, "give another range with --ports");
    return -1;
}

int open_server_to_look(struct migration *m, struct qm_error *err)
{
    return start_server(m, err);
}

static int run_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;

    return qmp_export_add(s->qmp, d->export_id,
                          d->writer_node ? d->writer_node : d->destination_node,
                          d->export_name, true, d->backing_shared, err);
}

static int asked_export(struct side *s, void *arg, struct qm_error *err)
{
    const struct disk_copy *d = arg;
    CLEANUP(strv_done) struct strv exports = { 0 };

    if (qmp_query_exports(s->qmp, &exports, err) < 0)
        return -1;
    return strv_contains(&exports, d->export_id);
}

static int explain_export(const struct disk_copy *d, struct qm_error *err)
{
    if (d->writer_node && strstr(err->message, "lock"))
        error_hint(err,
                   "another QEMU has %s open, and it would change under it: "
                   "give this destination an image of its own",
                   d->destination_file);
    return error_wrap(err, "disk %s", d->label);
}

int step_export_disks(struct migration *m, struct qm_error *err)
{
    if (m->disk_count == 0)
        return 0;
    if (start_server(m, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        if (d->writer_node && writer_add(m, d, err) < 0)
            return error_wrap(err, "disk %s", d->label);
        d->exported = true;
        if (side_do(destination_of(m), run_export, asked_export, d, err) < 0)
            return explain_export(d, err);
    }
    return 0;
}

static int run_server_stop(struct side *s, void *arg, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    (void)arg;
    if (qmp_nbd_server_stop(s->qmp, &failed) == 0)
        return 0;
    if (failed.code == QM_ERR_QEMU && strstr(failed.message, "not running")) {
        error_clear(&failed);
        return 0;
    }
    return error_move(err, &failed);
}

static int close_server(struct migration *m, struct qm_error *err)
{
    if (!m->nbd_server_up)
        return 0;
    if (side_do(destination_of(m), run_server_stop, NULL, NULL, err) < 0)
        return -1;
    m->nbd_server_up = false;
    return 0;
}

/*
 * QEMU ends its server only once every client is gone, and one in a TLS
 * handshake never goes, since the main loop that would hear him is in that
 * wait: it hangs for good, and the destination is of no use.  He need not be a
 * stranger: see let_reconnect_end().
 */
static int close_in_time(struct migration *m, deadline_t by,
                         struct qm_error *err)
{
    struct side *d = destination_of(m);
    deadline_t hurry_by = d->hurry_by;
    int ret;

    side_hurry(d, deadline_earlier(hurry_by, by));
    ret = close_server(m, err);
    side_hurry(d, hurry_by);
    if (ret == 0 || err->code != QM_ERR_SILENT)
        return ret;
    m->door_hangs = true;
    error_hint(
        err,
        "somebody was in a TLS handshake at its NBD port: the source, if "
        "its connection had just been cut, or a stranger: allow "
        "only the source's host to reach %s port %u, by a firewall",
        m->facts.bind, m->nbd_port);
    return ret;
}

int close_server_after(struct migration *m, struct qm_error *err)
{
    if (close_in_time(m, deadline_in_ms(CLOSE_LIMIT_MS), err) < 0)
        return -1;
    m->nbd_port = 0;
    return 0;
}

int step_close_exports(struct migration *m, struct qm_error *err)
{
    deadline_t by = deadline_in_ms(handover_left_ms(m));

    return close_in_time(m, by, err) < 0 ? -1 : writers_remove(m, err);
}

static int run_deactivate(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_blockdev_set_active(s->qmp, arg, false, err);
}

/* An export makes an inactive node active, for good (and so QEMU locks the
 * image): it goes back to waiting. */
static void deactivate_disks(struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];
        struct qm_error err = QM_ERROR_INIT;

        if (d->exported && d->was_inactive &&
            side_do(destination_of(m), run_deactivate, NULL,
                    d->destination_node, &err) < 0 &&
            !side_has_ended(destination_of(m)))
            migration_left(m, "disk %s of the destination, in use: %s",
                           d->destination_node, err.message);
        error_clear(&err);
    }
}

/* Nothing else can be undone there, item by item. */
static void end_hanging(struct migration *m, const struct qm_error *err)
{
    migration_warn(m, "%s: that QEMU hangs, and is ended; %s", err->message,
                   err->hint);
    m->door_open = true;
    undo_open_door(m);
}

void undo_export_disks(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;
    int closed;

    writers_confess(m);
    if (!side_needs_cleaning(destination_of(m)))
        return;
    closed = close_in_time(m, deadline_in_ms(CLOSE_LIMIT_MS), &err);
    if (closed == 0)
        deactivate_disks(m);
    else if (err.code == QM_ERR_SILENT)
        end_hanging(m, &err);
    else if (!side_has_ended(destination_of(m)))
        migration_left(m, "the NBD server of the destination, port %u: %s",
                       m->nbd_port, err.message);
    error_clear(&err);
    if (!side_needs_cleaning(destination_of(m)))
        return;
    if (writers_remove(m, &err) < 0 && !side_has_ended(destination_of(m)))
        migration_left(m, "%s", err.message);
    error_clear(&err);
}
