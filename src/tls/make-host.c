/*
 * What a host needs: one certificate for both roles, since every host is a
 * source today and a destination tomorrow.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/folder.h"
#include "tls/check.h"
#include "tls/make-private.h"

enum { DAY_S = 24 * 3600 };

/* As strict as can be without an old QEMU refusing it: both usages are
 * critical for GnuTLS, the purposes are not. */
static int set_host(gnutls_x509_crt_t crt, const struct tls_new *n)
{
    static const char *const purposes[] = { GNUTLS_KP_TLS_WWW_SERVER,
                                            GNUTLS_KP_TLS_WWW_CLIENT };
    int rc = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);

    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_usage(
            crt, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT);
    for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(purposes); i++)
        rc = gnutls_x509_crt_set_key_purpose_oid(crt, purposes[i], 0);
    return rc < 0 ? rc : set_names(crt, n);
}

static int make_host(const struct tls_new *n, int64_t until,
                     const struct identity *ca, struct identity *ret,
                     struct qm_error *err)
{
    int rc;

    if (identity_new(n, until, ret, err) < 0)
        return -1;
    if ((rc = set_host(ret->crt, n)) < 0)
        return make_failed(err, "a certificate", rc);
    return identity_sign(ret, ca, err);
}

static int add_dh_params(struct new_folder *f, struct qm_error *err)
{
    CLEANUP_FREE char *pem = tls_dh_params(err);

    return pem ? new_folder_add(f, "dh-params.pem", pem, strlen(pem), 0644, err)
               : -1;
}

static int write_host(struct new_folder *f, const struct identity *id,
                      const struct buffer *ca_pem, bool dh_params,
                      struct qm_error *err)
{
    if (new_folder_add(f, tls_file_name(TLS_SERVER, TLS_CA_CERT), ca_pem->data,
                       ca_pem->len, 0644, err) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        enum tls_role role = i ? TLS_SERVER : TLS_CLIENT;

        if (folder_add_cert(f, tls_file_name(role, TLS_CERT), id, err) < 0 ||
            folder_add_key(f, tls_file_name(role, TLS_KEY), id, err) < 0)
            return -1;
    }
    return dh_params ? add_dh_params(f, err) : 0;
}

int tls_new_host(const struct tls_new *n, const char *ca_dir,
                 int64_t *ret_until, struct qm_error *err)
{
    static const char *const none[] = { NULL };
    CLEANUP(identity_done) struct identity ca = { .crt = NULL };
    CLEANUP(identity_done) struct identity id = { .crt = NULL };
    CLEANUP(buffer_done) struct buffer ca_pem = { .data = NULL };
    CLEANUP(new_folder_done) struct new_folder folder = { .path = NULL };
    struct tls_new host = *n;
    int64_t until = n->now + n->days * DAY_S, ca_until;

    if (!host.others)
        host.others = none;
    if (check_new(&host, err) < 0 ||
        ca_load(ca_dir, n->now, &ca, &ca_pem, err) < 0 ||
        new_folder_begin(&folder, n->dir, err) < 0)
        return -1;
    ca_until = gnutls_x509_crt_get_expiration_time(ca.crt);
    if (until > ca_until)
        until = ca_until;
    if (make_host(&host, until, &ca, &id, err) < 0 ||
        write_host(&folder, &id, &ca_pem, n->dh_params, err) < 0 ||
        new_folder_finish(&folder, err) < 0)
        return -1;
    *ret_until = until;
    return 0;
}

char *tls_dh_params(struct qm_error *err)
{
    gnutls_dh_params_t group;
    gnutls_datum_t pem = { .data = NULL };
    int rc = gnutls_dh_params_init(&group);

    if (rc >= 0) {
        rc = gnutls_dh_params_import_raw3(group, &gnutls_ffdhe_3072_group_prime,
                                          &gnutls_ffdhe_3072_group_q,
                                          &gnutls_ffdhe_3072_group_generator);
        if (rc >= 0)
            rc = gnutls_dh_params_export2_pkcs3(group, GNUTLS_X509_FMT_PEM,
                                                &pem);
        gnutls_dh_params_deinit(group);
    }
    if (rc < 0) {
        make_failed(err, "DH parameters", rc);
        return NULL;
    }
    char *text = xstrndup((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    return text;
}
