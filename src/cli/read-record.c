/*
 * Records back to what they were made of: core/record.c the other way round.
 */
#include "cli/read-record.h"

#include "qmp/json.h"

static void read_outlook(struct json_object *ram, struct progress *ret)
{
    if (json_get(ram, "first-pass-left-ms")) {
        ret->outlook = OUTLOOK_FIRST_PASS;
        ret->left_ms = json_get_int(ram, "first-pass-left-ms", 0);
    } else if (json_get_bool(ram, "network-lost")) {
        ret->outlook = OUTLOOK_LOST;
    } else if (!json_get(ram, "converges") && json_get(ram, "left-ms")) {
        ret->outlook = OUTLOOK_REST;
        ret->left_ms = json_get_int(ram, "left-ms", 0);
    } else if (!json_get(ram, "converges")) {
        ret->outlook = OUTLOOK_UNKNOWN;
    } else if (json_get_bool(ram, "converges")) {
        ret->outlook = OUTLOOK_ENDS;
        ret->left_ms = json_get_int(ram, "left-ms", 0);
        ret->blackout_ms = json_get_int(ram, "blackout-ms", 0);
    } else {
        ret->outlook = OUTLOOK_NEVER;
        ret->hot_bytes = json_get_uint(ram, "hot-bytes");
    }
}

void read_progress(struct json_object *data, struct progress *ret)
{
    struct json_object *ram = json_get_object(data, "ram");
    struct json_object *disks = json_get_object(data, "disks");
    const char *step = json_get_string(data, "step");
    const char *on_timeout = json_get_string(ram, "on-timeout");

    *ret = (struct progress){
        .step = step ? step : "?",
        .elapsed_ms = json_get_int(data, "elapsed-ms", 0),
        .ram = ram != NULL,
        .pass = json_get_int(ram, "pass", 0),
        .ram_total = json_get_uint(ram, "total-bytes"),
        .ram_remaining = json_get_uint(ram, "remaining-bytes"),
        .ram_transferred = json_get_uint(ram, "transferred-bytes"),
        .ram_bps = json_get_uint(ram, "bps"),
        .dirty_bps = json_get_uint(ram, "dirty-bps"),
        .throttle_percent = (int)json_get_int(ram, "throttle-percent", 0),
        .downtime_limit_ms = json_get_int(ram, "downtime-limit-ms", 0),
        .disk_count = json_get_uint(disks, "count"),
        .disk_total = json_get_uint(disks, "total-bytes"),
        .disk_copied = json_get_uint(disks, "copied-bytes"),
        .disk_bps = json_get_uint(disks, "bps"),
    };
    read_outlook(ram, ret);
    ret->timeout_left_ms = json_get_int(ram, "timeout-left-ms", 0);
    if (on_timeout && on_timeout_named(on_timeout, &ret->on_timeout, NULL) < 0)
        ret->timeout_left_ms = 0; /* nobody knows what then */
}

void read_limits(struct json_object *data, struct limits *ret)
{
    const char *word = json_get_string(data, "on-timeout");
    int64_t on_timeout = ON_TIMEOUT_ABORT;

    if (word)
        on_timeout_named(word, &on_timeout, NULL);
    *ret = (struct limits){ .value = {
                                [LIMIT_BANDWIDTH] =
                                    json_get_int(data, "bandwidth-bps", 0),
                                [LIMIT_DISK_BANDWIDTH] =
                                    json_get_int(data, "disk-bandwidth-bps", 0),
                                [LIMIT_MAX_DOWNTIME] =
                                    json_get_int(data, "max-downtime-ms", 0),
                                [LIMIT_TIMEOUT] =
                                    json_get_int(data, "timeout-s", 0),
                                [LIMIT_ON_TIMEOUT] = on_timeout,
                                [LIMIT_POSTCOPY_BANDWIDTH] = json_get_int(
                                    data, "postcopy-bandwidth-bps", 0),
                            } };
    ret->timeout_per_gib_s = json_get_int(data, "timeout-s-per-gib", 0);
    ret->timeout_ms = json_get_int(data, "timeout-ms", 0);
}

static enum outcome outcome_named(const char *name)
{
    for (int i = OUTCOME_COMPLETED; i < OUTCOME_UNDECIDED; i++)
        if (str_equal(outcome_name((enum outcome)i), name))
            return (enum outcome)i;
    return OUTCOME_UNDECIDED;
}

static enum guest_place place_named(const char *name)
{
    for (int i = GUEST_SOURCE; i < GUEST_UNKNOWN; i++)
        if (str_equal(guest_place_name((enum guest_place)i), name))
            return (enum guest_place)i;
    return GUEST_UNKNOWN;
}

static enum qm_error_code code_named(const char *name)
{
    for (int i = QM_ERR_USAGE; i < QM_ERR_INTERNAL; i++)
        if (str_equal(error_code_name((enum qm_error_code)i), name))
            return (enum qm_error_code)i;
    return QM_ERR_INTERNAL;
}

static void read_error(struct json_object *data, struct qm_error *ret)
{
    const char *message = json_get_string(data, "message");
    const char *hint = json_get_string(data, "hint");

    if (!message)
        return;
    error_set(ret, code_named(json_get_string(data, "code")), "%s", message);
    if (hint)
        error_hint(ret, "%s", hint);
}

static void read_handover(struct json_object *data, struct result *ret)
{
    ret->blackout_ms = json_get_int(data, "blackout-ms", -1);
    ret->stop_ms = json_get_int(data, "stop-ms", -1);
    ret->mirrors_ms = json_get_int(data, "mirrors-ms", -1);
    ret->verify_ms = json_get_int(data, "verify-ms", -1);
    ret->device_ms = json_get_int(data, "device-ms", -1);
    ret->cont_ms = json_get_int(data, "cont-ms", -1);
    ret->announce_ms = json_get_int(data, "announce-ms", -1);
}

static void read_ram(struct json_object *data, struct result *ret)
{
    ret->ram_bytes = json_get_uint(data, "bytes");
    ret->ram_total_ms = json_get_int(data, "total-ms", -1);
    ret->ram_setup_ms = json_get_int(data, "setup-ms", -1);
    ret->passes = json_get_int(data, "passes", 0);
    ret->throttle_percent = (int)json_get_int(data, "throttle-percent", 0);
    ret->channels = (int)json_get_int(data, "channels", -1);
    ret->bandwidth_bps = json_get_int(data, "bandwidth-bps", 0);
    ret->compress = compress_named(json_get_string(data, "compression"));
    if (ret->compress == COMPRESS_COUNT)
        ret->compress = COMPRESS_NONE;
}

static void read_postcopy(struct json_object *data, struct result *ret)
{
    ret->postcopy_ms = json_get_int(data, "ms", -1);
    ret->recoveries = (int)json_get_int(data, "recoveries", 0);
}

static void read_disks(struct json_object *list, struct result *ret)
{
    ret->disk_count = json_length(list);
    ret->disk = xcalloc(ret->disk_count + 1, sizeof(ret->disk[0]));
    for (size_t i = 0; i < ret->disk_count; i++) {
        struct json_object *d = json_at(list, i);

        ret->disk[i] = (struct result_disk){
            .label = xstrdup(json_get_string(d, "disk")),
            .source_file = xstrdup(json_get_string(d, "source-file")),
            .destination_file = xstrdup(json_get_string(d, "destination-file")),
            .snapshots = xstrdup(json_get_string(d, "snapshots-left")),
            .encryption = xstrdup(json_get_string(d, "encryption")),
            .size_bytes = json_get_uint(d, "size-bytes"),
            .copied_bytes = json_get_uint(d, "copied-bytes"),
            .tls_proved = json_get_bool(d, "tls-proved"),
            .write_blocking = json_get_bool(d, "write-blocking"),
            .discard = json_get_bool(d, "discard"),
        };
    }
}

static void read_connections(struct json_object *list, struct result *ret)
{
    ret->connection_count = json_length(list);
    ret->connection =
        xcalloc(ret->connection_count + 1, sizeof(ret->connection[0]));
    for (size_t i = 0; i < ret->connection_count; i++) {
        struct json_object *c = json_at(list, i);

#define X(member, name)                                                        \
    ret->connection[i].member = xstrdup(json_get_string(c, name));
        RESULT_CONNECTION_WORDS(X)
#undef X
    }
}

void read_result(struct json_object *data, struct result *ret)
{
    struct json_object *left = json_get_array(data, "left");

    result_init(ret);
    ret->outcome = outcome_named(json_get_string(data, "outcome"));
    ret->guest = place_named(json_get_string(data, "guest"));
    ret->retryable = json_get_bool(data, "retryable");
    for (size_t i = 0; i < json_length(left); i++)
        strv_add(&ret->left, json_object_get_string(json_at(left, i)));
    read_error(json_get_object(data, "error"), &ret->error);
    ret->name = xstrdup(json_get_string(data, "name"));
    ret->paused = json_get_bool(data, "paused");
    ret->source_kept = json_get_bool(data, "source-kept");
    ret->wall_ms = json_get_int(data, "wall-ms", -1);
    ret->wall_to_guest_ms = json_get_int(data, "wall-to-guest-ms", -1);
    ret->qemu_downtime_ms = json_get_int(data, "downtime-ms", -1);
    read_handover(json_get_object(data, "handover"), ret);
    read_ram(json_get_object(data, "ram"), ret);
    read_postcopy(json_get_object(data, "postcopy"), ret);
    read_disks(json_get_array(data, "disks"), ret);
    ret->disk_bandwidth_bps = json_get_int(data, "disk-bandwidth-bps", 0);
    ret->verified = json_get_bool(data, "verified");
    ret->compared_bytes = json_get_uint(data, "compared-bytes");
    ret->compared_stopped_bytes = json_get_uint(data, "compared-stopped-bytes");
    ret->tls = json_get_bool(data, "tls");
    read_connections(json_get_array(data, "connections"), ret);
}
