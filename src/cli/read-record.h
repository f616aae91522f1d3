/*
 * Records back to what they were made of: what a migration in another process
 * tells is shown like one's own.  What is absent stays as result_init() has it.
 */
#ifndef QM_CLI_READ_RECORD_H
#define QM_CLI_READ_RECORD_H

#include <json-c/json_types.h>

#include "core/narration.h"
#include "core/result.h"

/* The data of PROGRESS; the step is borrowed from DATA. */
void read_progress(struct json_object *data, struct progress *ret);
/* The data of LIMITS, which answers have too. */
void read_limits(struct json_object *data, struct limits *ret);
/* The data of RESULT; the caller's result_done(). */
void read_result(struct json_object *data, struct result *ret);

#endif
