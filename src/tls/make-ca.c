/*
 * A CA of one's own: made, and used again.
 */
#include <errno.h>

#include "base/folder.h"
#include "tls/internal.h"
#include "tls/make-private.h"

enum { DAY_S = 24 * 3600 };

static int set_ca(gnutls_x509_crt_t crt)
{
    /* It signs hosts and their revocation, and no other CA. */
    int rc = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);

    return rc < 0 ? rc
                  : gnutls_x509_crt_set_key_usage(
                        crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
}

int tls_new_ca(const struct tls_new *n, struct qm_error *err)
{
    CLEANUP(identity_done) struct identity id = { .crt = NULL };
    CLEANUP(new_folder_done) struct new_folder folder = { .path = NULL };
    int rc;

    if (check_new(n, err) < 0 || new_folder_begin(&folder, n->dir, err) < 0 ||
        identity_new(n, n->now + n->days * DAY_S, &id, err) < 0)
        return -1;
    if ((rc = set_ca(id.crt)) < 0)
        return make_failed(err, "a CA", rc);
    if (identity_sign(&id, &id, err) < 0 ||
        folder_add_cert(&folder, tls_file_name(TLS_SERVER, TLS_CA_CERT), &id,
                        err) < 0 ||
        folder_add_key(&folder, TLS_CA_KEY_NAME, &id, err) < 0)
        return -1;
    return new_folder_finish(&folder, err);
}

/* --- used again -------------------------------------------------------------- */

static int ca_read(const char *path, struct buffer *ret, struct qm_error *err)
{
    unsigned mode;
    int errnum = file_read_whole(path, ret, &mode);

    if (!errnum)
        return 0;
    error_set_errno(err, QM_ERR_REFUSED, errnum, "read %s", path);
    error_hint(err, errnum == ENOENT
                        ? "make a CA first: qmigrate keys create-ca"
                        : "let the user who runs qmigrate read it");
    return -1;
}

static gnutls_datum_t datum(const struct buffer *b)
{
    return (gnutls_datum_t){
        .data = b->len ? (unsigned char *)b->data : (unsigned char *)"",
        .size = (unsigned)b->len,
    };
}

static int ca_parse(const char *dir, const struct buffer *cert,
                    const struct buffer *key, struct identity *id,
                    struct qm_error *err)
{
    gnutls_datum_t cert_pem = datum(cert), key_pem = datum(key);
    int rc = gnutls_x509_crt_init(&id->crt);

    if (rc < 0 || (rc = gnutls_x509_privkey_init(&id->key)) < 0)
        return make_failed(err, "room for the CA", rc);
    rc = gnutls_x509_crt_import(id->crt, &cert_pem, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        return error_set(err, QM_ERR_REFUSED,
                         "%s/ca-cert.pem is not a certificate in PEM: %s", dir,
                         gnutls_strerror(rc));
    rc = gnutls_x509_privkey_import2(id->key, &key_pem, GNUTLS_X509_FMT_PEM,
                                     NULL, 0);
    if (rc < 0)
        return error_set(err, QM_ERR_REFUSED,
                         "%s/" TLS_CA_KEY_NAME
                         " is not a private key in PEM: %s",
                         dir, gnutls_strerror(rc));
    return 0;
}

static int ca_check(const char *dir, const struct identity *id, int64_t now,
                    struct qm_error *err)
{
    if (gnutls_x509_crt_get_basic_constraints(id->crt, NULL, NULL, NULL) <= 0)
        return error_set(err, QM_ERR_REFUSED,
                         "%s/ca-cert.pem is not the certificate of a CA", dir);
    if (!key_fits(id->key, id->crt))
        return error_set(err, QM_ERR_REFUSED,
                         "%s/" TLS_CA_KEY_NAME " is not the key of "
                         "ca-cert.pem",
                         dir);
    int64_t until = gnutls_x509_crt_get_expiration_time(id->crt);
    CLEANUP_FREE char *end = tls_moment(until);
    if (until > now)
        return 0;
    error_set(err, QM_ERR_REFUSED, "the CA in %s expired on %s", dir, end);
    error_hint(err, "make a new one, and new certificates for all hosts");
    return -1;
}

int ca_load(const char *dir, int64_t now, struct identity *ret,
            struct buffer *ret_pem, struct qm_error *err)
{
    CLEANUP(identity_done) struct identity id = { .crt = NULL };
    CLEANUP(buffer_wipe) struct buffer key = { .data = NULL };
    CLEANUP(buffer_done) struct buffer cert = { .data = NULL };
    CLEANUP_FREE char *cert_path =
        xasprintf("%s/%s", dir, tls_file_name(TLS_SERVER, TLS_CA_CERT));
    CLEANUP_FREE char *key_path = xasprintf("%s/" TLS_CA_KEY_NAME, dir);

    if (ca_read(cert_path, &cert, err) < 0 ||
        ca_read(key_path, &key, err) < 0 ||
        ca_parse(dir, &cert, &key, &id, err) < 0 ||
        ca_check(dir, &id, now, err) < 0)
        return -1;
    *ret = id;
    id = (struct identity){ .crt = NULL };
    *ret_pem = cert;
    cert = (struct buffer){ .data = NULL };
    return 0;
}
