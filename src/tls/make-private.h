/*
 * Of src/tls/make*.c alone: a key with its certificate.
 */
#ifndef QM_TLS_MAKE_PRIVATE_H
#define QM_TLS_MAKE_PRIVATE_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "tls/make.h"

struct identity {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};
void identity_done(struct identity *id);
DEFINE_CLEANUP_DONE(struct identity, identity_done)

/* A new key, and what every certificate of N has; not signed yet. */
int identity_new(const struct tls_new *n, int64_t until, struct identity *ret,
                 struct qm_error *err);
/* The last act. */
int identity_sign(struct identity *id, const struct identity *ca,
                  struct qm_error *err);

/* make-ca.c: the CA in DIR, which can sign; and the bytes of its file. */
struct buffer;
int ca_load(const char *dir, int64_t now, struct identity *ret,
            struct buffer *ret_pem, struct qm_error *err);

/* make-names.c: N's name and the others, as subject alternative names */
int set_names(gnutls_x509_crt_t crt, const struct tls_new *n);
int check_new(const struct tls_new *n, struct qm_error *err);

/* "make WHAT: ..." of a GnuTLS error; -1 */
int make_failed(struct qm_error *err, const char *what, int rc);

struct new_folder;
int folder_add_cert(struct new_folder *f, const char *name,
                    const struct identity *id, struct qm_error *err);
int folder_add_key(struct new_folder *f, const char *name,
                   const struct identity *id, struct qm_error *err);

#endif
