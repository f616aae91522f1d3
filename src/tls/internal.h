/*
 * Of src/tls alone: what the files hold once parsed, and how findings are
 * added.
 */
#ifndef QM_TLS_INTERNAL_H
#define QM_TLS_INTERNAL_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/secret.h"
#include "tls/check.h"

struct crt_list {
    gnutls_x509_crt_t *item;
    unsigned count;
};

struct parsed {
    struct crt_list ca;
    struct crt_list own; /* the certificate, then what its file has besides */
    gnutls_x509_privkey_t key;
    gnutls_x509_crl_t *crl;
    unsigned crl_count;
    unsigned dh_bits;          /* of the prime; 0: none */
    int error[TLS_FILE_COUNT]; /* of parsing; 0 also if there was no file */
};

/* What could not be parsed is an error in RET, and empty. */
void parse_files(const struct tls_files *files, struct parsed *ret);
void parsed_done(struct parsed *p);
DEFINE_CLEANUP_DONE(struct parsed, parsed_done)

/* What mends most: the commands of ours that make what is wanted. */
#define MAKE_CA "qmigrate keys create-ca"
#define MAKE_HOST "qmigrate keys create-host NAME"

/* One run of tls_check_files(). */
struct check_run {
    const struct tls_check *check;
    const struct tls_files *files;
    struct parsed parsed;
    struct tls_findings *found;
};
typedef void check_fn(struct check_run *run);

/* check-chain.c */
check_fn check_key_fits, check_chain, check_revocation, check_names;
/* check-usage.c */
check_fn check_constraints, check_key_usage, check_purpose, check_strength,
    check_subject;
/* check-time.c */
check_fn check_times;

/* files.c: PATH (TLS_FILE_MAX at most) into RET in one allocation, and its
 * permission bits; or an errno, with nothing in RET. */
int file_read_whole(const char *path, struct buffer *ret, unsigned *ret_mode);
void buffer_wipe(struct buffer *b); /* buffer_done() of a secret */
DEFINE_CLEANUP_DONE(struct buffer, buffer_wipe)

/* check-chain.c: is KEY that of CRT? */
bool key_fits(gnutls_x509_privkey_t key, gnutls_x509_crt_t crt);

/* look.c: the certificate that the server showed; NULL: none. */
gnutls_x509_crt_t peer_cert(gnutls_session_t session);
struct tls_seen;
void session_look(gnutls_session_t session, struct tls_seen *ret);

/* psk.c: a GnuTLS error, or 0.  LINE: see tls_psk_new(). */
int psk_credentials(struct secret *line, gnutls_psk_client_credentials_t *ret);

/* Takes WHAT and FIX (or NULL) over. */
void finding_add(struct tls_findings *f, enum tls_severity severity, char *what,
                 char *fix);

/* "DIR/server-cert.pem", fit for a terminal; the caller frees all of these. */
char *file_path(const struct tls_files *files, enum tls_file file);
/* The subject of CRT, fit for a terminal. */
char *subject_printable(gnutls_x509_crt_t crt);
/* The subject of CRT as QEMU's authz sees it, not fit for anything else; NULL
 * if there is none. */
char *dn_of(gnutls_x509_crt_t crt);
/* "a.example, 10.0.0.1 and b.example"; "no name at all". */
char *names_of(gnutls_x509_crt_t crt);

/* Does CHAIN (leaf first) hold against CA?  NULL, or why not: "its issuer is
 * not there".  Times are not looked at. */
const char *chain_fault(const struct crt_list *chain, unsigned chain_len,
                        const struct crt_list *ca);
/* Is QEMU of RUN older than MAJOR.MINOR? */
bool qemu_is_before(const struct tls_check *check, int major, int minor);

#endif
