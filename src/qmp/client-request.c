/*
 * Commands and their answers.
 *
 * happy path   a command is written, its answer comes with its id and is kept
 *              in the request until qmp_finish() takes it.
 * what fails   its limit passes: the request stays, abandoned, until the late
 *              answer comes and is swallowed.  The link breaks: every request
 *              ends with LINK.  An answer that nobody awaits: the peer and we
 *              are out of step, and the link is opened anew.
 *
 * QEMU queues eight in-band commands and then reads nothing more, not even
 * what is out of band (QEMU.md 1.2).  So at most IN_BAND_MAX are under way,
 * abandoned ones included; the others wait here.
 */
#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/client-internal.h"

enum {
    IN_BAND_MAX = 4,
    HURRIED_MIN_MS = 1000,
    NEAR_MS = 100, /* a round trip below that makes no difference to limits */
};

/* QEMU.md 1.4 */
static const int64_t class_ms[] = {
    [QMP_QUERY] = 10000,
    [QMP_CONTROL] = 30000,
    [QMP_BLOCKING] = 60000,
};

typedef int raw_fn(void *arg, const char *text, size_t len,
                   struct qm_error *err);

enum request_state {
    REQUEST_QUEUED,    /* not written yet */
    REQUEST_SENT,      /* its answer is awaited */
    REQUEST_ABANDONED, /* as SENT, but nobody waits; owned by the list */
    REQUEST_DONE,      /* in no list: RESULT or ERROR is its end */
};

struct qmp_request {
    struct qmp *q; /* valid until DONE */
    struct qmp_request *next;
    enum request_state state;
    int64_t id, limit_ms, sent_ms;
    deadline_t by;
    const char *who;
    char *name;
    char *line; /* what is sent; NULL afterwards */
    bool oob;
    raw_fn *raw; /* takes the answer's text, or NULL */
    void *raw_arg;
    struct json_object *result;
    struct qm_error error;
};

static void request_free(struct qmp_request *r)
{
    json_object_put(r->result);
    error_clear(&r->error);
    free(r->name);
    free(r->line);
    free(r);
}

static void unlink_request(struct qmp_request *r)
{
    struct qmp_request **at = &r->q->requests;

    while (*at != r) {
        at = &(*at)->next;
    }
    *at = r->next;
    r->next = NULL;
}

/* It is over, and in no list: for the one who waits, or for nobody. */
static void end_request(struct qmp_request *r)
{
    if (r->state == REQUEST_ABANDONED) {
        request_free(r);
    } else {
        r->state = REQUEST_DONE;
        r->q = NULL;
    }
}

/* --- sending ------------------------------------------------------------ */

void requests_push(struct qmp *q)
{
    unsigned in_band = 0;

    for (struct qmp_request *r = q->requests; r; r = r->next) {
        in_band += !r->oob && r->state != REQUEST_QUEUED;
    }
    for (struct qmp_request *r = q->requests; r; r = r->next) {
        if (r->state != REQUEST_QUEUED || (!r->oob && in_band == IN_BAND_MAX)) {
            continue;
        }
        in_band += !r->oob;
        buffer_append(&q->out, r->line, strlen(r->line));
        free(STEAL(r->line));
        r->state = REQUEST_SENT;
        r->sent_ms = clock_now_ms();
    }
    talk_flush(q);
}

static char *write_command(const struct qmp_request *r,
                           struct json_object *args)
{
    struct json_object *command = json_object_new_object();
    char *line;

    json_object_object_add(command, r->oob ? "exec-oob" : "execute",
                           json_object_new_string(r->name));
    if (args) {
        json_object_object_add(command, "arguments", args);
    }
    json_object_object_add(command, "id", json_object_new_int64(r->id));
    line = xasprintf("%s\n", json_object_to_json_string_ext(
                                 command, JSON_C_TO_STRING_PLAIN |
                                              JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(command);
    return line;
}

static void refuse(struct qmp *q, struct qmp_request *r)
{
    r->state = REQUEST_DONE;
    error_set(&r->error, QM_ERR_LINK, "%s: %s: not sent, the link is %s%s%s",
              r->who, r->name, q->state == LINK_GONE ? "gone" : "down",
              q->reason.message ? ": " : "",
              q->reason.message ? q->reason.message : "");
}

void qmp_hurry(struct qmp *q, deadline_t by)
{
    q->hurry_by = by;
}

int64_t qmp_round_trip_ms(const struct qmp *q)
{
    return q->round_trip_ms < NEAR_MS ? 0 : q->round_trip_ms;
}

/* The quickest answer says how far away it is; the others waited in QEMU. */
static void measure_round_trip(struct qmp *q, const struct qmp_request *r)
{
    int64_t took_ms = clock_now_ms() - r->sent_ms;

    if (!q->round_trip_known || took_ms < q->round_trip_ms) {
        q->round_trip_ms = took_ms;
    }
    q->round_trip_known = true;
}

/* What is on its way is not silence: the way, there and back, and once more for
 * what queues up on it. */
static int64_t limit_of(const struct qmp *q, int64_t ms)
{
    int64_t left = q->hurry_by - clock_now_ms();

    if (left < HURRIED_MIN_MS) {
        left = HURRIED_MIN_MS;
    }
    return (left < ms ? left : ms) + 2 * qmp_round_trip_ms(q);
}

static struct qmp_request *send_request(struct qmp *q, const char *name,
                                        struct json_object *args, bool oob,
                                        int64_t ms, raw_fn *raw, void *raw_arg)
{
    struct qmp_request *r = XNEW(struct qmp_request);
    struct qmp_request **end = &q->requests;

    r->who = q->who;
    r->name = xstrdup(name);
    r->oob = oob && q->oob;
    r->limit_ms = limit_of(q, ms);
    r->by = deadline_in_ms(r->limit_ms);
    r->raw = raw;
    r->raw_arg = raw_arg;
    if (q->state != LINK_READY) {
        json_object_put(args);
        refuse(q, r);
        return r;
    }
    r->q = q;
    r->id = ++q->last_id;
    r->line = write_command(r, args);
    while (*end) {
        end = &(*end)->next;
    }
    *end = r;
    requests_push(q);
    return r;
}

/* --- answers ------------------------------------------------------------ */

static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *text;

    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, name, &text) &&
                   json_object_is_type(text, json_type_string)
               ? json_object_get_string(text)
               : NULL;
}

static int take_error(struct qmp_request *r, const struct wire_message *m,
                      struct qm_error *err)
{
    struct json_object *body = wire_parse(m->body, m->body_len, err);
    CLEANUP_FREE char *shown = NULL;
    const char *class, *desc;

    if (!body) {
        return -1;
    }
    class = text_of(body, "class");
    desc = text_of(body, "desc");
    if (!class || !desc) {
        json_object_put(body);
        return error_set(err, QM_ERR_PROTOCOL,
                         "its error has no class or no description");
    }
    shown = str_printable(desc);
    error_set(&r->error, QM_ERR_QEMU, "%s: %s: QEMU said: %s", r->who, r->name,
              shown);
    error_set_peer_class(&r->error, class);
    json_object_put(body);
    return 0;
}

static int take_result(struct qmp_request *r, const struct wire_message *m,
                       struct qm_error *err)
{
    if (r->raw) {
        if (r->raw(r->raw_arg, m->body, m->body_len, &r->error) < 0) {
            error_wrap(&r->error, "%s: %s", r->who, r->name);
        }
        return 0;
    }
    r->result = wire_parse(m->body, m->body_len, err);
    return r->result ? 0 : -1;
}

int requests_take_answer(struct qmp *q, const struct wire_message *m,
                         struct qm_error *err)
{
    struct qmp_request *r = q->requests;

    while (r && (r->id != m->id || r->state == REQUEST_QUEUED)) {
        r = r->next;
    }
    if (!r) {
        return error_set(err, QM_ERR_PROTOCOL,
                         "it answered a command that was not asked (id %lld)",
                         (long long)m->id);
    }
    if (r->state == REQUEST_SENT &&
        (m->kind == WIRE_ERROR ? take_error : take_result)(r, m, err) < 0) {
        return -1;
    }
    measure_round_trip(q, r);
    if (r->state == REQUEST_SENT && q->callbacks.on_answer)
        q->callbacks.on_answer(q->callbacks.arg, r->name);
    unlink_request(r);
    end_request(r);
    requests_push(q);
    return 0;
}

static void fail_request(struct qmp_request *r, const char *why)
{
    error_set(&r->error, QM_ERR_LINK, "%s: %s: %s: %s", r->who, r->name,
              r->state == REQUEST_QUEUED
                  ? "not sent, the link broke"
                  : "the link broke before the answer came",
              why);
    end_request(r);
}

static void fail_all(struct qmp *q, const char *why)
{
    struct qmp_request *next, *r = STEAL(q->requests);

    for (; r; r = next) {
        next = STEAL(r->next);
        fail_request(r, why);
    }
}

void requests_fail(struct qmp *q)
{
    fail_all(q, q->reason.message ? q->reason.message : "unknown");
}

void requests_orphan(struct qmp *q)
{
    fail_all(q, "the client was closed");
}

/* --- waiting ------------------------------------------------------------ */

static bool is_done(void *arg)
{
    const struct qmp_request *r = arg;

    return r->state == REQUEST_DONE;
}

/* Its limit has passed; it goes, or stays for the answer that comes late. */
static int give_up_waiting(struct qmp_request *r, struct qm_error *err)
{
    bool sent = r->state == REQUEST_SENT;
    int64_t tenths = (r->limit_ms + 50) / 100;

    error_set(err, QM_ERR_SILENT, "%s: %s: %s within %g s", r->who, r->name,
              sent ? "no answer" : "not sent, earlier commands had no answer",
              (double)tenths / 10);
    if (sent) {
        r->state = REQUEST_ABANDONED;
    } else {
        unlink_request(r);
        request_free(r);
    }
    return -1;
}

struct qmp_request *qmp_send(struct qmp *q, const char *name,
                             struct json_object *args, enum qmp_class class)
{
    return send_request(q, name, args, false, class_ms[class], NULL, NULL);
}

int qmp_finish(struct qmp_request *r, struct json_object **ret,
               struct qm_error *err)
{
    int rc = 0;

    if (r->state != REQUEST_DONE && !loop_wait(r->q->loop, is_done, r, r->by)) {
        return give_up_waiting(r, err);
    }
    if (error_is_set(&r->error)) {
        rc = error_move(err, &r->error);
    } else if (ret) {
        *ret = STEAL(r->result);
    }
    request_free(r);
    return rc;
}

int qmp_command(struct qmp *q, const char *name, struct json_object *args,
                enum qmp_class class, struct json_object **ret,
                struct qm_error *err)
{
    return qmp_finish(qmp_send(q, name, args, class), ret, err);
}

int qmp_command_within(struct qmp *q, const char *name,
                       struct json_object *args, int64_t ms,
                       struct json_object **ret, struct qm_error *err)
{
    return qmp_finish(send_request(q, name, args, false, ms, NULL, NULL), ret,
                      err);
}

int qmp_command_oob(struct qmp *q, const char *name, struct json_object *args,
                    struct json_object **ret, struct qm_error *err)
{
    return qmp_finish(
        send_request(q, name, args, true, class_ms[QMP_QUERY], NULL, NULL), ret,
        err);
}

int qmp_command_raw(struct qmp *q, const char *name, raw_fn *fn, void *arg,
                    struct qm_error *err)
{
    return qmp_finish(
        send_request(q, name, NULL, false, class_ms[QMP_QUERY], fn, arg), NULL,
        err);
}
