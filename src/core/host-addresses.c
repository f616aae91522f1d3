/*
 * Is an address one that a process of a host can listen on?
 *
 * Its network namespace's routes say so: what is of type LOCAL there, be it
 * an interface's own address or a range that was routed to the host.  What
 * cannot be read, or not whole, says nothing.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/host-private.h"

/* A router may know the whole Internet: so much is read, or nothing. */
#define ROUTES_MAX (256 * KIB)
#define RTF_LOCAL_FLAG 0x80000000U /* linux/ipv6_route.h */

static bool same_prefix(const unsigned char *a, const unsigned char *b,
                        unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    unsigned mask = 0xffU << (8 - rest) & 0xffU;

    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

/* The next line of *POS without its indentation, at most SIZE of it; false at
 * the end. */
static bool next_line(const char **pos, char *line, size_t size)
{
    size_t len;

    if (!**pos)
        return false;
    *pos += strspn(*pos, " ");
    len = strcspn(*pos, "\n");
    snprintf(line, size, "%.*s", (int)len, *pos);
    *pos += len + ((*pos)[len] == '\n');
    return true;
}

/* A leaf "|-- 192.0.2.2" and below it its routes, as "/32 host LOCAL". */
bool fib_trie_has(const char *text, const struct in_addr *wanted)
{
    struct in_addr at = { .s_addr = INADDR_ANY };
    char line[80], number[INET_ADDRSTRLEN], type[16];
    unsigned bits;

    while (next_line(&text, line, sizeof(line))) {
        if (sscanf(line, "|-- %15s", number) == 1) {
            if (inet_pton(AF_INET, number, &at) != 1)
                return false;
        } else if (sscanf(line, "/%u %*s %15s", &bits, type) == 2 &&
                   str_equal(type, "LOCAL") && bits <= 32 &&
                   same_prefix((const unsigned char *)&at,
                               (const unsigned char *)wanted, bits)) {
            return true;
        }
    }
    return false;
}

static bool parse_hex16(const char *hex, struct in6_addr *ret)
{
    for (size_t i = 0; i < sizeof(ret->s6_addr); i++) {
        unsigned byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            return false;
        ret->s6_addr[i] = (unsigned char)byte;
    }
    return true;
}

/* Ten columns: the route's address and bits come first, its flags are ninth. */
bool ipv6_route_has(const char *text, const struct in6_addr *wanted)
{
    char line[256], hex[33];
    struct in6_addr at;
    unsigned bits, flags;

    while (next_line(&text, line, sizeof(line)))
        if (sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %x", hex, &bits,
                   &flags) == 3 &&
            (flags & RTF_LOCAL_FLAG) && bits <= 128 && strlen(hex) == 32 &&
            parse_hex16(hex, &at) &&
            same_prefix(at.s6_addr, wanted->s6_addr, bits))
            return true;
    return false;
}

static enum host_has judge(const struct host_file *f, const char *text,
                           int family, const void *wanted)
{
    bool has;

    if (f->state != HOST_FILE_READ || f->bytes.len == 0 ||
        f->bytes.len >= ROUTES_MAX)
        return HOST_HAS_UNKNOWN;
    has = family == AF_INET ? fib_trie_has(text, wanted)
                            : ipv6_route_has(text, wanted);
    return has ? HOST_HAS : HOST_HAS_NOT;
}

enum host_has host_has_address(struct host *h, const struct process_identity *p,
                               const char *numeric)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    int family = strchr(numeric, ':') ? AF_INET6 : AF_INET;
    CLEANUP_FREE char *bare = xstrndup(numeric, strcspn(numeric, "%"));
    enum host_has has = HOST_HAS_UNKNOWN;
    struct in6_addr wanted; /* or a struct in_addr */
    struct host_file f = { .path = NULL };

    if (!h || !p->known || inet_pton(family, bare, &wanted) != 1)
        return HOST_HAS_UNKNOWN;
    f.path = xasprintf("/proc/%d/net/%s", p->pid,
                       family == AF_INET ? "fib_trie" : "ipv6_route");
    if (host_read_files(h, &f, 1, ROUTES_MAX, &ignored) == 0) {
        CLEANUP_FREE char *text =
            xstrndup(f.bytes.data ? f.bytes.data : "", f.bytes.len);

        has = judge(&f, text, family, &wanted);
    }
    host_files_done(&f, 1);
    return has;
}
