/*
 * x509 directories in QEMU's layout (ca-cert.pem, server-cert.pem,
 * server-key.pem, client-cert.pem, client-key.pem, ca-crl.pem, dh-params.pem), checked as
 * QEMU will check them, before QEMU is touched (QEMU crypto/tlscredsx509.c).
 *
 * Pure: bytes and a time in, findings out.
 */
#ifndef QM_TLS_CHECK_H
#define QM_TLS_CHECK_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum tls_role {
    TLS_CLIENT, /* the source: both channels are opened from there */
    TLS_SERVER, /* the destination */
};

enum tls_file {
    TLS_CA_CERT,
    TLS_CA_CRL,
    TLS_CERT,      /* of the role */
    TLS_KEY,       /* of the role */
    TLS_DH_PARAMS, /* which a QEMU reads as a server alone */
    TLS_FILE_COUNT
};
/* "server-cert.pem" */
const char *tls_file_name(enum tls_role role, enum tls_file file);

enum tls_file_state { TLS_FILE_READ, TLS_FILE_MISSING, TLS_FILE_UNREADABLE };

/* What was read of one directory. */
struct tls_files {
    enum tls_role role;
    char *dir;
    bool holds; /* a key, see base/secret.h */
    struct {
        enum tls_file_state state;
        struct buffer bytes; /* a key's bytes are wiped by tls_files_done() */
        unsigned mode;       /* permission bits, 0 if unknown */
        int errnum;          /* for UNREADABLE */
    } file[TLS_FILE_COUNT];
};

/* Read DIR on this machine (TLS_FILE_MAX a file at most). Never fails: what
 * could not be read is a state.  Who fills a struct tls_files by hand (bytes
 * from another host) still ends it with tls_files_done(). */
#define TLS_FILE_MAX (256 * KIB)
void tls_files_read(const char *dir, enum tls_role role, struct tls_files *ret);
void tls_files_done(struct tls_files *f);
DEFINE_CLEANUP_DONE(struct tls_files, tls_files_done)

enum tls_severity { TLS_OK, TLS_WARNING, TLS_BAD };

struct tls_finding {
    enum tls_severity severity;
    char *what; /* "DIR/server-cert.pem expired on 2024-01-01 12:00 UTC" */
    char *fix;  /* what to do, or NULL */
};
struct tls_findings {
    size_t count;
    struct tls_finding *item;
};
void tls_findings_done(struct tls_findings *f);
DEFINE_CLEANUP_DONE(struct tls_findings, tls_findings_done)

struct tls_check {
    const struct tls_files *files;
    int64_t now; /* seconds since the epoch */
    /* Which QEMU will read them: up to 7.2.21 and before 10.0.13 (10.2.0) it
     * demands keyEncipherment (QEMU.md fact 17). */
    int qemu_major, qemu_minor, qemu_micro;
    /* SERVER: names or addresses that the certificate must carry; NULL ends */
    const char *const *names;
    /* the files may be out of reach (another host, another user): what cannot
     * be read is then a warning, a key not even that */
    bool key_may_be_unreadable;
};
/* Everything that is wrong, not only the first.  If nothing is BAD, the last
 * finding is an OK that says whose the certificate is and until when. */
void tls_check_files(const struct tls_check *check, struct tls_findings *ret);

/* Does CLIENT's certificate hold against SERVER's CA, and the reverse?
 * Findings for both ("the source's client-cert.pem was not signed by ..."). */
void tls_check_pair(const struct tls_files *client,
                    const struct tls_files *server, int64_t now,
                    struct tls_findings *ret);

/* Is PRIORITY a priority string of GnuTLS, by which two sides can agree on
 * TLS 1.2 or newer, and never on a cipher that hides nothing?  -1 with USAGE. */
int tls_priority_check(const char *priority, struct qm_error *err);
/* May a session by PRIORITY (NULL: GnuTLS's own) be given new keys by GnuTLS
 * itself, after 2^24 records?  Of TLS 1.3 with AES it is. */
bool tls_priority_makes_new_keys(const char *priority);

/* "2024-01-01 12:00 UTC"; the caller frees it. */
char *tls_moment(int64_t seconds);
/* The subject as QEMU's authz sees it; the caller frees it; NULL if unknown. */
char *tls_subject(const struct tls_files *files);

#endif
