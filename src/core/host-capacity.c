/*
 * What a host can do for a stream: the cores that a process may run on, and
 * the speed of the interface by which it reaches an address, or on which it has
 * that address.  Of what cannot be read nothing is known.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

#define LIMIT_MS 5000

/* "cores LIST", "speed INTERFACE MBIT" for each, then the routes as the kernel
 * tells them, IPv4 and, where there is one, IPv6.  A bridge or a bond has the
 * speed of what is below it, as the kernel tells; lo has none. */
static const char capacity_script[] =
    "read -r pid; "
    "while read -r key value; do "
    "  [ $key = Cpus_allowed_list: ] && echo cores $value; "
    "done </proc/$pid/status; "
    "for i in /sys/class/net/*; do "
    "  s=; read -r s <$i/speed; echo speed ${i##*/} ${s:-0}; "
    "done 2>/dev/null; "
    "echo routes; cat /proc/$pid/net/route; "
    "echo routes6; cat /proc/$pid/net/ipv6_route 2>/dev/null || :";

/* "0-3,8,10-11" */
int cores_parse(const char *list)
{
    int count = 0;

    while (*list >= '0' && *list <= '9') {
        char *end;
        unsigned long from = strtoul(list, &end, 10), to = from;

        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        if (to < from || to > 65535)
            return 0;
        count += (int)(to - from + 1);
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}

static const char *line_after(const char *text, const char *start)
{
    size_t len = strlen(start);

    for (; text && *text; text = strchr(text, '\n')) {
        text += *text == '\n';
        if (strncmp(text, start, len) == 0)
            return text + len;
    }
    return NULL;
}

/* Columns: interface, destination, gateway, flags, ..., mask: hexadecimal, in
 * the machine's order of bytes.  Both hosts are taken to have this one's. */
static bool route4(const char *text, const struct in_addr *to,
                   char interface[16])
{
    int best = -1;

    for (; text && *text && strncmp(text, "routes6", 7) != 0;
         text = strchr(text, '\n')) {
        char name[16];
        unsigned address, mask;

        text += *text == '\n';
        if (sscanf(text, "%15s %8x %*x %*x %*d %*d %*d %8x", name, &address,
                   &mask) != 3 ||
            (to->s_addr & mask) != address)
            continue;
        if (__builtin_popcount(mask) > best) {
            best = __builtin_popcount(mask);
            memcpy(interface, name, sizeof(name));
        }
    }
    return best >= 0;
}

static bool same_bits(const unsigned char *a, const char *hex, unsigned bits)
{
    for (unsigned i = 0; i < bits; i += 8) {
        unsigned byte, mask = bits - i < 8 ? 0xffU << (8 - (bits - i)) : 0xffU;

        if (sscanf(hex + i / 4, "%2x", &byte) != 1 ||
            ((byte ^ a[i / 8]) & mask & 0xffU))
            return false;
    }
    return true;
}

/* Ten columns: address and bits come first, the interface last. */
static bool route6(const char *text, const struct in6_addr *to,
                   char interface[16])
{
    int best = -1;

    for (; text && *text; text = strchr(text, '\n')) {
        char hex[33], name[16];
        unsigned bits;

        text += *text == '\n';
        if (sscanf(text, "%32s %x %*s %*s %*s %*s %*s %*s %*s %15s", hex, &bits,
                   name) != 3 ||
            strlen(hex) != 32 || bits > 128 || str_equal(name, "lo") ||
            !same_bits(to->s6_addr, hex, bits))
            continue;
        if ((int)bits > best) {
            best = (int)bits;
            memcpy(interface, name, sizeof(name));
        }
    }
    return best >= 0;
}

void capacity_parse(const char *text, const char *numeric,
                    struct host_capacity *ret)
{
    const char *cores = line_after(text, "cores ");
    char interface[16] = "", name[16];
    unsigned char to[sizeof(struct in6_addr)];
    long long mbit;

    *ret = (struct host_capacity){ .cores = cores ? cores_parse(cores) : 0 };
    /* within a host no route says so, and no interface has a speed */
    if (strncmp(numeric, "127.", 4) == 0 || str_equal(numeric, "::1"))
        return;
    if (!(inet_pton(AF_INET, numeric, to) == 1 &&
          route4(line_after(text, "routes\n"), (void *)to, interface)) &&
        !(inet_pton(AF_INET6, numeric, to) == 1 &&
          route6(line_after(text, "routes6\n"), (void *)to, interface)))
        return;
    for (const char *at = text; (at = line_after(at, "speed ")) != NULL;)
        if (sscanf(at, "%15s %lld", name, &mbit) == 2 &&
            str_equal(name, interface) && mbit > 0 && mbit < 10000000)
            ret->link_mbit = mbit;
}

void host_capacity(struct host *h, const struct process_identity *p,
                   const char *numeric, struct host_capacity *ret)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP_FREE char *bare = xstrndup(numeric, strcspn(numeric, "%"));
    CLEANUP_FREE char *input = NULL;

    *ret = (struct host_capacity){ 0 };
    if (!h || !p->known)
        return;
    input = xasprintf("%d\n", p->pid);
    if (host_run(h, capacity_script, input, deadline_in_ms(LIMIT_MS), &out,
                 &ignored) != 0)
        return;
    buffer_append(&out, "", 1);
    capacity_parse(out.data, bare, ret);
}
