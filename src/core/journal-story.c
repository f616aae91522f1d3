/*
 * The journal's first line: what cannot be asked once the engine is dead, or
 * could be asked only of a host that may not be reached then.  No secret is in
 * it: a pre-shared key is not even mentioned.
 */
#include <json-c/json.h>

#include "core/disk-make.h"
#include "core/journal-read.h"
#include "core/migration-private.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* What BUILD makes of S; an empty one if it cannot be sent, which was read
 * from QEMU. */
static struct json_object *capabilities(const struct qmp_settings *s)
{
    CLEANUP_JSON struct json_object *o = NULL;

    if (capabilities_build(s, &o, NULL) < 0)
        return json_object_new_array();
    return json_object_get(json_get(o, "capabilities"));
}

static struct json_object *parameters(const struct qmp_settings *s)
{
    struct json_object *o = NULL;

    return parameters_build(s, &o, NULL) < 0 ? json_object_new_object() : o;
}

/* What is not known is not there. */
static void add_place(struct json_object *o, const struct process_place *p)
{
    for (size_t i = 0; i < journal_place_text_count; i++) {
        const struct journal_place_text *t = &journal_place_texts[i];
        const char *text = (const char *)p + t->offset;

        if (*text)
            json_add_string(o, t->key, text);
    }
}

static struct json_object *side_story(const struct migration *m,
                                      enum side_id id)
{
    const struct process_identity *p = &m->side[id].process;
    const struct side_facts *f = &m->facts.side[id];
    struct json_object *o = json_object_new_object();

    json_add_string(o, "address", m->plan->peer[id].text);
    json_add_string(o, "host", m->plan->host[id]);
    if (p->known) {
        json_add_int(o, "pid", p->pid);
        json_add(o, "start-time", json_object_new_uint64(p->start_time));
        add_place(o, &p->place);
        json_add_int(o, "seen", p->seen_s);
    }
    json_add(o, "capabilities", capabilities(&f->capabilities));
    json_add(o, "parameters", parameters(&f->parameters));
    return o;
}

static struct json_object *plan_story(const struct migration *m)
{
    struct json_object *o = json_object_new_object();

    json_add_bool(o, "insecure", m->plan->insecure);
    json_add_bool(o, "tls-psk", m->plan->tls_psk);
    json_add_bool(o, "verify", m->plan->verify);
    json_add_bool(o, "keep-source", m->plan->keep_source);
    json_add_bool(o, "paused", m->plan->paused);
    json_add_string(o, "qmp-tls-dir", m->plan->qmp_tls_dir);
    json_add_string(o, "tls-authz-dn", m->facts.authz_dn);
    /* where a post-copy's stream is made anew */
    json_add_string(o, "address", m->facts.address);
    json_add_string(o, "bind", m->facts.bind);
    json_add_int(o, "port-low", m->plan->port_low);
    json_add_int(o, "port-high", m->plan->port_high);
    /* what may be done to the guest */
    json_add_string(o, "policy", m->plan->policy->name);
    json_add_bool(o, "postcopy", m->plan->postcopy);
    json_add_int(o, "max-throttle", m->plan->max_throttle);
    json_add_int(o, "abort-handover-ms", m->plan->abort_handover_ms);
    json_add_int(o, "announce-rounds", m->plan->announce_rounds);
    json_add(o, "limits", journal_limits_data(&m->limits));
    return o;
}

static struct json_object *disk_story(const struct disk_copy *d)
{
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; i < journal_disk_text_count; i++) {
        const struct journal_disk_text *t = &journal_disk_texts[i];

        json_add_string(o, t->key,
                        *(char *const *)((const char *)d + t->offset));
    }
    json_add(o, "size-bytes", json_object_new_uint64(d->size_bytes));
    json_add_bool(o, "was-inactive", d->was_inactive);
    json_add_bool(o, "top", d->top);
    if (d->make && d->make->path)
        json_add_string(o, "makes", d->make->path);
    else if (d->make)
        json_add_bool(o, "makes", true); /* a slice */
    return o;
}

struct json_object *journal_story(const struct migration *m)
{
    struct json_object *o = json_object_new_object();
    struct json_object *disks = json_object_new_array();

    json_add_int(o, "qmigrate-journal", JOURNAL_VERSION);
    json_add_string(o, "name", m->name);
    json_add_string(o, "id", m->id);
    json_add_string(o, "at", clock_utc(clock_wall_us()).s);
    for (int i = 0; i < SIDES; i++)
        json_add(o, side_name((enum side_id)i), side_story(m, (enum side_id)i));
    json_add_string(o, "guest-uuid", m->facts.side[SOURCE].machine.uuid);
    json_add_bool(o, "was-running", m->was_running);
    json_add(o, "plan", plan_story(m));
    for (size_t i = 0; i < m->disk_count; i++)
        json_object_array_add(disks, disk_story(&m->disk[i]));
    json_add(o, "disks", disks);
    return o;
}
