/*
 * A look at each export with the engine's own eyes, before the source is
 * pointed at it.
 *
 * The route is the source's: a direct connection where the engine runs beside
 * the source, else `ssh -W` through the source's host, which also proves that
 * the source reaches the destination.  Where neither is possible (the source
 * came by tcp: and nobody said how to reach its host), or where the engine does
 * not have the source's CA, the disks count as requested, not proved.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/child.h"
#include "core/migration-private.h"
#include "nbd/disk.h"

#define PROBE_LIMIT_MS 10000

static bool is_same(const struct buffer *a, const struct buffer *b)
{
    return a->len > 0 && a->len == b->len &&
           memcmp(a->data, b->data, a->len) == 0;
}

/* On another machine the directory may hold another CA, which says
 * nothing of what the source will accept. */
const char *probe_credentials(struct migration *m, struct nbd_probe *p)
{
    const char *dir = m->plan->tls_dir[SOURCE];
    struct tls_files files;
    CLEANUP_FREE char *subject = NULL;
    const char *problem = NULL;

    if (m->plan->insecure)
        return NULL;
    p->psk = m->psk;
    if (m->plan->tls_psk)
        return NULL;
    tls_files_read(dir, TLS_CLIENT, &files);
    if (files.file[TLS_CA_CERT].state != TLS_FILE_READ)
        problem = "the engine cannot read the source's certificates";
    else if (!host_is_local(source_of(m)->host) &&
             !is_same(&files.file[TLS_CA_CERT].bytes,
                      &m->facts.side[SOURCE].tls_ca))
        problem = "the engine's own CA is not known to be the source's";
    p->tls_dir = dir;
    p->tls_hostname = m->facts.tls_hostname;
    p->tls_priority = m->plan->tls_priority;
    /* with another's, which the destination does not accept, it would be
     * turned away */
    subject = tls_subject(&files);
    p->has_client_key =
        files.file[TLS_KEY].state == TLS_FILE_READ &&
        (!m->facts.authz_dn || str_equal(subject, m->facts.authz_dn));
    tls_files_done(&files);
    return problem;
}

struct nbd_disk *destination_open(struct migration *m,
                                  const struct disk_copy *d, const char *map,
                                  int64_t limit_ms, struct qm_error *err)
{
    struct nbd_probe where = {
        .host = m->facts.address,
        .port = m->nbd_port,
        .fd = -1,
        .export_name = d->export_name,
    };
    const char *problem = probe_credentials(m, &where);
    struct nbd_disk *disk;

    if (problem) {
        error_set(err, QM_ERR_TLS, "the destination's disk cannot be read: %s",
                  problem);
        return NULL;
    }
    disk = nbd_disk_open(m->loop, &where, map, NBD_CONNECTIONS,
                         deadline_in_ms(limit_ms), err);
    if (!disk)
        error_wrap(err, "destination");
    return disk;
}

static int check_export(const struct disk_copy *d, const struct nbd_export *e,
                        struct qm_error *err)
{
    if (!e->complete)
        return 0;
    if (e->read_only)
        return error_set(err, QM_ERR_DISK,
                         "destination: the export of disk %s is read-only",
                         d->label);
    if (e->size != d->size_bytes)
        return error_set(err, QM_ERR_DISK,
                         "destination: the export of disk %s has %llu bytes, "
                         "the source's disk has %llu",
                         d->label, (unsigned long long)e->size,
                         (unsigned long long)d->size_bytes);
    return 0;
}

static void hint_unreached(const struct nbd_probe *p, struct qm_error *err)
{
    error_hint(err,
               "the source's host must reach %s port %u: is a firewall "
               "between, or is it another address (--address)?",
               p->host, p->port);
}

static int probe_disk(struct migration *m, struct disk_copy *d,
                      struct nbd_probe *p, struct qm_error *err)
{
    struct nbd_export seen = { 0 };

    p->export_name = d->export_name;
    if (nbd_probe_export(m->loop, p, deadline_in_ms(PROBE_LIMIT_MS), &seen,
                         err) < 0) {
        if (err->code == QM_ERR_CONNECT)
            hint_unreached(p, err);
        return error_wrap(err, "disk %s", d->label);
    }
    if (check_export(d, &seen, err) < 0)
        return -1;
    d->probed = seen.reached;
    d->tls_proved = seen.tls;
    d->seen = seen.seen;
    d->seen_whole = seen.complete;
    return 0;
}

/* The source will be the first to go there. */
static void warn_unseen(struct migration *m, const char *disk, const char *why)
{
    migration_warn(m, "disk %s: %s: %s", disk,
                   m->plan->insecure ? "its export is not looked at beforehand"
                                     : "its TLS is requested, not proved",
                   why);
}

/* What is looked at over one connection. */
typedef int look_fn(struct migration *m, struct disk_copy *d,
                    struct nbd_probe *p, struct qm_error *err);

static bool is_forbidden(struct child *ssh)
{
    /* sshd's AllowTcpForwarding and PermitOpen bind us, not the source */
    return strstr(child_complaint(ssh), "administratively prohibited") != NULL;
}

/* One connection through the source's host.  The child is ended by the
 * caller, after the probe.  D: NULL where no disk is looked at. */
static int look_through_host(struct migration *m, look_fn *look,
                             struct disk_copy *d, struct nbd_probe *p,
                             struct qm_error *err)
{
    CLEANUP(child_free) struct child *ssh = NULL;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "socketpair");
    ssh = host_open_tcp(source_of(m)->host, m->facts.address, m->nbd_port,
                        pair[1], err);
    close_fd(pair[1]);
    if (!ssh) {
        close_fd(pair[0]);
        return -1;
    }
    p->fd = pair[0];
    if (look(m, d, p, err) == 0)
        return 0;
    if (is_forbidden(ssh)) {
        error_clear(err);
        if (d)
            warn_unseen(m, d->label, "the source's sshd forbids to look");
        return 0;
    }
    if (*child_complaint(ssh))
        error_hint(err, "ssh through the source's host said: %s",
                   child_complaint(ssh));
    return -1;
}

static int look_from_source(struct migration *m, look_fn *look,
                            struct disk_copy *d, struct nbd_probe *p,
                            struct qm_error *err)
{
    return host_is_local(source_of(m)->host)
               ? look(m, d, p, err)
               : look_through_host(m, look, d, p, err);
}

/* --- the way ---------------------------------------------------------------- */

/* A black hole for large packets lets a connection begin, and then hangs it:
 * QEMU's main loop, with the guest, if it is QEMU's. */
static int look_at_route(struct migration *m, struct disk_copy *d,
                         struct nbd_probe *p, struct qm_error *err)
{
    (void)d;
    if (nbd_probe_route(m->loop, p, deadline_in_ms(PROBE_LIMIT_MS), err) == 0)
        return 0;
    if (err->code == QM_ERR_TIMEOUT)
        error_hint(err,
                   "it was reached, and then no answer came: large packets may "
                   "be lost on the way; compare the MTU of both hosts and of "
                   "what lies between, with `ping -M do -s 1472 %s` at the "
                   "source's",
                   m->facts.address);
    else if (err->code == QM_ERR_CONNECT)
        hint_unreached(p, err);
    return error_wrap(err, "the way from the source to the destination");
}

/* The same where no disk is copied: QEMU's NBD server is a listener in the very
 * place where the RAM will go, and can be met before anything depends on it. */
static int look_without_disks(struct migration *m, struct nbd_probe *p,
                              struct qm_error *err)
{
    CLEANUP(error_clear) struct qm_error unopened = QM_ERROR_INIT;

    if (open_server_to_look(m, &unopened) < 0) {
        m->nbd_port = 0;
        return unopened.code == QM_ERR_QEMU || unopened.code == QM_ERR_CONNECT
                   ? 0
                   : error_move(err, &unopened);
    }
    p->port = m->nbd_port;
    if (look_from_source(m, look_at_route, NULL, p, err) < 0)
        return -1;
    return close_server_after(m, err);
}

int step_probe(struct migration *m, struct qm_error *err)
{
    struct nbd_probe probe = {
        .host = m->facts.address,
        .port = m->nbd_port,
        .fd = -1,
    };
    const char *problem = source_of(m)->host
                              ? probe_credentials(m, &probe)
                              : "the engine cannot reach the source's host";

    if (problem && m->plan->verify && m->disk_count > 0)
        return error_set(err, QM_ERR_TLS,
                         "--verify cannot read the destination's disks: %s",
                         problem);
    if (!problem && m->disk_count == 0)
        return look_without_disks(m, &probe, err);
    if (!problem && look_from_source(m, look_at_route, NULL, &probe, err) < 0)
        return -1;
    for (size_t i = 0; i < m->disk_count; i++)
        if (problem)
            warn_unseen(m, m->disk[i].label, problem);
        else if (look_from_source(m, probe_disk, &m->disk[i], &probe, err) < 0)
            return -1;
    return 0;
}
