/*
 * The checks of one directory, as a table.  Each looks at what it needs and is
 * silent about what another one has already found missing.
 */
#include "tls/internal.h"

#include <string.h>

static const char *role_name(const struct tls_files *f)
{
    return f->role == TLS_SERVER ? "server" : "client";
}

static void missing(struct check_run *run, enum tls_file which)
{
    CLEANUP_FREE char *path = file_path(run->files, which);
    char *fix =
        which == TLS_CA_CERT
            ? xstrdup("put the certificate of the CA that signed the other "
                      "side's certificate there; `" MAKE_HOST
                      "' makes all that a host needs")
            : xasprintf("make a %s certificate and its key: " MAKE_HOST
                        "; the other side accepts no connection without one",
                        role_name(run->files));

    finding_add(run->found, TLS_BAD, xasprintf("%s is missing", path), fix);
}

static void unreadable(struct check_run *run, enum tls_file which)
{
    bool excused = run->check->key_may_be_unreadable;

    if (excused && which == TLS_KEY)
        return;
    CLEANUP_FREE char *path = file_path(run->files, which);
    finding_add(run->found, excused ? TLS_WARNING : TLS_BAD,
                xasprintf("%s cannot be read: %s%s", path,
                          strerror(run->files->file[which].errnum),
                          excused ? "; it was not checked" : ""),
                xstrdup("let the user who runs qmigrate read it"));
}

static bool is_optional(enum tls_file which)
{
    return which == TLS_CA_CRL || which == TLS_DH_PARAMS;
}

static bool is_used(const struct tls_files *f, enum tls_file which)
{
    return which != TLS_DH_PARAMS || f->role == TLS_SERVER;
}

static void check_presence(struct check_run *run)
{
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        enum tls_file which = (enum tls_file)i;
        enum tls_file_state state = run->files->file[which].state;

        if (!is_used(run->files, which))
            continue;
        if (state == TLS_FILE_MISSING && !is_optional(which))
            missing(run, which);
        else if (state == TLS_FILE_UNREADABLE)
            unreadable(run, which);
    }
}

static bool is_encrypted(const struct buffer *key)
{
    /* "BEGIN ENCRYPTED PRIVATE KEY", or the older "Proc-Type: 4,ENCRYPTED" */
    return key->len && memmem(key->data, key->len, "ENCRYPTED", 9);
}

static void check_encrypted_key(struct check_run *run)
{
    CLEANUP_FREE char *path = file_path(run->files, TLS_KEY);

    finding_add(run->found, TLS_BAD,
                xasprintf("%s is encrypted, and QEMU would not know the "
                          "password",
                          path),
                xasprintf("decrypt it: openssl pkey -in %s -out plain.pem, "
                          "then put plain.pem in its place with mode 600",
                          path));
}

static char *parse_fix(enum tls_file which, const char *path)
{
    static const char *const looks[TLS_FILE_COUNT] = {
        [TLS_CA_CERT] = "-i",
        [TLS_CA_CRL] = "--crl-info",
        [TLS_CERT] = "-i",
        [TLS_KEY] = "-k",
    };

    if (which == TLS_DH_PARAMS)
        return xasprintf("rm %s: it is not needed; or put the one there that "
                         "`" MAKE_HOST "' writes",
                         path);
    return xasprintf("look at it: certtool %s --infile %s; `" MAKE_HOST
                     "' makes all that a host needs",
                     looks[which], path);
}

static void check_parsed(struct check_run *run)
{
    static const char *const kinds[TLS_FILE_COUNT] = {
        [TLS_CA_CERT] = "a certificate in PEM",
        [TLS_CA_CRL] = "a revocation list in PEM",
        [TLS_CERT] = "a certificate in PEM",
        [TLS_KEY] = "a private key in PEM",
        [TLS_DH_PARAMS] = "DH parameters in PEM",
    };

    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        enum tls_file which = (enum tls_file)i;
        int error = run->parsed.error[which];

        if (!error || !is_used(run->files, which))
            continue;
        if (which == TLS_KEY && is_encrypted(&run->files->file[which].bytes)) {
            check_encrypted_key(run);
            continue;
        }
        CLEANUP_FREE char *path = file_path(run->files, which);
        finding_add(run->found, TLS_BAD,
                    xasprintf("%s is not %s: %s", path, kinds[which],
                              gnutls_strerror(error)),
                    parse_fix(which, path));
    }
}

static void check_mode(struct check_run *run)
{
    unsigned mode = run->files->file[TLS_KEY].mode;

    if (!(mode & 0004))
        return;
    CLEANUP_FREE char *path = file_path(run->files, TLS_KEY);
    finding_add(
        run->found, TLS_WARNING,
        xasprintf("%s can be read by everybody (mode %04o)", path, mode),
        xasprintf("chmod 600 %s (and chown it to QEMU's user)", path));
}

static check_fn *const checks[] = {
    check_presence,    check_parsed,    check_mode,    check_times,
    check_constraints, check_key_usage, check_purpose, check_strength,
    check_subject,     check_key_fits,  check_chain,   check_revocation,
    check_names,
};

/* Nothing is wrong: say whose certificate it is. */
static void add_summary(struct check_run *run)
{
    if (!run->parsed.own.count)
        return;
    gnutls_x509_crt_t own = run->parsed.own.item[0];
    CLEANUP_FREE char *path = file_path(run->files, TLS_CERT);
    CLEANUP_FREE char *who = subject_printable(own);
    CLEANUP_FREE char *names = names_of(own);
    CLEANUP_FREE char *until =
        tls_moment(gnutls_x509_crt_get_expiration_time(own));

    finding_add(run->found, TLS_OK,
                run->files->role == TLS_SERVER
                    ? xasprintf("%s is %s, for %s, good until %s", path, who,
                                names, until)
                    : xasprintf("%s is %s, good until %s", path, who, until),
                NULL);
}

void tls_check_files(const struct tls_check *check, struct tls_findings *ret)
{
    struct tls_findings found = { .count = 0 };
    struct check_run run = {
        .check = check,
        .files = check->files,
        .found = &found,
    };
    bool good = true;

    parse_files(check->files, &run.parsed);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        checks[i](&run);
    for (size_t i = 0; i < found.count; i++)
        good = good && found.item[i].severity != TLS_BAD;
    if (good)
        add_summary(&run);
    parsed_done(&run.parsed);
    *ret = found;
}
