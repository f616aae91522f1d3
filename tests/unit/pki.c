/* See pki.h.  Any failure is an assertion: the tests need what they ask. */
#include "pki.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ftw.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

struct pki_id {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "pki: %s\n", gnutls_strerror(rc));
    abort();
}

static gnutls_x509_privkey_t new_key(unsigned rsa_bits)
{
    gnutls_x509_privkey_t key;

    must(gnutls_x509_privkey_init(&key));
    if (rsa_bits) {
        must(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, rsa_bits, 0));
        return key;
    }
    must(gnutls_x509_privkey_generate(
        key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
        0));
    return key;
}

static void set_names(gnutls_x509_crt_t crt, const struct pki_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(spec->names) && spec->names[i]; i++) {
        unsigned char address[16];
        const char *name = spec->names[i];
        int len = inet_pton(AF_INET, name, address) == 1    ? 4
                  : inet_pton(AF_INET6, name, address) == 1 ? 16
                                                            : 0;
        must(gnutls_x509_crt_set_subject_alt_name(
            crt, len ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME,
            len ? (const void *)address : name,
            len ? (unsigned)len : (unsigned)strlen(name), GNUTLS_FSAN_APPEND));
    }
}

static void set_serial(gnutls_x509_crt_t crt)
{
    static unsigned char serial[2] = { 1, 0 };

    serial[1]++;
    must(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
}

static void set_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[64];
    size_t len = sizeof(id);

    must(gnutls_x509_crt_get_key_id(crt, 0, id, &len));
    must(gnutls_x509_crt_set_subject_key_id(crt, id, len));
    len = sizeof(id);
    must(gnutls_x509_crt_get_key_id(issuer, 0, id, &len));
    must(gnutls_x509_crt_set_authority_key_id(crt, id, len));
}

/* GnuTLS makes extensions critical as it sees fit: rewrite the flag. */
static void set_usage(gnutls_x509_crt_t crt, const struct pki_spec *spec)
{
    static const unsigned char head[] = { 0x03, 0x02 };
    unsigned char der[4];

    if (!spec->usage)
        return;
    memcpy(der, head, sizeof(head));
    der[3] = (unsigned char)spec->usage; /* digitalSignature is 0x80 in both */
    der[2] = 0;
    for (unsigned bit = 1; bit < 0x80 && !(spec->usage & bit); bit <<= 1)
        der[2]++;
    must(gnutls_x509_crt_set_extension_by_oid(
        crt, "2.5.29.15", der, sizeof(der), spec->usage_critical));
}

struct pki_id *pki_new(const struct pki_spec *spec, const struct pki_id *issuer)
{
    struct pki_id *id = XNEW(struct pki_id);
    time_t now = time(NULL);
    const char *cn = spec->cn ? spec->cn : spec->ca ? "ca" : "host";

    id->key = new_key(spec->rsa_bits);
    if (!issuer)
        issuer = id;
    must(gnutls_x509_crt_init(&id->crt));
    must(gnutls_x509_crt_set_version(id->crt, 3));
    must(gnutls_x509_crt_set_key(id->crt, id->key));
    if (*cn)
        must(gnutls_x509_crt_set_dn_by_oid(id->crt, GNUTLS_OID_X520_COMMON_NAME,
                                           0, cn, (unsigned)strlen(cn)));
    set_serial(id->crt);
    must(gnutls_x509_crt_set_activation_time(
        id->crt, now + (spec->from_s ? spec->from_s : -PKI_DAY)));
    must(gnutls_x509_crt_set_expiration_time(
        id->crt, now + (spec->until_s ? spec->until_s : 365 * PKI_DAY)));
    if (!spec->no_constraints)
        must(gnutls_x509_crt_set_basic_constraints(id->crt, spec->ca, -1));
    set_usage(id->crt, spec);
    if (spec->purpose)
        must(gnutls_x509_crt_set_key_purpose_oid(id->crt, spec->purpose,
                                                 spec->purpose_critical));
    set_names(id->crt, spec);
    set_key_ids(id->crt, issuer->crt);
    must(gnutls_x509_crt_sign2(id->crt, issuer->crt, issuer->key,
                               GNUTLS_DIG_SHA256, 0));
    return id;
}

void pki_free(struct pki_id *id)
{
    if (!id)
        return;
    gnutls_x509_crt_deinit(id->crt);
    gnutls_x509_privkey_deinit(id->key);
    free(id);
}

static void put(const char *dir, const char *file, const char *how, mode_t mode,
                const void *bytes, size_t len)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", dir, file);
    FILE *f = fopen(path, how);

    assert(f);
    assert(fchmod(fileno(f), mode) == 0);
    assert(fwrite(bytes, 1, len, f) == len);
    assert(fclose(f) == 0);
}

void pki_put_cert(const char *dir, const char *file, const struct pki_id *id,
                  bool append)
{
    gnutls_datum_t pem;

    must(gnutls_x509_crt_export2(id->crt, GNUTLS_X509_FMT_PEM, &pem));
    put(dir, file, append ? "a" : "w", 0644, pem.data, pem.size);
    gnutls_free(pem.data);
}

static void put_key(const char *dir, const char *file, const struct pki_id *id,
                    const char *password, unsigned flags)
{
    char pem[4096];
    size_t len = sizeof(pem);

    must(gnutls_x509_privkey_export_pkcs8(id->key, GNUTLS_X509_FMT_PEM,
                                          password, flags, pem, &len));
    put(dir, file, "w", 0600, pem, len);
}

void pki_put_key(const char *dir, const char *file, const struct pki_id *id)
{
    put_key(dir, file, id, NULL, GNUTLS_PKCS_PLAIN);
}

void pki_put_encrypted_key(const char *dir, const char *file,
                           const struct pki_id *id)
{
    put_key(dir, file, id, "secret", GNUTLS_PKCS_PBES2_AES_256);
}

void pki_put_crl(const char *dir, const char *file, const struct pki_id *issuer,
                 const struct pki_id *who, int64_t until_s)
{
    static const unsigned char number[] = { 1 };
    gnutls_x509_crl_t crl;
    gnutls_datum_t pem;
    time_t now = time(NULL);

    must(gnutls_x509_crl_init(&crl));
    must(gnutls_x509_crl_set_version(crl, 2));
    if (who)
        must(gnutls_x509_crl_set_crt(crl, who->crt, now - PKI_DAY / 2));
    must(gnutls_x509_crl_set_this_update(crl, now - PKI_DAY / 2));
    must(gnutls_x509_crl_set_next_update(crl, now + until_s));
    must(gnutls_x509_crl_set_number(crl, number, sizeof(number)));
    must(gnutls_x509_crl_sign2(crl, issuer->crt, issuer->key, GNUTLS_DIG_SHA256,
                               0));
    must(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem));
    put(dir, file, "w", 0644, pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crl_deinit(crl);
}

void pki_put_text(const char *dir, const char *file, const char *text)
{
    put(dir, file, "w", 0644, text, strlen(text));
}

char *pki_new_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/qmigrate-pki-XXXXXX", tmp ? tmp : "/tmp");

    if (!mkdtemp(dir))
        abort();
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void pki_remove_dir(char *dir)
{
    if (dir)
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(dir);
}
