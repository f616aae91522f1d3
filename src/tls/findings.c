/*
 * Findings, and the words they are made of.  Whatever comes out of a
 * certificate is made fit for a terminal first.
 */
#include "tls/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

void finding_add(struct tls_findings *f, enum tls_severity severity, char *what,
                 char *fix)
{
    f->item = xrealloc_array(f->item, f->count + 1, sizeof(*f->item));
    f->item[f->count++] = (struct tls_finding){
        .severity = severity,
        .what = what,
        .fix = fix,
    };
}

void tls_findings_done(struct tls_findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->item[i].what);
        free(f->item[i].fix);
    }
    free(f->item);
    *f = (struct tls_findings){ .count = 0 };
}

char *file_path(const struct tls_files *files, enum tls_file file)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/%s", files->dir, tls_file_name(files->role, file));

    return str_printable(path);
}

char *subject_printable(gnutls_x509_crt_t crt)
{
    gnutls_datum_t dn = { .data = NULL };

    if (gnutls_x509_crt_get_dn3(crt, &dn, 0) < 0 || !dn.size) {
        gnutls_free(dn.data);
        return xstrdup("a certificate without a subject");
    }
    CLEANUP_FREE char *text = xstrndup((const char *)dn.data, dn.size);
    gnutls_free(dn.data);
    return str_printable(text);
}

/* An address that stands where a name belongs does not hold for an address. */
static char *as_name(char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char *told;

    if (inet_pton(AF_INET, name, bytes) != 1 &&
        inet_pton(AF_INET6, name, bytes) != 1)
        return name;
    told = xasprintf("%s as a name, not as an IP address", name);
    free(name);
    return told;
}

/* One subject alternative name that matters to TLS, or NULL. */
static char *alt_name(unsigned type, const char *bytes, size_t len)
{
    char address[INET6_ADDRSTRLEN];

    if (type == GNUTLS_SAN_DNSNAME) {
        CLEANUP_FREE char *name = xstrndup(bytes, len);
        return as_name(str_printable(name));
    }
    if (type != GNUTLS_SAN_IPADDRESS || (len != 4 && len != 16) ||
        !inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address,
                   sizeof(address)))
        return NULL;
    return xstrdup(address);
}

/* A subject without alternative names counts by its common name. */
static char *common_name(gnutls_x509_crt_t crt)
{
    char bytes[256];
    size_t len = sizeof(bytes);

    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                      bytes, &len) < 0)
        return NULL;
    CLEANUP_FREE char *name = xstrndup(bytes, len);
    return as_name(str_printable(name));
}

char *names_of(gnutls_x509_crt_t crt)
{
    CLEANUP(strv_done) struct strv names = { .count = 0 };

    for (unsigned i = 0; i < 64; i++) {
        char bytes[256];
        size_t len = sizeof(bytes);
        unsigned type = 0;
        int rc = gnutls_x509_crt_get_subject_alt_name2(crt, i, bytes, &len,
                                                       &type, NULL);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (rc < 0)
            break;
        CLEANUP_FREE char *name = alt_name(type, bytes, len);
        if (name)
            strv_add(&names, name);
    }
    if (!names.count) {
        CLEANUP_FREE char *name = common_name(crt);
        if (name)
            strv_add(&names, name);
    }
    return names.count ? strv_join_words(&names) : xstrdup("no name at all");
}

char *tls_moment(int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm tm;
    char text[64];

    if (!gmtime_r(&at, &tm) ||
        !strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm))
        return xstrdup("a time that cannot be read");
    return xstrdup(text);
}
