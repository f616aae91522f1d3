/*
 * What drives the migration and the run state.
 */
#include "qmp/json.h"
#include "qmp/migration.h"

int qmp_migrate(struct qmp *q, const char *uri, struct qm_error *err)
{
    /* Nothing but the uri: what else it took has come and gone. */
    return qmp_command(q, "migrate", json_with_string("uri", uri), QMP_CONTROL,
                       NULL, err);
}

int qmp_migrate_incoming(struct qmp *q, const char *uri,
                         bool send_exit_on_error, struct qm_error *err)
{
    struct json_object *args = json_with_string("uri", uri);

    if (send_exit_on_error) {
        json_add_bool(args, "exit-on-error", false);
    }
    return qmp_command(q, "migrate-incoming", args, QMP_CONTROL, NULL, err);
}

int qmp_migrate_cancel(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "migrate_cancel", NULL, QMP_CONTROL, NULL, err);
}

int qmp_migrate_continue(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "migrate-continue",
                       json_with_string("state", "pre-switchover"), QMP_CONTROL,
                       NULL, err);
}

int qmp_migrate_start_postcopy(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "migrate-start-postcopy", NULL, QMP_CONTROL, NULL,
                       err);
}

int qmp_migrate_pause(struct qmp *q, struct qm_error *err)
{
    return qmp_command_oob(q, "migrate-pause", NULL, NULL, err);
}

int qmp_migrate_recover(struct qmp *q, const char *uri, struct qm_error *err)
{
    return qmp_command_oob(q, "migrate-recover", json_with_string("uri", uri),
                           NULL, err);
}

int qmp_migrate_resume(struct qmp *q, const char *uri, struct qm_error *err)
{
    struct json_object *args = json_with_string("uri", uri);

    json_add_bool(args, "resume", true);
    return qmp_command(q, "migrate", args, QMP_CONTROL, NULL, err);
}

int qmp_stop(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "stop", NULL, QMP_BLOCKING, NULL, err);
}

int qmp_cont(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "cont", NULL, QMP_BLOCKING, NULL, err);
}

int qmp_quit(struct qmp *q, struct qm_error *err)
{
    if (qmp_command(q, "quit", NULL, QMP_CONTROL, NULL, err) < 0) {
        return -1;
    }
    qmp_expect_end(q);
    return 0;
}

int qmp_announce_self(struct qmp *q, int64_t initial_ms, int64_t max_ms,
                      int64_t rounds, int64_t step_ms, struct qm_error *err)
{
    struct json_object *args = json_object_new_object();

    json_add_int(args, "initial", initial_ms);
    json_add_int(args, "max", max_ms);
    json_add_int(args, "rounds", rounds);
    json_add_int(args, "step", step_ms);
    return qmp_command(q, "announce-self", args, QMP_CONTROL, NULL, err);
}

/* INSTANCE is consumed. */
static int yank(struct qmp *q, struct json_object *instance,
                struct qm_error *err)
{
    struct json_object *args = json_object_new_object();
    struct json_object *list = json_object_new_array();

    json_object_array_add(list, instance);
    json_add(args, "instances", list);
    return qmp_command_oob(q, "yank", args, NULL, err);
}

int qmp_yank_migration(struct qmp *q, struct qm_error *err)
{
    return yank(q, json_with_string("type", "migration"), err);
}

int qmp_yank_node(struct qmp *q, const char *node_name, struct qm_error *err)
{
    struct json_object *instance = json_with_string("type", "block-node");

    json_add_string(instance, "node-name", node_name);
    return yank(q, instance, err);
}
