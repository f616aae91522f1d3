/* See tls-cases.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls-cases.h"
#include "tls/make.h"

#define SIGN GNUTLS_KEY_DIGITAL_SIGNATURE
#define ENCIPHER GNUTLS_KEY_KEY_ENCIPHERMENT
#define CERT_SIGN GNUTLS_KEY_KEY_CERT_SIGN

static const char *file(const struct folder *f, enum tls_file which)
{
    return tls_file_name(f->role, which);
}

static char *path(const struct folder *f, enum tls_file which)
{
    return xasprintf("%s/%s", f->dir, file(f, which));
}

/* --- what can be spoilt ----------------------------------------------- */

static void without(struct folder *f, enum tls_file which)
{
    CLEANUP_FREE char *p = path(f, which);

    assert_int_equal(unlink(p), 0);
}

static void without_ca(struct folder *f)
{
    without(f, TLS_CA_CERT);
}

static void without_cert(struct folder *f)
{
    without(f, TLS_CERT);
}

static void without_key(struct folder *f)
{
    without(f, TLS_KEY);
}

static void key_is_folder(struct folder *f)
{
    CLEANUP_FREE char *p = path(f, TLS_KEY);

    without_key(f);
    assert_int_equal(mkdir(p, 0700), 0);
}

static void cert_is_folder(struct folder *f)
{
    CLEANUP_FREE char *p = path(f, TLS_CERT);

    without_cert(f);
    assert_int_equal(mkdir(p, 0700), 0);
}

static void cert_is_text(struct folder *f)
{
    pki_put_text(f->dir, file(f, TLS_CERT), "hello\n");
}

static void ca_is_empty(struct folder *f)
{
    pki_put_text(f->dir, file(f, TLS_CA_CERT), "");
}

static void key_is_text(struct folder *f)
{
    pki_put_text(f->dir, file(f, TLS_KEY), "hello\n");
}

static void crl_is_text(struct folder *f)
{
    pki_put_text(f->dir, file(f, TLS_CA_CRL), "hello\n");
}

static void key_is_encrypted(struct folder *f)
{
    pki_put_encrypted_key(f->dir, file(f, TLS_KEY), f->own);
}

static void key_is_another(struct folder *f)
{
    f->other = pki_new(&(struct pki_spec){ .cn = "another" }, f->ca);
    pki_put_key(f->dir, file(f, TLS_KEY), f->other);
}

static void key_is_public(struct folder *f)
{
    CLEANUP_FREE char *p = path(f, TLS_KEY);

    assert_int_equal(chmod(p, 0644), 0);
}

static void ca_is_another(struct folder *f)
{
    f->other = pki_new(&(struct pki_spec){ .cn = "ca2", .ca = true }, NULL);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->other, false);
}

static void ca_is_namesake(struct folder *f)
{
    f->other = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->other, false);
}

static void ca_has_another_behind(struct folder *f)
{
    f->other = pki_new(&(struct pki_spec){ .cn = "ca2", .ca = true }, NULL);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->other, true);
}

static void ca_has_another_before(struct folder *f)
{
    ca_is_another(f);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->ca, true);
}

static void ca_has_expired_beside(struct folder *f)
{
    f->other = pki_new(&(struct pki_spec){ .cn = "old",
                                           .ca = true,
                                           .from_s = -9 * PKI_DAY,
                                           .until_s = -2 * PKI_DAY },
                       NULL);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->other, true);
}

/* The own certificate becomes one of an intermediate CA, which is in the own
 * file alone. */
static void chain_in_own_file(struct folder *f)
{
    f->other =
        pki_new(&(struct pki_spec){ .cn = "between", .ca = true }, f->ca);
    pki_free(f->own);
    f->own = pki_new(&(struct pki_spec){ .cn = "leaf" }, f->other);
    pki_put_cert(f->dir, file(f, TLS_CERT), f->own, false);
    pki_put_cert(f->dir, file(f, TLS_CERT), f->other, true);
    pki_put_key(f->dir, file(f, TLS_KEY), f->own);
}

static void chain_in_ca_file(struct folder *f)
{
    chain_in_own_file(f);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->other, true);
}

static void dh_params_of_rfc_7919(struct folder *f)
{
    CLEANUP_FREE char *pem = tls_dh_params(NULL);

    pki_put_text(f->dir, file(f, TLS_DH_PARAMS), pem);
}

static void dh_params_are_text(struct folder *f)
{
    pki_put_text(f->dir, file(f, TLS_DH_PARAMS), "hello\n");
}

static void key_is_short(struct folder *f, unsigned bits)
{
    pki_free(f->own);
    f->own = pki_new(&(struct pki_spec){ .rsa_bits = bits }, f->ca);
    pki_put_cert(f->dir, file(f, TLS_CERT), f->own, false);
    pki_put_key(f->dir, file(f, TLS_KEY), f->own);
}

static void key_is_weak(struct folder *f)
{
    key_is_short(f, 1024);
}

static void key_is_too_weak(struct folder *f)
{
    key_is_short(f, 768);
}

static void revoked(struct folder *f)
{
    pki_put_crl(f->dir, file(f, TLS_CA_CRL), f->ca, f->own, PKI_DAY);
}

static void nobody_revoked(struct folder *f)
{
    pki_put_crl(f->dir, file(f, TLS_CA_CRL), f->ca, NULL, PKI_DAY);
}

static void stale_crl(struct folder *f)
{
    pki_put_crl(f->dir, file(f, TLS_CA_CRL), f->ca, NULL, -3600);
}

/* --- the cases -------------------------------------------------------- */

const struct tls_case tls_cases[] = {
    { .name = "good server", .role = TLS_SERVER },
    { .name = "good client", .role = TLS_CLIENT },
    { .name = "no CA",
      .role = TLS_SERVER,
      .spoil = without_ca,
      .severity = TLS_BAD,
      .what = "/ca-cert.pem is missing",
      .fix = "the CA that signed" },
    { .name = "no certificate",
      .role = TLS_SERVER,
      .spoil = without_cert,
      .severity = TLS_BAD,
      .what = "/server-cert.pem is missing",
      .fix = "make a server certificate" },
    { .name = "no key",
      .role = TLS_SERVER,
      .spoil = without_key,
      .severity = TLS_BAD,
      .what = "/server-key.pem is missing" },
    { .name = "no client certificate",
      .role = TLS_CLIENT,
      .spoil = without_cert,
      .severity = TLS_BAD,
      .what = "/client-cert.pem is missing",
      .fix = "accepts no connection without one",
      .differs =
          "a client may be anonymous for QEMU; our destinations accept none",
      .differs_before = { 10, 2 } },
    { .name = "no client key",
      .role = TLS_CLIENT,
      .spoil = without_key,
      .severity = TLS_BAD,
      .what = "/client-key.pem is missing",
      .key_may_be_unreadable = true,
      .differs = "QEMU reads the certificate only if both are there",
      .differs_before = { 10, 2 } },
    { .name = "unreadable key",
      .role = TLS_SERVER,
      .spoil = key_is_folder,
      .severity = TLS_BAD,
      .what = "server-key.pem cannot be read: Is a dir",
      .fix = "let the user" },
    { .name = "unreadable key, excused",
      .role = TLS_SERVER,
      .spoil = key_is_folder,
      .key_may_be_unreadable = true,
      .differs = "we run as another user than QEMU" },
    { .name = "unreadable certificate",
      .role = TLS_SERVER,
      .spoil = cert_is_folder,
      .severity = TLS_BAD,
      .what = "server-cert.pem cannot be read" },
    { .name = "unreadable certificate, excused",
      .role = TLS_SERVER,
      .spoil = cert_is_folder,
      .key_may_be_unreadable = true,
      .severity = TLS_WARNING,
      .what = "cannot be read: Is a directory; it was not checked",
      .differs = "we run as another user than QEMU" },
    { .name = "certificate is text",
      .role = TLS_SERVER,
      .spoil = cert_is_text,
      .severity = TLS_BAD,
      .what = "server-cert.pem is not a certificate in PEM",
      .fix = "certtool -i" },
    { .name = "CA is empty",
      .role = TLS_SERVER,
      .spoil = ca_is_empty,
      .severity = TLS_BAD,
      .what = "ca-cert.pem is not a certificate in PEM" },
    { .name = "key is text",
      .role = TLS_CLIENT,
      .spoil = key_is_text,
      .severity = TLS_BAD,
      .what = "client-key.pem is not a private key in PEM",
      .fix = "certtool -k" },
    { .name = "CRL is text",
      .role = TLS_SERVER,
      .spoil = crl_is_text,
      .severity = TLS_BAD,
      .what = "ca-crl.pem is not a revocation list in PEM",
      .fix = "certtool --crl-info" },
    { .name = "key is encrypted",
      .role = TLS_SERVER,
      .spoil = key_is_encrypted,
      .severity = TLS_BAD,
      .what = "server-key.pem is encrypted",
      .fix = "openssl pkey -in" },
    { .name = "key is another's",
      .role = TLS_SERVER,
      .spoil = key_is_another,
      .severity = TLS_BAD,
      .what = "server-key.pem is not the key of" },
    { .name = "key is public",
      .role = TLS_SERVER,
      .spoil = key_is_public,
      .severity = TLS_WARNING,
      .what = "can be read by everybody (mode 0644)",
      .fix = "chmod 600" },

    { .name = "DH parameters",
      .role = TLS_SERVER,
      .spoil = dh_params_of_rfc_7919 },
    { .name = "DH parameters are text",
      .role = TLS_SERVER,
      .spoil = dh_params_are_text,
      .severity = TLS_BAD,
      .what = "dh-params.pem is not DH parameters in PEM",
      .fix = "/dh-params.pem: it is not needed" },
    { .name = "DH parameters are text, for a client",
      .role = TLS_CLIENT,
      .spoil = dh_params_are_text },
    { .name = "weak key",
      .role = TLS_SERVER,
      .spoil = key_is_weak,
      .severity = TLS_WARNING,
      .what = "has a weak key: RSA of 1024 bits",
      .fix = "qmigrate keys create-host" },
    { .name = "key too weak",
      .role = TLS_SERVER,
      .spoil = key_is_too_weak,
      .severity = TLS_BAD,
      .what = "has a weak key: RSA of 768 bits, with which no handshake",
      .fix = "qmigrate keys create-host",
      .differs = "QEMU meets it during the handshake" },

    { .name = "expired",
      .role = TLS_SERVER,
      .own = { .from_s = -9 * PKI_DAY, .until_s = -2 * PKI_DAY },
      .severity = TLS_BAD,
      .what = "server-cert.pem (CN=host) expired on 2",
      .fix = "make a new certificate: qmigrate keys create-host" },
    { .name = "not yet valid",
      .role = TLS_CLIENT,
      .own = { .from_s = 2 * PKI_DAY },
      .severity = TLS_BAD,
      .what = "client-cert.pem (CN=host) is not valid before 2",
      .fix = "compare the clocks" },
    { .name = "expires soon",
      .role = TLS_SERVER,
      .own = { .until_s = 3 * PKI_DAY + 60 },
      .severity = TLS_WARNING,
      .what = "(CN=host) expires in 3 day(s), on 2",
      .fix = "make a new one before: qmigrate keys" },
    { .name = "expires in 15 days",
      .role = TLS_SERVER,
      .own = { .until_s = 15 * PKI_DAY } },
    { .name = "CA expired",
      .role = TLS_SERVER,
      .ca = { .from_s = -9 * PKI_DAY, .until_s = -2 * PKI_DAY },
      .severity = TLS_BAD,
      .what = "ca-cert.pem (CN=ca) expired on 2" },
    { .name = "CA not yet valid",
      .role = TLS_SERVER,
      .ca = { .from_s = 2 * PKI_DAY },
      .severity = TLS_BAD,
      .what = "ca-cert.pem (CN=ca) is not valid before" },
    { .name = "second CA expired",
      .role = TLS_SERVER,
      .spoil = ca_has_expired_beside,
      .severity = TLS_BAD,
      .what = "ca-cert.pem (CN=old) expired on 2" },
    { .name = "second CA expired, newer QEMU",
      .role = TLS_SERVER,
      .qemu = { 10, 2, 0 },
      .spoil = ca_has_expired_beside,
      .severity = TLS_WARNING,
      .what = "ca-cert.pem (CN=old) expired on 2" },

    { .name = "CA is none",
      .role = TLS_SERVER,
      .not_ca = true,
      .severity = TLS_BAD,
      .what = "is not the certificate of a CA" },
    { .name = "CA without constraints",
      .role = TLS_SERVER,
      .not_ca = true,
      .ca = { .no_constraints = true },
      .severity = TLS_BAD,
      .what = "is not the certificate of a CA" },
    { .name = "own is a CA",
      .role = TLS_SERVER,
      .own = { .ca = true },
      .severity = TLS_BAD,
      .what = "is the certificate of a CA" },
    { .name = "own without constraints",
      .role = TLS_SERVER,
      .own = { .no_constraints = true } },
    { .name = "CA may not sign",
      .role = TLS_SERVER,
      .ca = { .usage = SIGN, .usage_critical = true },
      .severity = TLS_BAD,
      .what = "forbids the signing of certificates" },
    { .name = "CA may sign",
      .role = TLS_SERVER,
      .ca = { .usage = CERT_SIGN, .usage_critical = true } },
    { .name = "no signatures",
      .role = TLS_SERVER,
      .own = { .usage = ENCIPHER, .usage_critical = true },
      .severity = TLS_BAD,
      .what = "forbids digital signatures" },
    { .name = "no encipherment",
      .role = TLS_SERVER,
      .own = { .usage = SIGN, .usage_critical = true },
      .severity = TLS_BAD,
      .what =
          "forbids key encipherment (keyUsage), which QEMU 9.2.0 insists on",
      .fix = "qmigrate keys create-host NAME (certtool: an RSA" },
    { .name = "no encipherment, not critical",
      .role = TLS_SERVER,
      .own = { .usage = SIGN } },
    { .name = "no encipherment, 7.2.21",
      .role = TLS_SERVER,
      .qemu = { 7, 2, 21 },
      .own = { .usage = SIGN, .usage_critical = true },
      .severity = TLS_BAD,
      .what =
          "forbids key encipherment (keyUsage), which QEMU 7.2.21 insists on" },
    { .name = "no encipherment, 7.2.22",
      .role = TLS_SERVER,
      .qemu = { 7, 2, 22 },
      .own = { .usage = SIGN, .usage_critical = true } },
    { .name = "no encipherment, 10.0.12",
      .role = TLS_CLIENT,
      .qemu = { 10, 0, 12 },
      .own = { .usage = SIGN, .usage_critical = true },
      .severity = TLS_BAD,
      .what =
          "forbids key encipherment (keyUsage), which QEMU 10.0.12 insists on" },
    { .name = "no encipherment, 10.0.13",
      .role = TLS_CLIENT,
      .qemu = { 10, 0, 13 },
      .own = { .usage = SIGN, .usage_critical = true } },
    { .name = "no encipherment, 10.1.5",
      .role = TLS_CLIENT,
      .qemu = { 10, 1, 5 },
      .own = { .usage = SIGN, .usage_critical = true },
      .severity = TLS_BAD,
      .what =
          "forbids key encipherment (keyUsage), which QEMU 10.1.5 insists on" },
    { .name = "no encipherment, 11.1.0",
      .role = TLS_CLIENT,
      .qemu = { 11, 1, 0 },
      .own = { .usage = SIGN, .usage_critical = true } },
    { .name = "not for servers",
      .role = TLS_SERVER,
      .own = { .purpose = GNUTLS_KP_TLS_WWW_CLIENT, .purpose_critical = true },
      .severity = TLS_BAD,
      .what = "is not for servers",
      .fix = "tls_www_server" },
    { .name = "not for clients",
      .role = TLS_CLIENT,
      .own = { .purpose = GNUTLS_KP_TLS_WWW_SERVER, .purpose_critical = true },
      .severity = TLS_BAD,
      .what = "is not for clients" },
    { .name = "not for servers, as advice",
      .role = TLS_SERVER,
      .own = { .purpose = GNUTLS_KP_TLS_WWW_CLIENT } },
    { .name = "for anything",
      .role = TLS_SERVER,
      .own = { .purpose = GNUTLS_KP_ANY, .purpose_critical = true } },

    { .name = "another CA",
      .role = TLS_SERVER,
      .spoil = ca_is_another,
      .severity = TLS_BAD,
      .what = "(CN=ca2): the CA that signed it is not there" },
    { .name = "a CA of the same name",
      .role = TLS_SERVER,
      .spoil = ca_is_namesake,
      .severity = TLS_BAD,
      .what = "server-cert.pem (CN=host) does not hold against" },
    { .name = "another CA besides",
      .role = TLS_SERVER,
      .spoil = ca_has_another_behind },
    { .name = "another CA before",
      .role = TLS_SERVER,
      .spoil = ca_has_another_before },
    { .name = "chain in the own file",
      .role = TLS_SERVER,
      .spoil = chain_in_own_file,
      .severity = TLS_BAD,
      .what = "does not hold against",
      .fix = "append the intermediate" },
    { .name = "chain in the own file, newer QEMU",
      .role = TLS_SERVER,
      .qemu = { 10, 2, 0 },
      .spoil = chain_in_own_file },
    { .name = "chain in the CA file",
      .role = TLS_SERVER,
      .spoil = chain_in_ca_file },
    { .name = "revoked",
      .role = TLS_SERVER,
      .spoil = revoked,
      .severity = TLS_BAD,
      .what = "server-cert.pem (CN=host) is revoked by",
      .differs = "QEMU minds the list only in its peer's certificate" },
    { .name = "nobody revoked", .role = TLS_SERVER, .spoil = nobody_revoked },
    { .name = "revocation list out of date",
      .role = TLS_SERVER,
      .spoil = stale_crl,
      .severity = TLS_WARNING,
      .what = "ca-crl.pem was to be replaced by" },

    { .name = "names hold",
      .role = TLS_SERVER,
      .own = { .names = { "dst.example", "10.0.0.2", "fd00::2" } },
      .names = { "dst.example", "fd00::2" } },
    { .name = "name differs",
      .role = TLS_SERVER,
      .own = { .names = { "dst.example", "10.0.0.2" } },
      .names = { "src.example" },
      .severity = TLS_BAD,
      .what = "is not for \"src.example\": it carries dst.example and "
              "10.0.0.2",
      .fix = "--tls-hostname",
      .differs = "only the peer knows how it called us" },
    { .name = "second name differs",
      .role = TLS_SERVER,
      .own = { .names = { "dst.example", "10.0.0.2" } },
      .names = { "dst.example", "10.0.0.3" },
      .severity = TLS_BAD,
      .what = "is not for \"10.0.0.3\"",
      .differs = "only the peer knows how it called us" },
    { .name = "address as a common name",
      .role = TLS_SERVER,
      .own = { .cn = "10.0.0.2" },
      .names = { "10.0.0.2" },
      .severity = TLS_BAD,
      .what = "is not for \"10.0.0.2\": it carries 10.0.0.2 as a name, not as "
              "an IP address",
      .fix = "--address 10.0.0.2",
      .differs = "only the peer knows how it called us" },
    { .name = "control characters in a name",
      .role = TLS_SERVER,
      .own = { .cn = "a\033[31mb" },
      .names = { "x" },
      .severity = TLS_BAD,
      .what = "is not for \"x\": it carries a\\x1b[31mb",
      .differs = "only the peer knows how it called us" },
    { .name = "no subject, server",
      .role = TLS_SERVER,
      .own = { .cn = "", .names = { "dst.example" } },
      .names = { "dst.example" },
      .severity = TLS_BAD,
      .what = "server-cert.pem has no subject",
      .fix = "keys create-host",
      .differs = "QEMU wants one of its peer" },
    { .name = "no subject, client",
      .role = TLS_CLIENT,
      .own = { .cn = "" },
      .severity = TLS_BAD,
      .what = "client-cert.pem has no subject",
      .fix = "keys create-host",
      .differs = "QEMU wants one of its peer" },
    { .name = "clients need no name",
      .role = TLS_CLIENT,
      .names = { "dst.example" } },
};

const size_t tls_cases_count = ARRAY_LEN(tls_cases);

/* --- folders ---------------------------------------------------------- */

void folder_new(const struct tls_case *c, struct folder *f)
{
    struct pki_spec ca = c->ca;

    ca.ca = !c->not_ca;
    ca.cn = "ca";
    *f = (struct folder){ .dir = pki_new_dir(), .role = c->role };
    f->ca = pki_new(&ca, NULL);
    f->own = pki_new(&c->own, f->ca);
    pki_put_cert(f->dir, file(f, TLS_CA_CERT), f->ca, false);
    pki_put_cert(f->dir, file(f, TLS_CERT), f->own, false);
    pki_put_key(f->dir, file(f, TLS_KEY), f->own);
    if (c->spoil)
        c->spoil(f);
}

void folder_done(struct folder *f)
{
    pki_free(f->ca);
    pki_free(f->own);
    pki_free(f->other);
    pki_remove_dir(f->dir);
}
