/*
 * A process that hangs in a read is freed by a cut of its connection, and of
 * no other one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/util.h"

struct door {
    int fd;
    unsigned port;
};

static struct door listen_somewhere(int family)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr *address =
        family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
    struct door d = { .fd = socket(family, SOCK_STREAM, 0) };

    assert_int_equal(bind(d.fd, address, len), 0);
    assert_int_equal(listen(d.fd, 4), 0);
    assert_int_equal(getsockname(d.fd, address, &len), 0);
    d.port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return d;
}

static int connect_to(const struct door *d)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd;

    getsockname(d->fd, (struct sockaddr *)&address, &len);
    fd = socket(address.ss_family, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, len) < 0 ? -1 : fd;
}

/* Exits with 1 once its first connection has ended, if the other one has not;
 * until then it hangs. */
static pid_t start_reader(const struct door *first, const struct door *other)
{
    pid_t pid = fork();

    if (pid == 0) {
        int fd = connect_to(first), fd2 = connect_to(other);
        char byte;

        if (fd < 0 || fd2 < 0 || read(fd, &byte, 1) != 0)
            _exit(2);
        _exit(recv(fd2, &byte, 1, MSG_DONTWAIT) < 0 ? 1 : 3);
    }
    return pid;
}

static void try_to_cut(int family, const char *address)
{
    struct door first = listen_somewhere(family);
    struct door other = listen_somewhere(family);
    pid_t pid = start_reader(&first, &other);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int status, a = accept(first.fd, NULL, NULL);
    int b = accept(other.fd, NULL, NULL);
    struct qm_error err = QM_ERROR_INIT;

    assert_int_equal(process_cut(pidfd, pid, "192.0.2.1", first.port, &err), 0);
    assert_int_equal(process_cut(pidfd, pid, address, first.port, &err), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    close_fd(a);
    close_fd(b);
    close_fd(first.fd);
    close_fd(other.fd);
    close_fd(pidfd);
}

static void cuts_ipv4(void **state)
{
    (void)state;
    try_to_cut(AF_INET, "127.0.0.1");
}

static void cuts_ipv6(void **state)
{
    (void)state;
    if (access("/proc/net/if_inet6", F_OK) < 0)
        skip();
    try_to_cut(AF_INET6, "::1");
}

static void says_why_not(void **state)
{
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(process_cut(-1, 0x7ffffff0, "127.0.0.1", 1, &err), -1);
    assert_int_equal(err.code, QM_ERR_SYSTEM);
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_ipv4),
        cmocka_unit_test(cuts_ipv6),
        cmocka_unit_test(says_why_not),
    };

    alarm(30);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
