/*
 * For programs: one JSON object a line, in the shape of QMP's events.  Members
 * that are not known are absent.
 */
#include "core/record.h"

#include <json-c/json.h>

#include "core/policy.h"
#include "core/record-private.h"

void record_event(struct buffer *b, const char *name, struct json_object *data,
                  int64_t wall_us)
{
    struct json_object *event = json_object_new_object();
    struct json_object *stamp = json_object_new_object();

    json_add_string(event, "event", name);
    json_add(event, "data", data);
    json_add_int(stamp, "seconds", wall_us / 1000000);
    json_add_int(stamp, "microseconds", wall_us % 1000000);
    json_add(event, "timestamp", stamp);
    buffer_printf(
        b, "%s\n",
        json_object_to_json_string_ext(
            event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(event);
}

void json_add_text(struct json_object *o, const char *key, const char *text)
{
    CLEANUP_FREE char *shown = NULL;

    if (text) {
        shown = str_printable(text);
        json_add_string(o, key, shown);
    }
}

void json_add_uint(struct json_object *o, const char *key, uint64_t value)
{
    json_add(o, key, json_object_new_uint64(value));
}

void json_add_known(struct json_object *o, const char *key, int64_t value)
{
    if (value >= 0) {
        json_add_int(o, key, value);
    }
}

/* --- one function a kind ---------------------------------------------------- */

static struct json_object *step_data(const struct narration *n)
{
    static const char *const words[] = {
        [STEP_BEGINS] = "begins", [STEP_DONE] = "done",
        [STEP_FAILED] = "failed", [STEP_CANCELLED] = "cancelled",
        [STEP_UNDONE] = "undone",
    };
    struct json_object *data = json_object_new_object();

    json_add_string(data, "step", n->text);
    json_add_string(data, "state", words[n->step]);
    return data;
}

static struct json_object *state_data(const struct narration *n)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "side", side_name(n->side));
    json_add_text(data, "status", n->text);
    return data;
}

static struct json_object *pass_data(const struct narration *n)
{
    struct json_object *data = json_object_new_object();

    json_add_int(data, "pass", n->pass);
    return data;
}

static struct json_object *ram_data(const struct progress *p)
{
    struct json_object *ram = json_object_new_object();

    json_add_int(ram, "pass", p->pass);
    json_add_uint(ram, "total-bytes", p->ram_total);
    json_add_uint(ram, "remaining-bytes", p->ram_remaining);
    json_add_uint(ram, "transferred-bytes", p->ram_transferred);
    json_add_uint(ram, "bps", p->ram_bps);
    json_add_uint(ram, "dirty-bps", p->dirty_bps);
    json_add_int(ram, "throttle-percent", p->throttle_percent);
    json_add_int(ram, "downtime-limit-ms", p->downtime_limit_ms);
    if (p->outlook == OUTLOOK_FIRST_PASS) {
        json_add_int(ram, "first-pass-left-ms", p->left_ms);
    } else if (p->outlook == OUTLOOK_ENDS || p->outlook == OUTLOOK_NEVER) {
        json_add_bool(ram, "converges", p->outlook == OUTLOOK_ENDS);
    } else if (p->outlook == OUTLOOK_REST) {
        json_add_int(ram, "left-ms", p->left_ms);
    } else if (p->outlook == OUTLOOK_LOST) {
        json_add_bool(ram, "network-lost", true);
    }
    if (p->outlook == OUTLOOK_ENDS) {
        json_add_int(ram, "left-ms", p->left_ms);
        json_add_int(ram, "blackout-ms", p->blackout_ms);
    } else if (p->outlook == OUTLOOK_NEVER) {
        json_add_uint(ram, "hot-bytes", p->hot_bytes);
    }
    if (p->timeout_left_ms > 0) {
        json_add_int(ram, "timeout-left-ms", p->timeout_left_ms);
        json_add_string(ram, "on-timeout", on_timeout_name(p->on_timeout));
    }
    return ram;
}

static struct json_object *each_disk(const struct progress *p)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; p->disk && i < p->disk_count; i++) {
        struct json_object *disk = json_object_new_object();

        json_add_text(disk, "disk", p->disk[i].label);
        json_add_string(disk, "state", p->disk[i].state);
        json_add_uint(disk, "total-bytes", p->disk[i].total);
        json_add_uint(disk, "copied-bytes", p->disk[i].copied);
        json_object_array_add(list, disk);
    }
    return list;
}

struct json_object *record_progress_data(const struct progress *p)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "step", p->step);
    json_add_int(data, "elapsed-ms", p->elapsed_ms);
    if (p->ram) {
        json_add(data, "ram", ram_data(p));
    }
    if (p->disk_count > 0) {
        struct json_object *disks = json_object_new_object();

        json_add_uint(disks, "count", p->disk_count);
        json_add_uint(disks, "total-bytes", p->disk_total);
        json_add_uint(disks, "copied-bytes", p->disk_copied);
        json_add_uint(disks, "bps", p->disk_bps);
        if (p->disk)
            json_add(disks, "each", each_disk(p));
        json_add(data, "disks", disks);
    }
    return data;
}

static struct json_object *progress_data(const struct narration *n)
{
    return record_progress_data(n->progress);
}

struct json_object *record_limits_data(const struct limits *l)
{
    struct json_object *data = json_object_new_object();

    json_add_int(data, "bandwidth-bps", l->value[LIMIT_BANDWIDTH]);
    json_add_int(data, "disk-bandwidth-bps", l->value[LIMIT_DISK_BANDWIDTH]);
    json_add_int(data, "max-downtime-ms", l->value[LIMIT_MAX_DOWNTIME]);
    json_add_int(data, "timeout-s", l->value[LIMIT_TIMEOUT]);
    json_add_int(data, "timeout-s-per-gib", l->timeout_per_gib_s);
    if (l->timeout_ms > 0)
        json_add_int(data, "timeout-ms", l->timeout_ms);
    json_add_string(data, "on-timeout",
                    on_timeout_name(l->value[LIMIT_ON_TIMEOUT]));
    json_add_int(data, "postcopy-bandwidth-bps",
                 l->value[LIMIT_POSTCOPY_BANDWIDTH]);
    return data;
}

static struct json_object *limits_data(const struct narration *n)
{
    return record_limits_data(n->limits);
}

static struct json_object *message_data(const char *message)
{
    struct json_object *data = json_object_new_object();

    json_add_text(data, "message", message);
    return data;
}

static struct json_object *warning_data(const struct narration *n)
{
    return message_data(n->text);
}

static struct json_object *verdict_data(const struct verdict *v)
{
    static const char *const levels[] = {
        [VERDICT_OK] = "ok",
        [VERDICT_WARNING] = "warning",
        [VERDICT_BLOCKER] = "blocker",
    };
    static const char *const sides[] = {
        [ABOUT_SOURCE] = "source",
        [ABOUT_DESTINATION] = "destination",
        [ABOUT_BOTH] = "both",
    };
    struct json_object *data = json_object_new_object();

    json_add_string(data, "id", v->id);
    json_add_string(data, "side", sides[v->side]);
    json_add_string(data, "level", levels[v->level]);
    json_add_text(data, "what", v->what);
    json_add_text(data, "why", v->why);
    json_add_text(data, "fix", v->fix);
    return data;
}

static struct json_object *preflight_data(const struct narration *n)
{
    struct json_object *data = json_object_new_object();
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < n->verdicts->count; i++) {
        json_object_array_add(list, verdict_data(&n->verdicts->item[i]));
    }
    json_add(data, "verdicts", list);
    json_add_uint(data, "ok", verdicts_count(n->verdicts, VERDICT_OK));
    json_add_uint(data, "warnings",
                  verdicts_count(n->verdicts, VERDICT_WARNING));
    json_add_uint(data, "blockers",
                  verdicts_count(n->verdicts, VERDICT_BLOCKER));
    return data;
}

static struct json_object *choice_data(const struct facts *f,
                                       const struct disk_choice *c)
{
    const struct qmp_disk *d = &f->side[SOURCE].disks.item[c->source];
    struct json_object *data = json_object_new_object();

    json_add_text(data, "disk", disk_label(d));
    json_add_bool(data, "copy", c->copy);
    json_add_text(data, "verdict", disk_verdict_word(c->verdict));
    json_add_text(data, "reason", c->reason);
    json_add_text(data, "source-file", d->filename);
    if (c->copy) {
        CLEANUP_FREE char *snapshots = disk_choice_snapshots(f, c);

        json_add_text(data, "destination-file", disk_choice_file(f, c));
        json_add_text(data, "snapshots-left", snapshots);
        json_add_text(data, "sync", c->top ? "top" : "full");
        json_add_bool(data, "discard",
                      preflight_may_discard(&f->side[SOURCE], d));
    }
    json_add_text(data, "encryption", disk_choice_encryption(f, c));
    json_add_uint(data, "size-bytes", d->virtual_size);
    return data;
}

static void add_guest_limits(struct json_object *data, const struct plan *p)
{
    json_add_string(data, "policy", p->policy->name);
    json_add_int(data, "max-downtime-ms", p->max_downtime_ms);
    json_add_int(data, "first-throttle-percent", p->first_throttle);
    json_add_int(data, "max-throttle-percent", p->max_throttle);
    json_add_bool(data, "throttle-tailslow", p->tailslow);
    json_add_int(data, "patience", p->patience);
    json_add_string(data, "when-stuck", p->pause_when_stuck ? "pause" : "wait");
    json_add_bool(data, "postcopy", p->postcopy);
    json_add_int(data, "abort-handover-ms", p->abort_handover_ms);
    json_add_int(data, "timeout-s", p->timeout_s);
    json_add_int(data, "timeout-s-per-gib", p->timeout_per_gib_s);
    json_add_string(data, "on-timeout", on_timeout_name(p->on_timeout));
}

static struct json_object *plan_data(const struct narration *n)
{
    struct json_object *data = json_object_new_object();
    struct json_object *disks = json_object_new_array();
    struct json_object *steps = json_object_new_array();
    struct channels channels = preflight_channels(n->facts);

    for (size_t i = 0; i < n->disks->count; i++) {
        json_object_array_add(disks, choice_data(n->facts, &n->disks->item[i]));
    }
    for (const char *const *step = n->steps; *step; step++) {
        json_object_array_add(steps, json_object_new_string(*step));
    }
    json_add_text(data, "name", n->name);
    json_add_bool(data, "insecure", n->facts->plan->insecure);
    json_add_text(data, "address", n->facts->address);
    json_add_text(data, "bind", n->facts->bind);
    json_add_text(data, "tls-hostname", n->facts->tls_hostname);
    json_add_text(data, "tls-authz-dn", n->facts->authz_dn);
    if (n->facts->plan->tls_psk) {
        json_add_bool(data, "tls-psk", true);
    }
    json_add_int(data, "channels", channels.count);
    json_add_string(data, "channels-why", channels.why);
    json_add_string(data, "compression",
                    compress_name(n->facts->plan->compress));
    add_guest_limits(data, n->facts->plan);
    json_add(data, "disks", disks);
    json_add(data, "steps", steps);
    return data;
}

static const struct {
    const char *name;
    struct json_object *(*data)(const struct narration *n);
} kinds[] = {
    [NARRATE_STEP] = { "STEP", step_data },
    [NARRATE_STATE] = { "STATE", state_data },
    [NARRATE_PASS] = { "PASS", pass_data },
    [NARRATE_PROGRESS] = { "PROGRESS", progress_data },
    [NARRATE_WARNING] = { "WARNING", warning_data },
    [NARRATE_PREFLIGHT] = { "PREFLIGHT", preflight_data },
    [NARRATE_PLAN] = { "PLAN", plan_data },
    [NARRATE_LIMITS] = { "LIMITS", limits_data },
};

void record_narration(struct buffer *b, const struct narration *n,
                      int64_t wall_us)
{
    record_event(b, kinds[n->kind].name, kinds[n->kind].data(n), wall_us);
}

void record_note(struct buffer *b, const char *sentence, int64_t wall_us)
{
    record_event(b, "NOTE", message_data(sentence), wall_us);
}

void record_result(struct buffer *b, const struct result *r, int64_t wall_us)
{
    record_event(b, "RESULT", record_result_data(r), wall_us);
}
