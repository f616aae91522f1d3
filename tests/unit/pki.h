/*
 * For tests: certificates, good and bad, made with GnuTLS within
 * milliseconds, and folders to put them in.
 */
#ifndef QM_TESTS_PKI_H
#define QM_TESTS_PKI_H

#include <stdbool.h>
#include <stdint.h>

enum { PKI_DAY = 24 * 3600 };

/* What is 0 or NULL is what a good certificate has. */
struct pki_spec {
    const char *cn; /* NULL: "ca" or "host"; "": no subject */
    bool ca;        /* basicConstraints; see no_constraints */
    bool no_constraints;
    int64_t from_s, until_s; /* relative to now; 0: yesterday, in a year */
    unsigned usage;          /* GNUTLS_KEY_*; 0: none stated */
    bool usage_critical;
    const char *purpose; /* an OID; NULL: none stated */
    bool purpose_critical;
    unsigned rsa_bits;    /* 0: ECDSA */
    const char *names[4]; /* host names and addresses */
};

struct pki_id;

/* NULL ISSUER: signed by itself. */
struct pki_id *pki_new(const struct pki_spec *spec,
                       const struct pki_id *issuer);
void pki_free(struct pki_id *id);

/* Write DIR/FILE; APPEND: behind what is there.  Keys get mode 600. */
void pki_put_cert(const char *dir, const char *file, const struct pki_id *id,
                  bool append);
void pki_put_key(const char *dir, const char *file, const struct pki_id *id);
void pki_put_encrypted_key(const char *dir, const char *file,
                           const struct pki_id *id);
/* A list of ISSUER's that revokes WHO (or nobody), to be replaced UNTIL_S
 * from now. */
void pki_put_crl(const char *dir, const char *file, const struct pki_id *issuer,
                 const struct pki_id *who, int64_t until_s);
void pki_put_text(const char *dir, const char *file, const char *text);

/* A new empty folder; the caller ends it with pki_remove_dir(), which also
 * frees the name. */
char *pki_new_dir(void);
void pki_remove_dir(char *dir);

#endif
