/*
 * Private to record*.c.
 */
#ifndef QM_CORE_RECORD_PRIVATE_H
#define QM_CORE_RECORD_PRIVATE_H

#include "base/buffer.h"
#include "core/result.h"
#include "qmp/json.h"

/* TEXT may be a peer's: made printable.  A NULL is not added. */
void json_add_text(struct json_object *o, const char *key, const char *text);
void json_add_uint(struct json_object *o, const char *key, uint64_t value);
/* VALUE, unless it is negative: not known. */
void json_add_known(struct json_object *o, const char *key, int64_t value);

/* An error, as RESULT has it; the caller owns it. */
struct json_object *record_error_data(const struct qm_error *err);
/* Append a record to B; DATA is consumed. */
void record_event(struct buffer *b, const char *name, struct json_object *data,
                  int64_t wall_us);
/* The data of RESULT; the caller owns it. */
struct json_object *record_result_data(const struct result *r);

#endif
