/*
 * What is read of one x509 directory, and whether two of them go together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "pki.h"
#include "tls/check.h"

/* A good folder, of a CA of its own. */
struct folder {
    char *dir;
    struct pki_id *ca, *own;
};

static void folder_new(enum tls_role role, struct folder *f)
{
    const char *cn = role == TLS_CLIENT ? "src" : "dst";

    f->dir = pki_new_dir();
    f->ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    f->own = pki_new(&(struct pki_spec){ .cn = cn }, f->ca);
    pki_put_cert(f->dir, "ca-cert.pem", f->ca, false);
    pki_put_cert(f->dir, tls_file_name(role, TLS_CERT), f->own, false);
    pki_put_key(f->dir, tls_file_name(role, TLS_KEY), f->own);
}

static void folder_done(struct folder *f)
{
    pki_free(f->ca);
    pki_free(f->own);
    pki_remove_dir(f->dir);
}
DEFINE_CLEANUP_DONE(struct folder, folder_done)

static void subject_is_what_qemu_sees(void **state)
{
    CLEANUP(folder_done) struct folder f;
    CLEANUP(tls_files_done) struct tls_files files, none;
    CLEANUP_FREE char *subject = NULL;

    (void)state;
    folder_new(TLS_CLIENT, &f);
    tls_files_read(f.dir, TLS_CLIENT, &files);
    subject = tls_subject(&files);
    assert_string_equal(subject, "CN=src");
    tls_files_read("/nonexistent", TLS_CLIENT, &none);
    assert_null(tls_subject(&none));
}

static void too_large_is_not_read(void **state)
{
    CLEANUP(folder_done) struct folder f;
    CLEANUP(tls_files_done) struct tls_files files;

    (void)state;
    folder_new(TLS_CLIENT, &f);
    CLEANUP_FREE char *p = xasprintf("%s/client-cert.pem", f.dir);
    assert_int_equal(truncate(p, (off_t)TLS_FILE_MAX + 1), 0);
    tls_files_read(f.dir, TLS_CLIENT, &files);
    assert_int_equal(files.file[TLS_CERT].state, TLS_FILE_UNREADABLE);
    assert_int_equal(files.file[TLS_CERT].bytes.len, 0);
    assert_int_equal(files.file[TLS_KEY].state, TLS_FILE_READ);
    assert_int_equal(files.file[TLS_KEY].mode, 0600);
    assert_int_equal(files.file[TLS_CA_CRL].state, TLS_FILE_MISSING);
}

/* --- pairs ------------------------------------------------------------ */

static void pair(const struct folder *client, const struct folder *server,
                 struct tls_findings *ret)
{
    CLEANUP(tls_files_done) struct tls_files c, s;

    tls_files_read(client->dir, TLS_CLIENT, &c);
    tls_files_read(server->dir, TLS_SERVER, &s);
    tls_check_pair(&c, &s, time(NULL), ret);
}

/* CLIENT gets a certificate of SERVER's CA. */
static void relate(struct folder *client, const struct folder *server)
{
    pki_free(client->own);
    client->own = pki_new(&(struct pki_spec){ .cn = "src" }, server->ca);
    pki_put_cert(client->dir, "client-cert.pem", client->own, false);
    pki_put_key(client->dir, "client-key.pem", client->own);
}

static void pair_holds_both_ways(void **state)
{
    CLEANUP(folder_done) struct folder client, server;
    CLEANUP(tls_findings_done) struct tls_findings strangers, half, friends;

    (void)state;
    folder_new(TLS_CLIENT, &client);
    folder_new(TLS_SERVER, &server);
    pair(&client, &server, &strangers);
    assert_int_equal(strangers.count, 2);
    assert_int_equal(strangers.item[0].severity, TLS_BAD);
    assert_non_null(strstr(strangers.item[0].what, "the source's "));
    assert_non_null(strstr(strangers.item[0].what,
                           "does not hold against the destination's "));
    assert_non_null(strstr(strangers.item[1].what, "the destination's "));

    relate(&client, &server);
    pair(&client, &server, &half);
    assert_int_equal(half.count, 1);
    assert_non_null(
        strstr(half.item[0].what, "does not hold against the source's "));
    assert_non_null(strstr(half.item[0].fix, "to the source's "));

    pki_put_cert(client.dir, "ca-cert.pem", server.ca, false);
    pair(&client, &server, &friends);
    assert_int_equal(friends.count, 0);
}

static void pair_minds_the_other_sides_crl(void **state)
{
    CLEANUP(folder_done) struct folder client, server;
    CLEANUP(tls_findings_done) struct tls_findings found;

    (void)state;
    folder_new(TLS_CLIENT, &client);
    folder_new(TLS_SERVER, &server);
    relate(&client, &server);
    pki_put_cert(client.dir, "ca-cert.pem", server.ca, false);
    pki_put_crl(server.dir, "ca-crl.pem", server.ca, client.own, PKI_DAY);
    pair(&client, &server, &found);
    assert_int_equal(found.count, 1);
    assert_non_null(
        strstr(found.item[0].what, "is revoked by the destination's "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subject_is_what_qemu_sees),
        cmocka_unit_test(too_large_is_not_read),
        cmocka_unit_test(pair_holds_both_ways),
        cmocka_unit_test(pair_minds_the_other_sides_crl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
