/*
 * A QEMU that is not there.
 */
#include "scripted-peer.h"

#include <assert.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char greeting[] =
    "{'QMP': {'version': {'qemu': {'micro': 2, 'minor': 0, 'major': 10},"
    " 'package': ''}, 'capabilities': ['oob']}}";

static const char capabilities[] =
    "{'events': false, 'return-path': false, 'multifd': false,"
    " 'pause-before-switchover': false, 'late-block-activate': false,"
    " 'auto-converge': false, 'validate-uuid': false, 'xbzrle': false,"
    " 'postcopy-ram': false, 'postcopy-preempt': false,"
    " 'dirty-bitmaps': false}";

static const char parameters[] =
    "{'tls-creds': '', 'tls-hostname': '', 'tls-authz': '',"
    " 'multifd-channels': 2, 'multifd-compression': 'none',"
    " 'max-bandwidth': 134217728, 'downtime-limit': 300,"
    " 'max-postcopy-bandwidth': 0,"
    " 'cpu-throttle-initial': 20, 'cpu-throttle-increment': 10,"
    " 'max-cpu-throttle': 99, 'throttle-trigger-threshold': 50}";

/* --- talking -------------------------------------------------------------- */

static void swap(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

struct json_object *peer_json(const char *text)
{
    CLEANUP_FREE char *copy = xstrdup(text);
    struct json_object *o;

    swap(copy, '\'', '"');
    o = json_tokener_parse(copy);
    assert(o);
    return o;
}

static const char *text_of(struct json_object *o)
{
    return json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static const char *text_at(struct json_object *o, const char *key)
{
    return json_object_get_string(json_object_object_get(o, key));
}

/* Consumes REPLY. */
static void answer_with(struct peer *p, long long id, struct json_object *reply)
{
    if (p->fake.fd >= 0)
        fake_say(&p->fake, "{\"return\": %s, \"id\": %lld}\r\n", text_of(reply),
                 id);
    json_object_put(reply);
}

void peer_answer(struct peer *p, long long id)
{
    answer_with(p, id, json_object_new_object());
}

void peer_refuse(struct peer *p, long long id, const char *desc)
{
    fake_say(&p->fake,
             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"},"
             " \"id\": %lld}\r\n",
             desc, id);
}

void peer_event(struct peer *p, const char *event, const char *data)
{
    CLEANUP_FREE char *text = xstrdup(data);

    if (p->fake.fd < 0)
        return;
    swap(text, '\'', '"');
    fake_say(&p->fake,
             "{\"event\": \"%s\", \"data\": %s, \"timestamp\":"
             " {\"seconds\": 1, \"microseconds\": 0}}\r\n",
             event, text);
}

/* --- the trace ------------------------------------------------------------ */

void peers_note(struct peers *all, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    if (all->before_line)
        all->before_line(all);
    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    buffer_printf(&all->trace, "%s\n", text);
}

static void flatten(struct buffer *b, const char *key, struct json_object *o)
{
    const char *capability = text_at(o, "capability");

    if (capability) {
        buffer_printf(b, " %s=%s", capability, text_at(o, "state"));
    } else if (json_object_is_type(o, json_type_array)) {
        if (json_object_array_length(o) == 0)
            buffer_printf(b, " %s=[]", key);
        for (size_t i = 0; i < json_object_array_length(o); i++)
            flatten(b, key, json_object_array_get_idx(o, i));
    } else if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, name, value) flatten(b, name, value);
    } else {
        const char *text = json_object_get_string(o);

        buffer_printf(b, " %s=%s", key, *text ? text : "''");
    }
}

/* Questions change nothing, and are asked whenever it is time to. */
static bool is_question(const char *command)
{
    return str_starts(command, "query-") || str_equal(command, "qom-get") ||
           str_equal(command, "qom-list");
}

static void note_command(struct peer *p, const char *command,
                         struct json_object *args)
{
    CLEANUP(buffer_done) struct buffer b = { .len = 0 };

    if (is_question(command))
        return;
    buffer_append(&b, "", 0);
    if (args)
        flatten(&b, "", args);
    peers_note(p->all, "    %s: %s%s", side_name(p->side), command,
               b.data ? b.data : "");
}

/* --- what happens in it --------------------------------------------------- */

struct peer *peer_other(struct peer *p)
{
    return &p->all->side[p->side == SOURCE ? DESTINATION : SOURCE];
}

static bool is_running(const struct peer *p)
{
    return str_equal(p->run_state, "running");
}

void peer_migrates(struct peer *p, const char *status)
{
    CLEANUP_FREE char *data = xasprintf("{'status': '%s'}", status);

    if (p->pid < 0)
        return;
    p->migration = status;
    if (json_object_get_boolean(
            json_object_object_get(p->capabilities, "events")))
        peer_event(p, "MIGRATION", data);
}

void peer_stops(struct peer *p, const char *run_state)
{
    bool ran = is_running(p);

    if (str_equal(run_state, "finish-migrate"))
        p->stays_paused = !ran;
    p->run_state = run_state;
    if (ran)
        peer_event(p, "STOP", "{}");
}

void peer_runs(struct peer *p)
{
    p->run_state = "running";
    peer_event(p, "RESUME", "{}");
}

void peer_dies(struct peer *p)
{
    if (p->pid < 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = -1;
    fake_stop(&p->fake);
}

static void source_comes_back(struct peer *p)
{
    if (str_equal(p->run_state, "finish-migrate")) {
        if (p->stays_paused)
            p->run_state = "paused";
        else
            peer_runs(p);
    }
}

/* --- commands ------------------------------------------------------------- */

static void do_nothing(struct peer *p, struct json_object *args)
{
    (void)p;
    (void)args;
}

static void do_stop(struct peer *p, struct json_object *args)
{
    (void)args;
    if (!str_equal(p->run_state, "inmigrate"))
        peer_stops(p, "paused");
}

static void do_cont(struct peer *p, struct json_object *args)
{
    (void)args;
    peer_runs(p);
}

static void do_object_add(struct peer *p, struct json_object *args)
{
    json_object_object_add(p->objects, text_at(args, "id"),
                           json_object_new_string(text_at(args, "qom-type")));
}

static void do_object_del(struct peer *p, struct json_object *args)
{
    json_object_object_del(p->objects, text_at(args, "id"));
}

static void do_capabilities(struct peer *p, struct json_object *args)
{
    struct json_object *list = json_object_object_get(args, "capabilities");

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        json_object_object_add(
            p->capabilities, text_at(o, "capability"),
            json_object_get(json_object_object_get(o, "state")));
    }
}

static void do_parameters(struct peer *p, struct json_object *args)
{
    json_object_object_foreach(args, name, value)
        json_object_object_add(p->parameters, name, json_object_get(value));
}

static void do_server_start(struct peer *p, struct json_object *args)
{
    (void)args;
    p->nbd_server = true;
}

static void do_server_stop(struct peer *p, struct json_object *args)
{
    (void)args;
    p->nbd_server = false;
    json_object_put(p->exports);
    p->exports = json_object_new_object();
}

static void do_export(struct peer *p, struct json_object *args)
{
    json_object_object_add(p->exports, text_at(args, "id"),
                           json_object_new_string(text_at(args, "node-name")));
    json_object_object_add(p->nodes, text_at(args, "node-name"),
                           json_object_new_boolean(true));
}

static void do_set_active(struct peer *p, struct json_object *args)
{
    json_object_object_add(
        p->nodes, text_at(args, "node-name"),
        json_object_get(json_object_object_get(args, "active")));
}

/* While it waits for a guest, its nodes wait too. */
static void do_blockdev_add(struct peer *p, struct json_object *args)
{
    json_object_object_add(
        p->nodes, text_at(args, "node-name"),
        json_object_new_boolean(!str_equal(p->run_state, "inmigrate")));
}

/* A real one dies of being told what is so already. */
static void do_set_drive(struct peer *p, struct json_object *args)
{
    assert(!str_equal(p->drive, text_at(args, "value")));
    snprintf(p->drive, sizeof(p->drive), "%s", text_at(args, "value"));
}

static void do_blockdev_del(struct peer *p, struct json_object *args)
{
    json_object_object_del(p->nodes, text_at(args, "node-name"));
}

static void job_becomes(struct peer *p, const char *id, const char *status,
                        const char *event)
{
    CLEANUP_FREE char *data = xasprintf("{'device': '%s'}", id);

    json_object_object_add(p->jobs, id, json_object_new_string(status));
    peer_event(p, event, data);
}

void peer_job_takes_time(struct peer *p, struct json_object *args)
{
    json_object_object_add(p->jobs, text_at(args, "job-id"),
                           json_object_new_string("running"));
}

void peer_job_fails(struct peer *p, const char *why)
{
    json_object_object_foreach(p->jobs, id, status)
    {
        CLEANUP_FREE char *data =
            xasprintf("{'device': '%s', 'error': '%s'}", id, why);

        json_object_set_string(status, "concluded");
        peer_event(p, "BLOCK_JOB_COMPLETED", data);
    }
}

static void do_mirror(struct peer *p, struct json_object *args)
{
    job_becomes(p, text_at(args, "job-id"), "ready", "BLOCK_JOB_READY");
}

static void do_set_speed(struct peer *p, struct json_object *args)
{
    job_becomes(p, text_at(args, "device"), "ready", "BLOCK_JOB_READY");
}

static void do_job_cancel(struct peer *p, struct json_object *args)
{
    job_becomes(p, text_at(args, "device"), "concluded", "BLOCK_JOB_COMPLETED");
}

static void do_job_dismiss(struct peer *p, struct json_object *args)
{
    json_object_object_del(p->jobs, text_at(args, "id"));
}

static void do_incoming(struct peer *p, struct json_object *args)
{
    sscanf(text_at(args, "uri"), "tcp:127.0.0.1:%d", &p->listen_port);
    peer_migrates(p, "setup");
}

/* All of its RAM in one pass. */
static void do_migrate(struct peer *p, struct json_object *args)
{
    (void)args;
    peer_migrates(p, "setup");
    peer_migrates(peer_other(p), "active");
    peer_migrates(p, "active");
    peer_event(p, "MIGRATION_PASS", "{'pass': 1}");
    peer_stops(p, "finish-migrate");
    peer_migrates(p, "pre-switchover");
}

static void do_continue(struct peer *p, struct json_object *args)
{
    (void)args;
    peer_migrates(p, "device");
    peer_other(p)->run_state = "paused";
    peer_migrates(peer_other(p), "completed");
    p->run_state = "postmigrate";
    peer_migrates(p, "completed");
}

static void do_cancel(struct peer *p, struct json_object *args)
{
    (void)args;
    peer_migrates(p, "cancelling");
    peer_migrates(p, "cancelled");
    source_comes_back(p);
}

static const struct {
    const char *command;
    void (*run)(struct peer *p, struct json_object *args);
} commands[] = {
    { "stop", do_stop },
    { "cont", do_cont },
    { "object-add", do_object_add },
    { "object-del", do_object_del },
    { "migrate-set-capabilities", do_capabilities },
    { "migrate-set-parameters", do_parameters },
    { "nbd-server-start", do_server_start },
    { "nbd-server-stop", do_server_stop },
    { "block-export-add", do_export },
    { "blockdev-set-active", do_set_active },
    { "blockdev-add", do_blockdev_add },
    { "blockdev-del", do_blockdev_del },
    { "qom-set", do_set_drive },
    { "blockdev-mirror", do_mirror },
    { "block-job-change", do_nothing },
    { "block-job-set-speed", do_set_speed },
    { "block-job-cancel", do_job_cancel },
    { "job-dismiss", do_job_dismiss },
    { "migrate-incoming", do_incoming },
    { "migrate", do_migrate },
    { "migrate-continue", do_continue },
    { "migrate_cancel", do_cancel },
    { "announce-self", do_nothing },
    { "yank", do_nothing },
};

void peer_obey(struct peer *p, const char *command, struct json_object *args,
               long long id)
{
    struct json_object *reply;

    if (str_equal(command, "quit")) {
        peer_answer(p, id);
        peer_dies(p);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_equal(commands[i].command, command)) {
            commands[i].run(p, args);
            peer_answer(p, id);
            return;
        }
    reply = peer_reply_to(p, command, args);
    if (reply)
        answer_with(p, id, reply);
    else
        peer_refuse(p, id, "no such thing");
    if (p->then && str_equal(command, "query-status")) {
        const char *then = p->then;

        p->then = NULL;
        p->run_state = "finish-migrate";
        peer_migrates(p, then);
    }
}

/* --- the monitor ---------------------------------------------------------- */

/* The twist that is due now, or NULL. */
static const struct twist *find_twist(struct peer *p, const char *command)
{
    const struct twist *found = NULL;

    for (size_t i = 0; i < TWISTS_MAX; i++) {
        const struct twist *t = &p->all->twist[i];

        if (str_equal(t->command, command) && t->side == p->side &&
            ++p->all->came[i] == (t->nth ? t->nth : 1))
            found = t;
    }
    return found;
}

/* fake-monitor.c gives the name; the arguments are in the line. */
static struct json_object *last_command(struct peer *p)
{
    struct buffer *b = &p->fake.heard;
    CLEANUP_FREE char *line = xstrndup(b->data, b->len - 1);
    struct json_object *o = json_tokener_parse(line);

    assert(o);
    buffer_consume(b, b->len);
    return o;
}

static void on_command(struct fake *f, const char *name, long long id)
{
    struct peer *p = (struct peer *)f;
    struct json_object *whole = last_command(p);
    struct json_object *args = json_object_object_get(whole, "arguments");
    CLEANUP_FREE char *command = xstrdup(name);
    const struct twist *t = find_twist(p, command);

    note_command(p, command, args);
    if (p->hangs)
        ;
    else if (!t)
        peer_obey(p, command, args, id);
    else if (t->react)
        t->react(p, args, id);
    else
        peer_refuse(p, id, t->refusal);
    json_object_put(whole);
}

/* The process that listens is the one that is seen at the other end. */
static pid_t hold_socket(int fd)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    if (pipe(ready) < 0)
        abort();
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (listen(fd, 1) < 0 || write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    if (pid < 0 || read(ready[0], &byte, 1) != 1)
        abort();
    close_fd(ready[0]);
    close_fd(ready[1]);
    return pid;
}

void peer_start(struct peers *all, enum side_id side, struct loop *loop,
                const char *path, const char *image)
{
    struct peer *p = &all->side[side];
    CLEANUP_FREE char *nodes =
        xasprintf("{'disk0': %s}", side == SOURCE ? "true" : "false");
    static char hello[sizeof(greeting) + 2];

    *p = (struct peer){ .all = all, .side = side, .image = xstrdup(image) };
    p->image_fd = image ? open(image, O_RDONLY | O_CLOEXEC) : -1;
    p->driver = "file";
    p->size = (long long)(64 * MIB);
    snprintf(p->drive, sizeof(p->drive), "disk0");
    fake_start(&p->fake, loop, path);
    memcpy(hello, greeting, sizeof(greeting));
    swap(hello, '\'', '"');
    memcpy(hello + sizeof(greeting) - 1, "\r\n", 3);
    p->fake.greeting = hello;
    p->fake.on_command = on_command;
    p->pid = hold_socket(p->fake.listen_fd);
    p->run_state = side == SOURCE ? "running" : "inmigrate";
    p->migration = "none";
    p->capabilities = peer_json(capabilities);
    p->parameters = peer_json(parameters);
    p->objects = json_object_new_object();
    p->exports = json_object_new_object();
    p->jobs = json_object_new_object();
    p->nodes = peer_json(image ? nodes : "{}");
    p->before = peer_state(p);
}

char *peer_state(const struct peer *p)
{
    struct buffer b = { .len = 0 };

    buffer_printf(&b, "capabilities %s\n", text_of(p->capabilities));
    buffer_printf(&b, "parameters %s\n", text_of(p->parameters));
    buffer_printf(&b, "objects %s\n", text_of(p->objects));
    buffer_printf(&b, "nodes %s\n", text_of(p->nodes));
    buffer_printf(&b, "vd0 over %s\n", p->drive);
    buffer_printf(&b, "jobs %s\n", text_of(p->jobs));
    buffer_printf(&b, "NBD server %s %s\n", p->nbd_server ? "yes" : "no",
                  text_of(p->exports));
    return b.data;
}

static void peer_done(struct peer *p)
{
    peer_dies(p);
    json_object_put(p->capabilities);
    json_object_put(p->parameters);
    json_object_put(p->objects);
    json_object_put(p->nodes);
    json_object_put(p->exports);
    json_object_put(p->jobs);
    close(p->image ? p->image_fd : -1);
    free_string(p->image);
    free_string(p->before);
}

void peers_done(struct peers *all)
{
    for (int i = 0; i < SIDES; i++)
        peer_done(&all->side[i]);
    buffer_done(&all->trace);
}
