/*
 * The first line of a journal, read: the other end of journal-story.c.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/disk-make.h"
#include "core/journal-read-private.h"
#include "qmp/json.h"
#include "qmp/parse.h"

#define DISKS_MAX 1000

#define TEXT(key, field, ours, needed)                                         \
    {                                                                          \
        key, offsetof(struct disk_copy, field), ours, needed                   \
    }
const struct journal_disk_text journal_disk_texts[] = {
    TEXT("disk", label, false, true),
    TEXT("source-node", source_node, false, true),
    TEXT("destination-node", destination_node, false, true),
    TEXT("writer", writer_node, true, false),
    TEXT("destination-format", destination_format, false, false),
    TEXT("destination-protocol", destination_protocol, false, false),
    TEXT("source-file", source_file, false, false),
    TEXT("destination-file", destination_file, false, false),
    TEXT("snapshots-left", snapshots, false, false),
    TEXT("encryption", encryption, false, false),
    TEXT("export", export_id, true, true),
    TEXT("export-name", export_name, true, true),
    TEXT("node", node_name, true, true),
    TEXT("job", job_id, true, true),
};
const size_t journal_disk_text_count = ARRAY_LEN(journal_disk_texts);

#define PLACE(key, field)                                                      \
    {                                                                          \
        key, offsetof(struct process_place, field),                            \
            sizeof(((struct process_place *)NULL)->field)                      \
    }
const struct journal_place_text journal_place_texts[] = {
    PLACE("machine-id", machine_id),
    PLACE("boot-id", boot_id),
    PLACE("pid-namespace", pid_namespace),
    PLACE("time-namespace", time_namespace),
};
const size_t journal_place_text_count = ARRAY_LEN(journal_place_texts);

/* Older journals have the boot alone. */
static bool read_place(struct json_object *o, struct process_place *ret)
{
    for (size_t i = 0; i < journal_place_text_count; i++) {
        const struct journal_place_text *t = &journal_place_texts[i];
        const char *text = json_get_string(o, t->key);

        if (text && strlen(text) >= t->size)
            return false;
        if (text)
            memcpy((char *)ret + t->offset, text, strlen(text) + 1);
    }
    return *ret->boot_id;
}

int journal_read_process(struct journal_reader *r, struct json_object *o,
                         struct process_identity *ret, struct qm_error *err)
{
    int64_t pid = json_get_int(o, "pid", 0);
    struct process_place place = { .boot_id = "" };

    if (!json_get(o, "pid"))
        return 0;
    if (pid <= 0 || pid > INT32_MAX || !read_place(o, &place) ||
        !json_get(o, "start-time"))
        return journal_damaged(r, "it does not say which process a QEMU is",
                               err);
    ret->known = true;
    ret->pid = (int)pid;
    ret->start_time = json_get_uint(o, "start-time");
    ret->place = place;
    ret->seen_s = json_get_int(o, "seen", 0);
    return 0;
}

static int read_side(struct journal_reader *r, struct json_object *story,
                     enum side_id id, struct qm_error *err)
{
    struct json_object *o = json_get_object(story, side_name(id));
    struct journal_side *s = &r->c.side[id];
    struct qm_error failed = QM_ERROR_INIT;

    if (!json_get_string(o, "address"))
        return journal_damaged(r, "it does not say where a QEMU is", err);
    s->address = xstrdup(json_get_string(o, "address"));
    s->host = xstrdup(json_get_string(o, "host"));
    if (journal_read_process(r, o, &s->process, err) < 0)
        return -1;
    if (capabilities_parse(json_get(o, "capabilities"), &s->capabilities,
                           &failed) == 0 &&
        parameters_parse(json_get(o, "parameters"), &s->parameters, &failed) ==
            0)
        return 0;
    error_clear(&failed);
    return journal_damaged(r, "it does not say what was set in a QEMU", err);
}

static void read_make(struct json_object *o, struct disk_copy *d)
{
    const char *path = json_get_string(o, "makes");

    if (!json_get(o, "makes"))
        return;
    d->make = XNEW(struct disk_make);
    d->make->path = xstrdup(path);
    d->make->what = path ? MAKE_IMAGE : MAKE_SLICE;
}

static int read_disk(struct journal_reader *r, struct json_object *o,
                     struct qm_error *err)
{
    struct disk_copy *d = &r->c.disk[r->c.disk_count++];
    size_t id_len = strlen(r->c.id);

    for (size_t i = 0; i < journal_disk_text_count; i++) {
        const struct journal_disk_text *t = &journal_disk_texts[i];
        const char *text = json_get_string(o, t->key);

        if (!text && t->needed)
            return journal_damaged(r, "a disk's record is not whole", err);
        if (text && t->ours &&
            (!str_starts(text, r->c.id) || text[id_len] != '-'))
            return journal_damaged(r, "a name of another migration is in it",
                                   err);
        if (text)
            *(char **)((char *)d + t->offset) = xstrdup(text);
    }
    d->size_bytes = d->total_bytes = json_get_uint(o, "size-bytes");
    d->was_inactive = json_get_bool(o, "was-inactive");
    d->top = json_get_bool(o, "top");
    read_make(o, d);
    return 0;
}

static int read_disks(struct journal_reader *r, struct json_object *story,
                      struct qm_error *err)
{
    struct json_object *disks = json_get_array(story, "disks");
    size_t count = json_length(disks);

    if (!disks || count > DISKS_MAX)
        return journal_damaged(r, "it does not say which disks are copied",
                               err);
    r->c.disk = xcalloc(count + 1, sizeof(*r->c.disk));
    for (size_t i = 0; i < count; i++)
        if (read_disk(r, json_at(disks, i), err) < 0)
            return -1;
    return 0;
}

static int check_version(struct json_object *story, struct qm_error *err)
{
    int64_t version = json_get_int(story, "qmigrate-journal", 0);

    if (version == 0) {
        error_set(err, QM_ERR_REFUSED, "it is not a journal of qmigrate");
        error_hint(err, "look at it, and remove it if it is not yours");
        return -1;
    }
    if (version == JOURNAL_VERSION)
        return 0;
    error_set(err, QM_ERR_REFUSED,
              "the journal was written by another version of qmigrate (its "
              "format is %lld, this one knows %d)",
              (long long)version, JOURNAL_VERSION);
    error_hint(err, "use the qmigrate that wrote it");
    return -1;
}

int64_t journal_read_at(struct json_object *o)
{
    const char *text = json_get_string(o, "at");
    int64_t us = 0;

    if (text)
        (void)clock_utc_parse(text, &us);
    return us;
}

bool journal_id_is_valid(const char *id)
{
    return id && str_starts(id, "qm-") && strlen(id) == 11 &&
           strspn(id + 3, "0123456789abcdef") == 8;
}

/* Where the destination listens. */
static void read_way(struct journal_reader *r, struct json_object *plan)
{
    int64_t low = json_get_int(plan, "port-low", 0);
    int64_t high = json_get_int(plan, "port-high", 0);

    r->c.address = xstrdup(json_get_string(plan, "address"));
    r->c.bind = xstrdup(json_get_string(plan, "bind"));
    if (low < 1 || high < low || high > UINT16_MAX)
        return;
    r->c.port_low = (unsigned)low;
    r->c.port_high = (unsigned)high;
}

/* A number that an older journal does not have is FALLBACK. */
static int read_number(struct journal_reader *r, struct json_object *plan,
                       const char *key, int64_t max, int64_t fallback,
                       int64_t *ret, struct qm_error *err)
{
    *ret = json_get(plan, key) ? json_get_int(plan, key, INT64_MAX) : fallback;
    if (*ret == fallback || (*ret >= 0 && *ret <= max))
        return 0;
    return journal_damaged(r, "it does not say what may be done to the guest",
                           err);
}

static int read_rules(struct journal_reader *r, struct json_object *plan,
                      struct qm_error *err)
{
    struct journal_content *c = &r->c;

    c->policy = policy_named(json_get_string(plan, "policy"));
    c->postcopy_allowed = json_get_bool(plan, "postcopy");
    if (read_number(r, plan, "announce-rounds", PLAN_MAX_ANNOUNCE_ROUNDS,
                    PLAN_ANNOUNCE_THEIRS, &c->announce_rounds, err) < 0 ||
        read_number(r, plan, "max-throttle", PLAN_MAX_THROTTLE, PLAN_OF_POLICY,
                    &c->max_throttle, err) < 0 ||
        read_number(r, plan, "abort-handover-ms", PLAN_MAX_HANDOVER_MS, 0,
                    &c->abort_handover_ms, err) < 0)
        return -1;
    return journal_read_limits(r, json_get_object(plan, "limits"), err);
}

int journal_read_story(struct journal_reader *r, struct json_object *story,
                       struct qm_error *err)
{
    struct json_object *plan = json_get_object(story, "plan");
    const char *name = json_get_string(story, "name");
    const char *id = json_get_string(story, "id");

    if (check_version(story, err) < 0)
        return -1;
    if (!name || !plan_name_is_valid(name) || !journal_id_is_valid(id) || !plan)
        return journal_damaged(r, "it does not say what it is about", err);
    r->c.name = xstrdup(name);
    r->c.id = xstrdup(id);
    r->c.began_us = journal_read_at(story);
    r->c.uuid = xstrdup(json_get_string(story, "guest-uuid"));
    r->c.was_running = json_get_bool(story, "was-running");
    r->c.insecure = json_get_bool(plan, "insecure");
    r->c.tls_psk = json_get_bool(plan, "tls-psk");
    r->c.verify = json_get_bool(plan, "verify");
    r->c.keep_source = json_get_bool(plan, "keep-source");
    r->c.paused = json_get_bool(plan, "paused");
    r->c.qmp_tls_dir = xstrdup(json_get_string(plan, "qmp-tls-dir"));
    r->c.authz_dn = xstrdup(json_get_string(plan, "tls-authz-dn"));
    read_way(r, plan);
    if (read_rules(r, plan, err) < 0)
        return -1;
    for (int i = 0; i < SIDES; i++)
        if (read_side(r, story, (enum side_id)i, err) < 0)
            return -1;
    return read_disks(r, story, err);
}
