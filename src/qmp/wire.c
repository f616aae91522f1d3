/*
 * QMP's wire format.
 *
 * happy path   bytes are appended; wire_next() walks over what is new, one
 *              byte at a time, until the brackets of an object close; then the
 *              object's own members are looked at, and nothing deeper.
 * what fails   a byte that no JSON has there, too deep, too long, no known
 *              key, an id that is not ours: PROTOCOL, and the wire is dead,
 *              because nobody knows where the next message begins.
 *
 * The end of a message is where its brackets close rather than the end of the
 * line, so that a monitor with `pretty=on` is understood as well.
 */
#include "qmp/wire.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/wire-scan.h"

/* What stays allocated for input between two messages. */
#define WIRE_KEEP (64 * KIB)
/* How much of what cannot be understood is shown. */
#define WIRE_SHOW 120

struct wire {
    struct buffer in;
    size_t start; /* where the message under way begins */
    size_t at;    /* what was walked over already */
    size_t limit; /* how long a message may be */
    struct nesting nesting;
    bool dead;
};

/* The members of a message that mean something to us. */
struct members {
    struct span id, greeting, result, error, event, data, timestamp;
};

struct wire *wire_new_within(size_t limit)
{
    struct wire *w = XNEW(struct wire);

    w->limit = limit;
    return w;
}

struct wire *wire_new(void)
{
    return wire_new_within(WIRE_LINE_MAX);
}

void wire_free(struct wire *w)
{
    if (w) {
        buffer_done(&w->in);
        free(w);
    }
}

void wire_reset(struct wire *w)
{
    buffer_done(&w->in);
    *w = (struct wire){ .limit = w->limit };
}

void wire_message_done(struct wire_message *m)
{
    free(m->event);
    *m = (struct wire_message){ .event = NULL };
}

/* Drop what was handed out; give back the memory of a long message. */
static void forget_taken(struct wire *w)
{
    if (w->start == 0) {
        return;
    }
    buffer_consume(&w->in, w->start);
    w->at -= w->start;
    w->start = 0;
    if (w->in.capacity > WIRE_KEEP && w->in.len < WIRE_KEEP / 2) {
        buffer_trim(&w->in);
    }
}

void wire_feed(struct wire *w, const void *bytes, size_t len)
{
    forget_taken(w);
    buffer_append(&w->in, bytes, len);
}

static int not_understood(const char *what, const char *text, size_t len,
                          struct qm_error *err)
{
    CLEANUP_FREE char *start =
        xstrndup(text, len < WIRE_SHOW ? len : WIRE_SHOW);
    CLEANUP_FREE char *shown = str_printable(start);

    return error_set(err, QM_ERR_PROTOCOL, "it sent %s: '%s%s'", what, shown,
                     len > WIRE_SHOW ? "..." : "");
}

static bool may_come_now(struct wire *w, char c)
{
    if (w->nesting.depth == 0 && c != '{') {
        return false;
    }
    return nesting_step(&w->nesting, c);
}

static bool is_between_messages(const struct wire *w)
{
    return w->nesting.depth == 0 && strchr(" \t\r\n", w->in.data[w->at]);
}

/* Walk to the end of the message: 1, 0 if it has not come yet, -1. */
static int find_end(struct wire *w, struct qm_error *err)
{
    while (w->at < w->in.len) {
        char c = w->in.data[w->at];

        if (c != '\0' && is_between_messages(w)) {
            w->start = ++w->at;
            continue;
        }
        if (!may_come_now(w, c)) {
            return not_understood("something that is not QMP",
                                  w->in.data + w->start, w->in.len - w->start,
                                  err);
        }
        w->at++;
        if (w->at - w->start > w->limit) {
            CLEANUP_FREE char *what = xasprintf("a message of more than %zu "
                                                "KiB",
                                                w->limit >> 10);

            return not_understood(what, w->in.data + w->start, w->at - w->start,
                                  err);
        }
        if (w->nesting.depth == 0) {
            return 1;
        }
    }
    return 0;
}

static int collect(struct span message, struct members *m, struct qm_error *err)
{
    const struct {
        const char *key;
        struct span *value;
    } known[] = {
        { "id", &m->id },
        { "QMP", &m->greeting },
        { "return", &m->result },
        { "error", &m->error },
        { "event", &m->event },
        { "data", &m->data },
        { "timestamp", &m->timestamp },
    };
    struct scan s = scan_of(message);
    struct span key, value;
    int more;

    while ((more = scan_member(&s, &key, &value)) > 0) {
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (!span_is(key, known[i].key)) {
                continue;
            }
            if (known[i].value->text) {
                return not_understood("a message with a member twice",
                                      message.text, message.len, err);
            }
            *known[i].value = value;
        }
    }
    return more == 0 ? 0
                     : not_understood("something that is not JSON",
                                      message.text, message.len, err);
}

static bool read_integer(struct span s, int64_t *ret)
{
    CLEANUP(free_string) char *digits = NULL;
    uint64_t n;
    bool minus = s.len > 0 && s.text[0] == '-';

    if (s.len == 0 || s.len > 20) {
        return false;
    }
    digits = xstrndup(s.text + minus, s.len - minus);
    if (!str_to_u64(digits, 0, INT64_MAX, &n)) {
        return false;
    }
    *ret = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

/* {"seconds": S, "microseconds": U}; QEMU sends -1 twice if it has no clock */
static bool read_timestamp(struct span s, int64_t *ret_us)
{
    struct scan scan = scan_of(s);
    struct span key, value;
    int64_t seconds = 0, micro = 0;
    int more;

    while ((more = scan_member(&scan, &key, &value)) > 0) {
        if (span_is(key, "seconds") && !read_integer(value, &seconds)) {
            return false;
        }
        if (span_is(key, "microseconds") && !read_integer(value, &micro)) {
            return false;
        }
    }
    if (more < 0 || seconds > INT64_MAX / 2000000 || seconds < -1 ||
        micro < -1 || micro > 999999) {
        return false;
    }
    *ret_us = seconds < 0 || micro < 0 ? 0 : seconds * 1000000 + micro;
    return true;
}

static int read_event(const struct members *m, struct span message,
                      struct wire_message *out, struct qm_error *err)
{
    struct span name;

    if (!span_string(m->event, &name) || name.len == 0 ||
        (m->data.text && m->data.text[0] != '{') ||
        (m->timestamp.text && !read_timestamp(m->timestamp, &out->time_us))) {
        return not_understood("a malformed event", message.text, message.len,
                              err);
    }
    out->event = xstrndup(name.text, name.len);
    return 0;
}

/* The answer to what?  We give every command an integer. */
static int read_id(const struct members *m, struct span message,
                   struct wire_message *out, struct qm_error *err)
{
    if (!m->id.text) {
        return not_understood("an answer without an id", message.text,
                              message.len, err);
    }
    if (!read_integer(m->id, &out->id)) {
        return not_understood("an answer whose id is not ours", message.text,
                              message.len, err);
    }
    out->has_id = true;
    return 0;
}

static int understand(struct span message, struct wire_message *out,
                      struct qm_error *err)
{
    struct members m = { .id = { .text = NULL } };
    struct span body;

    if (collect(message, &m, err) < 0) {
        return -1;
    }
    if (!!m.greeting.text + !!m.result.text + !!m.error.text + !!m.event.text !=
        1) {
        return not_understood("a message that is not QMP's", message.text,
                              message.len, err);
    }
    if (m.greeting.text) {
        out->kind = WIRE_GREETING;
        body = m.greeting;
    } else if (m.event.text) {
        out->kind = WIRE_EVENT;
        body = m.data;
        if (read_event(&m, message, out, err) < 0) {
            return -1;
        }
    } else {
        out->kind = m.result.text ? WIRE_RETURN : WIRE_ERROR;
        body = m.result.text ? m.result : m.error;
        if (read_id(&m, message, out, err) < 0) {
            return -1;
        }
    }
    out->body = body.text ? body.text : "";
    out->body_len = body.len;
    return 0;
}

int wire_next_text(struct wire *w, const char **ret, size_t *ret_len,
                   struct qm_error *err)
{
    int found;

    if (w->dead) {
        return error_set(err, QM_ERR_PROTOCOL, "it broke the protocol before");
    }
    found = find_end(w, err);
    w->dead = found < 0;
    if (found > 0) {
        *ret = w->in.data + w->start;
        *ret_len = w->at - w->start;
        w->start = w->at;
    }
    return found;
}

int wire_next(struct wire *w, struct wire_message *ret, struct qm_error *err)
{
    struct wire_message m = { .event = NULL };
    struct span message = { .text = NULL };
    int found = wire_next_text(w, &message.text, &message.len, err);

    if (found <= 0) {
        return found;
    }
    if (understand(message, &m, err) < 0) {
        wire_message_done(&m);
        w->dead = true;
        return -1;
    }
    *ret = m;
    return 1;
}

int wire_each_element(const char *text, size_t len,
                      int (*fn)(void *arg, const char *text, size_t len),
                      void *arg, struct qm_error *err)
{
    struct scan s = scan_of((struct span){ text, len });
    struct span value;
    int more;

    while ((more = scan_element(&s, &value)) > 0) {
        int answer = fn(arg, value.text, value.len);

        if (answer != 0) {
            return answer;
        }
    }
    return more == 0 ? 0 : not_understood("no JSON array", text, len, err);
}

/* json-c ends a bare number only when it sees what is behind it. */
static struct json_object *finish_parse(struct json_tokener *tokener,
                                        struct json_object *parsed)
{
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        return json_tokener_parse_ex(tokener, "", 1);
    }
    return parsed;
}

struct json_object *wire_parse(const char *text, size_t len,
                               struct qm_error *err)
{
    struct json_tokener *tokener;
    struct json_object *parsed;
    enum json_tokener_error failure;

    if (len > WIRE_LINE_MAX || memchr(text, '\0', len)) {
        not_understood("something that is not JSON", text, len, err);
        return NULL;
    }
    tokener = json_tokener_new_ex(WIRE_DEPTH_MAX);
    if (!tokener) {
        abort();
    }
    json_tokener_set_flags(tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    parsed = json_tokener_parse_ex(tokener, text, (int)len);
    parsed = finish_parse(tokener, parsed);
    failure = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (failure != json_tokener_success || !parsed) {
        json_object_put(parsed);
        not_understood("something that is not JSON", text, len, err);
        return NULL;
    }
    return parsed;
}
