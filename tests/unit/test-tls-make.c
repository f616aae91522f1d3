/*
 * Certificates that are made: what is written, that the checks are content
 * with it, and what is refused without leaving anything behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <gnutls/x509.h>

#include "base/buffer.h"
#include "pki.h"
#include "tls/check.h"
#include "tls/make.h"

/* A folder to work in, and one CA for all tests: keys take their time. */
struct place {
    char *dir, *ca;
};

static struct place *place_of(void **state)
{
    return *state;
}

static char *below(void **state, const char *name)
{
    return xasprintf("%s/%s", place_of(state)->dir, name);
}

static int make_ca(const char *dir, const char *name, int64_t now, int64_t days,
                   struct qm_error *err)
{
    return tls_new_ca(
        &(struct tls_new){ .dir = dir, .name = name, .now = now, .days = days },
        err);
}

static int setup(void **state)
{
    struct place *p = XNEW(struct place);

    p->dir = pki_new_dir();
    p->ca = xasprintf("%s/some/where/ca", p->dir);
    *state = p;
    return make_ca(p->ca, "CA of the tests", time(NULL), 100, NULL);
}

static int teardown(void **state)
{
    struct place *p = *state;

    pki_remove_dir(p->dir);
    free(p->ca);
    free(p);
    return 0;
}

static unsigned mode_of(const char *dir, const char *file)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", dir, file);
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static bool is_there(const char *dir, const char *file)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", dir, file);
    struct stat st;

    return lstat(path, &st) == 0;
}

/* How many files and folders are in DIR. */
static unsigned entries(const char *dir)
{
    CLEANUP_FREE char *command = xasprintf("ls -A '%s' | wc -l", dir);
    FILE *p = popen(command, "r");
    unsigned n = 0;

    assert_non_null(p);
    assert_int_equal(fscanf(p, "%u", &n), 1);
    pclose(p);
    return n;
}

static void ca_has_its_key_apart(void **state)
{
    const char *ca = place_of(state)->ca;

    assert_int_equal(mode_of(ca, "."), 0700);
    assert_int_equal(mode_of(ca, ".."), 0700);
    assert_int_equal(mode_of(ca, "ca-key.pem"), 0600);
    assert_int_equal(mode_of(ca, "ca-cert.pem"), 0644);
    assert_int_equal(entries(ca), 2);
}

static void check(const char *dir, enum tls_role role, const char *const *names)
{
    CLEANUP(tls_files_done) struct tls_files files;
    CLEANUP(tls_findings_done) struct tls_findings found;

    tls_files_read(dir, role, &files);
    tls_check_files(
        &(struct tls_check){
            .files = &files,
            .now = time(NULL),
            .qemu_major = 7,
            .qemu_minor = 2,
            .names = names,
        },
        &found);
    assert_int_equal(found.count, 1);
    if (found.item[0].severity != TLS_OK)
        fail_msg("%s", found.item[0].what);
    CLEANUP_FREE char *subject = tls_subject(&files);
    assert_string_equal(subject, "CN=hostb.example.com");
}

static void host_is_good_for_the_oldest_qemu(void **state)
{
    static const char *const others[] = { "hostb", "192.0.2.2", "2001:db8::2",
                                          NULL };
    static const char *const names[] = { "hostb.example.com", "hostb",
                                         "192.0.2.2", "2001:db8::2", NULL };
    CLEANUP_FREE char *dir = below(state, "hosts/hostb");
    const struct tls_new n = { .dir = dir,
                               .name = "hostb.example.com",
                               .others = others,
                               .now = time(NULL),
                               .days = 30,
                               .dh_params = true };
    struct qm_error err = QM_ERROR_INIT;
    int64_t until;

    if (tls_new_host(&n, place_of(state)->ca, &until, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(until == n.now + 30 * PKI_DAY);
    check(dir, TLS_SERVER, names);
    check(dir, TLS_CLIENT, NULL);
    assert_int_equal(mode_of(dir, "."), 0700);
    assert_int_equal(mode_of(dir, "server-key.pem"), 0600);
    assert_int_equal(mode_of(dir, "client-key.pem"), 0600);
    assert_int_equal(mode_of(dir, "server-cert.pem"), 0644);
    assert_true(is_there(dir, "dh-params.pem"));
    assert_false(is_there(dir, "ca-key.pem"));
    assert_int_equal(entries(dir), 6);

    /* and it is never overwritten */
    assert_int_equal(tls_new_host(&n, place_of(state)->ca, &until, &err), -1);
    assert_int_equal(err.code, QM_ERR_REFUSED);
    assert_non_null(strstr(err.message, "is there already"));
    error_clear(&err);
    check(dir, TLS_SERVER, names);
}

static void no_host_outlives_its_ca(void **state)
{
    CLEANUP_FREE char *dir = below(state, "hosts/long");
    const struct tls_new n = {
        .dir = dir, .name = "long", .now = time(NULL), .days = 500
    };
    int64_t until;

    assert_int_equal(tls_new_host(&n, place_of(state)->ca, &until, NULL), 0);
    assert_true(until > n.now + 99 * PKI_DAY);
    assert_true(until < n.now + 101 * PKI_DAY);
    assert_false(is_there(dir, "dh-params.pem"));
}

/* --- what is refused --------------------------------------------------------- */

static void expect_refusal(int rc, struct qm_error *err,
                           enum qm_error_code code, const char *says)
{
    assert_int_equal(rc, -1);
    if (err->code != code || !strstr(err->message, says))
        fail_msg("%s: %s", error_code_name(err->code), err->message);
    error_clear(err);
}

static void names_are_names(void **state)
{
    static const char *const good[] = { "a",           "hostb.example",
                                        "my_vm-host1", "192.0.2.1",
                                        "2001:db8::1", "10.example" };
    static const char *const bad[] = {
        "",     ".",        "..",     "a/b",         "-a",     ".a",
        "a..b", "a b",      "a\nb",   "*.com",       "[::1]",  "a,b",
        "a.",   "\xc3\xa4", "/etc/x", "192.0.2.300", "192.0.2"
    };
    CLEANUP_FREE char *dir = below(state, "refused");
    struct qm_error err = QM_ERROR_INIT;
    int64_t until;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(tls_name_is_good(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const others[] = { bad[i], NULL };
        struct tls_new n = { .dir = dir,
                             .name = "good",
                             .others = others,
                             .now = time(NULL),
                             .days = 1 };

        assert_false(tls_name_is_good(bad[i]));
        expect_refusal(tls_new_host(&n, place_of(state)->ca, &until, &err),
                       &err, QM_ERR_USAGE, "is neither a host name");
        n.others = NULL;
        n.name = bad[i];
        assert_int_equal(tls_new_host(&n, place_of(state)->ca, &until, &err),
                         -1);
        assert_int_equal(err.code, QM_ERR_USAGE);
        error_clear(&err);
    }
    expect_refusal(make_ca(dir, "a\033[31mb", time(NULL), 1, &err), &err,
                   QM_ERR_USAGE, "a\\x1b[31mb");
    expect_refusal(
        make_ca(dir,
                "0123456789012345678901234567890123456789012345678901234567890"
                "1234",
                time(NULL), 1, &err),
        &err, QM_ERR_USAGE, "1 to 64");
    expect_refusal(make_ca(dir, "ca", time(NULL), 0, &err), &err, QM_ERR_USAGE,
                   "1 to 36500 days");
    expect_refusal(make_ca(dir, "ca", time(NULL), 36501, &err), &err,
                   QM_ERR_USAGE, "1 to 36500 days");
    assert_false(is_there(dir, "."));
}

/* A CA folder that something else made, with CERT and KEY of these. */
static char *foreign_ca(void **state, const struct pki_id *cert,
                        const struct pki_id *key)
{
    char *dir = below(state, "foreign");

    (void)mkdir(dir, 0700);
    pki_put_cert(dir, "ca-cert.pem", cert, false);
    pki_put_key(dir, "ca-key.pem", key);
    return dir;
}

static int sign_with(void **state, const char *ca, struct qm_error *err)
{
    CLEANUP_FREE char *dir = below(state, "signed");
    int64_t until;
    int rc = tls_new_host(
        &(struct tls_new){
            .dir = dir, .name = "hostc", .now = time(NULL), .days = 1 },
        ca, &until, err);

    assert_int_equal(is_there(dir, "."), rc == 0);
    return rc;
}

static void a_foreign_ca_will_do(void **state)
{
    struct pki_id *good = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *old = pki_new(&(struct pki_spec){ .ca = true,
                                                     .from_s = -9 * PKI_DAY,
                                                     .until_s = -PKI_DAY },
                                 NULL);
    struct pki_id *leaf = pki_new(&(struct pki_spec){ .cn = "leaf" }, NULL);
    CLEANUP_FREE char *dir = foreign_ca(state, leaf, leaf);
    struct qm_error err = QM_ERROR_INIT;

    expect_refusal(sign_with(state, dir, &err), &err, QM_ERR_REFUSED,
                   "is not the certificate of a CA");
    free(foreign_ca(state, good, leaf));
    expect_refusal(sign_with(state, dir, &err), &err, QM_ERR_REFUSED,
                   "is not the key of");
    free(foreign_ca(state, old, old));
    expect_refusal(sign_with(state, dir, &err), &err, QM_ERR_REFUSED,
                   "expired on 2");
    free(foreign_ca(state, good, good));
    pki_put_text(dir, "ca-key.pem", "hello\n");
    expect_refusal(sign_with(state, dir, &err), &err, QM_ERR_REFUSED,
                   "is not a private key");
    pki_put_text(dir, "ca-cert.pem", "");
    expect_refusal(sign_with(state, dir, &err), &err, QM_ERR_REFUSED,
                   "is not a certificate");
    expect_refusal(sign_with(state, "/nonexistent", &err), &err, QM_ERR_REFUSED,
                   "No such file");
    free(foreign_ca(state, good, good));
    assert_int_equal(sign_with(state, dir, &err), 0);
    pki_free(good);
    pki_free(old);
    pki_free(leaf);
}

static void dh_params_are_of_rfc_7919(void **state)
{
    CLEANUP_FREE char *pem = tls_dh_params(NULL);
    gnutls_datum_t text = { .data = (unsigned char *)pem };
    gnutls_datum_t prime, generator;
    gnutls_dh_params_t group;
    unsigned bits = 0;

    (void)state;
    assert_non_null(pem);
    text.size = (unsigned)strlen(pem);
    assert_int_equal(gnutls_dh_params_init(&group), 0);
    assert_int_equal(
        gnutls_dh_params_import_pkcs3(group, &text, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(
        gnutls_dh_params_export_raw(group, &prime, &generator, &bits), 0);
    /* a leading zero may have been added */
    assert_true(prime.size >= gnutls_ffdhe_3072_group_prime.size);
    assert_memory_equal(
        prime.data + prime.size - gnutls_ffdhe_3072_group_prime.size,
        gnutls_ffdhe_3072_group_prime.data, gnutls_ffdhe_3072_group_prime.size);
    gnutls_free(prime.data);
    gnutls_free(generator.data);
    gnutls_dh_params_deinit(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ca_has_its_key_apart),
        cmocka_unit_test(host_is_good_for_the_oldest_qemu),
        cmocka_unit_test(no_host_outlives_its_ca),
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(a_foreign_ca_will_do),
        cmocka_unit_test(dh_params_are_of_rfc_7919),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
