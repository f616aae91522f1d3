/*
 * Small private helpers over json-c: members of replies, tolerant of what is
 * absent or of another type, and members of arguments.
 */
#ifndef QM_QMP_JSON_H
#define QM_QMP_JSON_H

#include <json-c/json.h>

#include "base/error.h"
#include "base/util.h"

static inline void put_json(struct json_object *o)
{
    json_object_put(o);
}
DEFINE_CLEANUP(struct json_object *, put_json)
#define CLEANUP_JSON CLEANUP(put_json)

/* --- reading ------------------------------------------------------------ */

/* The member KEY of O; NULL if O has none, or is no object. */
struct json_object *json_get(struct json_object *o, const char *key);
/* The same, NULL also if it is no object, or no array. */
struct json_object *json_get_object(struct json_object *o, const char *key);
struct json_object *json_get_array(struct json_object *o, const char *key);
/* Borrowed from O; NULL if it is no string. */
const char *json_get_string(struct json_object *o, const char *key);
int64_t json_get_int(struct json_object *o, const char *key, int64_t fallback);
/* 0 if it is absent or negative */
uint64_t json_get_uint(struct json_object *o, const char *key);
double json_get_double(struct json_object *o, const char *key);
bool json_get_bool(struct json_object *o, const char *key);

size_t json_length(struct json_object *array); /* 0 for NULL */
struct json_object *json_at(struct json_object *array, size_t i);

/*
 * If REPLY has the TYPE that the schema promises: 0, else -1 with a PROTOCOL
 * error.  json_missing() is that error for a member that must be there.
 */
int json_expect(struct json_object *reply, enum json_type type,
                struct qm_error *err);
int json_missing(const char *key, struct qm_error *err);

/* The X of "child<X>" in the `type` of an element of qom-list, the caller
 * frees it; NULL if the element is no child. */
char *json_qom_child(struct json_object *element);

/* --- writing ------------------------------------------------------------ */

/* All of them borrow VALUE, except that json_add() consumes it.  A NULL
 * string is not added. */
void json_add(struct json_object *o, const char *key,
              struct json_object *value);
void json_add_string(struct json_object *o, const char *key, const char *value);
void json_add_int(struct json_object *o, const char *key, int64_t value);
void json_add_bool(struct json_object *o, const char *key, bool value);
/* An object with the one member KEY. */
struct json_object *json_with_string(const char *key, const char *value);

#endif
