/*
 * From bytes to certificates, with GnuTLS, which is what QEMU parses them
 * with.
 */
#include "tls/internal.h"

#include <stdlib.h>
#include <time.h>

static gnutls_datum_t datum_of(const struct tls_files *f, enum tls_file which)
{
    const struct buffer *b = &f->file[which].bytes;

    return (gnutls_datum_t){
        .data = b->len ? (unsigned char *)b->data : (unsigned char *)"",
        .size = (unsigned)b->len,
    };
}

static int parse_certs(const struct tls_files *f, enum tls_file which,
                       struct crt_list *ret)
{
    gnutls_datum_t pem = datum_of(f, which);
    int rc = gnutls_x509_crt_list_import2(&ret->item, &ret->count, &pem,
                                          GNUTLS_X509_FMT_PEM, 0);

    if (rc < 0)
        *ret = (struct crt_list){ .count = 0 };
    return rc < 0 ? rc : 0;
}

static int parse_key(const struct tls_files *f, gnutls_x509_privkey_t *ret)
{
    gnutls_datum_t pem = datum_of(f, TLS_KEY);
    gnutls_x509_privkey_t key;
    int rc = gnutls_x509_privkey_init(&key);

    if (rc < 0)
        return rc;
    rc = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0) {
        gnutls_x509_privkey_deinit(key);
        return rc;
    }
    *ret = key;
    return 0;
}

static int parse_crls(const struct tls_files *f, struct parsed *ret)
{
    gnutls_datum_t pem = datum_of(f, TLS_CA_CRL);
    int rc = gnutls_x509_crl_list_import2(&ret->crl, &ret->crl_count, &pem,
                                          GNUTLS_X509_FMT_PEM, 0);

    if (rc < 0) {
        ret->crl = NULL;
        ret->crl_count = 0;
    }
    return rc < 0 ? rc : 0;
}

static int parse_dh_params(const struct tls_files *f, unsigned *ret_bits)
{
    gnutls_datum_t pem = datum_of(f, TLS_DH_PARAMS);
    gnutls_datum_t prime = { .data = NULL }, generator = { .data = NULL };
    gnutls_dh_params_t group;
    int rc = gnutls_dh_params_init(&group);

    if (rc < 0)
        return rc;
    rc = gnutls_dh_params_import_pkcs3(group, &pem, GNUTLS_X509_FMT_PEM);
    if (rc >= 0)
        rc = gnutls_dh_params_export_raw(group, &prime, &generator, NULL);
    for (unsigned i = 0; rc >= 0 && i < prime.size && !*ret_bits; i++)
        for (unsigned bit = 8; bit > 0 && !*ret_bits; bit--)
            if (prime.data[i] >> (bit - 1) & 1)
                *ret_bits = (prime.size - 1 - i) * 8 + bit;
    gnutls_free(prime.data);
    gnutls_free(generator.data);
    gnutls_dh_params_deinit(group);
    return rc < 0 ? rc : 0;
}

void parse_files(const struct tls_files *files, struct parsed *ret)
{
    *ret = (struct parsed){ .key = NULL };
    if (files->file[TLS_CA_CERT].state == TLS_FILE_READ)
        ret->error[TLS_CA_CERT] = parse_certs(files, TLS_CA_CERT, &ret->ca);
    if (files->file[TLS_CERT].state == TLS_FILE_READ)
        ret->error[TLS_CERT] = parse_certs(files, TLS_CERT, &ret->own);
    if (files->file[TLS_KEY].state == TLS_FILE_READ)
        ret->error[TLS_KEY] = parse_key(files, &ret->key);
    if (files->file[TLS_CA_CRL].state == TLS_FILE_READ)
        ret->error[TLS_CA_CRL] = parse_crls(files, ret);
    if (files->file[TLS_DH_PARAMS].state == TLS_FILE_READ)
        ret->error[TLS_DH_PARAMS] = parse_dh_params(files, &ret->dh_bits);
}

static void crt_list_done(struct crt_list *l)
{
    for (unsigned i = 0; i < l->count; i++)
        gnutls_x509_crt_deinit(l->item[i]);
    gnutls_free(l->item);
    *l = (struct crt_list){ .count = 0 };
}

void parsed_done(struct parsed *p)
{
    crt_list_done(&p->ca);
    crt_list_done(&p->own);
    if (p->key)
        gnutls_x509_privkey_deinit(p->key);
    for (unsigned i = 0; i < p->crl_count; i++)
        gnutls_x509_crl_deinit(p->crl[i]);
    gnutls_free(p->crl);
    *p = (struct parsed){ .key = NULL };
}

char *dn_of(gnutls_x509_crt_t crt)
{
    /* get_dn, not get_dn2 or 3: QEMU asks this way, so the order is its. */
    size_t len = 0;

    if (gnutls_x509_crt_get_dn(crt, NULL, &len) != GNUTLS_E_SHORT_MEMORY_BUFFER)
        return NULL;
    CLEANUP_FREE char *dn = xcalloc(1, len + 1);
    if (gnutls_x509_crt_get_dn(crt, dn, &len) < 0)
        return NULL;
    return STEAL(dn);
}

char *tls_subject(const struct tls_files *files)
{
    CLEANUP(parsed_done) struct parsed parsed = { .key = NULL };

    if (files->file[TLS_CERT].state == TLS_FILE_READ)
        (void)parse_certs(files, TLS_CERT, &parsed.own);
    return parsed.own.count ? dn_of(parsed.own.item[0]) : NULL;
}
