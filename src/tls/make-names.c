/*
 * What a CA or a host may be called, and the names in a host's certificate.
 */
#include <arpa/inet.h>
#include <string.h>

#include "tls/make-private.h"

/* The bytes of the address NAME, and how many: 0 if it is none. */
static unsigned address_of(const char *name, unsigned char ret[16])
{
    if (inet_pton(AF_INET, name, ret) == 1)
        return 4;
    return inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

/* As 192.0.2.300: no name ends in a number, so an address was meant. */
static bool ends_in_number(const char *name)
{
    const char *last = strrchr(name, '.');

    return last && strspn(last + 1, "0123456789") == strlen(last + 1);
}

static bool is_host_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(name);

    return len > 0 && len <= 253 && strspn(name, allowed) == len &&
           name[0] != '.' && name[0] != '-' && name[len - 1] != '.' &&
           !strstr(name, "..") && !ends_in_number(name);
}

bool tls_name_is_good(const char *name)
{
    unsigned char address[16];

    return is_host_name(name) || address_of(name, address);
}

static int check_name(const char *name, struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(name);

    if (tls_name_is_good(name))
        return 0;
    error_set(err, QM_ERR_USAGE, "'%s' is neither a host name nor an address",
              shown);
    error_hint(err, "a name has letters, digits, dots and dashes; an IPv6 "
                    "address stands without brackets");
    return -1;
}

/* A host's common name is the name of its folder as well. */
static int check_common_name(const struct tls_new *n, struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(n->name);
    size_t len = strlen(n->name);

    if (len == 0 || len > TLS_CN_MAX || !str_equal(shown, n->name))
        return error_set(err, QM_ERR_USAGE,
                         "the name '%s' does not have 1 to %d printable "
                         "characters",
                         shown, (int)TLS_CN_MAX);
    return 0;
}

int check_new(const struct tls_new *n, struct qm_error *err)
{
    if (check_common_name(n, err) < 0)
        return -1;
    if (n->others && check_name(n->name, err) < 0)
        return -1;
    for (const char *const *other = n->others; other && *other; other++)
        if (check_name(*other, err) < 0)
            return -1;
    if (n->days < 1 || n->days > TLS_DAYS_MAX)
        return error_set(err, QM_ERR_USAGE,
                         "a certificate is good for 1 to %d days",
                         (int)TLS_DAYS_MAX);
    return 0;
}

static int set_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char address[16];
    unsigned len = address_of(name, address);

    return gnutls_x509_crt_set_subject_alt_name(
        crt, len ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME,
        len ? (const void *)address : name, len ? len : (unsigned)strlen(name),
        GNUTLS_FSAN_APPEND);
}

int set_names(gnutls_x509_crt_t crt, const struct tls_new *n)
{
    int rc = set_name(crt, n->name);

    for (const char *const *other = n->others; rc >= 0 && *other; other++)
        if (!str_equal(*other, n->name))
            rc = set_name(crt, *other);
    return rc;
}
