/*
 * The client that has no peer.
 */
#include "fake-qmp.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

struct qmp {
    struct json_object *conversation;
    /* the script for the next command */
    struct json_object *reply;
    bool has_reply, fails, is_down;
    enum qm_error_code code;
    struct buffer trace, shown;
    size_t under_way, most;
};

struct qmp_request {
    struct qmp *q;
    char *name;
    struct json_object *args;
};

struct qmp *fake_new(void)
{
    return XNEW(struct qmp);
}

void fake_free(struct qmp *q)
{
    json_object_put(q->conversation);
    json_object_put(q->reply);
    buffer_done(&q->trace);
    buffer_done(&q->shown);
    free(q);
}

static void swap(char *text, char from, char to)
{
    for (; *text; text++) {
        if (*text == from) {
            *text = to;
        }
    }
}

struct json_object *fake_json(const char *text)
{
    CLEANUP_FREE char *copy = xstrdup(text);
    struct json_object *o;

    swap(copy, '\'', '"');
    o = json_tokener_parse(copy);
    assert_non_null(o);
    return o;
}

void fake_load(struct qmp *q, const char *name)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/tests/unit/replies/%s", getenv("QM_SOURCE"), name);

    json_object_put(q->conversation);
    q->conversation = json_object_from_file(path);
    assert_non_null(q->conversation);
}

void fake_reply(struct qmp *q, const char *reply)
{
    json_object_put(q->reply);
    q->reply = fake_json(reply);
    q->has_reply = true;
}

void fake_fail(struct qmp *q, enum qm_error_code code)
{
    q->fails = true;
    q->code = code;
}

void fake_link_down(struct qmp *q)
{
    q->is_down = true;
}

const char *fake_trace(struct qmp *q)
{
    buffer_done(&q->shown);
    q->shown = q->trace;
    q->trace = (struct buffer){ .data = NULL };
    if (!q->shown.data) {
        return "";
    }
    swap(q->shown.data, '"', '\'');
    return q->shown.data;
}

size_t fake_most_at_once(const struct qmp *q)
{
    return q->most;
}

static void note(struct qmp *q, const char *how, const char *name,
                 struct json_object *args)
{
    buffer_printf(&q->trace, "%s%s%s%s\n", how, name, args ? " " : "",
                  args ? json_object_to_json_string_ext(
                             args, JSON_C_TO_STRING_PLAIN |
                                       JSON_C_TO_STRING_NOSLASHESCAPE)
                       : "");
}

/* The recorded answer to NAME with ARGS; NULL if there is none. */
static struct json_object *recorded(struct qmp *q, const char *name,
                                    struct json_object *args)
{
    size_t count =
        q->conversation ? json_object_array_length(q->conversation) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *line =
            json_object_array_get_idx(q->conversation, i);
        struct json_object *line_args =
            json_object_object_get(line, "arguments");
        const char *execute =
            json_object_get_string(json_object_object_get(line, "execute"));

        if (str_equal(execute, name) && json_object_equal(line_args, args)) {
            return line;
        }
    }
    return NULL;
}

static int answer(struct qmp *q, const char *name, struct json_object *args,
                  struct json_object **ret, struct qm_error *err)
{
    struct json_object *line, *reply = NULL;

    if (q->fails) {
        q->fails = false;
        return error_set(err, q->code, "fake: %s: fails", name);
    }
    if (q->has_reply) {
        q->has_reply = false;
        reply = STEAL(q->reply);
    } else if ((line = recorded(q, name, args))) {
        reply = json_object_get(json_object_object_get(line, "return"));
        if (!reply) {
            return error_set(err, QM_ERR_QEMU, "fake: %s: QEMU said no", name);
        }
    } else {
        reply = json_object_new_object();
    }
    if (ret) {
        *ret = reply;
    } else {
        json_object_put(reply);
    }
    return 0;
}

static int command(struct qmp *q, const char *how, const char *name,
                   struct json_object *args, struct json_object **ret,
                   struct qm_error *err)
{
    int result;

    note(q, how, name, args);
    result = answer(q, name, args, ret, err);
    json_object_put(args);
    return result;
}

/* --- in the place of the client ----------------------------------------- */

const char *qmp_who(const struct qmp *q)
{
    (void)q;
    return "fake";
}

bool qmp_is_up(const struct qmp *q)
{
    return !q->is_down;
}

void qmp_expect_end(struct qmp *q)
{
    buffer_printf(&q->trace, "(expect the end)\n");
}

static const char *const how[] = {
    [QMP_QUERY] = "query: ",
    [QMP_CONTROL] = "control: ",
    [QMP_BLOCKING] = "blocking: ",
};

int qmp_command(struct qmp *q, const char *name, struct json_object *args,
                enum qmp_class class, struct json_object **ret,
                struct qm_error *err)
{
    return command(q, how[class], name, args, ret, err);
}

int qmp_command_within(struct qmp *q, const char *name,
                       struct json_object *args, int64_t ms,
                       struct json_object **ret, struct qm_error *err)
{
    CLEANUP_FREE char *limit = xasprintf("%d ms: ", (int)ms);

    return command(q, limit, name, args, ret, err);
}

int qmp_command_oob(struct qmp *q, const char *name, struct json_object *args,
                    struct json_object **ret, struct qm_error *err)
{
    return command(q, "oob: ", name, args, ret, err);
}

struct qmp_request *qmp_send(struct qmp *q, const char *name,
                             struct json_object *args, enum qmp_class class)
{
    struct qmp_request *r = XNEW(struct qmp_request);

    /* Which queries go in what order is nobody's promise. */
    if (class != QMP_QUERY) {
        note(q, how[class], name, args);
    }
    r->q = q;
    r->name = xstrdup(name);
    r->args = args;
    q->under_way++;
    if (q->under_way > q->most) {
        q->most = q->under_way;
    }
    return r;
}

int qmp_finish(struct qmp_request *r, struct json_object **ret,
               struct qm_error *err)
{
    int result = answer(r->q, r->name, r->args, ret, err);

    r->q->under_way--;
    json_object_put(r->args);
    free(r->name);
    free(r);
    return result;
}
