/*
 * Members of replies and of arguments.
 */
#include "qmp/json.h"

#include <string.h>

struct json_object *json_get(struct json_object *o, const char *key)
{
    struct json_object *value = NULL;

    if (!json_object_is_type(o, json_type_object)) {
        return NULL;
    }
    json_object_object_get_ex(o, key, &value);
    return value;
}

static struct json_object *get_type(struct json_object *o, const char *key,
                                    enum json_type type)
{
    struct json_object *value = json_get(o, key);

    return value && json_object_is_type(value, type) ? value : NULL;
}

struct json_object *json_get_object(struct json_object *o, const char *key)
{
    return get_type(o, key, json_type_object);
}

struct json_object *json_get_array(struct json_object *o, const char *key)
{
    return get_type(o, key, json_type_array);
}

const char *json_get_string(struct json_object *o, const char *key)
{
    struct json_object *value = get_type(o, key, json_type_string);

    return value ? json_object_get_string(value) : NULL;
}

int64_t json_get_int(struct json_object *o, const char *key, int64_t fallback)
{
    struct json_object *value = get_type(o, key, json_type_int);

    return value ? json_object_get_int64(value) : fallback;
}

uint64_t json_get_uint(struct json_object *o, const char *key)
{
    struct json_object *value = get_type(o, key, json_type_int);

    /* json-c answers 0 for negative numbers. */
    return value ? json_object_get_uint64(value) : 0;
}

double json_get_double(struct json_object *o, const char *key)
{
    struct json_object *value = json_get(o, key);

    /* QEMU prints a whole double without its point. */
    if (!json_object_is_type(value, json_type_double) &&
        !json_object_is_type(value, json_type_int)) {
        return 0;
    }
    return json_object_get_double(value);
}

bool json_get_bool(struct json_object *o, const char *key)
{
    struct json_object *value = get_type(o, key, json_type_boolean);

    return value && json_object_get_boolean(value);
}

size_t json_length(struct json_object *array)
{
    return array ? json_object_array_length(array) : 0;
}

struct json_object *json_at(struct json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

int json_expect(struct json_object *reply, enum json_type type,
                struct qm_error *err)
{
    if (reply && json_object_is_type(reply, type)) {
        return 0;
    }
    return error_set(err, QM_ERR_PROTOCOL,
                     "QEMU's reply is of the wrong type: %s, not %s",
                     json_type_to_name(json_object_get_type(reply)),
                     json_type_to_name(type));
}

int json_missing(const char *key, struct qm_error *err)
{
    return error_set(err, QM_ERR_PROTOCOL,
                     "QEMU's reply has no \"%s\", or one of the wrong type",
                     key);
}

char *json_qom_child(struct json_object *element)
{
    const char *type = json_get_string(element, "type");

    if (!type || !str_starts(type, "child<") || !str_ends(type, ">")) {
        return NULL;
    }
    type += strlen("child<");
    return xstrndup(type, strlen(type) - 1);
}

void json_add(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

void json_add_string(struct json_object *o, const char *key, const char *value)
{
    if (value) {
        json_add(o, key, json_object_new_string(value));
    }
}

void json_add_int(struct json_object *o, const char *key, int64_t value)
{
    json_add(o, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *o, const char *key, bool value)
{
    json_add(o, key, json_object_new_boolean(value));
}

struct json_object *json_with_string(const char *key, const char *value)
{
    struct json_object *o = json_object_new_object();

    json_add_string(o, key, value);
    return o;
}
