/*
 * For tests: x509 directories that are good but for one thing, and what must
 * be said of each.
 */
#ifndef QM_TESTS_TLS_CASES_H
#define QM_TESTS_TLS_CASES_H

#include "base/util.h"
#include "pki.h"
#include "tls/check.h"

/* A folder, and who is in it. */
struct folder {
    char *dir;
    enum tls_role role;
    struct pki_id *ca, *own, *other; /* other: made by spoil() */
};

struct tls_case {
    const char *name;
    enum tls_role role;
    struct pki_spec ca, own; /* .ca.ca is set for all but not_ca */
    bool not_ca;
    int qemu[3]; /* 0: 9.2.0 */
    void (*spoil)(struct folder *f);
    const char *names[3];
    bool key_may_be_unreadable;

    enum tls_severity severity; /* the worst */
    const char *what;           /* in a finding of that severity */
    const char *fix;            /* in its remedy */
    const char *differs;   /* why QEMU is of another opinion at object-add */
    int differs_before[2]; /* and from which version on it is not; 0: never */
};

extern const struct tls_case tls_cases[];
extern const size_t tls_cases_count;

void folder_new(const struct tls_case *c, struct folder *f);
void folder_done(struct folder *f);
DEFINE_CLEANUP_DONE(struct folder, folder_done)

#endif
