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

#include <stdlib.h>
#include <string.h>

#include "core/disk-make.h"
#include "core/journal-read-private.h"
#include "qmp/json.h"

int journal_damaged(const struct journal_reader *r, const char *what,
                    struct qm_error *err)
{
    error_set(err, QM_ERR_REFUSED, "the journal is damaged: line %zu: %s",
              r->line, what);
    error_hint(err, "nothing was touched; qmigrate-recovery(7), BY HAND, says "
                    "how to settle it");
    return -1;
}

static int read_owner(struct journal_reader *r, struct json_object *o,
                      struct qm_error *err)
{
    const char *word = json_get_string(o, "owner");
    bool destination = str_equal(word, side_name(DESTINATION));

    if (!destination && !str_equal(word, side_name(SOURCE)))
        return journal_damaged(
            r, "an owner that is neither source nor destination", err);
    if (!destination && r->owner_known && r->c.owner == DESTINATION &&
        !r->c.returned)
        return journal_damaged(r, "the owner went back to the source", err);
    if (destination && !r->owner_known)
        return journal_damaged(r, "the first owner is not the source", err);
    r->owner_known = true;
    r->c.owner = destination ? DESTINATION : SOURCE;
    if (json_get(o, "source-gave-up") && !json_get_bool(o, "source-gave-up"))
        r->c.postcopy = true;
    if (r->c.postcopy && (!r->c.address || !r->c.bind || !r->c.port_low))
        return journal_damaged(r, "it does not say where its post-copy goes",
                               err);
    r->c.gave_up = r->c.gave_up || json_get_bool(o, "source-gave-up");
    return 0;
}

static void read_step(struct journal_reader *r, struct json_object *o)
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

static void read_made(struct journal_reader *r, struct json_object *o)
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

/* What is not there stays. */
static int read_port(struct journal_reader *r, struct json_object *o,
                     const char *key, unsigned *ret, struct qm_error *err)
{
    int64_t port = json_get_int(o, key, 0);

    if (!json_get(o, key))
        return 0;
    if (port < 1 || port > UINT16_MAX)
        return journal_damaged(r, "a port is none", err);
    *ret = (unsigned)port;
    return 0;
}

static int read_end(struct journal_reader *r, struct json_object *o,
                    struct qm_error *err)
{
    if (!outcome_parse(json_get_string(o, "end"), &r->c.end_outcome) ||
        !guest_place_parse(json_get_string(o, "guest"), &r->c.end_guest))
        return journal_damaged(r, "it does not say how it ended", err);
    r->c.ended = true;
    r->c.ended_us = journal_read_at(o);
    return 0;
}

static int read_record(struct journal_reader *r, struct json_object *o,
                       struct qm_error *err)
{
    if (r->c.ended)
        return journal_damaged(r, "something follows its end", err);
    if (json_get(o, "owner"))
        return read_owner(r, o, err);
    if (!r->owner_known)
        return journal_damaged(r, "the owner is missing", err);
    read_step(r, o);
    read_made(r, o);
    if (read_port(r, o, "nbd-port", &r->c.nbd_port, err) < 0 ||
        read_port(r, o, "ram-port", &r->c.ram_port, err) < 0 ||
        journal_read_limits(r, json_get_object(o, "limits"), err) < 0)
        return -1;
    if (json_get(o, "was-running"))
        r->c.was_running = json_get_bool(o, "was-running");
    r->c.started = r->c.started || json_get_bool(o, "started");
    r->c.gave_up = r->c.gave_up || json_get_bool(o, "source-gave-up");
    r->c.guest_over = r->c.guest_over || json_get_bool(o, "guest-ended");
    r->c.returned = r->c.returned || json_get_bool(o, "returned");
    return json_get(o, "end") ? read_end(r, o, err) : 0;
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

static int read_line(struct journal_reader *r, const char *text, size_t len,
                     struct qm_error *err)
{
    CLEANUP_JSON struct json_object *o = parse_line(text, len);

    r->line++;
    if (!o && r->line == 1)
        return error_set(err, QM_ERR_REFUSED,
                         "it is not a journal of qmigrate, or a damaged one: "
                         "its first line cannot be read");
    if (!o)
        return journal_damaged(r, "it cannot be read", err);
    return r->line == 1 ? journal_read_story(r, o, err)
                        : read_record(r, o, err);
}

static int check_whole(struct journal_reader *r, struct qm_error *err)
{
    if (r->owner_known)
        return 0;
    error_set(err, QM_ERR_REFUSED,
              "the journal ends before its first owner: it was cut off");
    error_hint(err, "look at both QEMUs; if neither has anything whose name "
                    "begins with qm-, remove the journal");
    return -1;
}

int journal_read(const char *bytes, size_t len, struct journal_content *ret,
                 struct qm_error *err)
{
    struct journal_reader r = { .line = 0 };
    size_t at = 0;
    int status = 0;

    if (len > JOURNAL_MAX_BYTES)
        return error_set(err, QM_ERR_REFUSED,
                         "it is not a journal of qmigrate: it is too large");
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

bool journal_read_processes(const char *bytes, size_t len,
                            struct process_identity ret[SIDES])
{
    const char *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
    CLEANUP_JSON struct json_object *o =
        end ? parse_line(bytes, (size_t)(end - bytes)) : NULL;
    struct journal_reader r = { .line = 1 };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    for (int i = 0; i < SIDES; i++) {
        struct json_object *side =
            json_get_object(o, side_name((enum side_id)i));

        ret[i] = (struct process_identity){ .known = false };
        if (!side || journal_read_process(&r, side, &ret[i], &ignored) < 0)
            return false;
    }
    return true;
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
