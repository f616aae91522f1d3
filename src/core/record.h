/*
 * What happened, for programs: records in the shape of QMP's events.  The
 * control socket and `--json` tell the same, and it is made here alone.
 */
#ifndef QM_CORE_RECORD_H
#define QM_CORE_RECORD_H

#include <json-c/json_types.h>

#include "base/buffer.h"
#include "core/narration.h"
#include "core/result.h"

/* One line each, appended to B; WALL_US is the time since the epoch. */
void record_narration(struct buffer *b, const struct narration *n,
                      int64_t wall_us);
void record_note(struct buffer *b, const char *sentence, int64_t wall_us);
void record_result(struct buffer *b, const struct result *r, int64_t wall_us);

/* Parts of them, for answers: the data of PROGRESS, and of LIMITS; the caller
 * puts them. */
struct json_object *record_progress_data(const struct progress *p);
struct json_object *record_limits_data(const struct limits *l);

#endif
