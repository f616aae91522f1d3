/*
 * Certificates that every QEMU from 7.2 accepts: a CA of one's own, and for
 * each host a folder in QEMU's layout (check.h).
 *
 * Keys are RSA: QEMUs up to 7.2.21 and before 10.0.13 insist on
 * keyEncipherment, which RFC 8813 forbids to certificates of ECDSA keys.
 * Nothing is ever overwritten, and a folder is there whole or not at all.
 */
#ifndef QM_TLS_MAKE_H
#define QM_TLS_MAKE_H

#include <stdint.h>

#include "base/error.h"

#define TLS_CA_KEY_NAME "ca-key.pem"

/* A common name has 64 characters at most (RFC 5280), and GnuTLS reads no date
 * after 9999. */
enum { TLS_CN_MAX = 64, TLS_DAYS_MAX = 36500 };

struct tls_new {
    const char *dir;  /* must not be there; its parents are made */
    const char *name; /* the common name; of a host also what it is called */
    const char *const *others; /* of a host: names and addresses it is called
                                  by besides; NULL ends, or is none */
    int64_t now;               /* seconds since the epoch */
    int64_t days;              /* how long it is good: 1 to TLS_DAYS_MAX */
    bool dh_params;            /* of a host: dh-params.pem too */
};

/*
 * All of these are -1 with USAGE (a name, the days), REFUSED (DIR is there, the
 * CA cannot sign), SYSTEM or TLS, and nothing is then left behind.
 *
 * ca-cert.pem and ca-key.pem.
 */
int tls_new_ca(const struct tls_new *n, struct qm_error *err);
/* What a host needs for both roles, signed by the CA in CA_DIR, which may also
 * have been made by something else.  No certificate outlives its CA:
 * *RET_UNTIL is when it ends, seconds since the epoch. */
int tls_new_host(const struct tls_new *n, const char *ca_dir,
                 int64_t *ret_until, struct qm_error *err);

/* A host name (letters, digits, dots, dashes, underscores) or an address,
 * without brackets. */
bool tls_name_is_good(const char *name);

/* The group ffdhe3072 of RFC 7919 in PEM, which spares QEMUs up to 10.1 the
 * search for one of their own each time they load a server's folder.  The
 * caller frees it; NULL with ERR. */
char *tls_dh_params(struct qm_error *err);

#endif
