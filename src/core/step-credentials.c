/*
 * The credentials of this one migration: TLS objects at both sides, and at the
 * destination the rule that says whom alone it accepts.
 *
 * happy path   The destination first, as it is to listen with them.  Objects
 *              are made anew with ids of our own, so that nothing that an
 *              earlier migration left is used.
 *              With --tls-psk a key is made, and put at both hosts for as long
 *              as QEMU needs it there: a client reads it when its object is
 *              made, a server in each handshake, so the destination's is
 *              there until the last connection is made; in post-copy, whose
 *              connection may have to be made again, until the last page.
 *              The host removes it if the engine dies, or its ssh: then it is
 *              put there again before that connection is made again, and, if
 *              nobody knows it any more, another one at both.
 * what fails   A file that QEMU cannot read or does not like: said with the
 *              directory, and the objects made so far are deleted.
 */
#include "core/migration-private.h"
#include "tls/psk.h"

char *credentials_id(const struct migration *m)
{
    return m->plan->insecure ? NULL : migration_own_id(m, "tls");
}

char *authz_id(const struct migration *m)
{
    return m->facts.authz_dn ? migration_own_id(m, "authz") : NULL;
}

const char *secure_hostname(const struct migration *m)
{
    return m->plan->insecure || m->plan->tls_psk ? NULL : m->facts.tls_hostname;
}

/* An object to be, of either kind. */
struct object {
    const char *id;
    const char *dir; /* of credentials */
    bool server;
    const char *priority; /* the same; or NULL */
    const char *name;     /* of a pre-shared key; NULL: certificates */
    const char *dn;       /* of a rule */
};

static int run_add(struct side *s, void *arg, struct qm_error *err)
{
    const struct object *o = arg;

    if (o->dn)
        return qmp_object_add_authz(s->qmp, o->id, o->dn, err);
    if (o->name)
        return qmp_object_add_tls_psk(s->qmp, o->id, o->dir,
                                      o->server ? NULL : o->name, err);
    return qmp_object_add_tls_x509(s->qmp, o->id, o->dir, o->server,
                                   o->priority, err);
}

static int asked_object(struct side *s, void *arg, struct qm_error *err)
{
    const struct object *o = arg;
    CLEANUP(strv_done) struct strv objects = { 0 };

    if (qmp_query_objects(s->qmp, &objects, err) < 0)
        return -1;
    return strv_contains(&objects, o->id);
}

static int run_del(struct side *s, void *arg, struct qm_error *err)
{
    const struct object *o = arg;
    int there = asked_object(s, arg, err);

    return there <= 0 ? there : qmp_object_del(s->qmp, o->id, err);
}

/* --- a pre-shared key --------------------------------------------------- */

static void take_key_away(struct migration *m, enum side_id side)
{
    struct qm_error err = QM_ERROR_INIT;

    if (host_key_remove(STEAL(m->key[side]), &err) < 0)
        migration_left(m, "%s", err.message);
    error_clear(&err);
}

/* The hosts may be one. */
static int put_key(struct migration *m, enum side_id side, struct qm_error *err)
{
    struct side *s = &m->side[side];
    CLEANUP_FREE char *name = migration_own_id(m, s->name);

    m->key[side] = host_key_put(s->host, s->process.pid, name, m->psk, err);
    return m->key[side] ? 0 : error_wrap(err, "%s", s->name);
}

static int add_psk(struct migration *m, enum side_id side, struct qm_error *err)
{
    CLEANUP_FREE char *id = credentials_id(m);
    struct object o = { .id = id,
                        .server = side == DESTINATION,
                        .name = m->id };
    int ret;

    if (put_key(m, side, err) < 0)
        return -1;
    o.dir = host_key_dir(m->key[side]);
    ret = side_do(&m->side[side], run_add, asked_object, &o, err);
    if (!o.server)
        take_key_away(m, side);
    return ret;
}

static int make_key(struct migration *m, struct qm_error *err)
{
    m->psk = tls_psk_new(m->id, err);
    return m->psk ? 0 : -1;
}

/* At the side that reads it once.  Its main loop waits for no page. */
static int replace_source_s(struct migration *m, struct qm_error *err)
{
    struct side *s = source_of(m);
    CLEANUP_FREE char *id = credentials_id(m);
    struct object o = { .id = id };

    if (side_do(s, run_del, NULL, &o, err) < 0)
        return -1;
    return add_psk(m, SOURCE, err);
}

static int check_hosts(const struct migration *m, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++)
        if (!m->side[i].host || !m->side[i].process.known)
            return error_set(err, QM_ERR_CONNECT,
                             "%s: no key can be put there: it is not known "
                             "which process QEMU is, or on which host",
                             m->side[i].name);
    return 0;
}

/* The destination's QEMU reads the file anew in each handshake: nothing is to
 * be said to it, whose main loop may wait for a page.  The folder has the name
 * that it had. */
int renew_key(struct migration *m, struct qm_error *err)
{
    if (!m->plan->tls_psk ||
        (!m->key_is_new && host_key_is_there(m->key[DESTINATION])))
        return 0;
    if (check_hosts(m, err) < 0)
        return -1;
    if (!m->psk) { /* who knew it is dead */
        m->key_is_new = true;
        if (make_key(m, err) < 0)
            return -1;
    }
    if (!host_key_is_there(m->key[DESTINATION])) {
        (void)host_key_remove(STEAL(m->key[DESTINATION]), NULL);
        if (put_key(m, DESTINATION, err) < 0)
            return -1;
    }
    if (m->key_is_new && replace_source_s(m, err) < 0)
        return -1;
    m->key_is_new = false;
    return 0;
}

void forget_key(struct migration *m)
{
    secret_free(STEAL(m->psk));
    for (int side = 0; side < SIDES; side++)
        take_key_away(m, (enum side_id)side);
}

/* --- objects ------------------------------------------------------------ */

static int add_credentials(struct migration *m, enum side_id side,
                           struct qm_error *err)
{
    if (m->plan->tls_psk)
        return add_psk(m, side, err);

    CLEANUP_FREE char *id = credentials_id(m);
    struct object o = { .id = id,
                        .dir = m->plan->tls_dir[side],
                        .server = side == DESTINATION,
                        .priority = m->plan->tls_priority };

    if (side_do(&m->side[side], run_add, asked_object, &o, err) == 0)
        return 0;
    if (err->code == QM_ERR_QEMU)
        error_hint(err, "the %s QEMU must be able to read %s", side_name(side),
                   o.dir);
    return -1;
}

static int add_authz(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *id = authz_id(m);
    struct object o = { .id = id, .dn = m->facts.authz_dn };

    return id ? side_do(destination_of(m), run_add, asked_object, &o, err) : 0;
}

int step_credentials(struct migration *m, struct qm_error *err)
{
    if (m->plan->insecure)
        return 0;
    if (m->plan->tls_psk && make_key(m, err) < 0)
        return -1;
    m->credentials_added[DESTINATION] = true;
    if (add_credentials(m, DESTINATION, err) < 0 || add_authz(m, err) < 0)
        return -1;
    m->credentials_added[SOURCE] = true;
    return add_credentials(m, SOURCE, err);
}

static void remove_object(struct migration *m, struct side *s, const char *id)
{
    struct qm_error err = QM_ERROR_INIT;
    struct object o = { .id = id };

    if (id && side_do(s, run_del, NULL, &o, &err) < 0 && !s->process_dead)
        migration_left(m, "object %s at the %s: %s", id, s->name, err.message);
    error_clear(&err);
}

void remove_credentials(struct migration *m, enum side_id side)
{
    CLEANUP_FREE char *id = credentials_id(m);
    CLEANUP_FREE char *authz = authz_id(m);
    struct side *s = &m->side[side];

    if (!m->credentials_added[side] || !side_needs_cleaning(s))
        return;
    remove_object(m, s, id);
    if (side == DESTINATION)
        remove_object(m, s, authz);
    m->credentials_added[side] = false;
}

void undo_credentials(struct migration *m)
{
    forget_key(m);
    remove_credentials(m, SOURCE);
    remove_credentials(m, DESTINATION);
}
