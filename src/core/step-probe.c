/*
 * A look at each export with the engine's own eyes, before the source is
 * pointed at it.
 *
 * The route is the source's: a direct connection where the engine runs beside
 * the source, else `ssh -W` through the source's host, which also proves that
 * the source reaches the destination.  Where neither is possible (the source
 * came by tcp: and nobody said how to reach its host) the disks count as
 * requested, not proved.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "core/migration-private.h"
#include "nbd/probe.h"

#define PROBE_LIMIT_MS 10000

/* What the engine can read of the source's credentials. */
static void find_credentials(struct migration *m, struct nbd_probe *p,
                             char **ret_key)
{
    const char *dir = m->plan->tls_dir[SOURCE];
    CLEANUP_FREE char *ca = NULL;

    *ret_key = NULL;
    if (m->plan->insecure)
        return;
    ca = xasprintf("%s/%s", dir, tls_file_name(TLS_CLIENT, TLS_CA_CERT));
    *ret_key = xasprintf("%s/%s", dir, tls_file_name(TLS_CLIENT, TLS_KEY));
    p->tls_hostname = m->facts.tls_hostname;
    p->has_client_key = access(*ret_key, R_OK) == 0;
    if (access(ca, R_OK) == 0)
        p->tls_dir = dir;
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

static int probe_disk(struct migration *m, struct disk_copy *d,
                      struct nbd_probe *p, struct qm_error *err)
{
    struct nbd_export seen = { 0 };

    p->export_name = d->export_name;
    if (nbd_probe_export(m->loop, p, deadline_in_ms(PROBE_LIMIT_MS), &seen,
                         err) < 0) {
        if (err->code == QM_ERR_CONNECT)
            error_hint(err,
                       "the source's host must reach %s port %u: is a firewall "
                       "between, or is it another address (--address)?",
                       p->host, p->port);
        return error_wrap(err, "disk %s", d->label);
    }
    if (check_export(d, &seen, err) < 0)
        return -1;
    d->probed = seen.reached;
    d->tls_proved = seen.tls;
    return 0;
}

/* One connection through the source's host.  The child is ended by the
 * caller, after the probe. */
static int probe_through_host(struct migration *m, struct disk_copy *d,
                              struct nbd_probe *p, struct qm_error *err)
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
    if (probe_disk(m, d, p, err) < 0) {
        const char *said = child_complaint(ssh);

        /* sshd's AllowTcpForwarding and PermitOpen bind us, not the source */
        if (strstr(said, "administratively prohibited")) {
            error_clear(err);
            migration_warn(m, "disk %s: its TLS is requested, not proved: "
                              "the source's sshd forbids to look", d->label);
            return 0;
        }
        if (*said)
            error_hint(err, "ssh through the source's host said: %s", said);
        return -1;
    }
    return 0;
}

int step_probe(struct migration *m, struct qm_error *err)
{
    struct nbd_probe probe = {
        .host = m->facts.address,
        .port = m->nbd_port,
        .fd = -1,
    };
    CLEANUP_FREE char *key = NULL;
    struct host *host = source_of(m)->host;

    if (m->disk_count == 0)
        return 0;
    find_credentials(m, &probe, &key);
    if (!host || (!m->plan->insecure && !probe.tls_dir)) {
        migration_warn(m, "the disks' TLS is requested, not proved: %s",
                       host ? "the engine cannot read the source's "
                              "certificates"
                            : "the engine cannot reach the source's host");
        return 0;
    }
    for (size_t i = 0; i < m->disk_count; i++)
        if ((host_is_local(host)
                 ? probe_disk(m, &m->disk[i], &probe, err)
                 : probe_through_host(m, &m->disk[i], &probe, err)) < 0)
            return -1;
    return 0;
}
