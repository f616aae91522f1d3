/*
 * Will each side accept the other?  A peer sends its whole file of
 * certificates, and is held against the CA file and the revocation list of
 * the side that verifies.
 */
#include "tls/internal.h"

struct side {
    const struct tls_files *files;
    struct parsed parsed;
    const char *name; /* "source's" */
};

static void revoked(const struct side *peer, const struct side *verifier,
                    struct tls_findings *found)
{
    if (!verifier->parsed.crl_count ||
        gnutls_x509_crt_check_revocation(peer->parsed.own.item[0],
                                         verifier->parsed.crl,
                                         verifier->parsed.crl_count) <= 0)
        return;
    CLEANUP_FREE char *cert = file_path(peer->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(peer->parsed.own.item[0]);
    CLEANUP_FREE char *crl = file_path(verifier->files, TLS_CA_CRL);

    finding_add(
        found, TLS_BAD,
        xasprintf("the %s %s (%s) is revoked by the %s %s", peer->name, cert,
                  who, verifier->name, crl),
        xasprintf("make a new key and certificate for the %s side: " MAKE_HOST,
                  peer->files->role == TLS_CLIENT ? "source" : "destination"));
}

/* A chain may pass through certificates that only its own file has. */
static void accepted(const struct side *peer, const struct side *verifier,
                     struct tls_findings *found)
{
    const struct crt_list *chain = &peer->parsed.own;
    const struct crt_list *ca = &verifier->parsed.ca;

    if (!chain->count || !ca->count)
        return; /* said by tls_check_files() */
    revoked(peer, verifier, found);
    const char *fault = chain_fault(chain, chain->count, ca);
    if (!fault)
        return;
    CLEANUP_FREE char *cert = file_path(peer->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(chain->item[0]);
    CLEANUP_FREE char *cas = file_path(verifier->files, TLS_CA_CERT);
    CLEANUP_FREE char *ca_who = subject_printable(ca->item[0]);
    finding_add(found, TLS_BAD,
                xasprintf("the %s %s (%s) does not hold against the %s %s "
                          "(%s%s): %s",
                          peer->name, cert, who, verifier->name, cas, ca_who,
                          ca->count > 1 ? " and others" : "", fault),
                xasprintf("append the certificate of the CA that signed the "
                          "former to the %s %s",
                          verifier->name, cas));
}

void tls_check_pair(const struct tls_files *client,
                    const struct tls_files *server, int64_t now,
                    struct tls_findings *ret)
{
    struct side source = { .files = client, .name = "source's" };
    struct side destination = { .files = server, .name = "destination's" };
    struct tls_findings found = { .count = 0 };

    (void)now; /* times are each side's own: tls_check_files() */
    parse_files(client, &source.parsed);
    parse_files(server, &destination.parsed);
    accepted(&source, &destination, &found);
    accepted(&destination, &source, &found);
    parsed_done(&source.parsed);
    parsed_done(&destination.parsed);
    *ret = found;
}
