/*
 * Reading a journal.
 *
 * happy path   The first line is the story's, then come records, each a JSON
 *              object with a member that says what it is; what it has beside
 *              is not looked at, and neither are records of other kinds.
 * what fails   The engine, or its machine, died while it wrote: the last line
 *              has no end.  Whatever it announces was not done then, since
 *              every record that matters is on the disk before.  All else that
 *              is not as it was written is damage, and nothing is guessed.
 */
#include "core/journal-read.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/disk-make.h"
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
    TEXT("export", export_id, true, true),
    TEXT("export-name", export_name, true, true),
    TEXT("node", node_name, true, true),
    TEXT("job", job_id, true, true),
};
const size_t journal_disk_text_count = ARRAY_LEN(journal_disk_texts);

struct reader {
    struct journal_content c;
    size_t line; /* from 1 */
    bool owner_known;
};

static int damaged(const struct reader *r, const char *what,
                   struct qm_error *err)
{
    error_set(err, QM_ERR_REFUSED, "the journal is damaged: line %zu: %s",
              r->line, what);
    error_hint(err, "nothing was touched; qmigrate(1), AFTER A CRASH, says how "
                    "to settle it by hand");
    return -1;
}

/* --- the story ----------------------------------------------------------- */

static int read_process(struct reader *r, struct json_object *o,
                        struct process_identity *ret, struct qm_error *err)
{
    int64_t pid = json_get_int(o, "pid", 0);
    const char *boot = json_get_string(o, "boot-id");

    if (!json_get(o, "pid"))
        return 0;
    if (pid <= 0 || pid > INT32_MAX || !boot ||
        strlen(boot) >= sizeof(ret->boot_id) || !json_get(o, "start-time"))
        return damaged(r, "it does not say which process a QEMU is", err);
    ret->known = true;
    ret->pid = (int)pid;
    ret->start_time = json_get_uint(o, "start-time");
    memcpy(ret->boot_id, boot, strlen(boot) + 1);
    return 0;
}

static int read_side(struct reader *r, struct json_object *story,
                     enum side_id id, struct qm_error *err)
{
    struct json_object *o = json_get_object(story, side_name(id));
    struct journal_side *s = &r->c.side[id];
    struct qm_error failed = QM_ERROR_INIT;

    if (!json_get_string(o, "address"))
        return damaged(r, "it does not say where a QEMU is", err);
    s->address = xstrdup(json_get_string(o, "address"));
    s->host = xstrdup(json_get_string(o, "host"));
    if (read_process(r, o, &s->process, err) < 0)
        return -1;
    if (capabilities_parse(json_get(o, "capabilities"), &s->capabilities,
                           &failed) == 0 &&
        parameters_parse(json_get(o, "parameters"), &s->parameters, &failed) ==
            0)
        return 0;
    error_clear(&failed);
    return damaged(r, "it does not say what was set in a QEMU", err);
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

static int read_disk(struct reader *r, struct json_object *o,
                     struct qm_error *err)
{
    struct disk_copy *d = &r->c.disk[r->c.disk_count++];
    size_t id_len = strlen(r->c.id);

    for (size_t i = 0; i < journal_disk_text_count; i++) {
        const struct journal_disk_text *t = &journal_disk_texts[i];
        const char *text = json_get_string(o, t->key);

        if (!text && t->needed)
            return damaged(r, "a disk's record is not whole", err);
        if (text && t->ours &&
            (!str_starts(text, r->c.id) || text[id_len] != '-'))
            return damaged(r, "a name of another migration is in it", err);
        if (text)
            *(char **)((char *)d + t->offset) = xstrdup(text);
    }
    d->size_bytes = d->total_bytes = json_get_uint(o, "size-bytes");
    d->was_inactive = json_get_bool(o, "was-inactive");
    d->top = json_get_bool(o, "top");
    read_make(o, d);
    return 0;
}

static int read_disks(struct reader *r, struct json_object *story,
                      struct qm_error *err)
{
    struct json_object *disks = json_get_array(story, "disks");
    size_t count = json_length(disks);

    if (!disks || count > DISKS_MAX)
        return damaged(r, "it does not say which disks are copied", err);
    r->c.disk = xcalloc(count + 1, sizeof(*r->c.disk));
    for (size_t i = 0; i < count; i++)
        if (read_disk(r, json_at(disks, i), err) < 0)
            return -1;
    return 0;
}

static int check_version(struct reader *r, struct json_object *story,
                         struct qm_error *err)
{
    int64_t version = json_get_int(story, "qmigrate-journal", 0);

    if (version == 0) {
        error_set(err, QM_ERR_REFUSED, "that is no journal of qmigrate");
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
    (void)r;
    return -1;
}

/* "qm-" and eight hexadecimal digits: it becomes part of names and paths. */
static bool is_id(const char *id)
{
    return id && str_starts(id, "qm-") && strlen(id) == 11 &&
           strspn(id + 3, "0123456789abcdef") == 8;
}

/* Where the destination listens. */
static void read_way(struct reader *r, struct json_object *plan)
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

static int read_story(struct reader *r, struct json_object *story,
                      struct qm_error *err)
{
    struct json_object *plan = json_get_object(story, "plan");
    const char *name = json_get_string(story, "name");
    const char *id = json_get_string(story, "id");

    if (check_version(r, story, err) < 0)
        return -1;
    if (!name || !plan_name_is_valid(name) || !is_id(id) || !plan)
        return damaged(r, "it does not say what it is about", err);
    r->c.name = xstrdup(name);
    r->c.id = xstrdup(id);
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
    for (int i = 0; i < SIDES; i++)
        if (read_side(r, story, (enum side_id)i, err) < 0)
            return -1;
    return read_disks(r, story, err);
}

/* --- records --------------------------------------------------------------- */

static int read_owner(struct reader *r, struct json_object *o,
                      struct qm_error *err)
{
    const char *word = json_get_string(o, "owner");
    bool destination = str_equal(word, side_name(DESTINATION));

    if (!destination && !str_equal(word, side_name(SOURCE)))
        return damaged(r, "an owner that is neither source nor destination",
                       err);
    if (!destination && r->owner_known && r->c.owner == DESTINATION &&
        !r->c.returned)
        return damaged(r, "the owner went back to the source", err);
    if (destination && !r->owner_known)
        return damaged(r, "the first owner is not the source", err);
    r->owner_known = true;
    r->c.owner = destination ? DESTINATION : SOURCE;
    if (json_get(o, "source-gave-up") && !json_get_bool(o, "source-gave-up"))
        r->c.postcopy = true;
    if (r->c.postcopy && (!r->c.address || !r->c.bind || !r->c.port_low))
        return damaged(r, "it does not say where its post-copy goes", err);
    r->c.gave_up = r->c.gave_up || json_get_bool(o, "source-gave-up");
    return 0;
}

static void read_step(struct reader *r, struct json_object *o)
{
    const char *step = json_get_string(o, "step");
    const char *state = json_get_string(o, "state");
    size_t i;

    if (!step || !state)
        return;
    for (i = 0; i < r->c.row_count; i++)
        if (str_equal(r->c.row[i].step, step))
            break;
    if (i == r->c.row_count) {
        r->c.row = xrealloc_array(r->c.row, i + 1, sizeof(*r->c.row));
        r->c.row[r->c.row_count++] =
            (struct journal_row){ .step = xstrdup(step) };
    }
    r->c.row[i].done = str_equal(state, "done");
}

static void read_made(struct reader *r, struct json_object *o)
{
    const char *path = json_get_string(o, "makes");
    bool known = !path;

    if (known)
        path = json_get_string(o, "made");
    for (size_t i = 0; path && i < r->c.disk_count; i++) {
        struct disk_make *k = r->c.disk[i].make;

        if (!k || !str_equal(k->path, path))
            continue;
        k->made_unsure = !known;
        k->made = (struct made_image){ .known = known,
                                       .device = json_get_uint(o, "device"),
                                       .inode = json_get_uint(o, "inode") };
    }
}

static int read_record(struct reader *r, struct json_object *o,
                       struct qm_error *err)
{
    if (r->c.ended)
        return damaged(r, "something follows its end", err);
    if (json_get(o, "owner"))
        return read_owner(r, o, err);
    if (!r->owner_known)
        return damaged(r, "the owner is missing", err);
    read_step(r, o);
    read_made(r, o);
    if (json_get(o, "was-running"))
        r->c.was_running = json_get_bool(o, "was-running");
    r->c.started = r->c.started || json_get_bool(o, "started");
    r->c.gave_up = r->c.gave_up || json_get_bool(o, "source-gave-up");
    r->c.returned = r->c.returned || json_get_bool(o, "returned");
    r->c.ended = json_get_string(o, "end") != NULL;
    return 0;
}

static struct json_object *parse_line(const char *text, size_t len)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *o = json_tokener_parse_ex(tokener, text, (int)len);

    if (o && (json_tokener_get_error(tokener) != json_tokener_success ||
              json_tokener_get_parse_end(tokener) != len ||
              !json_object_is_type(o, json_type_object))) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(tokener);
    return o;
}

static int read_line(struct reader *r, const char *text, size_t len,
                     struct qm_error *err)
{
    CLEANUP_JSON struct json_object *o = parse_line(text, len);

    r->line++;
    if (!o && r->line == 1)
        return error_set(err, QM_ERR_REFUSED,
                         "that is no journal of qmigrate, or a damaged one: "
                         "its first line cannot be read");
    if (!o)
        return damaged(r, "it cannot be read", err);
    return r->line == 1 ? read_story(r, o, err) : read_record(r, o, err);
}

static int check_whole(struct reader *r, struct qm_error *err)
{
    if (r->owner_known)
        return 0;
    error_set(err, QM_ERR_REFUSED,
              "the journal ends before its first owner: it was cut off, or its "
              "engine died before it changed anything");
    error_hint(err, "look at both QEMUs; if neither has anything whose name "
                    "begins with qm-, remove the journal");
    return -1;
}

int journal_read(const char *bytes, size_t len, struct journal_content *ret,
                 struct qm_error *err)
{
    struct reader r = { .line = 0 };
    size_t at = 0;
    int status = 0;

    if (len > JOURNAL_MAX_BYTES)
        return error_set(err, QM_ERR_REFUSED,
                         "that is no journal of qmigrate: it is too large");
    while (status == 0) {
        const char *end = at < len ? memchr(bytes + at, '\n', len - at) : NULL;

        if (!end)
            break;
        status = read_line(&r, bytes + at, (size_t)(end - bytes) - at, err);
        at = (size_t)(end - bytes) + 1;
    }
    r.c.whole_bytes = at;
    r.c.torn = at < len;
    if (status < 0 || check_whole(&r, err) < 0) {
        journal_content_done(&r.c);
        return -1;
    }
    *ret = r.c;
    return 0;
}

void journal_content_done(struct journal_content *c)
{
    free(c->name);
    free(c->id);
    free(c->uuid);
    free(c->qmp_tls_dir);
    free(c->authz_dn);
    free(c->address);
    free(c->bind);
    for (int i = 0; i < SIDES; i++) {
        free(c->side[i].address);
        free(c->side[i].host);
        qmp_settings_done(&c->side[i].capabilities);
        qmp_settings_done(&c->side[i].parameters);
    }
    for (size_t i = 0; i < c->disk_count; i++)
        disk_copy_done(&c->disk[i]);
    free(c->disk);
    for (size_t i = 0; i < c->row_count; i++)
        free(c->row[i].step);
    free(c->row);
    *c = (struct journal_content){ .name = NULL };
}

static const struct journal_row *find_row(const struct journal_content *c,
                                          const char *step)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (str_equal(c->row[i].step, step))
            return &c->row[i];
    return NULL;
}

bool journal_began(const struct journal_content *c, const char *step)
{
    return find_row(c, step) != NULL;
}

bool journal_did(const struct journal_content *c, const char *step)
{
    const struct journal_row *row = find_row(c, step);

    return row && row->done;
}
