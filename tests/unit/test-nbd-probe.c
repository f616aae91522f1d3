/*
 * Probes of real servers: qemu-nbd, which is given its listening socket, so
 * that no port is guessed and nothing is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stream.h"
#include "nbd-attempt.h"
#include "nbd-server.h"
#include "pki.h"

enum { IMAGE_BYTES = 3 * 1024 * 1024 };

/* One for all tests: certificates. */
static struct {
    char *dir, *image;
    char *server_dir;   /* for 127.0.0.1 and dst.example */
    char *stale_dir;    /* the same with an old revocation list */
    char *revoking_dir; /* the same with the client revoked */
    char *client_dir;   /* of the same CA */
    char *no_key_dir;   /* the CA alone */
    char *stranger_dir; /* the CA, and a client certificate of another */
    char *other_ca_dir; /* another CA, and a certificate of it */
    struct loop *loop;
} all;

/* --- servers ---------------------------------------------------------- */

/* qemu-nbd with these options besides; NULL ends. */
static void serve(struct nbd_server *s, const char *const *options)
{
    CLEANUP(strv_done) struct strv argv = { .count = 0 };

    strv_add(&argv, "qemu-nbd");
    for (; *options; options++)
        strv_add(&argv, *options);
    strv_add(&argv, "--persistent");
    strv_add(&argv, "--format=raw");
    strv_add(&argv, "--export-name=disk0");
    strv_add(&argv, all.image);
    nbd_server_start(s, (const char *const *)argv.item);
}

static void serve_tls(struct nbd_server *s, const char *dir, bool verify)
{
    CLEANUP_FREE char *object =
        xasprintf("--object=tls-creds-x509,id=t,endpoint=server,dir=%s,"
                  "verify-peer=%s",
                  dir, verify ? "on" : "off");
    const char *const options[] = { object, "--tls-creds=t", NULL };

    serve(s, options);
}

#define SERVER(name)                                                           \
    CLEANUP(nbd_server_done) struct nbd_server name = NBD_SERVER_INIT

#define ATTEMPT(name)                                                          \
    CLEANUP(attempt_done)                                                      \
    struct attempt name = ATTEMPT_INIT(all.loop, all.client_dir)

static void must_see_disk(const struct attempt *a)
{
    if (a->rc < 0)
        print_message("%s\n", a->err.message);
    assert_int_equal(a->rc, 0);
    assert_null(a->err.message);
    assert_true(a->seen.reached);
    assert_true(a->seen.complete);
    assert_int_equal(a->seen.size, IMAGE_BYTES);
    assert_int_equal(a->seen.tls, a->p.tls_dir != NULL);
}

/* --- good servers ----------------------------------------------------- */

static void tls_server_is_seen(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
    assert_false(a.seen.read_only);
    assert_true(a.seen.can_zero);
    assert_true(a.seen.can_trim);
}

/* qemu-nbd has one place for a client: the second waits for the first. */
static void connection_is_given_back(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    for (int i = 0; i < 5; i++) {
        attempt_run(&a, LONG_MS);
        must_see_disk(&a);
    }
}

static void clear_server_is_seen(void **state)
{
    static const char *const none[] = { NULL };
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve(&s, none);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
}

static void read_only_is_told(void **state)
{
    static const char *const read_only[] = { "--read-only", NULL };
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve(&s, read_only);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
    assert_true(a.seen.read_only);
}

static void name_may_be_given(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_hostname = "dst.example";
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
}

static int connected(unsigned port)
{
    struct qm_error err = QM_ERROR_INIT;
    int fd = socket_connect_tcp(all.loop, "127.0.0.1", port,
                                deadline_in_ms(LONG_MS), &err);

    assert_true(fd >= 0);
    return fd;
}

/* As through a tunnel: there is no address to take the name from. */
static void socket_may_be_given(void **state)
{
    SERVER(s);
    ATTEMPT(good);
    ATTEMPT(bad);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    good.p.host = bad.p.host = NULL;
    good.p.fd = connected(s.port);
    good.p.tls_hostname = "dst.example";
    attempt_run(&good, LONG_MS);
    must_see_disk(&good);

    bad.p.fd = connected(s.port);
    bad.p.tls_hostname = "src.example";
    attempt_run(&bad, LONG_MS);
    attempt_must_fail(&bad, QM_ERR_TLS,
                      "the other end of the tunnel (CN=host) is not "
                      "for \"src.example\"");
}

/* --- servers that refuse, or that we refuse --------------------------- */

static void wrong_name_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_hostname = "src.example";
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS,
                      "is not for \"src.example\": it carries 127.0.0.1 and "
                      "dst.example");
    assert_non_null(strstr(a.err.hint, "--tls-hostname"));
}

static void wrong_ca_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.other_ca_dir;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS, "does not hold against");
    assert_non_null(strstr(a.err.hint, "ca-cert.pem"));
}

static void missing_ca_is_named(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.dir;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS,
                      "/ca-cert.pem cannot be read: No such file");
}

static void clear_server_is_refused(void **state)
{
    static const char *const none[] = { NULL };
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve(&s, none);
    a.p.port = s.port;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS,
                      "offers no TLS: it was not set up for TLS "
                      "(\"TLS not configured\")");
}

static void tls_is_insisted_on(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS, "insists on TLS");
}

static void our_certificate_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.stranger_dir;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS, "it does not accept");
    assert_non_null(strstr(a.err.hint, "tls-authz"));
}

static void revoked_client_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.revoking_dir, true);
    a.p.port = s.port;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS, "it does not accept");
}

/* Why tls_check_files() only warns of an old revocation list. */
static void stale_revocation_list_is_used(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.stale_dir, true);
    a.p.port = s.port;
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
}

static void without_a_key_only_the_server_is_verified(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.no_key_dir;
    a.p.has_client_key = false;
    attempt_run(&a, LONG_MS);
    assert_int_equal(a.rc, 0);
    assert_true(a.seen.reached);
    assert_true(a.seen.tls);
    assert_false(a.seen.complete);

    a.seen.reached = false;
    a.p.tls_hostname = "src.example";
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_TLS, "is not for \"src.example\"");
}

static void without_a_key_all_is_seen_if_nobody_asks(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, false);
    a.p.port = s.port;
    a.p.tls_dir = all.no_key_dir;
    a.p.has_client_key = false;
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
}

static void unknown_export_is_named(void **state)
{
    SERVER(s);
    ATTEMPT(a);

    (void)state;
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.export_name = "disk1";
    attempt_run(&a, LONG_MS);
    assert_int_equal(a.rc, -1);
    assert_int_equal(a.err.code, QM_ERR_DISK);
    assert_non_null(strstr(a.err.message, "has no export \"disk1\""));
    a.p.export_name = "disk0";
    attempt_run(&a, LONG_MS);
    must_see_disk(&a);
}

/* --- all of them ------------------------------------------------------ */

static char *folder(const char *name)
{
    char *dir = xasprintf("%s/%s", all.dir, name);
    CLEANUP_FREE char *command = xasprintf("mkdir %s", dir);

    assert_int_equal(system(command), 0);
    return dir;
}

static char *client_folder(const char *name, const struct pki_id *ca,
                           const struct pki_id *own)
{
    char *dir = folder(name);

    pki_put_cert(dir, "ca-cert.pem", ca, false);
    if (own) {
        pki_put_cert(dir, "client-cert.pem", own, false);
        pki_put_key(dir, "client-key.pem", own);
    }
    return dir;
}

static char *server_folder(const char *name, const struct pki_id *ca,
                           const struct pki_id *own)
{
    char *dir = folder(name);

    pki_put_cert(dir, "ca-cert.pem", ca, false);
    pki_put_cert(dir, "server-cert.pem", own, false);
    pki_put_key(dir, "server-key.pem", own);
    return dir;
}

static int set_up(void **state)
{
    struct pki_id *ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *ca2 =
        pki_new(&(struct pki_spec){ .cn = "ca2", .ca = true }, NULL);
    struct pki_id *server = pki_new(
        &(struct pki_spec){ .names = { "127.0.0.1", "dst.example" } }, ca);
    struct pki_id *client = pki_new(&(struct pki_spec){ .cn = "src" }, ca);
    struct pki_id *stranger = pki_new(&(struct pki_spec){ .cn = "src" }, ca2);

    (void)state;
    all.loop = loop_new();
    all.dir = pki_new_dir();
    all.image = xasprintf("%s/image", all.dir);
    pki_put_text(all.dir, "image", "");
    assert_int_equal(truncate(all.image, IMAGE_BYTES), 0);
    all.server_dir = server_folder("server", ca, server);
    all.stale_dir = server_folder("stale", ca, server);
    pki_put_crl(all.stale_dir, "ca-crl.pem", ca, NULL, -3600);
    all.revoking_dir = server_folder("revoking", ca, server);
    pki_put_crl(all.revoking_dir, "ca-crl.pem", ca, client, PKI_DAY);
    all.client_dir = client_folder("client", ca, client);
    all.no_key_dir = client_folder("no-key", ca, NULL);
    all.stranger_dir = client_folder("stranger", ca, stranger);
    all.other_ca_dir = client_folder("other-ca", ca2, stranger);
    pki_free(ca);
    pki_free(ca2);
    pki_free(server);
    pki_free(client);
    pki_free(stranger);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(all.loop);
    free(all.image);
    free(all.server_dir);
    free(all.stale_dir);
    free(all.revoking_dir);
    free(all.client_dir);
    free(all.no_key_dir);
    free(all.stranger_dir);
    free(all.other_ca_dir);
    pki_remove_dir(all.dir);
    return 0;
}

/* --- the way ---------------------------------------------------------------- */

static int look_at_route(struct attempt *a, int64_t ms)
{
    error_clear(&a->err);
    return nbd_probe_route(a->loop, &a->p, deadline_in_ms(ms), &a->err);
}

static void way_is_open(void **state)
{
    static const char *const none[] = { NULL };
    SERVER(clear);
    SERVER(tls);
    ATTEMPT(a);

    (void)state;
    serve_tls(&tls, all.server_dir, true);
    a.p.port = tls.port;
    assert_int_equal(look_at_route(&a, LONG_MS), 0);
    serve(&clear, none);
    a.p.port = clear.port;
    a.p.tls_dir = NULL;
    assert_int_equal(look_at_route(&a, LONG_MS), 0);
}

/* What a black hole for large packets looks like: connected, then silence. */
static void way_that_swallows_is_told(void **state)
{
    CLEANUP(close_fd) int fd = -1;
    ATTEMPT(a);

    (void)state;
    fd = bound_socket(&a.p.port);
    assert_int_equal(look_at_route(&a, LONG_MS), -1);
    assert_int_equal(a.err.code, QM_ERR_CONNECT);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(look_at_route(&a, 200), -1);
    assert_int_equal(a.err.code, QM_ERR_TIMEOUT);
    assert_non_null(strstr(a.err.message, "127.0.0.1:"));
}

int main(void)
{
    if (system("qemu-nbd --version >/dev/null 2>&1") != 0) {
        puts("needs qemu-nbd, from qemu-utils");
        return 77;
    }

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(way_is_open),
        cmocka_unit_test(way_that_swallows_is_told),
        cmocka_unit_test(tls_server_is_seen),
        cmocka_unit_test(connection_is_given_back),
        cmocka_unit_test(clear_server_is_seen),
        cmocka_unit_test(read_only_is_told),
        cmocka_unit_test(name_may_be_given),
        cmocka_unit_test(socket_may_be_given),
        cmocka_unit_test(wrong_name_is_refused),
        cmocka_unit_test(wrong_ca_is_refused),
        cmocka_unit_test(missing_ca_is_named),
        cmocka_unit_test(clear_server_is_refused),
        cmocka_unit_test(tls_is_insisted_on),
        cmocka_unit_test(our_certificate_is_refused),
        cmocka_unit_test(revoked_client_is_refused),
        cmocka_unit_test(stale_revocation_list_is_used),
        cmocka_unit_test(without_a_key_only_the_server_is_verified),
        cmocka_unit_test(without_a_key_all_is_seen_if_nobody_asks),
        cmocka_unit_test(unknown_export_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
