/*
 * What is in the files of an x509 directory, in words; nothing is judged.
 */
#ifndef QM_TLS_DESCRIBE_H
#define QM_TLS_DESCRIBE_H

#include "tls/check.h"

/* All of it is fit for a terminal. */
struct tls_cert_words {
    char *subject; /* "CN=hostb", as authz sees it */
    char *issuer;  /* the same of who signed; NULL: itself */
    char *names;   /* "hostb and 192.0.2.2", NULL of a CA */
    char *from, *until;
    char *key;         /* "RSA, 3072 bits" */
    char *usage;       /* "digitalSignature, keyEncipherment (critical)" */
    char *purposes;    /* "serverAuth and clientAuth" */
    char *fingerprint; /* SHA-256, hexadecimal with colons */
};

struct tls_file_words {
    char *path;
    char *state; /* what it is if it is no certificate, or why it is not read */
    size_t count;
    struct tls_cert_words *cert;
};

/* WHICH of FILES: certificates one by one, of keys only what is no secret. */
void tls_describe(const struct tls_files *files, enum tls_file which,
                  struct tls_file_words *ret);
void tls_file_words_done(struct tls_file_words *w);
DEFINE_CLEANUP_DONE(struct tls_file_words, tls_file_words_done)

#endif
