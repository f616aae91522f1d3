/*
 * What proves that nothing went in clear, and to nobody else.
 *
 * Once the stream is active both QEMUs are asked what they use, and where the
 * destination listens; what is not as it was asked for ends the migration.
 * Disks have been looked at by the engine itself (step-probe.c): what it
 * agreed upon with the destination is what the result tells of them.  Nobody
 * can tell this of the RAM: QEMU does not say it, and no check may connect to
 * that port.
 */
#include "core/migration-private.h"

/* --- while it runs ------------------------------------------------------ */

static void expect(const struct migration *m, enum side_id side,
                   struct qmp_settings *ret)
{
    CLEANUP_FREE char *creds = credentials_id(m);
    CLEANUP_FREE char *authz = authz_id(m);
    const char *hostname = secure_hostname(m);

    qmp_settings_add_string(ret, "tls-creds", creds ? creds : "");
    if (side == SOURCE)
        qmp_settings_add_string(ret, "tls-hostname", hostname ? hostname : "");
    else if (authz)
        qmp_settings_add_string(ret, "tls-authz", authz);
}

static int run_compare(struct side *s, void *arg, struct qm_error *err)
{
    return compare_parameters(s, arg, err);
}

static int check_parameters(struct migration *m, enum side_id side,
                            struct qm_error *err)
{
    CLEANUP(qmp_settings_done) struct qmp_settings expected = { 0 };

    expect(m, side, &expected);
    return side_do(&m->side[side], run_compare, NULL, &expected, err);
}

static int run_query(struct side *s, void *arg, struct qm_error *err)
{
    return qmp_query_migrate(s->qmp, arg, err);
}

/* A QEMU may listen no more, and then does not say where it did. */
static int check_door(struct migration *m, struct qm_error *err)
{
    CLEANUP(qmp_migration_done) struct qmp_migration seen = { 0 };

    if (side_do(destination_of(m), run_query, NULL, &seen, err) < 0)
        return -1;
    if (seen.socket_port && seen.socket_port != m->ram_port)
        return error_set(err, QM_ERR_QEMU,
                         "destination: it was told to listen on port %u and "
                         "listens on %llu",
                         m->ram_port, (unsigned long long)seen.socket_port);
    return 0;
}

/* Who does not answer now says nothing about it: what becomes of him is seen
 * in the next row. */
static bool is_no_answer(const struct qm_error *err)
{
    return err->code == QM_ERR_SILENT || err->code == QM_ERR_LINK ||
           err->code == QM_ERR_TIMEOUT;
}

int evidence_check(struct migration *m, struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;

    m->read_back = check_parameters(m, SOURCE, &failed) == 0 &&
                   check_parameters(m, DESTINATION, &failed) == 0 &&
                   check_door(m, &failed) == 0;
    if (m->read_back)
        return 0;
    if (is_no_answer(&failed)) {
        error_clear(&failed);
        return 0;
    }
    error_wrap(&failed, "QEMU uses something else than it was told");
    return error_move(err, &failed);
}

/* --- at the end --------------------------------------------------------- */

static const char *said(const char *text)
{
    return text && *text ? text : NULL;
}

static struct result_connection connection(const struct migration *m,
                                           const char *what)
{
    const struct plan *p = m->plan;
    const struct facts *f = &m->facts;
    const char *how = p->insecure ? "none" : p->tls_psk ? "psk" : "x509";
    const char *key = p->tls_psk ? m->id : NULL;

    return (struct result_connection){
        .what = xstrdup(what),
        .tls = xstrdup(how),
        .source = xstrdup(key ? key : f->source_subject),
        .destination = xstrdup(key ? key : f->destination_subject),
        .authz = xstrdup(f->authz_dn),
        .proof = xstrdup(p->insecure    ? "none"
                         : m->read_back ? "read-back"
                                        : "requested"),
    };
}

static struct result_connection of_disk(const struct migration *m,
                                        const struct disk_copy *d)
{
    struct result_connection c = connection(m, d->label);

    str_replace(&c.proof, m->plan->insecure ? "none"
                          : !d->tls_proved  ? "requested"
                          : d->seen_whole   ? "full"
                                            : "server");
    if (!d->tls_proved)
        return c;
    str_replace(&c.version, said(d->seen.version));
    str_replace(&c.cipher, said(d->seen.cipher));
    if (said(d->seen.peer))
        str_replace(&c.destination, d->seen.peer);
    return c;
}

void evidence_list(const struct migration *m, struct result *r)
{
    r->connection = xcalloc(m->disk_count + 1, sizeof(*r->connection));
    r->connection[r->connection_count++] = connection(m, "RAM");
    for (size_t i = 0; i < m->disk_count; i++)
        r->connection[r->connection_count++] = of_disk(m, &m->disk[i]);
}
