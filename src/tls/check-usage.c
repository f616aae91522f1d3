/*
 * What certificates say they may be used for: basicConstraints, keyUsage and
 * extendedKeyUsage, as strict as QEMU is at object-add (QEMU
 * crypto/tlscredsx509.c).  It minds the usages only where the extension is
 * critical; an absent extension allows everything.
 */
#include "tls/internal.h"

#include <string.h>

/*
 * Which QEMUs want keyEncipherment, which ECDSA certificates have no use for.
 * QEMU stopped that in 10.2, and in these stable releases.
 */
static const struct {
    int major, minor, micro; /* the first of its branch that does not */
} relaxed[] = {
    { 7, 2, 22 },
    { 10, 0, 13 },
};

bool qemu_is_before(const struct tls_check *check, int major, int minor)
{
    return check->qemu_major < major ||
           (check->qemu_major == major && check->qemu_minor < minor);
}

static bool wants_encipherment(const struct tls_check *check)
{
    for (size_t i = 0; i < ARRAY_LEN(relaxed); i++)
        if (check->qemu_major == relaxed[i].major &&
            check->qemu_minor == relaxed[i].minor)
            return check->qemu_micro < relaxed[i].micro;
    return qemu_is_before(check, 10, 2);
}

static void bad(struct check_run *run, enum tls_file file,
                gnutls_x509_crt_t crt, const char *says, const char *fix)
{
    CLEANUP_FREE char *path = file_path(run->files, file);
    CLEANUP_FREE char *who = subject_printable(crt);

    finding_add(run->found, TLS_BAD, xasprintf("%s (%s) %s", path, who, says),
                xstrdup(fix));
}

void check_constraints(struct check_run *run)
{
    const struct parsed *p = &run->parsed;

    for (unsigned i = 0; i < p->ca.count; i++)
        if (gnutls_x509_crt_get_basic_constraints(p->ca.item[i], NULL, NULL,
                                                  NULL) <= 0)
            bad(run, TLS_CA_CERT, p->ca.item[i],
                "is not the certificate of a CA (basicConstraints)",
                "keep the certificates of CAs in that file and nothing else; " MAKE_CA
                " makes one (certtool: \"ca\" in the template)");
    if (p->own.count && gnutls_x509_crt_get_basic_constraints(
                            p->own.item[0], NULL, NULL, NULL) > 0)
        bad(run, TLS_CERT, p->own.item[0],
            "is the certificate of a CA (basicConstraints), which QEMU does "
            "not use for itself",
            "make one signed by that CA: " MAKE_HOST
            " (certtool: without \"ca\" in the template)");
}

/* QEMU wants to know its peer's, and whom to let in (QEMU
 * crypto/tlssession.c); names in the certificate are none. */
void check_subject(struct check_run *run)
{
    CLEANUP_FREE char *path = file_path(run->files, TLS_CERT);
    CLEANUP_FREE char *dn =
        run->parsed.own.count ? dn_of(run->parsed.own.item[0]) : NULL;

    if (!run->parsed.own.count || (dn && *dn))
        return;
    finding_add(
        run->found, TLS_BAD,
        xasprintf("%s has no subject, and QEMU accepts no such peer", path),
        xstrdup("make it anew: " MAKE_HOST
                " (certtool: \"cn = NAME\" in the template)"));
}

static void check_own_usage(struct check_run *run, gnutls_x509_crt_t own)
{
    unsigned usage = 0, critical = 0;

    if (gnutls_x509_crt_get_key_usage(own, &usage, &critical) < 0 || !critical)
        return;
    if (!(usage & GNUTLS_KEY_DIGITAL_SIGNATURE))
        bad(run, TLS_CERT, own,
            "forbids digital signatures (keyUsage), without which there is no "
            "TLS",
            "make it anew: " MAKE_HOST
            " (certtool: \"signing_key\" in the template)");
    if (usage & GNUTLS_KEY_KEY_ENCIPHERMENT || !wants_encipherment(run->check))
        return;
    CLEANUP_FREE char *says = xasprintf(
        "forbids key encipherment (keyUsage), which QEMU %d.%d.%d insists on",
        run->check->qemu_major, run->check->qemu_minor, run->check->qemu_micro);
    bad(run, TLS_CERT, own, says,
        "make it anew: " MAKE_HOST
        " (certtool: an RSA key, \"signing_key\" and "
        "\"encryption_key\" in the template), or update that QEMU (7.2.22, "
        "10.0.13, 10.2)");
}

void check_key_usage(struct check_run *run)
{
    const struct parsed *p = &run->parsed;

    for (unsigned i = 0; i < p->ca.count; i++) {
        unsigned usage = 0, critical = 0;
        if (gnutls_x509_crt_get_key_usage(p->ca.item[i], &usage, &critical) <
                0 ||
            !critical || usage & GNUTLS_KEY_KEY_CERT_SIGN)
            continue;
        bad(run, TLS_CA_CERT, p->ca.item[i],
            "forbids the signing of certificates (keyUsage)",
            "make a CA that may: " MAKE_CA
            " (certtool: \"cert_signing_key\" in the template)");
    }
    if (p->own.count)
        check_own_usage(run, p->own.item[0]);
}

/* Does CRT allow PURPOSE?  True as well if that is only advice. */
static bool allows_purpose(gnutls_x509_crt_t crt, const char *purpose)
{
    bool any_critical = false;

    for (unsigned i = 0;; i++) {
        char oid[128] = "";
        size_t len = sizeof(oid);
        unsigned critical = 0;
        int rc =
            gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &len, &critical);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue; /* of no purpose that we know */
        if (rc < 0)
            return i == 0 || !any_critical;
        any_critical = any_critical || critical;
        if (strcmp(oid, purpose) == 0 || strcmp(oid, GNUTLS_KP_ANY) == 0)
            return true;
    }
}

void check_purpose(struct check_run *run)
{
    bool server = run->files->role == TLS_SERVER;

    if (!run->parsed.own.count ||
        allows_purpose(run->parsed.own.item[0], server
                                                    ? GNUTLS_KP_TLS_WWW_SERVER
                                                    : GNUTLS_KP_TLS_WWW_CLIENT))
        return;
    bad(run, TLS_CERT, run->parsed.own.item[0],
        server ? "is not for servers (extendedKeyUsage)"
               : "is not for clients (extendedKeyUsage)",
        server ? "make it anew: " MAKE_HOST
                 " (certtool: \"tls_www_server\" in the template)"
               : "make it anew: " MAKE_HOST
                 " (certtool: \"tls_www_client\" in the template)");
}

/* GnuTLS's profile for NORMAL, and what is no longer thought to be enough. */
void check_strength(struct check_run *run)
{
    unsigned bits = 0;
    int algorithm;

    if (!run->parsed.own.count)
        return;
    gnutls_x509_crt_t own = run->parsed.own.item[0];
    algorithm = gnutls_x509_crt_get_pk_algorithm(own, &bits);
    if (algorithm < 0)
        return;
    gnutls_sec_param_t strength =
        gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits);
    if (strength >= GNUTLS_SEC_PARAM_MEDIUM)
        return;
    CLEANUP_FREE char *path = file_path(run->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(own);
    finding_add(
        run->found, strength < GNUTLS_SEC_PARAM_LOW ? TLS_BAD : TLS_WARNING,
        xasprintf("%s (%s) has a weak key: %s of %u bits%s", path, who,
                  gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm), bits,
                  strength < GNUTLS_SEC_PARAM_LOW
                      ? ", with which no handshake succeeds"
                      : ""),
        xstrdup("make it anew with a longer one: " MAKE_HOST));
}
