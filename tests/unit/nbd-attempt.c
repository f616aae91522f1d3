/* See nbd-attempt.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <string.h>
#include <sys/socket.h>

#include "nbd-attempt.h"

static size_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

void attempt_run(struct attempt *a, int64_t ms)
{
    size_t open_before = open_fds() - (a->p.fd >= 0); /* it is consumed */

    error_clear(&a->err);
    a->rc =
        nbd_probe_export(a->loop, &a->p, deadline_in_ms(ms), &a->seen, &a->err);
    assert_int_equal(open_fds(), open_before);
}

void attempt_must_fail(const struct attempt *a, enum qm_error_code code,
                       const char *says)
{
    assert_int_equal(a->rc, -1);
    assert_non_null(a->err.message);
    if (a->err.code != code || !strstr(a->err.message, says))
        print_message("%s: %s\n  instead of %s: %s\n",
                      error_code_name(a->err.code), a->err.message,
                      error_code_name(code), says);
    assert_non_null(strstr(a->err.message, says));
    assert_int_equal(a->err.code, code);
    assert_non_null(strstr(a->err.message, "probe export \"disk0\": "));
    assert_false(a->seen.reached); /* untouched */
}

void attempt_done(struct attempt *a)
{
    error_clear(&a->err);
}

int bound_socket(unsigned *ret_port)
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
