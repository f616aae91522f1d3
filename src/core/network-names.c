/*
 * What the name of a network image means on another host.
 *
 * A name is a URL, or QEMU's json: description.  One server is meant wherever
 * it is said if its address is a public one, or its name a full one of the
 * public kind; every network has its own 10.0.0.1, and every host its own
 * /etc/ceph/ceph.conf.
 */
#include <arpa/inet.h>
#include <json-c/json.h>
#include <string.h>
#include <strings.h>

#include "core/extents.h"

/* --- addresses -------------------------------------------------------------- */

/* ADDRESS in host order. */
static enum name_reach reach_of_ipv4(uint32_t address)
{
    static const struct {
        uint32_t network;
        int bits;
        enum name_reach reach;
    } special[] = {
        { 0x00000000, 8, NAME_NEAR },       { 0x7f000000, 8, NAME_NEAR },
        { 0x0a000000, 8, NAME_AMBIGUOUS },  { 0xac100000, 12, NAME_AMBIGUOUS },
        { 0xc0a80000, 16, NAME_AMBIGUOUS }, { 0x64400000, 10, NAME_AMBIGUOUS },
        { 0xa9fe0000, 16, NAME_AMBIGUOUS }, { 0xe0000000, 3, NAME_AMBIGUOUS },
    };

    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if ((address ^ special[i].network) >> (32 - special[i].bits) == 0) {
            return special[i].reach;
        }
    }
    return NAME_GLOBAL;
}

static enum name_reach reach_of_ipv6(const struct in6_addr *a)
{
    if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a)) {
        return NAME_NEAR;
    }
    if (IN6_IS_ADDR_V4MAPPED(a)) {
        return reach_of_ipv4((uint32_t)a->s6_addr[12] << 24 |
                             (uint32_t)a->s6_addr[13] << 16 |
                             (uint32_t)a->s6_addr[14] << 8 | a->s6_addr[15]);
    }
    return (a->s6_addr[0] & 0xe0) == 0x20 ? NAME_GLOBAL : NAME_AMBIGUOUS;
}

/* Names that each network may have for itself end like this. */
static bool is_private_domain(const char *name)
{
    static const char *const ends[] = { ".local",    ".localdomain", ".lan",
                                        ".internal", ".intranet",    ".home",
                                        ".arpa",     ".test",        ".corp" };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_ends(name, ends[i])) {
            return true;
        }
    }
    return false;
}

static enum name_reach reach_of_host(const char *host)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, host, &four) == 1) {
        return reach_of_ipv4(ntohl(four.s_addr));
    }
    if (inet_pton(AF_INET6, host, &six) == 1) {
        return reach_of_ipv6(&six);
    }
    if (!strncasecmp(host, "localhost", strlen("localhost"))) {
        return NAME_NEAR;
    }
    /* what is left of a number, as "127.1", is not understood */
    return strchr(host, '.') && !strchr(host, ':') &&
                   host[strspn(host, "0123456789.xabcdef")] &&
                   !is_private_domain(host)
               ? NAME_GLOBAL
               : NAME_AMBIGUOUS;
}

/* "HOST", "HOST:PORT", "[V6]:PORT", or QEMU's "V6:PORT". */
static enum name_reach reach_of_authority(const char *text, size_t len)
{
    CLEANUP_FREE char *host = xstrndup(text, len);
    struct in6_addr six;
    char *end, *colon;

    if (host[0] == '[' && (end = strchr(host, ']'))) {
        *end = '\0';
        return reach_of_host(host + 1);
    }
    colon = strrchr(host, ':');
    if (colon &&
        (strchr(host, ':') == colon || inet_pton(AF_INET6, host, &six) != 1)) {
        *colon = '\0';
        return reach_of_host(host);
    }
    if (colon) { /* an address, or one and a port: the nearer counts */
        enum name_reach whole = reach_of_host(host), part;

        *colon = '\0';
        part =
            inet_pton(AF_INET6, host, &six) == 1 ? reach_of_host(host) : whole;
        return part < whole ? part : whole;
    }
    return reach_of_host(host);
}

static enum name_reach reach_of_url(const char *url)
{
    const char *start = strstr(url, "://"), *user;
    size_t len;

    if (!start) {
        return NAME_AMBIGUOUS;
    }
    if (memmem(url, (size_t)(start - url), "unix", 4) ||
        memmem(url, (size_t)(start - url), "vsock", 5)) {
        return NAME_NEAR;
    }
    start += strlen("://");
    len = strcspn(start, "/?");
    user = memrchr(start, '@', len);
    if (user) {
        len -= (size_t)(user + 1 - start);
        start = user + 1;
    }
    return len ? reach_of_authority(start, len) : NAME_AMBIGUOUS;
}

/* --- descriptions ----------------------------------------------------------- */

/* What is found of servers: how many, and the nearest. */
struct servers {
    unsigned count;
    enum name_reach reach;
};

static void add_server(struct servers *s, enum name_reach reach)
{
    s->count++;
    if (reach < s->reach) {
        s->reach = reach;
    }
}

static void look_at_member(struct servers *s, const char *key,
                           const char *value)
{
    static const char *const near[] = { "unix", "fd", "vsock" };

    if (str_equal(key, "host") || str_equal(key, "portal") ||
        str_ends(key, ".host")) {
        add_server(s, reach_of_authority(value, strlen(value)));
    } else if (str_equal(key, "url") || str_equal(key, "uri")) {
        add_server(s, reach_of_url(value));
    } else if ((str_equal(key, "type") || str_ends(key, ".type") ||
                str_equal(key, "transport")) &&
               str_is_among(value, near, ARRAY_LEN(near))) {
        add_server(s, NAME_NEAR);
    } else if (str_equal(key, "conf")) { /* a file of each host */
        add_server(s, NAME_AMBIGUOUS);
    }
}

static void look_at(struct servers *s, struct json_object *o)
{
    if (json_object_is_type(o, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            look_at(s, json_object_array_get_idx(o, i));
        }
    } else if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, key, value)
        {
            if (json_object_is_type(value, json_type_string)) {
                look_at_member(s, key, json_object_get_string(value));
            }
            look_at(s, value);
        }
    }
}

static enum name_reach reach_of_description(const char *text)
{
    struct servers s = { .reach = NAME_GLOBAL };
    struct json_object *o = json_tokener_parse(text);

    look_at(&s, o);
    json_object_put(o);
    return s.count ? s.reach : NAME_AMBIGUOUS;
}

/* What QEMU has by another way than a file or a server. */
static bool is_near_driver(const char *driver)
{
    static const char *const near[] = { "nvme", "nvme-io_uring", "io_uring",
                                        "vvfat" };

    return str_starts(driver, "virtio-") ||
           str_is_among(driver, near, ARRAY_LEN(near));
}

enum name_reach network_name_reach(const char *driver, const char *name)
{
    if (!driver || !name) {
        return NAME_AMBIGUOUS;
    }
    if (is_near_driver(driver)) {
        return NAME_NEAR;
    }
    return str_starts(name, "json:")
               ? reach_of_description(name + strlen("json:"))
               : reach_of_url(name);
}
