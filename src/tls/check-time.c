/*
 * Is each certificate in time: the own one, and every CA beside it?
 *
 * QEMU looks at every certificate in ca-cert.pem, needed or not, before 10.2;
 * from then on only at those that the own one hangs on.
 */
#include "tls/internal.h"

#include <inttypes.h>

enum { DAY = 24 * 3600, SOON = 14 * DAY };

static void check_one(struct check_run *run, gnutls_x509_crt_t crt,
                      enum tls_file file, enum tls_severity severity)
{
    int64_t now = run->check->now;
    int64_t from = gnutls_x509_crt_get_activation_time(crt);
    int64_t until = gnutls_x509_crt_get_expiration_time(crt);
    CLEANUP_FREE char *path = file_path(run->files, file);
    CLEANUP_FREE char *who = subject_printable(crt);
    CLEANUP_FREE char *start = tls_moment(from);
    CLEANUP_FREE char *end = tls_moment(until);
    CLEANUP_FREE char *clock = tls_moment(now);

    if (until < now)
        finding_add(
            run->found, severity,
            xasprintf("%s (%s) expired on %s; it is %s", path, who, end, clock),
            xstrdup(file == TLS_CERT
                        ? "make a new certificate: " MAKE_HOST
                        : "put the CA's present certificate there; if it has "
                          "none, make a new CA (" MAKE_CA
                          ") and certificates of it for all hosts"));
    else if (from > now)
        finding_add(run->found, severity,
                    xasprintf("%s (%s) is not valid before %s; it is %s", path,
                              who, start, clock),
                    xstrdup("compare the clocks of the hosts and of the "
                            "machine that made the certificate"));
    else if (until - now < SOON)
        finding_add(run->found, TLS_WARNING,
                    xasprintf("%s (%s) expires in %" PRId64 " day(s), on %s",
                              path, who, (until - now) / DAY, end),
                    xstrdup(file == TLS_CERT
                                ? "make a new one before: " MAKE_HOST
                                : "make a new CA before (" MAKE_CA
                                  "), and certificates of it for all hosts"));
}

/* Does the own certificate, or what it hangs on, need CA? */
static bool is_needed(const struct parsed *p, gnutls_x509_crt_t ca)
{
    for (unsigned i = 0; i < p->own.count; i++)
        if (gnutls_x509_crt_check_issuer(p->own.item[i], ca))
            return true;
    for (unsigned i = 0; i < p->ca.count; i++)
        if (p->ca.item[i] != ca &&
            gnutls_x509_crt_check_issuer(p->ca.item[i], ca))
            return true;
    return false;
}

void check_times(struct check_run *run)
{
    const struct parsed *p = &run->parsed;
    bool all = qemu_is_before(run->check, 10, 2);

    if (p->own.count)
        check_one(run, p->own.item[0], TLS_CERT, TLS_BAD);
    for (unsigned i = 0; i < p->ca.count; i++)
        check_one(run, p->ca.item[i], TLS_CA_CERT,
                  all || is_needed(p, p->ca.item[i]) ? TLS_BAD : TLS_WARNING);
}
