/*
 * Probes of bad servers: a socket on which the test has already said all that
 * it has to say; a port without a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "nbd-attempt.h"
#include "pki.h"

static struct {
    struct loop *loop;
    char *dir; /* a client's certificate and its CA */
} all;

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
    { .name = "silent",
      SAYS(""),
      .code = QM_ERR_TIMEOUT,
      .expect = "stays silent: no greeting in time" },
    { .name = "silent, clear",
      SAYS(""),
      .clear = true,
      .code = QM_ERR_TIMEOUT,
      .expect = "stays silent: no greeting in time" },
    { .name = "half a greeting",
      SAYS("NBDMAGIC"),
      .code = QM_ERR_TIMEOUT,
      .expect = "no greeting in time" },
    { .name = "silent after the greeting",
      SAYS(GREETING),
      .code = QM_ERR_TIMEOUT,
      .expect = "no answer to a request for TLS" },
    { .name = "silent after the greeting, clear",
      SAYS(GREETING),
      .clear = true,
      .code = QM_ERR_TIMEOUT,
      .expect = "stays silent: no " },
    { .name = "silent after ACK",
      SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0"),
      .code = QM_ERR_TIMEOUT,
      .expect = "did not finish the TLS handshake in time" },
    { .name = "gone",
      SAYS(""),
      .gone = true,
      .code = QM_ERR_LINK,
      .expect = "closed the connection: no greeting" },
    { .name = "gone, clear",
      SAYS(""),
      .gone = true,
      .clear = true,
      .code = QM_ERR_LINK,
      .expect = "ended: " },
    { .name = "gone after the greeting",
      SAYS(GREETING),
      .gone = true,
      .code = QM_ERR_LINK,
      .expect = "no answer to a request for TLS" },
    { .name = "gone after ACK",
      SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0"),
      .gone = true,
      .code = QM_ERR_TLS,
      .expect = "closed the connection in the TLS handshake" },
    { .name = "not NBD",
      SAYS("SSH-2.0-OpenSSH_9.2p1 Debian\r\n"),
      .code = QM_ERR_PROTOCOL,
      .expect = "is not an NBD server" },
    { .name = "old style",
      SAYS("NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0"),
      .code = QM_ERR_TLS,
      .expect = "too old for TLS" },
    { .name = "not fixed",
      SAYS("NBDMAGICIHAVEOPT\0\0"),
      .code = QM_ERR_TLS,
      .expect = "too old for TLS" },
    { .name = "unknown style",
      SAYS("NBDMAGICABCDEFGH\0\3"),
      .code = QM_ERR_PROTOCOL,
      .expect = "unknown version" },
    { .name = "no TLS, silently",
      SAYS(GREETING REPLY "\x80\0\0\1\0\0\0\0"),
      .code = QM_ERR_TLS,
      .expect = "offers no TLS: it does not know TLS" },
    { .name = "no TLS, with a reason",
      SAYS(GREETING REPLY "\x80\0\0\4\0\0\0\6go \033[m"),
      .code = QM_ERR_TLS,
      .expect = "it was built without TLS (\"go \\x1b[m\")" },
    { .name = "no TLS, at length",
      SAYS(GREETING REPLY "\x80\0\0\4\x7f\0\0\0"),
      .code = QM_ERR_PROTOCOL,
      .expect = "refuses TLS at a length of" },
    { .name = "an answer to something else",
      SAYS(GREETING "\0\x03\xe8\x89\x04\x55\x65\xa9\0\0\0\6\0\0\0\1\0\0\0\0"),
      .code = QM_ERR_PROTOCOL,
      .expect = "answered something else" },
    { .name = "ACK with a load",
      SAYS(GREETING REPLY "\0\0\0\1\0\0\0\1x"),
      .code = QM_ERR_PROTOCOL,
      .expect = "agrees to TLS at too great" },
    { .name = "no TLS after all",
      SAYS(GREETING REPLY "\0\0\0\1\0\0\0\0no TLS record at all"),
      .code = QM_ERR_TLS,
      .expect = "speaks no TLS" },
};

static void try_bad(const struct bad_case *c)
{
    CLEANUP(attempt_done)
    struct attempt a = ATTEMPT_INIT(all.loop, c->clear ? NULL : all.dir);
    int pair[2];

    print_message("  %s\n", c->name);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(write(pair[1], c->says, c->len), c->len);
    if (c->gone)
        shutdown(pair[1], SHUT_WR);
    a.p.fd = pair[0];
    attempt_run(&a, c->code == QM_ERR_TIMEOUT ? SHORT_MS : LONG_MS);
    attempt_must_fail(&a, c->code, c->expect);
    close(pair[1]);
}

static void bad_servers_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++)
        try_bad(&bad_cases[i]);
}

static void nobody_listens(void **state)
{
    CLEANUP(attempt_done) struct attempt a = ATTEMPT_INIT(all.loop, all.dir);
    CLEANUP(close_fd) int fd = bound_socket(&a.p.port);

    (void)state;
    (void)fd;
    attempt_run(&a, LONG_MS);
    attempt_must_fail(&a, QM_ERR_CONNECT, "Connection refused");
}

/* The kernel completes the connection, and that is all. */
static void nobody_accepts(void **state)
{
    CLEANUP(attempt_done) struct attempt a = ATTEMPT_INIT(all.loop, all.dir);
    CLEANUP(close_fd) int fd = bound_socket(&a.p.port);

    (void)state;
    assert_int_equal(listen(fd, 16), 0);
    attempt_run(&a, SHORT_MS);
    attempt_must_fail(&a, QM_ERR_TIMEOUT, "stays silent");
}

static int set_up(void **state)
{
    struct pki_id *ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *own = pki_new(&(struct pki_spec){ .cn = "src" }, ca);

    (void)state;
    all.loop = loop_new();
    all.dir = pki_new_dir();
    pki_put_cert(all.dir, "ca-cert.pem", ca, false);
    pki_put_cert(all.dir, "client-cert.pem", own, false);
    pki_put_key(all.dir, "client-key.pem", own);
    pki_free(ca);
    pki_free(own);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(all.loop);
    pki_remove_dir(all.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_servers_are_named),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_accepts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
