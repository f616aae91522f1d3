/*
 * qmigrate set: change the limits of a migration that another process runs.
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/options-values.h"
#include "cli/read-record.h"
#include "cli/remote.h"
#include "cli/show-parts.h"
#include "qmp/json.h"

static int refuse_key(const char *key, struct qm_error *err)
{
    const char *names[LIMITS + 1] = { NULL };
    CLEANUP_FREE char *shown = str_printable(key);
    const char *near;

    for (int i = 0; i < LIMITS; i++)
        names[i] = limit_name((enum limit)i);
    near = nearest_name(key, names);
    error_set(err, QM_ERR_USAGE, "there is no '%s' to set", shown);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "there are bandwidth, disk-bandwidth, "
                        "max-downtime-ms, timeout-s, on-timeout and "
                        "postcopy-bandwidth");
    return -1;
}

static int read_value(enum limit limit, const char *text, int64_t *ret,
                      struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(text);
    uint64_t n = 0;

    if (limit == LIMIT_ON_TIMEOUT)
        return on_timeout_named(text, ret, err);
    if (limit == LIMIT_BANDWIDTH || limit == LIMIT_DISK_BANDWIDTH ||
        limit == LIMIT_POSTCOPY_BANDWIDTH) {
        if (size_parse(text, ret))
            return 0;
        return error_set(err, QM_ERR_USAGE,
                         "%s '%s' is not a size: a number, then K, M, G or T",
                         limit_name(limit), shown);
    }
    if (!str_to_u64(text, 0, INT64_MAX, &n))
        return error_set(err, QM_ERR_USAGE, "%s '%s' is not a whole number",
                         limit_name(limit), shown);
    *ret = (int64_t)n;
    return limit_check(limit, *ret, err);
}

/* KEY=VALUE into ARGS. */
static int take_word(struct json_object *args, const char *word,
                     struct qm_error *err)
{
    const char *equals = strchr(word, '=');
    CLEANUP_FREE char *key =
        equals ? xstrndup(word, (size_t)(equals - word)) : xstrdup(word);
    enum limit limit = limit_named(key);
    int64_t value = 0;

    if (limit == LIMITS)
        return refuse_key(key, err);
    if (!equals)
        return error_set(err, QM_ERR_USAGE, "%s needs a value: %s=...", key,
                         key);
    if (json_get(args, key))
        return error_set(err, QM_ERR_USAGE, "%s was given twice", key);
    if (read_value(limit, equals + 1, &value, err) < 0)
        return -1;
    if (limit == LIMIT_ON_TIMEOUT)
        json_add_string(args, key, on_timeout_name(value));
    else
        json_add_int(args, key, value);
    return 0;
}

int cmd_set(int argc, char **argv)
{
    CLEANUP(remote_done) struct remote r;
    CLEANUP_JSON struct json_object *answer = NULL;
    CLEANUP_JSON struct json_object *args = json_object_new_object();
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct limits now;
    int code;

    if (remote_begin(&r, 2, 1 + LIMITS, argc, argv, &code) < 0)
        return code;
    for (size_t i = 1; i < r.words.count; i++)
        if (take_word(args, r.words.item[i], &r.err) < 0)
            return remote_refuse(&r);
    if (remote_connect(&r) < 0 || remote_ask(&r, "set", json_object_get(args),
                                             REMOTE_QEMU_MS, &answer) < 0)
        return remote_refuse(&r);
    read_limits(answer, &now);
    limits_in_words(&b, &now);
    remote_say("%s: %s", r.words.item[0], b.data);
    return QM_EXIT_DONE;
}
