/*
 * Probes of real servers (qemu-nbd, which is given its listening socket, so
 * that no port is guessed and nothing is waited for) and of bad ones (a socket
 * on which the test has already said all it has to say).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/util.h"
#include "nbd/probe.h"
#include "pki.h"

enum { LONG_MS = 20000, SHORT_MS = 150, IMAGE_BYTES = 3 * 1024 * 1024 };

/* One for all tests: certificates. */
static struct {
    char *dir, *image;
    char *server_dir;          /* for 127.0.0.1 and dst.example */
    char *client_dir;          /* of the same CA */
    char *no_key_dir;          /* the CA alone */
    char *stranger_dir;        /* the CA, and a client certificate of another */
    char *other_ca_dir;        /* another CA, and a certificate of it */
    struct loop *loop;
} all;

/* --- servers ---------------------------------------------------------- */

struct server {
    pid_t pid; /* 0: none */
    int fd;    /* what it listens on */
    unsigned port;
};

static int bound(unsigned *ret_port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int listening(unsigned *ret_port)
{
    int fd = bound(ret_port);

    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* In the child: LISTENER becomes fd 3, as systemd would hand it over. */
static void become(int listener, char **argv)
{
    char pid[32];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(listener, 3);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("MALLOC_PERTURB_");
    execvp(argv[0], argv);
    _exit(127);
}

/* qemu-nbd with these options besides; NULL ends. */
static void serve(struct server *s, const char *const *options)
{
    CLEANUP(strv_done) struct strv argv = { .count = 0 };

    strv_add(&argv, "qemu-nbd");
    for (; *options; options++)
        strv_add(&argv, *options);
    strv_add(&argv, "--persistent");
    strv_add(&argv, "--format=raw");
    strv_add(&argv, "--export-name=disk0");
    strv_add(&argv, all.image);
    s->fd = listening(&s->port);
    if (s->fd == 3) { /* dup2() to itself would keep close-on-exec */
        s->fd = dup(s->fd);
        close(3);
    }
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        become(s->fd, argv.item);
}

static void serve_tls(struct server *s, const char *dir, bool verify)
{
    CLEANUP_FREE char *object =
        xasprintf("--object=tls-creds-x509,id=t,endpoint=server,dir=%s,"
                  "verify-peer=%s",
                  dir, verify ? "on" : "off");
    const char *const options[] = { object, "--tls-creds=t", NULL };

    serve(s, options);
}

static void server_done(struct server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    close_fd(s->fd);
}
DEFINE_CLEANUP_DONE(struct server, server_done)
#define SERVER(name) CLEANUP(server_done) struct server name = { .fd = -1 }

static void needs_qemu_nbd(void)
{
    if (system("qemu-nbd --version >/dev/null 2>&1") == 0)
        return;
    print_message("needs qemu-nbd, from qemu-utils\n");
    skip();
}

/* --- probes ----------------------------------------------------------- */

/* A probe and what came of it. */
struct attempt {
    struct nbd_probe p;
    struct nbd_export seen;
    struct qm_error err;
    int rc;
};

static void attempt_done(struct attempt *a)
{
    error_clear(&a->err);
}
DEFINE_CLEANUP_DONE(struct attempt, attempt_done)

/* With the good client's certificate, at the port of S. */
#define ATTEMPT(name, s)                                                       \
    CLEANUP(attempt_done) struct attempt name = {                              \
        .p = { .host = "127.0.0.1",                                            \
               .port = (s)->port,                                              \
               .fd = -1,                                                       \
               .export_name = "disk0",                                         \
               .tls_dir = all.client_dir,                                      \
               .has_client_key = true },                                       \
        .err = QM_ERROR_INIT,                                                  \
    }

static void run_within(struct attempt *a, int64_t ms)
{
    error_clear(&a->err);
    a->rc = nbd_probe_export(all.loop, &a->p, deadline_in_ms(ms), &a->seen,
                             &a->err);
}

static void run(struct attempt *a)
{
    run_within(a, LONG_MS);
}

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

static void must_fail(const struct attempt *a, enum qm_error_code code,
                      const char *says)
{
    assert_int_equal(a->rc, -1);
    assert_non_null(a->err.message);
    if (a->err.code != code || !strstr(a->err.message, says))
        print_message("code %s: %s\n  instead of %s: %s\n",
                      error_code_name(a->err.code), a->err.message,
                      error_code_name(code), says);
    assert_non_null(strstr(a->err.message, says));
    assert_int_equal(a->err.code, code);
    assert_non_null(strstr(a->err.message, "probe export \"disk0\": "));
    assert_false(a->seen.reached); /* untouched */
}

/* --- good servers ----------------------------------------------------- */

static void tls_server_is_seen(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    run(&a);
    must_see_disk(&a);
    assert_false(a.seen.read_only);
    assert_true(a.seen.can_zero);
    assert_true(a.seen.can_trim);
}

/* qemu-nbd has one place for a client: the second waits for the first. */
static void connection_is_given_back(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    for (int i = 0; i < 5; i++) {
        run(&a);
        must_see_disk(&a);
    }
}

static void clear_server_is_seen(void **state)
{
    static const char *const none[] = { NULL };
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve(&s, none);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    run(&a);
    must_see_disk(&a);
    run(&a);
    must_see_disk(&a);
}

static void read_only_is_told(void **state)
{
    static const char *const read_only[] = { "--read-only", NULL };
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve(&s, read_only);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    run(&a);
    must_see_disk(&a);
    assert_true(a.seen.read_only);
}

static void name_may_be_given(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_hostname = "dst.example";
    run(&a);
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
    ATTEMPT(good, &s);
    ATTEMPT(bad, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    good.p.host = bad.p.host = NULL;
    good.p.fd = connected(s.port);
    good.p.tls_hostname = "dst.example";
    run(&good);
    must_see_disk(&good);

    bad.p.fd = connected(s.port);
    bad.p.tls_hostname = "src.example";
    run(&bad);
    must_fail(&bad, QM_ERR_TLS, "the other end of the tunnel (CN=host) is not "
                                "for \"src.example\"");
}

/* --- servers that refuse, or that we refuse --------------------------- */

static void nobody_listens(void **state)
{
    SERVER(s);

    (void)state;
    s.fd = bound(&s.port);
    ATTEMPT(a, &s);
    run(&a);
    must_fail(&a, QM_ERR_CONNECT, "Connection refused");
}

static void wrong_name_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_hostname = "src.example";
    run(&a);
    must_fail(&a, QM_ERR_TLS,
              "is not for \"src.example\": it carries 127.0.0.1 and "
              "dst.example");
    assert_non_null(strstr(a.err.hint, "--tls-hostname"));
}

static void wrong_ca_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.other_ca_dir;
    run(&a);
    must_fail(&a, QM_ERR_TLS, "does not hold against");
    assert_non_null(strstr(a.err.hint, "ca-cert.pem"));
}

static void missing_ca_is_named(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.dir;
    run(&a);
    must_fail(&a, QM_ERR_TLS, "/ca-cert.pem cannot be read: No such file");
}

static void clear_server_is_refused(void **state)
{
    static const char *const none[] = { NULL };
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve(&s, none);
    a.p.port = s.port;
    run(&a);
    must_fail(&a, QM_ERR_TLS, "offers no TLS: it was not set up for TLS "
                              "(\"TLS not configured\")");
}

static void tls_is_insisted_on(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = NULL;
    run(&a);
    must_fail(&a, QM_ERR_TLS, "insists on TLS");
}

static void our_certificate_is_refused(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.stranger_dir;
    run(&a);
    must_fail(&a, QM_ERR_TLS, "it does not accept");
    assert_non_null(strstr(a.err.hint, "tls-authz"));
}

static void without_a_key_only_the_server_is_verified(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.tls_dir = all.no_key_dir;
    a.p.has_client_key = false;
    run(&a);
    assert_int_equal(a.rc, 0);
    assert_true(a.seen.reached);
    assert_true(a.seen.tls);
    assert_false(a.seen.complete);

    a.seen.reached = false;
    a.p.tls_hostname = "src.example";
    run(&a);
    must_fail(&a, QM_ERR_TLS, "is not for \"src.example\"");
}

static void without_a_key_all_is_seen_if_nobody_asks(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, false);
    a.p.port = s.port;
    a.p.tls_dir = all.no_key_dir;
    a.p.has_client_key = false;
    run(&a);
    must_see_disk(&a);
}

static void unknown_export_is_named(void **state)
{
    SERVER(s);
    ATTEMPT(a, &s);

    (void)state;
    needs_qemu_nbd();
    serve_tls(&s, all.server_dir, true);
    a.p.port = s.port;
    a.p.export_name = "disk1";
    run(&a);
    assert_int_equal(a.rc, -1);
    assert_int_equal(a.err.code, QM_ERR_DISK);
    assert_non_null(strstr(a.err.message, "has no export \"disk1\""));
    a.p.export_name = "disk0";
    run(&a);
    must_see_disk(&a);
}

/* --- bad servers ------------------------------------------------------ */

#define GREETING "NBDMAGICIHAVEOPT\0\3"
#define REPLY "\0\x03\xe8\x89\x04\x55\x65\xa9\0\0\0\5"

/* A server that has said this, and then is silent or has gone. */
struct bad_case {
    const char *name;
    const char *says;
    size_t len;
    bool gone;
    bool clear;
    enum qm_error_code code;
    const char *expect;
};
#define SAYS(s) .says = (s), .len = sizeof(s) - 1

static const struct bad_case bad_cases[] = {
    { .name = "silent", SAYS(""), .code = QM_ERR_TIMEOUT,
      .expect = "stays silent: no greeting in time" },
    { .name = "silent, clear", SAYS(""), .clear = true, .code = QM_ERR_TIMEOUT,
      .expect = "stays silent: no greeting in time" },
    { .name = "half a greeting", SAYS("NBDMAGIC"), .code = QM_ERR_TIMEOUT,
      .expect = "no greeting in time" },
    { .name = "silent after the greeting", SAYS(GREETING),
      .code = QM_ERR_TIMEOUT, .expect = "no answer to a request for TLS" },
    { .name = "silent after the greeting, clear", SAYS(GREETING),
      .clear = true, .code = QM_ERR_TIMEOUT, .expect = "stays silent: no " },
    { .name = "silent after ACK", SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0"),
      .code = QM_ERR_TIMEOUT,
      .expect = "did not finish the TLS handshake in time" },
    { .name = "gone", SAYS(""), .gone = true, .code = QM_ERR_LINK,
      .expect = "closed the connection: no greeting" },
    { .name = "gone, clear", SAYS(""), .gone = true, .clear = true,
      .code = QM_ERR_LINK, .expect = "ended: " },
    { .name = "gone after the greeting", SAYS(GREETING), .gone = true,
      .code = QM_ERR_LINK, .expect = "no answer to a request for TLS" },
    { .name = "gone after ACK", SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0"),
      .gone = true, .code = QM_ERR_TLS,
      .expect = "closed the connection in the TLS handshake" },
    { .name = "not NBD", SAYS("SSH-2.0-OpenSSH_9.2p1 Debian\r\n"),
      .code = QM_ERR_PROTOCOL, .expect = "is not an NBD server" },
    { .name = "old style", SAYS("NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0"),
      .code = QM_ERR_TLS, .expect = "too old for TLS" },
    { .name = "not fixed", SAYS("NBDMAGICIHAVEOPT\0\0"), .code = QM_ERR_TLS,
      .expect = "too old for TLS" },
    { .name = "unknown style", SAYS("NBDMAGICABCDEFGH\0\3"),
      .code = QM_ERR_PROTOCOL, .expect = "unknown version" },
    { .name = "no TLS, silently", SAYS(GREETING REPLY "\x80\0\0\1\0\0\0\0"),
      .code = QM_ERR_TLS, .expect = "offers no TLS: it does not know TLS" },
    { .name = "no TLS, with a reason",
      SAYS(GREETING REPLY "\x80\0\0\4\0\0\0\6go \033[m"), .code = QM_ERR_TLS,
      .expect = "it was built without TLS (\"go \\x1b[m\")" },
    { .name = "no TLS, at length",
      SAYS(GREETING REPLY "\x80\0\0\4\x7f\0\0\0"), .code = QM_ERR_PROTOCOL,
      .expect = "refuses TLS at a length of" },
    { .name = "an answer to something else",
      SAYS(GREETING "\0\x03\xe8\x89\x04\x55\x65\xa9\0\0\0\6\0\0\0\1\0\0\0\0"),
      .code = QM_ERR_PROTOCOL, .expect = "answered something else" },
    { .name = "ACK with a load", SAYS(GREETING REPLY "\0\0\0\1\0\0\0\1x"),
      .code = QM_ERR_PROTOCOL, .expect = "agrees to TLS at too great" },
    { .name = "no TLS after all",
      SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0no TLS record at all"),
      .code = QM_ERR_TLS, .expect = "TLS handshake with " },
};

static void try_bad(const struct bad_case *c)
{
    SERVER(s);
    int pair[2];
    ATTEMPT(a, &s);

    print_message("  %s\n", c->name);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(write(pair[1], c->says, c->len), c->len);
    if (c->gone)
        shutdown(pair[1], SHUT_WR);
    a.p.fd = pair[0];
    a.p.port = 1;
    if (c->clear)
        a.p.tls_dir = NULL;
    run_within(&a, c->code == QM_ERR_TIMEOUT ? SHORT_MS : LONG_MS);
    must_fail(&a, c->code, c->expect);
    close(pair[1]);
}

static void bad_servers_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++)
        try_bad(&bad_cases[i]);
}

/* Listens, but nobody accepts: the kernel completes the connection. */
static void nobody_accepts(void **state)
{
    SERVER(s);

    (void)state;
    s.fd = listening(&s.port);
    ATTEMPT(a, &s);
    run_within(&a, SHORT_MS);
    must_fail(&a, QM_ERR_TIMEOUT, "stays silent");
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
                           const struct pki_id *signer)
{
    char *dir = folder(name);

    pki_put_cert(dir, "ca-cert.pem", ca, false);
    if (signer) {
        struct pki_id *own = pki_new(&(struct pki_spec){ .cn = "src" }, signer);
        pki_put_cert(dir, "client-cert.pem", own, false);
        pki_put_key(dir, "client-key.pem", own);
        pki_free(own);
    }
    return dir;
}

static int set_up(void **state)
{
    struct pki_id *ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *ca2 =
        pki_new(&(struct pki_spec){ .cn = "ca2", .ca = true }, NULL);
    struct pki_id *server = pki_new(
        &(struct pki_spec){ .names = { "127.0.0.1", "dst.example" } }, ca);

    (void)state;
    all.loop = loop_new();
    all.dir = pki_new_dir();
    all.image = xasprintf("%s/image", all.dir);
    pki_put_text(all.dir, "image", "");
    assert_int_equal(truncate(all.image, IMAGE_BYTES), 0);
    all.server_dir = folder("server");
    pki_put_cert(all.server_dir, "ca-cert.pem", ca, false);
    pki_put_cert(all.server_dir, "server-cert.pem", server, false);
    pki_put_key(all.server_dir, "server-key.pem", server);
    all.client_dir = client_folder("client", ca, ca);
    all.no_key_dir = client_folder("no-key", ca, NULL);
    all.stranger_dir = client_folder("stranger", ca, ca2);
    all.other_ca_dir = client_folder("other-ca", ca2, ca2);
    pki_free(ca);
    pki_free(ca2);
    pki_free(server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(all.loop);
    free(all.image);
    free(all.server_dir);
    free(all.client_dir);
    free(all.no_key_dir);
    free(all.stranger_dir);
    free(all.other_ca_dir);
    pki_remove_dir(all.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_server_is_seen),
        cmocka_unit_test(connection_is_given_back),
        cmocka_unit_test(clear_server_is_seen),
        cmocka_unit_test(read_only_is_told),
        cmocka_unit_test(name_may_be_given),
        cmocka_unit_test(socket_may_be_given),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(wrong_name_is_refused),
        cmocka_unit_test(wrong_ca_is_refused),
        cmocka_unit_test(missing_ca_is_named),
        cmocka_unit_test(clear_server_is_refused),
        cmocka_unit_test(tls_is_insisted_on),
        cmocka_unit_test(our_certificate_is_refused),
        cmocka_unit_test(without_a_key_only_the_server_is_verified),
        cmocka_unit_test(without_a_key_all_is_seen_if_nobody_asks),
        cmocka_unit_test(unknown_export_is_named),
        cmocka_unit_test(bad_servers_are_named),
        cmocka_unit_test(nobody_accepts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
