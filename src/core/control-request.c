/*
 * What a client of the control socket asks.  It is taken as it is meant or
 * refused: a member that nobody knows may be what the client counts on.
 */
#include "core/control-request.h"

#include "qmp/json.h"
#include "qmp/wire.h"

static const char *const command_names[] = {
#define X(name, text) [CONTROL_##name] = (text),
    QM_CONTROL_COMMANDS(X)
#undef X
};

static int refuse(struct qm_error *err, const char *class)
{
    error_set_peer_class(err, class);
    return -1;
}

static int no_arguments(struct json_object *args, struct control_request *r,
                        struct qm_error *err)
{
    (void)r;
    if (!args || json_object_object_length(args) == 0)
        return 0;
    return error_set(err, QM_ERR_USAGE, "it takes no arguments");
}

static int read_limit(const char *key, struct json_object *value,
                      struct limit_changes *c, struct qm_error *err)
{
    enum limit limit = limit_named(key);
    int64_t n;

    if (limit == LIMITS) {
        CLEANUP_FREE char *shown = str_printable(key);

        return error_set(err, QM_ERR_USAGE, "there is no '%s' to set", shown);
    }
    if (limit == LIMIT_ON_TIMEOUT) {
        if (!json_object_is_type(value, json_type_string))
            return error_set(err, QM_ERR_USAGE, "%s is a string", key);
        if (on_timeout_named(json_object_get_string(value), &n, err) < 0)
            return -1;
    } else {
        if (!json_object_is_type(value, json_type_int))
            return error_set(err, QM_ERR_USAGE, "%s is a whole number", key);
        n = json_object_get_int64(value);
    }
    c->is_set[limit] = true;
    c->to.value[limit] = n;
    return limit_check(limit, n, err);
}

static int set_arguments(struct json_object *args, struct control_request *r,
                         struct qm_error *err)
{
    if (!args || json_object_object_length(args) == 0)
        return error_set(err, QM_ERR_USAGE, "what is to be set?");
    json_object_object_foreach(args, key, value)
    {
        if (read_limit(key, value, &r->changes, err) < 0)
            return -1;
    }
    return 0;
}

static int complete_arguments(struct json_object *args,
                              struct control_request *r, struct qm_error *err)
{
    const char *mode = json_get_string(args, "mode");

    if (!args || json_object_object_length(args) != 1 || !mode)
        return error_set(err, QM_ERR_USAGE,
                         "it takes \"mode\" alone: pause or postcopy");
    if (str_equal(mode, "pause"))
        return 0;
    r->postcopy = str_equal(mode, "postcopy");
    if (r->postcopy)
        return 0;
    return error_set(err, QM_ERR_USAGE,
                     "there is no such mode: pause or postcopy");
}

static int (*const arguments[])(struct json_object *args,
                                struct control_request *r,
                                struct qm_error *err) = {
    [CONTROL_QUERY_STATUS] = no_arguments,
    [CONTROL_CANCEL] = no_arguments,
    [CONTROL_SET] = set_arguments,
    [CONTROL_COMPLETE] = complete_arguments,
};

static int read_command(const char *name, struct json_object *args,
                        struct control_request *r, struct qm_error *err)
{
    CLEANUP_FREE char *shown = NULL;

    for (size_t i = 0; i < ARRAY_LEN(command_names); i++) {
        if (!str_equal(command_names[i], name))
            continue;
        r->command = (enum control_command)i;
        if (arguments[i](args, r, err) == 0)
            return 0;
        error_wrap(err, "%s", name);
        return refuse(err, "GenericError");
    }
    shown = str_printable(name);
    error_set(err, QM_ERR_USAGE, "there is no command '%s'", shown);
    return refuse(err, "CommandNotFound");
}

static int read_message(struct json_object *message, struct control_request *r,
                        struct qm_error *err)
{
    struct json_object *args = json_get(message, "arguments");
    const char *name = json_get_string(message, "execute");

    json_object_object_foreach(message, key, value)
    {
        (void)value;
        if (!str_equal(key, "execute") && !str_equal(key, "arguments") &&
            !str_equal(key, "id")) {
            CLEANUP_FREE char *shown = str_printable(key);

            error_set(err, QM_ERR_USAGE, "'%s' has no meaning in a command",
                      shown);
            return refuse(err, "GenericError");
        }
    }
    if (!name || (args && !json_object_is_type(args, json_type_object))) {
        error_set(err, QM_ERR_USAGE,
                  "a command is {\"execute\": NAME, \"arguments\": {...}}");
        return refuse(err, "GenericError");
    }
    return read_command(name, args, r, err);
}

int control_request_parse(const char *text, size_t len, char **ret_id,
                          struct control_request *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *message = wire_parse(text, len, err);
    struct control_request r = { .command = CONTROL_QUERY_STATUS };
    struct json_object *id;

    *ret_id = NULL;
    if (!message)
        return refuse(err, "GenericError");
    if (json_object_object_get_ex(message, "id", &id))
        *ret_id =
            xstrdup(json_object_to_json_string_ext(id, JSON_C_TO_STRING_PLAIN));
    if (read_message(message, &r, err) < 0)
        return -1;
    *ret = r;
    return 0;
}

/* --- when ------------------------------------------------------------------ */

const char *control_refusal(enum control_command command,
                            const struct control_facts *facts)
{
    if (command == CONTROL_QUERY_STATUS)
        return NULL;
    if (facts->postcopy && !facts->undoing &&
        (command == CONTROL_CANCEL || command == CONTROL_COMPLETE))
        return "it is too late: in post-copy each side has a part of the "
               "guest, which can only be finished";
    if (facts->postcopy && !facts->undoing)
        return NULL;
    if (command == CONTROL_CANCEL)
        return facts->too_late && !facts->undoing
                   ? "it is too late: the guest has been handed over"
                   : NULL;
    if (facts->undoing)
        return "the migration is being undone";
    if (facts->handing_over || facts->too_late)
        return "it is too late: the guest has stopped at the source and is "
               "being handed over";
    return NULL;
}
