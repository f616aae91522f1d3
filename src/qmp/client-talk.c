/*
 * Bytes in and out: greeting, negotiation, events.
 *
 * happy path   the first message greets; qmp_capabilities is sent, with OOB if
 *              it was offered, and answered; from then on there are answers
 *              and events, in any order.
 * what fails   an end of file, an error of the socket, a message that does not
 *              fit the state: the link fails, and is opened again.
 *
 * Nothing is sent before the greeting: a monitor that another client holds
 * would execute it later.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/client-internal.h"

enum {
    NEGOTIATION_MS = 10000,
    SHOWN_MAX = 120, /* of an answer that is not what it should be */
    READ_SIZE = 16 * 1024,
    READS_AT_ONCE = 32, /* then the rest of the loop has its turn */
};

static void read_version(struct json_object *qemu, const char *name, int *ret)
{
    struct json_object *number;

    if (json_object_object_get_ex(qemu, name, &number)) {
        *ret = json_object_get_int(number);
    }
}

static bool offers_oob(struct json_object *greeting)
{
    struct json_object *list;

    if (!json_object_object_get_ex(greeting, "capabilities", &list) ||
        !json_object_is_type(list, json_type_array)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);

        if (json_object_is_type(item, json_type_string) &&
            str_equal(json_object_get_string(item), "oob")) {
            return true;
        }
    }
    return false;
}

/* False if GREETING is not like QEMU's. */
static bool read_greeting(struct qmp *q, struct json_object *greeting)
{
    struct json_object *version, *qemu, *package;

    if (!json_object_is_type(greeting, json_type_object) ||
        !json_object_object_get_ex(greeting, "version", &version) ||
        !json_object_is_type(version, json_type_object) ||
        !json_object_object_get_ex(version, "qemu", &qemu) ||
        !json_object_is_type(qemu, json_type_object)) {
        return false;
    }
    read_version(qemu, "major", &q->version.major);
    read_version(qemu, "minor", &q->version.minor);
    read_version(qemu, "micro", &q->version.micro);
    if (json_object_object_get_ex(version, "package", &package) &&
        json_object_is_type(package, json_type_string)) {
        str_replace(&q->version.package, json_object_get_string(package));
    } else {
        str_replace(&q->version.package, "");
    }
    q->oob = offers_oob(greeting);
    return true;
}

static int on_greeting(struct qmp *q, const struct wire_message *m,
                       struct qm_error *err)
{
    struct json_object *greeting;
    bool understood;

    if (m->kind == WIRE_EVENT) {
        return 0; /* emitted between QEMU's accept() and its greeting */
    }
    if (m->kind != WIRE_GREETING) {
        return error_set(err, QM_ERR_PROTOCOL, "it did not greet first");
    }
    greeting = wire_parse(m->body, m->body_len, err);
    if (!greeting) {
        return -1;
    }
    understood = read_greeting(q, greeting);
    json_object_put(greeting);
    if (!understood) {
        return error_set(err, QM_ERR_PROTOCOL, "its greeting is not QEMU's");
    }
    q->negotiation_id = ++q->last_id;
    buffer_printf(&q->out,
                  "{\"execute\": \"qmp_capabilities\", "
                  "\"arguments\": {\"enable\": [%s]}, \"id\": %lld}\n",
                  q->oob ? "\"oob\"" : "", (long long)q->negotiation_id);
    talk_flush(q);
    link_enter(q, LINK_NEGOTIATING, NEGOTIATION_MS);
    return 0;
}

/* An event that comes here already tells nothing: the state is asked anew
 * when the link is up. */
static int on_negotiation(struct qmp *q, const struct wire_message *m,
                          struct qm_error *err)
{
    if (m->kind == WIRE_EVENT) {
        return 0;
    }
    if (m->kind != WIRE_RETURN || m->id != q->negotiation_id) {
        CLEANUP_FREE char *said = xstrndup(
            m->body, m->body_len < SHOWN_MAX ? m->body_len : SHOWN_MAX);
        CLEANUP_FREE char *shown = str_printable(said);

        return error_set(err, QM_ERR_PROTOCOL,
                         "it did not accept qmp_capabilities, but said '%s'",
                         shown);
    }
    link_is_ready(q);
    return 0;
}

static int deliver_event(struct qmp *q, const struct wire_message *m,
                         struct qm_error *err)
{
    struct qmp_event event = {
        .name = m->event,
        .time_us = m->time_us,
        .seen_us = clock_now_us(),
    };

    if (m->body_len > 0) {
        event.data = wire_parse(m->body, m->body_len, err);
        if (!event.data) {
            return -1;
        }
    }
    if (q->callbacks.on_event) {
        q->callbacks.on_event(q->callbacks.arg, &event);
    }
    json_object_put(event.data);
    return 0;
}

static int on_message(struct qmp *q, const struct wire_message *m,
                      struct qm_error *err)
{
    switch (q->state) {
    case LINK_GREETING:
        return on_greeting(q, m, err);
    case LINK_NEGOTIATING:
        return on_negotiation(q, m, err);
    default:
        break;
    }
    switch (m->kind) {
    case WIRE_EVENT:
        return deliver_event(q, m, err);
    case WIRE_GREETING:
        return error_set(err, QM_ERR_PROTOCOL, "it greeted twice");
    default:
        return requests_take_answer(q, m, err);
    }
}

/* A message against the protocol: of QEMU, or of something else? */
static void fail_protocol(struct qmp *q, struct qm_error *err)
{
    if (q->state != LINK_GREETING) {
        error_wrap(err, "%s", q->address.text);
    } else {
        error_wrap(err, "what answers at %s is not a QMP monitor",
                   q->address.text);
        error_hint(err, "is it the monitor for people (-monitor), or another "
                        "program? QMP is -qmp unix:/PATH,server=on,wait=off");
    }
    link_fail(q, err);
}

/* Handle what came in; false if the link failed over it. */
static bool take_messages(struct qmp *q)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    while (q->state != LINK_FAILED) {
        CLEANUP(wire_message_done) struct wire_message m = { .event = NULL };
        int more = wire_next(q->wire, &m, &err);

        if (more == 0) {
            return true;
        }
        if (more < 0 || on_message(q, &m, &err) < 0) {
            fail_protocol(q, &err);
        }
    }
    return false;
}

static void fail_closed(struct qmp *q)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *complaint =
        ssh_reason(q->forward ? forward_complaint(q->forward) : "");

    if (q->state == LINK_GREETING && q->forward) {
        error_set(&err, QM_ERR_CONNECT, "nothing answers on %s at %s%s%s",
                  q->address.path, q->address.host, *complaint ? ": " : "",
                  complaint);
        error_hint(&err, "is that the path of a QMP socket there, may this "
                         "user open it, and does that sshd forward to sockets "
                         "(AllowStreamLocalForwarding)?");
    } else if (q->state == LINK_GREETING) {
        error_set(&err, QM_ERR_CONNECT,
                  "%s closed the connection without a greeting",
                  q->address.text);
        if (q->tls_dir) {
            error_hint(&err,
                       "does it accept %s/client-cert.pem? Its QEMU says "
                       "why not",
                       q->tls_dir);
        }
    } else {
        error_set(&err, QM_ERR_LINK, "%s closed the connection%s%s",
                  q->address.text, *complaint ? ": " : "", complaint);
    }
    link_fail(q, &err);
}

static void fail_socket(struct qmp *q, const char *what, int errnum)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    error_set_errno(&err, QM_ERR_LINK, errnum, "%s: %s", q->address.text, what);
    link_fail(q, &err);
}

static void read_in(struct qmp *q)
{
    struct stream *s = q->stream;

    for (int i = 0; i < READS_AT_ONCE || s->ops->pending(s) > 0; i++) {
        char bytes[READ_SIZE];
        ssize_t n = s->ops->recv(s, bytes, sizeof(bytes));

        if (n == 0) {
            fail_closed(q);
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN) {
                fail_socket(q, "receive", errno);
            }
            return;
        }
        wire_feed(q->wire, bytes, (size_t)n);
        if (!take_messages(q)) {
            return;
        }
    }
}

static void write_out(struct qmp *q)
{
    struct stream *s = q->stream;

    while (q->out.len > 0) {
        ssize_t n = s->ops->send(s, q->out.data, q->out.len);

        if (n < 0) {
            int errnum = errno;

            if (errnum == EAGAIN) {
                return;
            }
            read_in(q); /* its last words, and most often its end */
            fail_socket(q, "send", errnum);
            return;
        }
        buffer_consume(&q->out, (size_t)n);
    }
    loop_watch_set(q->watch, LOOP_READ);
}

static void socket_is_ready(void *arg, unsigned ready)
{
    struct qmp *q = arg;

    if (ready & LOOP_READ) {
        read_in(q);
    }
    if (q->state != LINK_FAILED && q->out.len > 0) {
        write_out(q);
    }
}

void talk_flush(struct qmp *q)
{
    if (q->out.len > 0) {
        loop_watch_set(q->watch, LOOP_READ | LOOP_WRITE);
    }
}

void talk_begin(struct qmp *q, struct stream *s)
{
    int fd = s->ops->get_fd(s);

    q->peer_pid =
        q->address.type == QMP_ADDRESS_UNIX ? socket_peer_pid(fd) : -1;
    q->stream = s;
    q->watch = loop_watch_fd(q->loop, fd, LOOP_READ, socket_is_ready, q);
    if (s->ops->pending(s) > 0) {
        read_in(q); /* came with the last bytes of the handshake */
    }
}
