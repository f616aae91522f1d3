/*
 * qmigrate complete: let a migration end whose guest writes faster than the
 * network carries.
 */
#include "cli/commands.h"
#include "cli/remote.h"
#include "qmp/json.h"

static const char *said(const char *mode, struct json_object *answer)
{
    if (str_equal(mode, "postcopy"))
        return json_get_bool(answer, "switching")
                   ? "the guest goes on at the destination, and the rest of "
                     "its RAM follows"
                   : "the guest will go on at the destination once a whole "
                     "pass over its RAM is done";
    return json_get_bool(answer, "stopped")
               ? "the guest is stopped until its RAM is across"
               : "the guest will be stopped once its RAM moves";
}

int cmd_complete(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r;
    CLEANUP_JSON struct json_object *answer = NULL;
    int code;

    if (remote_begin(&r, 1, 1, argc, argv, &code) < 0)
        return code;
    if (remote_connect(&r) < 0 ||
        remote_ask(&r, "complete", json_with_string("mode", r.options.mode),
                   REMOTE_QEMU_MS, &answer) < 0)
        return remote_refuse(&r);
    remote_say("%s: %s", r.words.item[0], said(r.options.mode, answer));
    return QM_EXIT_DONE;
}
