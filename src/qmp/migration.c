/*
 * query-migrate, its events, and the run state.
 */
#include "qmp/migration.h"

#include <json-c/json.h>
#include <string.h>

#include "qmp/json.h"
#include "qmp/parse.h"

static const char *const status_names[] = {
#define X(name, text) [MIGRATION_##name] = text,
    MIGRATION_STATUSES(X)
#undef X
};

enum migration_status migration_status_parse(const char *text)
{
    for (size_t i = 0; text && i < ARRAY_LEN(status_names); i++) {
        if (str_equal(text, status_names[i])) {
            return (enum migration_status)i;
        }
    }
    return text ? MIGRATION_OTHER : MIGRATION_NONE;
}

const char *migration_status_name(enum migration_status status)
{
    return status_names[status];
}

enum migration_status qmp_event_migration_status(const struct qmp_event *e)
{
    return migration_status_parse(json_get_string(e->data, "status"));
}

int64_t qmp_event_pass(const struct qmp_event *e)
{
    return json_get_int(e->data, "pass", 0);
}

bool qmp_event_panic_goes_on(const struct qmp_event *e)
{
    return str_equal(json_get_string(e->data, "action"), "run");
}

bool qmp_event_pauses(const struct qmp_event *e)
{
    return str_equal(json_get_string(e->data, "action"), "pause");
}

bool qmp_event_is_guest_shutdown(const struct qmp_event *e)
{
    return json_get_bool(e->data, "guest");
}

/* The port of the first inet address; it is a string in QAPI. */
static uint64_t parse_socket_port(struct json_object *addresses)
{
    for (size_t i = 0; i < json_length(addresses); i++) {
        struct json_object *address = json_at(addresses, i);
        const char *port = json_get_string(address, "port");
        uint64_t number;

        if (str_equal(json_get_string(address, "type"), "inet") && port &&
            str_to_u64(port, 1, 65535, &number)) {
            return number;
        }
    }
    return 0;
}

static void parse_ram(struct json_object *ram, struct qmp_migration *m)
{
    m->ram_total = json_get_uint(ram, "total");
    m->ram_transferred = json_get_uint(ram, "transferred");
    m->ram_remaining = json_get_uint(ram, "remaining");
    m->ram_normal_bytes = json_get_uint(ram, "normal-bytes");
    m->ram_duplicate_pages = json_get_uint(ram, "duplicate");
    m->ram_multifd_bytes = json_get_uint(ram, "multifd-bytes");
    m->ram_dirty_pages_rate = json_get_uint(ram, "dirty-pages-rate");
    m->ram_page_size = json_get_uint(ram, "page-size");
    m->ram_dirty_sync_count = json_get_uint(ram, "dirty-sync-count");
    m->ram_mbps = json_get_double(ram, "mbps");
}

int migration_parse(struct json_object *reply, struct qmp_migration *ret,
                    struct qm_error *err)
{
    struct qmp_migration m = { 0 };
    struct json_object *reasons;

    if (json_expect(reply, json_type_object, err) < 0) {
        return -1;
    }
    m.status = migration_status_parse(json_get_string(reply, "status"));
    m.error_desc = xstrdup(json_get_string(reply, "error-desc"));
    reasons = json_get_array(reply, "blocked-reasons");
    for (size_t i = 0; i < json_length(reasons); i++) {
        const char *reason = json_object_get_string(json_at(reasons, i));

        strv_add(&m.blocked_reasons, reason ? reason : "unknown");
    }
    m.total_time_ms = json_get_int(reply, "total-time", 0);
    m.setup_time_ms = json_get_int(reply, "setup-time", 0);
    m.downtime_ms = json_get_int(reply, "downtime", 0);
    m.expected_downtime_ms = json_get_int(reply, "expected-downtime", 0);
    m.throttle_percent = (int)json_get_int(reply, "cpu-throttle-percentage", 0);
    parse_ram(json_get_object(reply, "ram"), &m);
    m.socket_port = parse_socket_port(json_get_array(reply, "socket-address"));
    *ret = m;
    return 0;
}

int qmp_query_migrate(struct qmp *q, struct qmp_migration *ret,
                      struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, "query-migrate", NULL, QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    if (migration_parse(reply, ret, err) < 0) {
        return error_wrap(err, "%s: query-migrate", qmp_who(q));
    }
    return 0;
}

void qmp_migration_done(struct qmp_migration *m)
{
    free_string(m->error_desc);
    strv_done(&m->blocked_reasons);
    memset(m, 0, sizeof(*m));
}

int run_state_parse(struct json_object *reply, struct qmp_run_state *ret,
                    struct qm_error *err)
{
    const char *status = json_get_string(reply, "status");

    /* Who runs decides everything: both members must be there. */
    if (!status) {
        return json_missing("status", err);
    }
    if (!json_object_is_type(json_get(reply, "running"), json_type_boolean)) {
        return json_missing("running", err);
    }
    ret->running = json_get_bool(reply, "running");
    ret->status = xstrdup(status);
    return 0;
}

int qmp_query_status(struct qmp *q, struct qmp_run_state *ret,
                     struct qm_error *err)
{
    return qmp_finish_query_status(q, qmp_send_query_status(q), ret, err);
}

struct qmp_request *qmp_send_query_status(struct qmp *q)
{
    return qmp_send(q, "query-status", NULL, QMP_QUERY);
}

int qmp_finish_query_status(struct qmp *q, struct qmp_request *r,
                            struct qmp_run_state *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_finish(r, &reply, err) < 0) {
        return -1;
    }
    if (run_state_parse(reply, ret, err) < 0) {
        return error_wrap(err, "%s: query-status", qmp_who(q));
    }
    return 0;
}

void qmp_run_state_done(struct qmp_run_state *s)
{
    str_replace(&s->status, NULL);
    s->running = false;
}
