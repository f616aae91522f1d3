/*
 * qmigrate watch: what `migrate` shows, of a migration that another process
 * runs.
 */
#include "cli/commands.h"
#include "cli/remote.h"
#include "qmp/json.h"

int cmd_watch(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r;
    CLEANUP_JSON struct json_object *status = NULL;
    struct result result;
    int code;

    if (remote_begin(&r, 1, 1, argc, argv, &code) < 0)
        return code;
    if (remote_connect(&r) < 0 ||
        remote_ask(&r, "query-status", NULL, REMOTE_ANSWER_MS, &status) < 0)
        return remote_refuse(&r);
    if (!remote_watch(&r, status, &result, &code))
        return code;
    code = (int)result_exit(&result);
    result_done(&result);
    return code;
}
