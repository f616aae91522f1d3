/*
 * The values of options.  Whether a number makes sense is plan_check()'s to
 * say; here it only has to be one.
 */
#include "cli/options-values.h"

#include "core/limits.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(struct options *o, const struct option_row *row)
{
    return (char *)o + row->offset;
}

static int refuse_value(const struct option_row *row, const char *value,
                        const char *wanted, struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(value);

    return error_set(err, QM_ERR_USAGE, "--%s '%s' is not %s", row->name, shown,
                     wanted);
}

int parse_flag(struct options *o, const struct option_row *row,
               const char *value, struct qm_error *err)
{
    (void)value;
    (void)err;
    *(bool *)field_of(o, row) = true;
    return 0;
}

int parse_string(struct options *o, const struct option_row *row,
                 const char *value, struct qm_error *err)
{
    if (value[0] == '\0') {
        return error_set(err, QM_ERR_USAGE, "--%s is empty", row->name);
    }
    str_replace((char **)field_of(o, row), value);
    return 0;
}

int parse_number(struct options *o, const struct option_row *row,
                 const char *value, struct qm_error *err)
{
    uint64_t n;

    if (!str_to_u64(value, 0, INT64_MAX, &n)) {
        return refuse_value(row, value, "a whole number", err);
    }
    *(int64_t *)field_of(o, row) = (int64_t)n;
    return 0;
}

/* A number, then K, M, G or T: powers of 1024. */
bool size_parse(const char *value, int64_t *ret)
{
    static const char units[] = "KMGT";
    CLEANUP_FREE char *digits = xstrdup(value);
    size_t len = strlen(digits);
    unsigned shift = 0;
    uint64_t n;

    if (len > 1) {
        const char *unit =
            strchr(units, toupper((unsigned char)digits[len - 1]));

        if (unit) {
            shift = 10 * (unsigned)(unit - units + 1);
            digits[len - 1] = '\0';
        }
    }
    if (!str_to_u64(digits, 0, (uint64_t)INT64_MAX >> shift, &n)) {
        return false;
    }
    *ret = (int64_t)(n << shift);
    return true;
}

int parse_size(struct options *o, const struct option_row *row,
               const char *value, struct qm_error *err)
{
    if (size_parse(value, field_of(o, row))) {
        return 0;
    }
    return refuse_value(row, value, "a size: a number, then K, M, G or T", err);
}

int parse_on_off(struct options *o, const struct option_row *row,
                 const char *value, struct qm_error *err)
{
    if (!str_equal(value, "on") && !str_equal(value, "off")) {
        return refuse_value(row, value, "on or off", err);
    }
    *(bool *)field_of(o, row) = str_equal(value, "on");
    return 0;
}

int parse_ports(struct options *o, const struct option_row *row,
                const char *value, struct qm_error *err)
{
    const char *dash = strchr(value, '-');
    CLEANUP_FREE char *low = NULL;
    uint64_t from, to;

    if (dash) {
        low = xstrndup(value, (size_t)(dash - value));
    }
    if (!dash || !str_to_u64(low, 1, 65535, &from) ||
        !str_to_u64(dash + 1, 1, 65535, &to)) {
        return refuse_value(row, value, "LOW-HIGH, two ports", err);
    }
    o->plan.port_low = (unsigned)from;
    o->plan.port_high = (unsigned)to;
    return 0;
}

int parse_channels(struct options *o, const struct option_row *row,
                   const char *value, struct qm_error *err)
{
    uint64_t n;

    if (!str_to_u64(value, 0, INT_MAX, &n)) {
        return refuse_value(row, value, "a number of channels", err);
    }
    o->plan.channels = (int)n;
    return 0;
}

/* METHOD[:LEVEL] */
int parse_compress(struct options *o, const struct option_row *row,
                   const char *value, struct qm_error *err)
{
    size_t len = strcspn(value, ":");
    CLEANUP_FREE char *name = xstrndup(value, len);
    enum plan_compress method = compress_named(name);
    uint64_t level = 0;

    if (method == COMPRESS_COUNT ||
        (value[len] && (method == COMPRESS_NONE ||
                        !str_to_u64(value + len + 1, 0, INT_MAX, &level)))) {
        return refuse_value(row, value, "zstd or zlib, with :LEVEL or without",
                            err);
    }
    o->plan.compress = method;
    o->plan.compress_level = value[len] ? (int64_t)level : PLAN_LEVEL_THEIRS;
    return 0;
}

/* ID,... */
static void add_ids(struct strv *ids, const char *value)
{
    for (;;) {
        size_t len = strcspn(value, ",");
        CLEANUP_FREE char *id = xstrndup(value, len);

        strv_add(ids, id);
        if (value[len] == '\0') {
            return;
        }
        value += len + 1;
    }
}

int parse_disks(struct options *o, const struct option_row *row,
                const char *value, struct qm_error *err)
{
    static const struct {
        const char *word;
        enum plan_disks disks;
    } words[] = {
        { "auto", DISKS_AUTO },
        { "none", DISKS_NONE },
        { "all", DISKS_ALL },
    };

    if (value[0] == '\0') {
        return refuse_value(row, value, "auto, none, all, or a list of disks",
                            err);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_equal(value, words[i].word)) {
            o->plan.disks = words[i].disks;
            return 0;
        }
    }
    o->plan.disks = DISKS_LIST;
    add_ids(&o->plan.disk_ids, value);
    return 0;
}

int parse_disks_sync(struct options *o, const struct option_row *row,
                     const char *value, struct qm_error *err)
{
    if (!str_equal(value, "full") && !str_equal(value, "top")) {
        return refuse_value(row, value, "full or top", err);
    }
    o->plan.disks_sync =
        str_equal(value, "top") ? DISKS_SYNC_TOP : DISKS_SYNC_FULL;
    return 0;
}

int parse_ids(struct options *o, const struct option_row *row,
              const char *value, struct qm_error *err)
{
    if (value[0] == '\0') {
        return refuse_value(row, value, "a list of disks", err);
    }
    add_ids(field_of(o, row), value);
    return 0;
}

/* Nothing, or FOLDER/, or ID=PATH,... */
int parse_create_disks(struct options *o, const struct option_row *row,
                       const char *value, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv pairs = { 0 };

    o->plan.create_disks = true;
    if (!value) {
        return 0;
    }
    if (value[0] == '/' && str_ends(value, "/") && !strpbrk(value, "\n")) {
        o->plan.create_folder = xstrdup(value);
        return 0;
    }
    add_ids(&pairs, value);
    for (size_t i = 0; i < pairs.count; i++) {
        char *path = strchr(pairs.item[i], '=');

        if (!path) {
            refuse_value(row, pairs.item[i], "ID=PATH or /FOLDER/", err);
            if (pairs.item[i][0] == '/')
                error_hint(err, "a folder ends with a slash: %s/",
                           pairs.item[i]);
            return -1;
        }
        *path++ = '\0';
        strv_add(&o->plan.create_ids, pairs.item[i]);
        strv_add(&o->plan.create_paths, path);
    }
    return 0;
}

int parse_auto_converge(struct options *o, const struct option_row *row,
                        const char *value, struct qm_error *err)
{
    if (!str_equal(value, "on") && !str_equal(value, "off")) {
        return refuse_value(row, value, "on or off", err);
    }
    o->auto_converge = str_equal(value, "on") ? THROTTLE_ON : THROTTLE_OFF;
    return 0;
}

int parse_tailslow(struct options *o, const struct option_row *row,
                   const char *value, struct qm_error *err)
{
    if (!str_equal(value, "on") && !str_equal(value, "off")) {
        return refuse_value(row, value, "on or off", err);
    }
    o->plan.tailslow = str_equal(value, "on");
    return 0;
}

int parse_when_stuck(struct options *o, const struct option_row *row,
                     const char *value, struct qm_error *err)
{
    if (!str_equal(value, "wait") && !str_equal(value, "pause")) {
        return refuse_value(row, value, "wait or pause", err);
    }
    o->plan.pause_when_stuck = str_equal(value, "pause");
    return 0;
}

int parse_policy(struct options *o, const struct option_row *row,
                 const char *value, struct qm_error *err)
{
    const struct policy *policy = policy_named(value);

    if (!policy) {
        return refuse_value(row, value, "gentle, balanced or urgent", err);
    }
    o->plan.policy = policy;
    return 0;
}

int parse_on_timeout(struct options *o, const struct option_row *row,
                     const char *value, struct qm_error *err)
{
    int64_t what;

    if (on_timeout_named(value, &what, NULL) < 0) {
        return refuse_value(row, value, "abort, pause or postcopy", err);
    }
    o->plan.on_timeout = (enum plan_on_timeout)what;
    return 0;
}

int parse_mode(struct options *o, const struct option_row *row,
               const char *value, struct qm_error *err)
{
    if (!str_equal(value, "pause") && !str_equal(value, "postcopy")) {
        return refuse_value(row, value, "pause or postcopy", err);
    }
    o->mode = str_equal(value, "pause") ? "pause" : "postcopy";
    return 0;
}

int parse_checked(struct options *o, const struct option_row *row,
                  const char *value, struct qm_error *err)
{
    for (int side = 0; side < SIDES; side++) {
        CLEANUP_FREE char *word =
            xasprintf("%s-is-down", side_name((enum side_id)side));

        if (str_equal(value, word)) {
            o->is_down[side] = true;
            return 0;
        }
    }
    return refuse_value(row, value, "source-is-down or destination-is-down",
                        err);
}
