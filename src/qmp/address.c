/*
 * QMP addresses.  The text is cut in place, in a copy; every part is checked
 * before it can reach ssh's command line or a socket address.
 */
#include "qmp/address.h"

#include <string.h>
#include <sys/un.h>

static const char forms[] =
    "an address is /PATH or unix:/PATH for a socket on this machine, "
    "ssh://[USER@]HOST[:PORT]/PATH for one on another, tls:HOST:PORT, or "
    "tcp:HOST:PORT, not encrypted";

static int complain(const char *text, const char *what, struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(text);

    error_set(err, QM_ERR_USAGE, "the address '%s' %s", shown, what);
    error_hint(err, "%s", forms);
    return -1;
}

static bool has_control_character(const char *text)
{
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* NULL if fine, else what is wrong with it. */
static const char *check_path(const char *path)
{
    struct sockaddr_un sun;

    if (path[0] != '/') {
        return "has no absolute path";
    }
    if (str_ends(path, "/")) {
        return "names a directory, not a socket";
    }
    if (strlen(path) >= sizeof(sun.sun_path)) {
        return "has a path too long for a unix socket (107 bytes at most)";
    }
    return NULL;
}

static const char *check_word(const char *word, const char *empty,
                              const char *dashed, const char *spaced)
{
    if (word[0] == '\0') {
        return empty;
    }
    if (word[0] == '-') {
        return dashed;
    }
    return strpbrk(word, " /@[]'\"\\`$&;|<>(){}*?!#") ? spaced : NULL;
}

static const char *check_host(const char *host)
{
    return check_word(host, "has no host", "has a host that begins with '-'",
                      "has a host with a character that no host name has");
}

static const char *check_user(const char *user)
{
    return check_word(user, "has an empty user name",
                      "has a user name that begins with '-'",
                      "has a user name with a character that none has");
}

/*
 * Cut "HOST:PORT", "[HOST]:PORT" or, where the port is optional, one without
 * it.  *RET_PORT is "" then.  Both point into TEXT.
 */
static const char *split_host(char *text, char **ret_host, char **ret_port)
{
    char *host = text, *rest;

    if (text[0] == '[') {
        host = text + 1;
        rest = strchr(host, ']');
        if (!rest) {
            return "has a '[' without a ']'";
        }
        *rest++ = '\0';
        if (*rest != '\0' && *rest != ':') {
            return "has something other than a port behind ']'";
        }
    } else {
        rest = strchr(text, ':');
        if (rest && strchr(rest + 1, ':')) {
            return "has more than one ':': put an IPv6 address in brackets";
        }
        if (!rest) {
            rest = text + strlen(text);
        }
    }
    if (*rest == ':') {
        *rest++ = '\0';
        if (*rest == '\0') {
            return "has an empty port";
        }
    }
    *ret_host = host;
    *ret_port = rest;
    return check_host(host);
}

static const char *parse_port(const char *text, unsigned *ret)
{
    uint64_t port;

    if (!str_to_u64(text, 1, 65535, &port)) {
        return "has a port that is not a number between 1 and 65535";
    }
    *ret = (unsigned)port;
    return NULL;
}

static const char *parse_unix(char *rest, struct qmp_address *a)
{
    a->type = QMP_ADDRESS_UNIX;
    a->path = xstrdup(rest);
    return check_path(rest);
}

static const char *parse_ssh(char *rest, struct qmp_address *a)
{
    char *slash = strchr(rest, '/');
    char *at, *host, *port;
    const char *wrong;

    a->type = QMP_ADDRESS_SSH;
    if (!slash) {
        return "has no path behind its host";
    }
    a->path = xstrdup(slash);
    wrong = check_path(slash);
    if (wrong) {
        return wrong;
    }
    if (strstr(slash, "${")) {
        return "has '${' in its path, which ssh would expand";
    }
    *slash = '\0';

    at = strrchr(rest, '@');
    if (at) {
        *at = '\0';
        a->user = xstrdup(rest);
        wrong = check_user(rest);
        if (wrong) {
            return wrong;
        }
        rest = at + 1;
    }
    wrong = split_host(rest, &host, &port);
    if (wrong) {
        return wrong;
    }
    a->host = xstrdup(host);
    return *port ? parse_port(port, &a->port) : NULL;
}

static const char *parse_port_of_host(char *rest, struct qmp_address *a)
{
    char *host, *port;
    const char *wrong;

    wrong = split_host(rest, &host, &port);
    if (wrong) {
        return wrong;
    }
    a->host = xstrdup(host);
    return *port ? parse_port(port, &a->port) : "has no port";
}

static const char *parse_tcp(char *rest, struct qmp_address *a)
{
    a->type = QMP_ADDRESS_TCP;
    return parse_port_of_host(rest, a);
}

static const char *parse_tls(char *rest, struct qmp_address *a)
{
    a->type = QMP_ADDRESS_TLS;
    return parse_port_of_host(rest, a);
}

static const struct {
    const char *prefix;
    size_t skip; /* how much of the prefix does not belong to the rest */
    const char *(*parse)(char *rest, struct qmp_address *a);
} schemes[] = {
    { .prefix = "/", .skip = 0, .parse = parse_unix },
    { .prefix = "unix:", .skip = 5, .parse = parse_unix },
    { .prefix = "ssh://", .skip = 6, .parse = parse_ssh },
    { .prefix = "tcp:", .skip = 4, .parse = parse_tcp },
    { .prefix = "tls:", .skip = 4, .parse = parse_tls },
};

int qmp_address_parse(const char *text, struct qmp_address *ret,
                      struct qm_error *err)
{
    if (text[0] == '\0') {
        return complain(text, "is empty", err);
    }
    if (has_control_character(text)) {
        return complain(text, "has a control character", err);
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct qmp_address a = { .text = NULL };
        CLEANUP_FREE char *copy = NULL;
        const char *wrong;

        if (!str_starts(text, schemes[i].prefix)) {
            continue;
        }
        copy = xstrdup(text);
        wrong = schemes[i].parse(copy + schemes[i].skip, &a);
        if (wrong) {
            qmp_address_done(&a);
            return complain(text, wrong, err);
        }
        a.text = xstrdup(text);
        *ret = a;
        return 0;
    }
    return complain(text, "has an unknown form", err);
}

void qmp_address_done(struct qmp_address *a)
{
    free_string(a->text);
    free_string(a->path);
    free_string(a->user);
    free_string(a->host);
    *a = (struct qmp_address){ .text = NULL };
}
