/*
 * A key, its certificate, and how both are written: what CAs and hosts have in
 * common.
 */
#include "tls/make-private.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "base/folder.h"

/* 128 bits of security (NIST SP 800-57), as TLS 1.3's ciphers have. */
enum { RSA_BITS = 3072, SERIAL_LEN = 16, KEY_ID_LEN = 20 };

/* Clocks of hosts differ: a certificate is good at once everywhere. */
enum { EARLY_S = 24 * 3600 };

int make_failed(struct qm_error *err, const char *what, int rc)
{
    return error_set(err, QM_ERR_TLS, "make %s: %s", what, gnutls_strerror(rc));
}

void identity_done(struct identity *id)
{
    if (id->crt)
        gnutls_x509_crt_deinit(id->crt);
    if (id->key)
        gnutls_x509_privkey_deinit(id->key); /* wipes it */
    *id = (struct identity){ .crt = NULL };
}

static int new_key(struct identity *id)
{
    int rc = gnutls_x509_privkey_init(&id->key);

    return rc < 0 ? rc
                  : gnutls_x509_privkey_generate(id->key, GNUTLS_PK_RSA,
                                                 RSA_BITS, 0);
}

static int set_serial(gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_LEN];
    int rc = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive */
    return rc < 0 ? rc : gnutls_x509_crt_set_serial(crt, serial, SERIAL_LEN);
}

static int set_key_id(gnutls_x509_crt_t crt)
{
    unsigned char id[KEY_ID_LEN];
    size_t len = sizeof(id);
    int rc = gnutls_x509_crt_get_key_id(crt, 0, id, &len);

    return rc < 0 ? rc : gnutls_x509_crt_set_subject_key_id(crt, id, len);
}

static int fill(struct identity *id, const struct tls_new *n, int64_t until)
{
    int rc = gnutls_x509_crt_init(&id->crt);

    if (rc < 0 || (rc = gnutls_x509_crt_set_version(id->crt, 3)) < 0 ||
        (rc = gnutls_x509_crt_set_key(id->crt, id->key)) < 0 ||
        (rc = set_serial(id->crt)) < 0 || (rc = set_key_id(id->crt)) < 0 ||
        (rc = gnutls_x509_crt_set_dn_by_oid(
             id->crt, GNUTLS_OID_X520_COMMON_NAME, 0, n->name,
             (unsigned)strlen(n->name))) < 0 ||
        (rc = gnutls_x509_crt_set_activation_time(
             id->crt, (time_t)(n->now - EARLY_S))) < 0)
        return rc;
    return gnutls_x509_crt_set_expiration_time(id->crt, (time_t)until);
}

int identity_new(const struct tls_new *n, int64_t until, struct identity *ret,
                 struct qm_error *err)
{
    CLEANUP(identity_done) struct identity id = { .crt = NULL };
    int rc;

    if ((rc = new_key(&id)) < 0)
        return make_failed(err, "a key", rc);
    if ((rc = fill(&id, n, until)) < 0)
        return make_failed(err, "a certificate", rc);
    *ret = id;
    id = (struct identity){ .crt = NULL };
    return 0;
}

int identity_sign(struct identity *id, const struct identity *ca,
                  struct qm_error *err)
{
    unsigned char issuer[64];
    size_t len = sizeof(issuer);
    int rc = gnutls_x509_crt_get_subject_key_id(ca->crt, issuer, &len, NULL);

    if (rc >= 0)
        rc = gnutls_x509_crt_set_authority_key_id(id->crt, issuer, len);
    else if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        rc = 0; /* a CA without one is found by its name */
    if (rc >= 0)
        rc = gnutls_x509_crt_sign2(id->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256,
                                   0);
    return rc < 0 ? make_failed(err, "a signature", rc) : 0;
}

int folder_add_cert(struct new_folder *f, const char *name,
                    const struct identity *id, struct qm_error *err)
{
    gnutls_datum_t pem;
    int rc = gnutls_x509_crt_export2(id->crt, GNUTLS_X509_FMT_PEM, &pem);

    if (rc < 0)
        return make_failed(err, name, rc);
    rc = new_folder_add(f, name, pem.data, pem.size, 0644, err);
    gnutls_free(pem.data);
    return rc;
}

int folder_add_key(struct new_folder *f, const char *name,
                   const struct identity *id, struct qm_error *err)
{
    gnutls_datum_t pem;
    int rc = gnutls_x509_privkey_export2_pkcs8(id->key, GNUTLS_X509_FMT_PEM,
                                               NULL, GNUTLS_PKCS_PLAIN, &pem);

    if (rc < 0)
        return make_failed(err, name, rc);
    rc = new_folder_add(f, name, pem.data, pem.size, 0600, err);
    explicit_bzero(pem.data, pem.size);
    gnutls_free(pem.data);
    return rc;
}
