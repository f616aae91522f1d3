/*
 * qmigrate cancel: undo a migration that another process runs, and wait until
 * that is done.
 */
#include "cli/commands.h"
#include "cli/remote.h"
#include "qmp/json.h"

/* It may have lost to the switch. */
static int judge(struct remote *r, const struct result *result)
{
    if (result->outcome == OUTCOME_CANCELLED && result->left.count == 0)
        return QM_EXIT_DONE;
    if (result->outcome != OUTCOME_COMPLETED)
        return (int)result_exit(result);
    error_set(&r->err, QM_ERR_REFUSED,
              "%s: it was too late: the guest is at the destination",
              r->words.item[0]);
    return remote_refuse(r);
}

int cmd_cancel(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r;
    CLEANUP_JSON struct json_object *status = NULL;
    struct result result;
    int code;

    if (remote_begin(&r, 1, 1, argc, argv, &code) < 0)
        return code;
    if (remote_connect(&r) < 0 ||
        remote_ask(&r, "query-status", NULL, REMOTE_ANSWER_MS, &status) < 0 ||
        remote_ask(&r, "cancel", NULL, REMOTE_ANSWER_MS, NULL) < 0)
        return remote_refuse(&r);
    if (!remote_watch(&r, status, &result, &code))
        return code;
    code = judge(&r, &result);
    result_done(&result);
    return code;
}
