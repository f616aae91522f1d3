/*
 * Private to record*.c.
 */
#ifndef QM_CORE_RECORD_PRIVATE_H
#define QM_CORE_RECORD_PRIVATE_H

#include "core/result.h"
#include "qmp/json.h"

/* TEXT may be a peer's: made printable.  A NULL is not added. */
void json_add_text(struct json_object *o, const char *key, const char *text);
void json_add_uint(struct json_object *o, const char *key, uint64_t value);
/* VALUE, unless it is negative: not known. */
void json_add_known(struct json_object *o, const char *key, int64_t value);

/* The data of RESULT; the caller owns it. */
struct json_object *record_result_data(const struct result *r);

#endif
