/*
 * The other end of the control socket.
 *
 * happy path   A greeting, then answers in their order, with events between
 *              them, which are kept until they are asked for.
 * what fails   Nobody listens: the engine has ended, or was killed and left
 *              its socket.  A greeting that is not ours ends it before
 *              anything is sent.
 */
#include "core/control-client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "core/control-private.h"
#include "core/rundir.h"
#include "qmp/json.h"
#include "qmp/wire.h"

#define READ_SIZE 16384

struct control_link {
    struct loop *loop;
    char *name;
    struct stream *stream;
    struct loop_watch *watch;
    struct wire *wire;
    /* Recorded by callbacks, read by waits */
    struct json_object *heard; /* array of messages that nobody took yet */
    size_t taken;
    bool ended;
    struct qm_error broken; /* what is not understood */
    const bool *stop;
};

/* --- names ------------------------------------------------------------------ */

int control_names(struct strv *ret, struct qm_error *err)
{
    CLEANUP_FREE char *path = rundir_path(err);

    return path ? rundir_names(path, CONTROL_SUFFIX, ret, err) : -1;
}

/* --- hearing ---------------------------------------------------------------- */

static void take_text(struct control_link *l, const char *text, size_t len)
{
    struct json_object *message = wire_parse(text, len, &l->broken);

    if (message)
        json_object_array_add(l->heard, message);
}

static void is_ready(void *arg, unsigned ready)
{
    struct control_link *l = arg;
    char bytes[READ_SIZE];
    ssize_t n = l->stream->ops->recv(l->stream, bytes, sizeof(bytes));
    const char *text;
    size_t len;

    (void)ready;
    if (n > 0) {
        wire_feed(l->wire, bytes, (size_t)n);
        while (wire_next_text(l->wire, &text, &len, &l->broken) > 0)
            take_text(l, text, len);
    }
    l->ended = n == 0 || (n < 0 && errno != EAGAIN);
    if (l->ended || error_is_set(&l->broken))
        loop_watch_set(l->watch, 0);
}

static bool has_news(void *arg)
{
    const struct control_link *l = arg;

    return l->taken < json_length(l->heard) || l->ended ||
           error_is_set(&l->broken) || (l->stop && *l->stop);
}

/* The next message, borrowed until the one after: NULL with ERR, or at the end
 * without. */
static struct json_object *next(struct control_link *l, deadline_t by,
                                struct qm_error *err)
{
    if (l->taken > 0 && l->taken == json_length(l->heard)) {
        json_object_put(l->heard);
        l->heard = json_object_new_array();
        l->taken = 0;
    }
    if (!loop_wait(l->loop, has_news, l, by)) {
        error_set(err, QM_ERR_TIMEOUT, "the engine of %s does not answer",
                  l->name);
        return NULL;
    }
    if (l->taken < json_length(l->heard))
        return json_at(l->heard, l->taken++);
    if (error_is_set(&l->broken))
        error_set(err, QM_ERR_PROTOCOL, "the engine of %s: %s", l->name,
                  l->broken.message);
    return NULL;
}

/* --- opening ---------------------------------------------------------------- */

static int check_greeting(struct control_link *l, deadline_t by,
                          struct qm_error *err)
{
    struct json_object *greeting = next(l, by, err);
    struct json_object *ours = json_get_object(greeting, "qmigrate");
    int64_t protocol = json_get_int(ours, "protocol", 0);

    if (error_is_set(err))
        return -1;
    if (!greeting)
        return error_set(err, QM_ERR_CONNECT,
                         "the engine of %s has too many "
                         "clients, or has just ended",
                         l->name);
    if (protocol == CONTROL_PROTOCOL)
        return 0;
    error_set(err, QM_ERR_PROTOCOL,
              ours ? "the engine of %s speaks another protocol than this "
                     "qmigrate"
                   : "what listens in the place of %s is not qmigrate",
              l->name);
    if (ours)
        error_hint(err, "use qmigrate %s, which it is",
                   json_get_string(ours, "version"));
    return -1;
}

static int connect_to(struct loop *loop, const char *name, deadline_t by,
                      struct qm_error *err)
{
    CLEANUP(error_clear) struct qm_error why = QM_ERROR_INIT;
    CLEANUP_FREE char *path = control_path(name, err);
    int fd;

    if (!path)
        return -1;
    fd = socket_connect_unix(loop, path, by, &why);
    if (fd >= 0)
        return fd;
    if (why.code != QM_ERR_CONNECT)
        return error_move(err, &why);
    return error_set(err, QM_ERR_CONNECT, "no migration called %s is under way",
                     name);
}

struct control_link *control_link_open(struct loop *loop, const char *name,
                                       deadline_t by, struct qm_error *err)
{
    CLEANUP(control_link_free) struct control_link *l = NULL;
    int fd = connect_to(loop, name, by, err);

    if (fd < 0)
        return NULL;
    l = XNEW(struct control_link);
    l->loop = loop;
    l->name = xstrdup(name);
    l->stream = stream_from_fd(fd);
    l->wire = wire_new();
    l->heard = json_object_new_array();
    l->watch = loop_watch_fd(loop, fd, LOOP_READ, is_ready, l);
    return check_greeting(l, by, err) < 0 ? NULL : STEAL(l);
}

void control_link_free(struct control_link *l)
{
    if (!l)
        return;
    loop_watch_free(l->watch);
    stream_close(l->stream);
    wire_free(l->wire);
    json_object_put(l->heard);
    error_clear(&l->broken);
    free(l->name);
    free(l);
}

/* --- asking ----------------------------------------------------------------- */

/* A command is shorter than any socket's buffer. */
static int say(struct control_link *l, const char *command,
               struct json_object *args, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *message =
        json_with_string("execute", command);
    CLEANUP_FREE char *line = NULL;
    ssize_t n;

    json_add_string(message, "id", command);
    if (args)
        json_add(message, "arguments", args);
    line = xasprintf("%s\n", json_object_to_json_string_ext(
                                 message, JSON_C_TO_STRING_PLAIN));
    n = l->stream->ops->send(l->stream, line, strlen(line));
    if (n == (ssize_t)strlen(line))
        return 0;
    return error_set(err, QM_ERR_LINK, "the engine of %s does not listen",
                     l->name);
}

static int read_answer(struct json_object *message, struct json_object **ret,
                       struct qm_error *err)
{
    struct json_object *error = json_get_object(message, "error");
    const char *hint = json_get_string(error, "hint");
    const char *desc = json_get_string(error, "desc");

    if (error) {
        error_set(err, QM_ERR_REFUSED, "%s", desc ? desc : "it said no");
        error_set_peer_class(err, json_get_string(error, "class"));
        if (hint)
            error_hint(err, "%s", hint);
        return -1;
    }
    if (ret)
        *ret = json_object_get(json_get(message, "return"));
    return 0;
}

/* Events that come first stay to be heard. */
static struct json_object *await_answer(struct control_link *l, deadline_t by,
                                        struct qm_error *err)
{
    CLEANUP_JSON struct json_object *events = json_object_new_array();
    struct json_object *message, *answer = NULL;

    while (!answer && (message = next(l, by, err))) {
        if (json_get(message, "event"))
            json_object_array_add(events, json_object_get(message));
        else
            answer = json_object_get(message);
    }
    for (; l->taken < json_length(l->heard); l->taken++)
        json_object_array_add(events,
                              json_object_get(json_at(l->heard, l->taken)));
    json_object_put(l->heard);
    l->heard = json_object_get(events);
    l->taken = 0;
    return answer;
}

int control_link_ask(struct control_link *l, const char *command,
                     struct json_object *args, deadline_t by,
                     struct json_object **ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *answer = NULL;

    if (say(l, command, args, err) < 0)
        return -1;
    answer = await_answer(l, by, err);
    if (answer)
        return read_answer(answer, ret, err);
    return error_set(err, QM_ERR_LINK, "the engine of %s has ended meanwhile",
                     l->name);
}

int control_link_hear(struct control_link *l, const bool *stop,
                      struct json_object **ret, struct qm_error *err)
{
    struct json_object *message;

    l->stop = stop;
    do
        message = next(l, DEADLINE_NEVER, err);
    while (message && !json_get(message, "event"));
    l->stop = NULL;
    if (!message)
        return error_is_set(err) ? -1 : 0;
    *ret = json_object_get(message);
    return 1;
}
