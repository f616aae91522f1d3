/*
 * The control socket's server: see control.h.
 *
 * A client that is done with is only marked while its own callback is under
 * way, and freed afterwards.
 */
#include "core/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/stream.h"
#include "core/control-private.h"
#include "qmp/json.h"
#include "qmp/wire.h"

#define CLIENTS_MAX 64
#define PENDING_MAX 16           /* answers that one client may await */
#define OUTPUT_MAX ((size_t)MIB) /* kept for a client that does not read */
#define READ_SIZE 16384
#define ACCEPT_PAUSE_MS 1000 /* when descriptors have run out */
#define LAST_WORDS_MS 500

struct pending {
    uint64_t ticket;
    char *id; /* JSON text, or NULL */
};

struct client {
    struct control *control;
    struct stream *stream;
    struct loop_watch *watch;
    struct wire *wire;
    struct buffer out;
    size_t pending_count;
    struct pending pending[PENDING_MAX];
    bool hung_up; /* nothing more is read; what is to be sent still is */
    bool gone;    /* to be freed */
};

struct control {
    struct loop *loop;
    char *path;
    int listener;
    struct loop_watch *watch;
    struct loop_timer *pause; /* then the listener is watched again */
    control_fn *fn;
    void *arg;
    uint64_t next_ticket;
    int busy; /* inside a client's callback */
    size_t count;
    struct client *client[CLIENTS_MAX];
};

/* --- writing ---------------------------------------------------------------- */

static void watch_client(struct client *c)
{
    unsigned events = c->hung_up ? 0 : LOOP_READ;

    if (c->gone)
        events = 0;
    else if (c->out.len > 0)
        events |= LOOP_WRITE;
    loop_watch_set(c->watch, events);
}

static void flush(struct client *c)
{
    while (!c->gone && c->out.len > 0) {
        ssize_t n = c->stream->ops->send(c->stream, c->out.data, c->out.len);

        if (n < 0) {
            c->gone = errno != EAGAIN;
            break;
        }
        buffer_consume(&c->out, (size_t)n);
    }
    if (c->out.len == 0) {
        buffer_trim(&c->out);
        c->gone = c->gone || c->hung_up;
    }
    watch_client(c);
}

static void send_bytes(struct client *c, const char *bytes, size_t len)
{
    if (c->gone)
        return;
    buffer_append(&c->out, bytes, len);
    flush(c);
    if (c->out.len > OUTPUT_MAX) {
        c->gone = true;
        watch_client(c);
    }
}

static void free_client(struct client *c)
{
    for (size_t i = 0; i < c->pending_count; i++)
        free_string(c->pending[i].id);
    loop_watch_free(c->watch);
    stream_close(c->stream);
    wire_free(c->wire);
    buffer_done(&c->out);
    free(c);
}

static void reap(struct control *control)
{
    size_t kept = 0;

    if (control->busy > 0)
        return;
    for (size_t i = 0; i < control->count; i++) {
        if (control->client[i]->gone)
            free_client(control->client[i]);
        else
            control->client[kept++] = control->client[i];
    }
    control->count = kept;
}

/* --- answers ---------------------------------------------------------------- */

static struct json_object *error_data(const struct qm_error *err)
{
    struct json_object *data = json_object_new_object();
    CLEANUP_FREE char *desc = str_printable(err->message);

    json_add_string(data, "class",
                    err->peer_class ? err->peer_class : "GenericError");
    json_add_string(data, "desc", desc);
    if (err->hint) {
        CLEANUP_FREE char *hint = str_printable(err->hint);

        json_add_string(data, "hint", hint);
    }
    return data;
}

/* Consumes RET; ID is JSON text, or NULL. */
static void answer(struct client *c, const char *id, struct json_object *ret,
                   const struct qm_error *err)
{
    CLEANUP_JSON struct json_object *body = error_is_set(err) ? error_data(err)
                                            : ret ? json_object_get(ret)
                                                  : json_object_new_object();
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    json_object_put(ret);
    buffer_printf(
        &b, "{\"%s\":%s", error_is_set(err) ? "error" : "return",
        json_object_to_json_string_ext(
            body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    if (id)
        buffer_printf(&b, ",\"id\":%s", id);
    buffer_printf(&b, "}\n");
    send_bytes(c, b.data, b.len);
}

void control_answer(struct control *control, uint64_t ticket,
                    struct json_object *ret, const struct qm_error *err)
{
    for (size_t i = 0; i < control->count; i++) {
        struct client *c = control->client[i];

        for (size_t j = 0; j < c->pending_count; j++) {
            struct pending p = c->pending[j];

            if (p.ticket != ticket)
                continue;
            c->pending[j] = c->pending[--c->pending_count];
            answer(c, p.id, json_object_get(ret), err);
            free_string(p.id);
        }
    }
    json_object_put(ret); /* its client may have left */
    reap(control);
}

void control_tell(struct control *control, const char *line, size_t len,
                  bool may_skip)
{
    for (size_t i = 0; i < control->count; i++) {
        struct client *c = control->client[i];

        if (!c->hung_up && !(may_skip && c->out.len > 0))
            send_bytes(c, line, len);
    }
    reap(control);
}

/* --- questions -------------------------------------------------------------- */

static void ask(struct client *c, char **id, const struct control_request *r)
{
    struct control *control = c->control;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct json_object *ret = NULL;
    uint64_t ticket = ++control->next_ticket;
    int done = -1;

    if (c->pending_count == PENDING_MAX)
        error_set(&err, QM_ERR_BUSY, "too many commands await their answer");
    else
        done = control->fn(control->arg, r, ticket, &ret, &err);
    if (done == CONTROL_LATER)
        c->pending[c->pending_count++] = (struct pending){ ticket, STEAL(*id) };
    else
        answer(c, *id, ret, &err);
}

static void take_message(struct client *c, const char *text, size_t len)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *id = NULL;
    struct control_request r;

    if (control_request_parse(text, len, &id, &r, &err) < 0)
        answer(c, id, NULL, &err);
    else
        ask(c, &id, &r);
}

static void take_messages(struct client *c)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    const char *text;
    size_t len;
    int found = 0;

    while (!c->gone && (found = wire_next_text(c->wire, &text, &len, &err)) > 0)
        take_message(c, text, len);
    if (c->gone || found == 0)
        return;
    c->hung_up = true; /* nobody knows where its next message begins */
    answer(c, NULL, NULL, &err);
}

static void read_client(struct client *c)
{
    char bytes[READ_SIZE];
    ssize_t n = c->stream->ops->recv(c->stream, bytes, sizeof(bytes));

    if (n > 0) {
        wire_feed(c->wire, bytes, (size_t)n);
        take_messages(c);
    } else if (n == 0 || errno != EAGAIN) {
        c->gone = true;
        watch_client(c);
    }
}

static void client_is_ready(void *arg, unsigned ready)
{
    struct client *c = arg;
    struct control *control = c->control;

    control->busy++;
    if (ready & LOOP_WRITE)
        flush(c);
    if ((ready & LOOP_READ) && !c->gone && !c->hung_up)
        read_client(c);
    control->busy--;
    reap(control);
}

/* --- clients come ----------------------------------------------------------- */

static void greet(struct client *c)
{
    CLEANUP_FREE char *text =
        xasprintf("{\"qmigrate\":{\"version\":\"%s\",\"protocol\":%d}}\n",
                  QM_VERSION, CONTROL_PROTOCOL);

    send_bytes(c, text, strlen(text));
}

static void add_client(struct control *control, int fd)
{
    struct client *c = XNEW(struct client);

    c->control = control;
    c->stream = stream_from_fd(fd);
    c->wire = wire_new_within(CONTROL_LINE_MAX);
    c->watch = loop_watch_fd(control->loop, fd, LOOP_READ, client_is_ready, c);
    control->client[control->count++] = c;
    greet(c);
}

static void somebody_comes(void *arg, unsigned ready)
{
    struct control *control = arg;
    int fd = socket_accept(control->listener);

    (void)ready;
    if (fd >= 0 && control->count < CLIENTS_MAX) {
        add_client(control, fd);
    } else if (fd >= 0) {
        close_fd(fd);
    } else if (errno != EAGAIN) {
        loop_watch_set(control->watch, 0);
        loop_timer_start(control->pause, ACCEPT_PAUSE_MS);
    }
    reap(control);
}

static void listen_again(void *arg)
{
    struct control *control = arg;

    loop_watch_set(control->watch, LOOP_READ);
}

/* --- open and close --------------------------------------------------------- */

struct control *control_open(struct loop *loop, const char *name,
                             control_fn *fn, void *arg, struct qm_error *err)
{
    CLEANUP_FREE char *path = control_path(name, err);
    int listener = path ? control_listen(loop, name, path, err) : -1;
    struct control *control;

    if (listener < 0)
        return NULL;
    control = XNEW(struct control);
    control->loop = loop;
    control->path = STEAL(path);
    control->listener = listener;
    control->fn = fn;
    control->arg = arg;
    control->pause = loop_timer_new(loop, listen_again, control);
    control->watch =
        loop_watch_fd(loop, listener, LOOP_READ, somebody_comes, control);
    return control;
}

static bool all_is_sent(void *arg)
{
    const struct control *control = arg;

    for (size_t i = 0; i < control->count; i++)
        if (!control->client[i]->gone && control->client[i]->out.len > 0)
            return false;
    return true;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    loop_watch_free(control->watch);
    unlink(control->path);
    close_fd(control->listener);
    loop_wait(control->loop, all_is_sent, control,
              deadline_in_ms(LAST_WORDS_MS));
    for (size_t i = 0; i < control->count; i++)
        free_client(control->client[i]);
    loop_timer_free(control->pause);
    free(control->path);
    free(control);
}
