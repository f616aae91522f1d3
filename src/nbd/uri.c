/*
 * NBD URIs (the NBD project's doc/uri.md).
 */
#include "nbd/uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define EXPORT_MAX 4096 /* the protocol's limit of a string */

static const struct {
    const char *prefix;
    bool tls, is_unix;
} schemes[] = {
    { "nbd://", false, false },
    { "nbds://", true, false },
    { "nbd+unix://", false, true },
};

static int refuse(const char *why, struct qm_error *err)
{
    error_set(err, QM_ERR_USAGE, "%s", why);
    error_hint(err, "nbds://host[:port]/EXPORT, nbd://host[:port]/EXPORT or "
                    "nbd+unix:///EXPORT?socket=/path");
    return -1;
}

/* LEN bytes with %XX decoded; NULL if they are not well-formed, or make a
 * NUL. */
static char *decode(const char *text, size_t len)
{
    char *out = xcalloc(1, len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char digits[3] = { 0 };

        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        if (len - i > 2)
            memcpy(digits, text + i + 1, 2);
        if (!isxdigit((unsigned char)digits[0]) ||
            !isxdigit((unsigned char)digits[1]) || str_equal(digits, "00")) {
            free(out);
            return NULL;
        }
        out[n++] = (char)strtol(digits, NULL, 16);
        i += 2;
    }
    return out;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static int parse_authority(const char *text, size_t len, struct nbd_uri *uri,
                           struct qm_error *err)
{
    CLEANUP_FREE char *all = xstrndup(text, len);
    char *host = all, *end, *port = NULL;
    uint64_t number = NBD_PORT;

    if (host[0] == '[') {
        host++;
        end = strchr(host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return refuse("the address in brackets does not end", err);
        port = end[1] ? end + 2 : NULL;
        *end = '\0';
    } else {
        end = strchr(host, ':');
        port = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
    }
    if (host[0] == '\0')
        return refuse("there is no host", err);
    if (host[0] == '-' || strpbrk(host, "@/ "))
        return refuse("that is not the name of a host", err);
    if (port && !str_to_u64(port, 1, 65535, &number))
        return refuse("the port is not a number of 1 to 65535", err);
    uri->host = xstrdup(host);
    uri->port = (unsigned)number;
    return 0;
}

/* "?socket=PATH" */
static int parse_socket(const char *query, struct nbd_uri *uri,
                        struct qm_error *err)
{
    static const char wanted[] = "?socket=";

    if (!str_starts(query, wanted))
        return refuse("there is no socket", err);
    query += strlen(wanted);
    uri->path = decode(query, strlen(query));
    if (!uri->path || uri->path[0] != '/' || strchr(query, '&'))
        return refuse("the socket is not an absolute path", err);
    if (strlen(uri->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return refuse("the socket's path is too long", err);
    return 0;
}

static int parse(const char *rest, bool is_unix, struct nbd_uri *uri,
                 struct qm_error *err)
{
    size_t authority = strcspn(rest, "/?#");
    const char *name = rest + authority + (rest[authority] == '/');
    size_t length = strcspn(name, "?#");
    const char *query = name + length;

    uri->export_name = decode(name, length);
    if (!uri->export_name || strlen(uri->export_name) > EXPORT_MAX)
        return refuse("the name of the export is not well-formed", err);
    if (!is_unix)
        return *query ? refuse("nothing may follow the export's name", err)
                      : parse_authority(rest, authority, uri, err);
    if (authority > 0)
        return refuse("a unix socket has no host: three slashes", err);
    return parse_socket(query, uri, err);
}

int nbd_uri_parse(const char *text, struct nbd_uri *ret, struct qm_error *err)
{
    CLEANUP(nbd_uri_done) struct nbd_uri uri = { .text = xstrdup(text) };
    CLEANUP_FREE char *shown = str_printable(text);

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_starts(text, schemes[i].prefix))
            continue;
        uri.tls = schemes[i].tls;
        if (!str_equal(shown, text))
            return refuse("an NBD URI has no such characters", err);
        if (parse(text + strlen(schemes[i].prefix), schemes[i].is_unix, &uri,
                  err) < 0)
            return error_wrap(err, "%s", shown);
        *ret = uri;
        uri = (struct nbd_uri){ 0 };
        return 0;
    }
    refuse("that is not an NBD URI", err);
    return error_wrap(err, "%s", shown);
}

void nbd_uri_done(struct nbd_uri *uri)
{
    free(uri->text);
    free(uri->host);
    free(uri->path);
    free(uri->export_name);
    *uri = (struct nbd_uri){ 0 };
}
