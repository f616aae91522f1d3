/*
 * Capabilities and parameters of the migration, as names and values.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "qmp/json.h"
#include "qmp/migration.h"
#include "qmp/parse.h"

void qmp_settings_add(struct qmp_settings *s, const char *name,
                      enum qmp_setting_type type, const char *value)
{
    assert(name && value);
    s->item = xrealloc_array(s->item, s->count + 1, sizeof(s->item[0]));
    s->item[s->count++] = (struct qmp_setting){
        .name = xstrdup(name),
        .value = xstrdup(value),
        .type = type,
    };
}

void qmp_settings_add_bool(struct qmp_settings *s, const char *name, bool on)
{
    qmp_settings_add(s, name, QMP_SETTING_BOOL, on ? "on" : "off");
}

void qmp_settings_add_int(struct qmp_settings *s, const char *name, int64_t n)
{
    CLEANUP_FREE char *value = xasprintf("%" PRId64, n);

    qmp_settings_add(s, name, QMP_SETTING_INT, value);
}

void qmp_settings_add_string(struct qmp_settings *s, const char *name,
                             const char *value)
{
    qmp_settings_add(s, name, QMP_SETTING_STRING, value);
}

const char *qmp_settings_get(const struct qmp_settings *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (str_equal(s->item[i].name, name)) {
            return s->item[i].value;
        }
    }
    return NULL;
}

/* QEMU writes an object's members in an order of its own. */
bool qmp_setting_holds(const struct qmp_setting *set, const char *now)
{
    CLEANUP_JSON struct json_object *a = NULL, *b = NULL;

    if (set->type != QMP_SETTING_COMPLEX || !now) {
        return str_equal(set->value, now);
    }
    a = json_tokener_parse(set->value);
    b = json_tokener_parse(now);
    return json_object_equal(a, b);
}

void qmp_settings_done(struct qmp_settings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free_string(s->item[i].name);
        free_string(s->item[i].value);
    }
    free(s->item);
    *s = (struct qmp_settings){ 0 };
}

int capabilities_parse(struct json_object *reply, struct qmp_settings *ret,
                       struct qm_error *err)
{
    struct qmp_settings s = { 0 };

    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(reply); i++) {
        struct json_object *element = json_at(reply, i);
        const char *name = json_get_string(element, "capability");

        if (!name) {
            qmp_settings_done(&s);
            return json_missing("capability", err);
        }
        qmp_settings_add_bool(&s, name, json_get_bool(element, "state"));
    }
    *ret = s;
    return 0;
}

static void add_parameter(struct qmp_settings *s, const char *name,
                          struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        qmp_settings_add_bool(s, name, json_object_get_boolean(value));
        break;
    case json_type_int:
        qmp_settings_add(s, name, QMP_SETTING_INT,
                         json_object_get_string(value));
        break;
    case json_type_string:
        qmp_settings_add_string(s, name, json_object_get_string(value));
        break;
    default:
        qmp_settings_add(
            s, name, QMP_SETTING_COMPLEX,
            json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

int parameters_parse(struct json_object *reply, struct qmp_settings *ret,
                     struct qm_error *err)
{
    struct qmp_settings s = { 0 };

    if (json_expect(reply, json_type_object, err) < 0) {
        return -1;
    }
    json_object_object_foreach(reply, name, value)
    {
        add_parameter(&s, name, value);
    }
    *ret = s;
    return 0;
}

int capabilities_build(const struct qmp_settings *s, struct json_object **ret,
                       struct qm_error *err)
{
    CLEANUP_JSON struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < s->count; i++) {
        struct json_object *element;

        if (s->item[i].type != QMP_SETTING_BOOL) {
            return error_set(err, QM_ERR_INTERNAL,
                             "the capability %s is given a value that is "
                             "neither on nor off: %s",
                             s->item[i].name, s->item[i].value);
        }
        element = json_with_string("capability", s->item[i].name);
        json_add_bool(element, "state", str_equal(s->item[i].value, "on"));
        json_object_array_add(list, element);
    }
    *ret = json_object_new_object();
    json_add(*ret, "capabilities", STEAL(list));
    return 0;
}

/* Sizes may be as large as 2^64 - 1, and nothing is negative but by mistake:
 * QEMU is the judge of that.  NULL if TEXT is no number. */
static struct json_object *new_number(const char *text)
{
    uint64_t number;
    char *end;

    if (str_to_u64(text, 0, UINT64_MAX, &number)) {
        return number > INT64_MAX ? json_object_new_uint64(number)
                                  : json_object_new_int64((int64_t)number);
    }
    errno = 0;
    int64_t negative = strtoll(text, &end, 10);
    if (errno || end == text || *end) {
        return NULL;
    }
    return json_object_new_int64(negative);
}

/* NULL if it cannot be sent. */
static struct json_object *new_value(const struct qmp_setting *setting)
{
    switch (setting->type) {
    case QMP_SETTING_BOOL:
        return json_object_new_boolean(str_equal(setting->value, "on"));
    case QMP_SETTING_INT:
        return new_number(setting->value);
    case QMP_SETTING_STRING:
        return json_object_new_string(setting->value);
    case QMP_SETTING_COMPLEX:
        return json_tokener_parse(setting->value);
    }
    return NULL;
}

int parameters_build(const struct qmp_settings *s, struct json_object **ret,
                     struct qm_error *err)
{
    CLEANUP_JSON struct json_object *args = json_object_new_object();

    for (size_t i = 0; i < s->count; i++) {
        struct json_object *value = new_value(&s->item[i]);

        if (!value) {
            return error_set(err, QM_ERR_INTERNAL,
                             "the parameter %s cannot be sent with the value "
                             "%s",
                             s->item[i].name, s->item[i].value);
        }
        json_add(args, s->item[i].name, value);
    }
    *ret = STEAL(args);
    return 0;
}

typedef int parse_fn(struct json_object *reply, struct qmp_settings *ret,
                     struct qm_error *err);
typedef int build_fn(const struct qmp_settings *s, struct json_object **ret,
                     struct qm_error *err);

static int query(struct qmp *q, const char *command, parse_fn *parse,
                 struct qmp_settings *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, command, NULL, QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    if (parse(reply, ret, err) < 0) {
        return error_wrap(err, "%s: %s", qmp_who(q), command);
    }
    return 0;
}

static int set(struct qmp *q, const char *command, build_fn *build,
               const struct qmp_settings *s, struct qm_error *err)
{
    struct json_object *args = NULL;

    if (build(s, &args, err) < 0) {
        return error_wrap(err, "%s: %s", qmp_who(q), command);
    }
    return qmp_command(q, command, args, QMP_CONTROL, NULL, err);
}

int qmp_query_capabilities(struct qmp *q, struct qmp_settings *ret,
                           struct qm_error *err)
{
    return query(q, "query-migrate-capabilities", capabilities_parse, ret, err);
}

int qmp_set_capabilities(struct qmp *q, const struct qmp_settings *s,
                         struct qm_error *err)
{
    return set(q, "migrate-set-capabilities", capabilities_build, s, err);
}

int qmp_query_parameters(struct qmp *q, struct qmp_settings *ret,
                         struct qm_error *err)
{
    return query(q, "query-migrate-parameters", parameters_parse, ret, err);
}

int qmp_set_parameters(struct qmp *q, const struct qmp_settings *s,
                       struct qm_error *err)
{
    return set(q, "migrate-set-parameters", parameters_build, s, err);
}
