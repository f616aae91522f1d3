/*
 * The RESULT of a copy.
 */
#include <json-c/json.h>

#include "core/copy.h"
#include "core/record-private.h"

static struct json_object *side_data(const struct copy_result *r,
                                     enum side_id side)
{
    struct json_object *data = json_object_new_object();

    json_add_uint(data, "connections", r->connections[side]);
    json_add_bool(data, "tls", r->tls[side]);
    return data;
}

void record_copy_result(struct buffer *b, const struct copy_result *r,
                        int64_t wall_us)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "outcome", outcome_name(r->outcome));
    json_add_int(data, "exit", (int64_t)copy_result_exit(r));
    json_add_bool(data, "retryable", r->retryable);
    if (error_is_set(&r->error)) {
        json_add(data, "error", record_error_data(&r->error));
    }
    json_add_known(data, "wall-ms", r->wall_ms);
    if (r->outcome != OUTCOME_REFUSED) {
        json_add_uint(data, "size-bytes", r->size);
        json_add_uint(data, "written-bytes", r->written);
        json_add_uint(data, "zeroed-bytes", r->zeroed);
        json_add_uint(data, "skipped-bytes", r->skipped);
        json_add(data, "source", side_data(r, SOURCE));
        json_add(data, "destination", side_data(r, DESTINATION));
    }
    record_event(b, "RESULT", data, wall_us);
}
