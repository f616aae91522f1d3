/*
 * qmigrate status: the migrations of this machine, a line each, those that have
 * ended too if they are asked for; or one in full.
 */
#include <unistd.h>

#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/read-record.h"
#include "cli/remote.h"
#include "cli/show-parts.h"
#include "cli/supervise.h"
#include "core/journal.h"
#include "core/rundir.h"
#include "qmp/json.h"

enum { LABEL = 14, LINE_INDENT = 4 };

static const char *doing(struct json_object *status)
{
    if (json_get_bool(status, "recovering"))
        return "recovering: ";
    if (json_get_bool(status, "undoing"))
        return "undo: ";
    return json_get_bool(status, "cancelling") ? "cancelling: " : "";
}

static char *printable(struct json_object *status, const char *key)
{
    const char *text = json_get_string(status, key);

    return str_printable(text ? text : "?");
}

/* "vm1  converge  RAM 52 %, ..." */
static void write_line(struct buffer *b, struct json_object *status)
{
    CLEANUP_FREE char *name = printable(status, "name");
    struct progress p;

    read_progress(json_get_object(status, "progress"), &p);
    buffer_printf(b, "%s  %s%s", name, doing(status), p.step);
    if (p.ram || p.disk_count > 0) {
        buffer_printf(b, "  ");
        progress_in_words(b, &p);
    }
    buffer_printf(b, "\n");
}

static void write_label(struct buffer *b, const char *label)
{
    buffer_printf(b, "  %-*s", LABEL - 2, label);
}

static void write_text(struct buffer *b, const char *label,
                       struct json_object *status, const char *key)
{
    CLEANUP_FREE char *text = printable(status, key);

    write_label(b, label);
    buffer_printf(b, "%s\n", text);
}

static void write_progress(struct buffer *b, struct json_object *status)
{
    struct progress p;

    read_progress(json_get_object(status, "progress"), &p);
    write_label(b, "step");
    buffer_printf(b, "%s%s, after %s\n", doing(status), p.step,
                  figure_ms(p.elapsed_ms).s);
    if (p.ram || p.disk_count > 0) {
        write_label(b, "moved");
        progress_in_words(b, &p);
        buffer_printf(b, "\n");
    }
}

/* One of several is not to be seen in the sum. */
static void write_disks(struct buffer *b, struct json_object *status)
{
    struct json_object *progress = json_get_object(status, "progress");
    struct json_object *each =
        json_get_array(json_get_object(progress, "disks"), "each");

    for (size_t i = 0; i < json_length(each); i++) {
        struct json_object *disk = json_at(each, i);
        CLEANUP_FREE char *label = printable(disk, "disk");
        CLEANUP_FREE char *state = printable(disk, "state");
        uint64_t total = json_get_uint(disk, "total-bytes");

        write_label(b, i == 0 ? "disks" : "");
        buffer_printf(b, "%s: %s", label, state);
        if (total > 0)
            buffer_printf(
                b, ", %u %% of %s",
                percent_of(json_get_uint(disk, "copied-bytes"), total),
                figure_bytes(total).s);
        buffer_printf(b, "\n");
    }
}

static void write_in_full(struct buffer *b, struct json_object *status)
{
    CLEANUP_FREE char *name = printable(status, "name");
    struct limits limits;

    buffer_printf(b, "%s\n", name);
    write_text(b, "source", status, "source");
    write_text(b, "destination", status, "destination");
    write_progress(b, status);
    write_disks(b, status);
    write_label(b, "limits");
    read_limits(json_get_object(status, "limits"), &limits);
    limits_in_words(b, &limits);
    buffer_printf(b, "\n");
    if (json_get_bool(status, "insecure")) {
        write_label(b, "INSECURE");
        buffer_printf(b, "memory and disks cross the network unencrypted\n");
    }
    write_label(b, "engine");
    buffer_printf(b, "process %lld\n",
                  (long long)json_get_int(status, "pid", 0));
}

static void write_json(struct buffer *b, struct json_object *o)
{
    buffer_printf(
        b, "%s\n",
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                              JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void show_one(struct remote *r, struct json_object *status, bool in_full)
{
    CLEANUP(output_free) struct output *o = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (r->options.json) {
        write_json(&b, status);
        output_buffer(o, &b);
    } else if (in_full) {
        write_in_full(&b, status);
        show_text(o, LABEL, &b);
    } else {
        write_line(&b, status);
        show_text(o, LINE_INDENT, &b);
    }
}

/* One of many.  What has ended since it was listed is left out; one that does
 * not answer is named. */
static bool show_named(struct remote *all, const char *name)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(control_link_free)
    struct control_link *link = control_link_open(
        all->loop, name, deadline_in_ms(REMOTE_GREETING_MS), &err);
    CLEANUP_JSON struct json_object *status = NULL;

    if (link && control_link_ask(link, "query-status", NULL,
                                 deadline_in_ms(REMOTE_ANSWER_MS), &status,
                                 &err) == 0) {
        show_one(all, status, false);
    } else if (err.code != QM_ERR_CONNECT && err.code != QM_ERR_LINK) {
        CLEANUP(output_free) struct output *o = output_new(STDERR_FILENO);

        show_error(o, &err);
    } else {
        return false;
    }
    return true;
}

/* Its journal is open, and nobody answers for it. */
static void show_unfinished(const struct remote *r, const char *name)
{
    bool recovering = supervise_is_marked(name);

    if (r->options.json)
        remote_say("{\"name\":\"%s\",\"unfinished\":true,"
                   "\"recovering\":%s}",
                   name, recovering ? "true" : "false");
    else if (recovering)
        remote_say("%s  recovering: will be tried again", name);
    else
        remote_say("%s  did not finish: `qmigrate recover %s`", name, name);
}

/* One that began meanwhile answers by now.  Who has no folder for journals has
 * none. */
static void show_journals(struct remote *r, const struct strv *shown,
                          size_t *count)
{
    CLEANUP(strv_done) struct strv open = { 0 };

    if (journal_list(&open, NULL) < 0)
        return;
    for (size_t i = 0; i < open.count; i++) {
        if (strv_contains(shown, open.item[i]))
            continue;
        if (!show_named(r, open.item[i]))
            show_unfinished(r, open.item[i]);
        (*count)++;
    }
}

static void show_past(const struct remote *r, const struct past *p)
{
    CLEANUP(output_free) struct output *o = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP_JSON struct json_object *data = NULL;

    if (!r->options.json) {
        past_in_words(&b, p);
        show_text(o, LINE_INDENT, &b);
        return;
    }
    data = record_past_data(p);
    write_json(&b, data);
    output_buffer(o, &b);
}

static int show_history(struct remote *r, size_t *count)
{
    CLEANUP(history_done) struct history h = { .count = 0 };
    CLEANUP_FREE char *folder = statedir_path(&r->err);

    if (!folder || history_load(folder, &h, &r->err) < 0)
        return -1;
    for (size_t i = 0; i < h.count; i++)
        show_past(r, &h.item[i]);
    *count += h.count;
    return 0;
}

/* One that ends meanwhile is found among those that have ended, since these
 * are looked for last. */
static int show_all(struct remote *r)
{
    CLEANUP(strv_done) struct strv names = { 0 }, alive = { 0 };
    size_t shown;

    if (control_names(&names, &r->err) < 0)
        return remote_refuse(r);
    for (size_t i = 0; i < names.count; i++)
        if (show_named(r, names.item[i]))
            strv_add(&alive, names.item[i]);
    shown = alive.count;
    show_journals(r, &alive, &shown);
    if (r->options.all && show_history(r, &shown) < 0)
        return remote_refuse(r);
    if (shown == 0 && !r->options.json)
        remote_say("no migration is under way on this machine%s",
                   r->options.all ? ", and none has ended" : "");
    return QM_EXIT_DONE;
}

int cmd_status(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r;
    CLEANUP_JSON struct json_object *status = NULL;
    int code;

    if (remote_begin(&r, 0, 1, argc, argv, &code) < 0)
        return code;
    if (r.options.all && r.words.count > 0) {
        error_set(&r.err, QM_ERR_USAGE, "--all and a name exclude each other");
        return remote_refuse(&r);
    }
    if (r.words.count == 0)
        return show_all(&r);
    if (remote_connect(&r) < 0 ||
        remote_ask(&r, "query-status", NULL, REMOTE_ANSWER_MS, &status) < 0)
        return remote_refuse(&r);
    show_one(&r, status, true);
    return QM_EXIT_DONE;
}
