/*
 * Names and numbers of hosts.
 */
#include "base/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int complain(const char *host, int rc, int errnum, struct qm_error *err)
{
    if (rc == EAI_SYSTEM) {
        return error_set_errno(err, QM_ERR_CONNECT, errnum,
                               "cannot find the address of host %s", host);
    }
    return error_set(err, QM_ERR_CONNECT,
                     "cannot find the address of host %s: %s", host,
                     gai_strerror(rc));
}

int resolve_addresses(const char *host, struct strv *ret, struct qm_error *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    char number[NI_MAXHOST];
    size_t before = ret->count;
    int rc = getaddrinfo(host, NULL, &hints, &list);

    if (rc != 0) {
        return complain(host, rc, errno, err);
    }
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        int failed = getnameinfo(a->ai_addr, a->ai_addrlen, number,
                                 sizeof(number), NULL, 0, NI_NUMERICHOST);

        if (failed) {
            rc = failed;
        } else if (ret->count < before + ADDRESSES_MAX &&
                   !strv_contains(ret, number)) {
            strv_add(ret, number);
        }
    }
    freeaddrinfo(list);
    return ret->count > before ? 0 : complain(host, rc, errno, err);
}

char *resolve_host(const char *host, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv found = { .count = 0 };

    return resolve_addresses(host, &found, err) < 0 ? NULL
                                                    : xstrdup(found.item[0]);
}

/* TEXT as an IPv6 address, whose %zone is ignored. */
static bool parse_v6(const char *text, struct in6_addr *ret)
{
    CLEANUP_FREE char *number = xstrndup(text, strcspn(text, "%"));

    return inet_pton(AF_INET6, number, ret) == 1;
}

static bool is_loopback_v4(uint32_t big_endian)
{
    return ntohl(big_endian) >> 24 == IN_LOOPBACKNET;
}

bool address_is_loopback(const char *numeric)
{
    struct in_addr v4;
    struct in6_addr v6;
    uint32_t mapped;

    if (inet_pton(AF_INET, numeric, &v4) == 1) {
        return is_loopback_v4(v4.s_addr);
    }
    if (!parse_v6(numeric, &v6)) {
        return false;
    }
    memcpy(&mapped, v6.s6_addr + 12, sizeof(mapped));
    return IN6_IS_ADDR_LOOPBACK(&v6) ||
           (IN6_IS_ADDR_V4MAPPED(&v6) && is_loopback_v4(mapped));
}

bool address_is_wildcard(const char *numeric)
{
    struct in_addr v4;
    struct in6_addr v6;
    uint32_t mapped;

    if (inet_pton(AF_INET, numeric, &v4) == 1) {
        return v4.s_addr == INADDR_ANY;
    }
    if (!parse_v6(numeric, &v6)) {
        return false;
    }
    memcpy(&mapped, v6.s6_addr + 12, sizeof(mapped));
    return IN6_IS_ADDR_UNSPECIFIED(&v6) ||
           (IN6_IS_ADDR_V4MAPPED(&v6) && mapped == INADDR_ANY);
}

bool address_is_numeric(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;

    return inet_pton(AF_INET, text, &v4) == 1 || parse_v6(text, &v6);
}
