/*
 * Do the files belong together: key and certificate, certificate and CA,
 * certificate and revocation list, certificate and name?
 */
#include "tls/internal.h"

#include <string.h>

/* What GnuTLS says of a chain, most telling first. */
static const struct {
    unsigned status;
    const char *fault;
} faults[] = {
    { GNUTLS_CERT_REVOKED, "it has been revoked" },
    { GNUTLS_CERT_SIGNER_NOT_FOUND, "the CA that signed it is not there" },
    { GNUTLS_CERT_SIGNER_NOT_CA, "what signed it is not a CA" },
    { GNUTLS_CERT_INSECURE_ALGORITHM, "its signature is of a kind no longer "
                                      "trusted" },
    { GNUTLS_CERT_SIGNATURE_FAILURE, "its signature is not that CA's" },
    { GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "the CA that signed it may not "
                                              "sign this" },
};

const char *chain_fault(const struct crt_list *chain, unsigned chain_len,
                        const struct crt_list *ca)
{
    unsigned status = 0;

    if (gnutls_x509_crt_list_verify(
            chain->item, chain_len, ca->item, ca->count, NULL, 0,
            GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
                GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
            &status) < 0)
        return "it cannot be verified at all";
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (status & faults[i].status)
            return faults[i].fault;
    return status ? "it is not trusted" : NULL;
}

bool key_fits(gnutls_x509_privkey_t key, gnutls_x509_crt_t crt)
{
    unsigned char of_key[64], of_cert[64];
    size_t key_len = sizeof(of_key), cert_len = sizeof(of_cert);

    return gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key,
                                          &key_len) == 0 &&
           gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_cert,
                                      &cert_len) == 0 &&
           key_len == cert_len && memcmp(of_key, of_cert, key_len) == 0;
}

void check_key_fits(struct check_run *run)
{
    const struct parsed *p = &run->parsed;

    if (!p->key || !p->own.count || key_fits(p->key, p->own.item[0]))
        return;
    CLEANUP_FREE char *key = file_path(run->files, TLS_KEY);
    CLEANUP_FREE char *cert = file_path(run->files, TLS_CERT);
    finding_add(run->found, TLS_BAD,
                xasprintf("%s is not the key of %s", key, cert),
                xstrdup("put the key there that the certificate was made with, "
                        "as the first certificate of its file; or make both "
                        "anew: " MAKE_HOST));
}

void check_chain(struct check_run *run)
{
    const struct parsed *p = &run->parsed;

    if (!p->own.count || !p->ca.count)
        return;

    /* Before 10.2 QEMU looks at the first certificate alone. */
    bool first_only = qemu_is_before(run->check, 10, 2);
    const char *fault =
        chain_fault(&p->own, first_only ? 1 : p->own.count, &p->ca);
    if (!fault)
        return;
    CLEANUP_FREE char *cert = file_path(run->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(p->own.item[0]);
    CLEANUP_FREE char *ca = file_path(run->files, TLS_CA_CERT);
    CLEANUP_FREE char *ca_who = subject_printable(p->ca.item[0]);
    bool holds_whole =
        first_only && !chain_fault(&p->own, p->own.count, &p->ca);
    finding_add(
        run->found, TLS_BAD,
        xasprintf("%s (%s) does not hold against %s (%s%s): %s", cert, who, ca,
                  ca_who, p->ca.count > 1 ? " and others" : "", fault),
        holds_whole
            ? xasprintf("append the intermediate certificates of %s to %s: "
                        "QEMU %d.%d reads only the first one of the former",
                        cert, ca, run->check->qemu_major,
                        run->check->qemu_minor)
            : xstrdup("put the certificate of the CA that signed it there, or "
                      "make one signed by this CA: " MAKE_HOST));
}

/* GnuTLS goes on using a list that is out of date. */
static void check_crl_time(struct check_run *run, gnutls_x509_crl_t crl)
{
    int64_t until = gnutls_x509_crl_get_next_update(crl);

    if (until < 0 || until >= run->check->now)
        return;
    CLEANUP_FREE char *path = file_path(run->files, TLS_CA_CRL);
    CLEANUP_FREE char *due = tls_moment(until);
    CLEANUP_FREE char *now = tls_moment(run->check->now);
    finding_add(run->found, TLS_WARNING,
                xasprintf("%s was to be replaced by %s; it is %s, and what was "
                          "revoked since is still accepted",
                          path, due, now),
                xstrdup("put the CA's present revocation list there"));
}

void check_revocation(struct check_run *run)
{
    const struct parsed *p = &run->parsed;

    for (unsigned i = 0; i < p->crl_count; i++)
        check_crl_time(run, p->crl[i]);
    if (!p->own.count || !p->crl_count ||
        gnutls_x509_crt_check_revocation(p->own.item[0], p->crl,
                                         p->crl_count) <= 0)
        return;
    CLEANUP_FREE char *cert = file_path(run->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(p->own.item[0]);
    CLEANUP_FREE char *crl = file_path(run->files, TLS_CA_CRL);
    finding_add(run->found, TLS_BAD,
                xasprintf("%s (%s) is revoked by %s", cert, who, crl),
                xstrdup("make a new key and certificate: " MAKE_HOST));
}

void check_names(struct check_run *run)
{
    const char *const *name = run->check->names;

    if (run->files->role != TLS_SERVER || !name || !run->parsed.own.count)
        return;
    gnutls_x509_crt_t own = run->parsed.own.item[0];
    for (; *name; name++) {
        if (gnutls_x509_crt_check_hostname(own, *name))
            continue;
        CLEANUP_FREE char *cert = file_path(run->files, TLS_CERT);
        CLEANUP_FREE char *names = names_of(own);
        CLEANUP_FREE char *asked = str_printable(*name);
        finding_add(run->found, TLS_BAD,
                    xasprintf("%s is not for \"%s\": it carries %s", cert,
                              asked, names),
                    xasprintf("give a name it carries with --tls-hostname, or "
                              "make a certificate for \"%s\" too: " MAKE_HOST
                              " --address %s",
                              asked, asked));
    }
}
