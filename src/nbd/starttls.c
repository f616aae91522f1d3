/*
 * From an NBD server's greeting to where TLS begins (NBD's proto.md, "fixed
 * newstyle negotiation").
 *
 * Happy path:
 *   server: NBDMAGIC IHAVEOPT flags(16)
 *   we:     flags(32) IHAVEOPT STARTTLS(32) length 0(32)
 *   server: reply magic(64) STARTTLS(32) ACK(32) length 0(32)
 *
 * Why not libnbd: up to 1.20 it has no way to say which name to verify, and on
 * a socket it is given it verifies nothing at all, not even the CA.
 *
 * What can fail: a server that is silent (the deadline), is not NBD, is too
 * old for TLS, or says no; its reason is passed on.
 */
#include "nbd/internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define NBD_MAGIC 0x4e42444d41474943 /* "NBDMAGIC" */
#define NBD_OLD_MAGIC                                                          \
    0x00420281861253 /* where a newstyle server says the next */
#define NBD_OPT_MAGIC 0x49484156454f5054 /* "IHAVEOPT" */
#define NBD_REPLY_MAGIC 0x0003e889045565a9

enum {
    FLAG_FIXED_NEWSTYLE = 1,
    FLAG_NO_ZEROES = 2,
    OPT_STARTTLS = 5,
    REPLY_ACK = 1,
    REPLY_TEXT_MAX = 4096, /* NBD's own limit for strings */
};

struct greeting {
    uint64_t magic, version;
    uint16_t flags;
} __attribute__((packed));

struct start {
    uint32_t flags;
    uint64_t magic;
    uint32_t option, len;
} __attribute__((packed));

struct reply {
    uint64_t magic;
    uint32_t option, type, len;
} __attribute__((packed));

static const struct {
    uint32_t type;
    const char *meaning;
} refusals[] = {
    { 0x80000001, "it does not know TLS" },
    { 0x80000002, "it was not set up for TLS" },
    { 0x80000003, "it calls the request invalid" },
    { 0x80000004, "it was built without TLS" },
    { 0x80000007, "it is shutting down" },
};

/* --- so many bytes, in or out ----------------------------------------- */

struct transfer {
    struct stream *s;
    struct loop_watch *watch;
    char *in;        /* reading into, or NULL */
    const char *out; /* writing from, or NULL */
    size_t left;
    bool ended;
    int errnum;
};

static void transfer_some(void *arg, unsigned ready)
{
    struct transfer *t = arg;

    (void)ready;
    while (t->left && !t->ended) {
        ssize_t n = t->in ? t->s->ops->recv(t->s, t->in, t->left)
                          : t->s->ops->send(t->s, t->out, t->left);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            t->ended = true;
            t->errnum = n < 0 ? errno : 0;
            break;
        }
        t->left -= (size_t)n;
        if (t->in)
            t->in += n;
        else
            t->out += n;
    }
    loop_watch_set(t->watch, 0);
}

static bool is_transferred(void *arg)
{
    const struct transfer *t = arg;

    return t->ended || !t->left;
}

static int transfer(struct loop *loop, struct transfer *t, const char *server,
                    const char *what, deadline_t by, struct qm_error *err)
{
    t->watch = loop_watch_fd(loop, t->s->ops->get_fd(t->s),
                             t->in ? LOOP_READ : LOOP_WRITE, transfer_some, t);
    bool done = loop_wait(loop, is_transferred, t, by);
    loop_watch_free(t->watch);
    if (!done)
        return error_set(err, QM_ERR_TIMEOUT,
                         "the NBD server at %s stays silent: no %s in time",
                         server, what);
    if (t->errnum)
        return error_set_errno(err, QM_ERR_LINK, t->errnum,
                               "%s of the NBD server at %s", what, server);
    if (t->ended)
        return error_set(err, QM_ERR_LINK,
                         "the NBD server at %s closed the connection: no %s",
                         server, what);
    return 0;
}

static int receive(struct loop *loop, struct stream *s, void *into, size_t len,
                   const char *server, const char *what, deadline_t by,
                   struct qm_error *err)
{
    struct transfer t = { .s = s, .in = into, .left = len };

    return transfer(loop, &t, server, what, by, err);
}

/* --- the conversation ------------------------------------------------- */

static int greet(struct loop *loop, struct stream *s, const char *server,
                 deadline_t by, uint16_t *ret_flags, struct qm_error *err)
{
    struct greeting g;

    if (receive(loop, s, &g, sizeof(g), server, "greeting", by, err) < 0)
        return -1;
    if (be64toh(g.magic) != NBD_MAGIC)
        return error_set(err, QM_ERR_PROTOCOL,
                         "what listens at %s is not an NBD server", server);
    uint16_t flags = be16toh(g.flags);
    if (be64toh(g.version) == NBD_OLD_MAGIC ||
        (be64toh(g.version) == NBD_OPT_MAGIC && !(flags & FLAG_FIXED_NEWSTYLE)))
        return error_set(err, QM_ERR_TLS,
                         "the NBD server at %s is too old for TLS", server);
    if (be64toh(g.version) != NBD_OPT_MAGIC)
        return error_set(err, QM_ERR_PROTOCOL,
                         "the NBD server at %s speaks an unknown version",
                         server);
    *ret_flags = flags;
    return 0;
}

static int ask(struct loop *loop, struct stream *s, const char *server,
               uint16_t flags, deadline_t by, struct qm_error *err)
{
    struct start out = {
        .flags = htobe32(flags & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)),
        .magic = htobe64(NBD_OPT_MAGIC),
        .option = htobe32(OPT_STARTTLS),
    };
    struct transfer t = {
        .s = s,
        .out = (const char *)&out,
        .left = sizeof(out),
    };

    return transfer(loop, &t, server, "room for a request", by, err);
}

/* The server's own words, LEN bytes that are still to be read. */
static int refused(struct loop *loop, struct stream *s, const char *server,
                   const struct reply *r, deadline_t by, struct qm_error *err)
{
    uint32_t len = be32toh(r->len);
    char text[REPLY_TEXT_MAX + 1] = "";
    const char *meaning = "it refuses";

    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i].type == be32toh(r->type))
            meaning = refusals[i].meaning;
    if (len > REPLY_TEXT_MAX)
        return error_set(err, QM_ERR_PROTOCOL,
                         "the NBD server at %s refuses TLS at a length of "
                         "%u bytes",
                         server, len);
    /* The refusal counts; its text is an extra. */
    if (len && receive(loop, s, text, len, server, "reason", by, NULL) < 0)
        text[0] = '\0';
    CLEANUP_FREE char *said = str_printable(text);
    error_set(err, QM_ERR_TLS, "the NBD server at %s offers no TLS: %s%s%s%s",
              server, meaning, *said ? " (\"" : "", said, *said ? "\")" : "");
    error_hint(err, "start the NBD server with TLS credentials");
    return -1;
}

static int answer(struct loop *loop, struct stream *s, const char *server,
                  deadline_t by, struct qm_error *err)
{
    struct reply r;

    if (receive(loop, s, &r, sizeof(r), server, "answer to a request for TLS",
                by, err) < 0)
        return -1;
    if (be64toh(r.magic) != NBD_REPLY_MAGIC ||
        be32toh(r.option) != OPT_STARTTLS)
        return error_set(err, QM_ERR_PROTOCOL,
                         "the NBD server at %s answered something else than "
                         "the request for TLS",
                         server);
    if (be32toh(r.type) != REPLY_ACK)
        return refused(loop, s, server, &r, by, err);
    if (r.len)
        return error_set(err, QM_ERR_PROTOCOL,
                         "the NBD server at %s agrees to TLS at too great "
                         "length",
                         server);
    return 0;
}

int nbd_start_tls(struct loop *loop, struct stream *s, const char *server,
                  deadline_t by, uint16_t *ret_flags, struct qm_error *err)
{
    uint16_t flags = 0;

    if (greet(loop, s, server, by, &flags, err) < 0 ||
        ask(loop, s, server, flags, by, err) < 0 ||
        answer(loop, s, server, by, err) < 0)
        return -1;
    *ret_flags = flags;
    return 0;
}
