/*
 * Certificates in words.
 */
#include "tls/describe.h"

#include <stdlib.h>
#include <string.h>

#include "tls/internal.h"

static char *key_words(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
    return xasprintf("%s, %u bits", gnutls_pk_get_name(algorithm), bits);
}

static char *issuer_words(gnutls_x509_crt_t crt)
{
    gnutls_datum_t dn = { .data = NULL };

    if (gnutls_x509_crt_check_issuer(crt, crt) ||
        gnutls_x509_crt_get_issuer_dn3(crt, &dn, 0) < 0)
        return NULL;
    CLEANUP_FREE char *text = xstrndup((const char *)dn.data, dn.size);
    gnutls_free(dn.data);
    return str_printable(text);
}

/* NAMES, and whether a critical extension says so. */
static char *list_words(const struct strv *names, unsigned critical)
{
    CLEANUP_FREE char *list = strv_join_words(names);

    if (!names->count)
        return xstrdup("not limited");
    return xasprintf("%s%s", list, critical ? " (critical)" : "");
}

static char *usage_words(gnutls_x509_crt_t crt)
{
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = {
        { GNUTLS_KEY_DIGITAL_SIGNATURE, "digitalSignature" },
        { GNUTLS_KEY_KEY_ENCIPHERMENT, "keyEncipherment" },
        { GNUTLS_KEY_KEY_AGREEMENT, "keyAgreement" },
        { GNUTLS_KEY_KEY_CERT_SIGN, "keyCertSign" },
        { GNUTLS_KEY_CRL_SIGN, "cRLSign" },
    };
    CLEANUP(strv_done) struct strv names = { .count = 0 };
    unsigned usage = 0, critical = 0;

    if (gnutls_x509_crt_get_key_usage(crt, &usage, &critical) < 0)
        return list_words(&names, 0);
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        if (usage & bits[i].bit)
            strv_add(&names, bits[i].name);
    if (!names.count)
        strv_add(&names, "nothing");
    return list_words(&names, critical);
}

static char *purpose_words(gnutls_x509_crt_t crt)
{
    static const struct {
        const char *oid, *name;
    } known[] = {
        { GNUTLS_KP_TLS_WWW_SERVER, "serverAuth" },
        { GNUTLS_KP_TLS_WWW_CLIENT, "clientAuth" },
        { GNUTLS_KP_ANY, "any" },
    };
    CLEANUP(strv_done) struct strv names = { .count = 0 };
    unsigned critical = 0;

    for (unsigned i = 0; i < 64; i++) {
        char oid[128] = "";
        size_t len = sizeof(oid);
        const char *name = "another";

        if (gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &len, &critical) ==
            GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (strcmp(known[k].oid, oid) == 0)
                name = known[k].name;
        strv_add(&names, name);
    }
    return list_words(&names, critical);
}

static char *fingerprint(gnutls_x509_crt_t crt)
{
    unsigned char digest[32];
    size_t len = sizeof(digest);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &len) <
        0)
        return xstrdup("unknown");
    for (size_t i = 0; i < len; i++)
        buffer_printf(&b, "%s%02x", i ? ":" : "", digest[i]);
    return xstrdup(b.data);
}

static char *identity_words(gnutls_x509_crt_t crt)
{
    CLEANUP_FREE char *dn = dn_of(crt);

    return str_printable(dn ? dn : "no subject");
}

static void cert_words(gnutls_x509_crt_t crt, struct tls_cert_words *ret)
{
    unsigned bits = 0;
    int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
    bool ca = gnutls_x509_crt_get_basic_constraints(crt, NULL, NULL, NULL) > 0;

    *ret = (struct tls_cert_words){
        .subject = identity_words(crt),
        .issuer = issuer_words(crt),
        .names = ca ? NULL : names_of(crt),
        .from = tls_moment(gnutls_x509_crt_get_activation_time(crt)),
        .until = tls_moment(gnutls_x509_crt_get_expiration_time(crt)),
        .key = algorithm < 0
                   ? xstrdup("unknown")
                   : key_words((gnutls_pk_algorithm_t)algorithm, bits),
        .usage = usage_words(crt),
        .purposes = purpose_words(crt),
        .fingerprint = fingerprint(crt),
    };
}

/* --- files ------------------------------------------------------------------- */

static char *private_key_words(const struct parsed *p, unsigned mode)
{
    unsigned bits = 0;
    int algorithm = gnutls_x509_privkey_get_pk_algorithm2(p->key, &bits);
    CLEANUP_FREE char *key =
        key_words((gnutls_pk_algorithm_t)(algorithm < 0 ? 0 : algorithm), bits);

    return xasprintf("a private key, %s, mode %04o%s", key, mode,
                     !p->own.count                      ? ""
                     : key_fits(p->key, p->own.item[0]) ? ", of the certificate"
                                                        : ", of ANOTHER "
                                                          "certificate");
}

static char *crl_words(const struct parsed *p)
{
    int revoked = 0;
    int64_t next = -1;

    for (unsigned i = 0; i < p->crl_count; i++) {
        int n = gnutls_x509_crl_get_crt_count(p->crl[i]);
        int64_t at = gnutls_x509_crl_get_next_update(p->crl[i]);

        revoked += n > 0 ? n : 0;
        next = next < 0 || at < next ? at : next;
    }
    CLEANUP_FREE char *due = tls_moment(next);
    return xasprintf("revokes %d, to be replaced by %s", revoked,
                     next < 0 ? "no time" : due);
}

static void certs_words(const struct crt_list *list, struct tls_file_words *ret)
{
    ret->count = list->count;
    ret->cert = xcalloc(list->count, sizeof(*ret->cert));
    for (size_t i = 0; i < list->count; i++)
        cert_words(list->item[i], &ret->cert[i]);
}

static void read_words(const struct tls_files *files, enum tls_file which,
                       struct tls_file_words *ret)
{
    CLEANUP(parsed_done) struct parsed p = { .key = NULL };

    parse_files(files, &p);
    if (p.error[which]) {
        ret->state = xasprintf("cannot be understood: %s",
                               gnutls_strerror(p.error[which]));
        return;
    }
    switch (which) {
    case TLS_CA_CERT:
        certs_words(&p.ca, ret);
        break;
    case TLS_CERT:
        certs_words(&p.own, ret);
        break;
    case TLS_KEY:
        ret->state = private_key_words(&p, files->file[which].mode);
        break;
    case TLS_CA_CRL:
        ret->state = crl_words(&p);
        break;
    case TLS_DH_PARAMS:
        ret->state = xasprintf("DH parameters, %u bits", p.dh_bits);
        break;
    case TLS_FILE_COUNT:
        break;
    }
}

void tls_describe(const struct tls_files *files, enum tls_file which,
                  struct tls_file_words *ret)
{
    *ret = (struct tls_file_words){ .path = file_path(files, which) };
    switch (files->file[which].state) {
    case TLS_FILE_READ:
        read_words(files, which, ret);
        break;
    case TLS_FILE_MISSING:
        ret->state = xstrdup("is not there");
        break;
    case TLS_FILE_UNREADABLE:
        ret->state = xasprintf("cannot be read: %s",
                               strerror(files->file[which].errnum));
        break;
    }
}

void tls_file_words_done(struct tls_file_words *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct tls_cert_words *c = &w->cert[i];

        free(c->subject);
        free(c->issuer);
        free(c->names);
        free(c->from);
        free(c->until);
        free(c->key);
        free(c->usage);
        free(c->purposes);
        free(c->fingerprint);
    }
    free(w->cert);
    free(w->path);
    free(w->state);
    *w = (struct tls_file_words){ .path = NULL };
}
