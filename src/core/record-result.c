/*
 * The last event: RESULT.
 */
#include <json-c/json.h>

#include "core/record-private.h"

static struct json_object *strings(const struct strv *v)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < v->count; i++) {
        CLEANUP_FREE char *shown = str_printable(v->item[i]);

        json_object_array_add(list, json_object_new_string(shown));
    }
    return list;
}

struct json_object *record_error_data(const struct qm_error *err)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "code", error_code_name(err->code));
    json_add_text(data, "message", err->message);
    json_add_text(data, "hint", err->hint);
    json_add_text(data, "qemu-class", err->peer_class);
    return data;
}

static struct json_object *ram_data(const struct result *r)
{
    struct json_object *ram = json_object_new_object();

    json_add_uint(ram, "bytes", r->ram_bytes);
    json_add_known(ram, "total-ms", r->ram_total_ms);
    json_add_known(ram, "setup-ms", r->ram_setup_ms);
    json_add_int(ram, "passes", r->passes);
    json_add_int(ram, "throttle-percent", r->throttle_percent);
    if (r->channels >= 0) {
        json_add_int(ram, "channels", r->channels);
        json_add_string(ram, "compression", compress_name(r->compress));
    }
    json_add_int(ram, "bandwidth-bps", r->bandwidth_bps);
    return ram;
}

static struct json_object *handover_data(const struct result *r)
{
    struct json_object *data = json_object_new_object();

    json_add_known(data, "blackout-ms", r->blackout_ms);
    json_add_known(data, "stop-ms", r->stop_ms);
    json_add_known(data, "mirrors-ms", r->mirrors_ms);
    json_add_known(data, "verify-ms", r->verify_ms);
    json_add_known(data, "device-ms", r->device_ms);
    json_add_known(data, "cont-ms", r->cont_ms);
    json_add_known(data, "announce-ms", r->announce_ms);
    return data;
}

static struct json_object *postcopy_data(const struct result *r)
{
    struct json_object *data = json_object_new_object();

    json_add_int(data, "ms", r->postcopy_ms);
    json_add_int(data, "recoveries", r->recoveries);
    return data;
}

static struct json_object *disk_data(const struct result_disk *d)
{
    struct json_object *data = json_object_new_object();

    json_add_text(data, "disk", d->label);
    json_add_text(data, "source-file", d->source_file);
    json_add_text(data, "destination-file", d->destination_file);
    json_add_text(data, "snapshots-left", d->snapshots);
    json_add_text(data, "encryption", d->encryption);
    json_add_uint(data, "size-bytes", d->size_bytes);
    json_add_uint(data, "copied-bytes", d->copied_bytes);
    json_add_bool(data, "tls-proved", d->tls_proved);
    json_add_bool(data, "write-blocking", d->write_blocking);
    json_add_bool(data, "discard", d->discard);
    return data;
}

static struct json_object *connections_data(const struct result *r)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < r->connection_count; i++) {
        const struct result_connection *c = &r->connection[i];
        struct json_object *data = json_object_new_object();

#define X(member, name) json_add_text(data, name, c->member);
        RESULT_CONNECTION_WORDS(X)
#undef X
        json_object_array_add(list, data);
    }
    return list;
}

static void add_measures(struct json_object *data, const struct result *r)
{
    struct json_object *disks = json_object_new_array();

    json_add_bool(data, "paused", r->paused);
    json_add_bool(data, "source-kept", r->source_kept);
    json_add_known(data, "wall-to-guest-ms", r->wall_to_guest_ms);
    json_add_known(data, "downtime-ms", r->qemu_downtime_ms);
    json_add(data, "handover", handover_data(r));
    json_add(data, "ram", ram_data(r));
    if (r->postcopy_ms >= 0) {
        json_add(data, "postcopy", postcopy_data(r));
    }
    for (size_t i = 0; i < r->disk_count; i++) {
        json_object_array_add(disks, disk_data(&r->disk[i]));
    }
    json_add(data, "disks", disks);
    json_add_int(data, "disk-bandwidth-bps", r->disk_bandwidth_bps);
    json_add_bool(data, "verified", r->verified);
    if (r->compared_bytes > 0) {
        json_add_uint(data, "compared-bytes", r->compared_bytes);
        json_add_uint(data, "compared-stopped-bytes",
                      r->compared_stopped_bytes);
    }
    json_add_bool(data, "tls", r->tls);
    json_add(data, "connections", connections_data(r));
}

struct json_object *record_result_data(const struct result *r)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "outcome", outcome_name(r->outcome));
    json_add_string(data, "guest", guest_place_name(r->guest));
    json_add_bool(data, "retryable", r->retryable);
    json_add(data, "left", strings(&r->left));
    if (error_is_set(&r->error)) {
        json_add(data, "error", record_error_data(&r->error));
    }
    json_add_text(data, "name", r->name);
    json_add_int(data, "exit", (int64_t)result_exit(r));
    json_add_known(data, "wall-ms", r->wall_ms);
    if (r->outcome != OUTCOME_REFUSED) {
        add_measures(data, r);
    }
    return data;
}
