/*
 * The limits that may change while a migration runs.
 */
#include "core/limits.h"

static const char *const names[LIMITS] = {
#define X(name, text) [LIMIT_##name] = (text),
    QM_LIMITS(X)
#undef X
};

static const struct {
    int64_t min, max;
} ranges[LIMITS] = {
    [LIMIT_BANDWIDTH] = { 0, INT64_MAX },
    [LIMIT_DISK_BANDWIDTH] = { 0, INT64_MAX },
    [LIMIT_MAX_DOWNTIME] = { 1, PLAN_MAX_DOWNTIME_MS },
    [LIMIT_TIMEOUT] = { 0, PLAN_MAX_TIMEOUT_S },
    [LIMIT_ON_TIMEOUT] = { ON_TIMEOUT_ABORT, ON_TIMEOUT_POSTCOPY },
    [LIMIT_POSTCOPY_BANDWIDTH] = { 0, INT64_MAX },
};

static const char *const timeout_words[] = {
    [ON_TIMEOUT_ABORT] = "abort",
    [ON_TIMEOUT_PAUSE] = "pause",
    [ON_TIMEOUT_POSTCOPY] = "postcopy",
};

const char *limit_name(enum limit limit)
{
    return names[limit];
}

enum limit limit_named(const char *name)
{
    for (int i = 0; i < LIMITS; i++)
        if (str_equal(names[i], name))
            return (enum limit)i;
    return LIMITS;
}

void limits_of_plan(const struct plan *p, struct limits *ret)
{
    *ret = (struct limits){ .value = {
                                [LIMIT_BANDWIDTH] = p->bandwidth_bps,
                                [LIMIT_DISK_BANDWIDTH] = p->disk_bandwidth_bps,
                                [LIMIT_MAX_DOWNTIME] = p->max_downtime_ms,
                                [LIMIT_TIMEOUT] = p->timeout_s,
                                [LIMIT_ON_TIMEOUT] = p->on_timeout,
                                [LIMIT_POSTCOPY_BANDWIDTH] =
                                    p->postcopy_bandwidth_bps,
                            } };
    ret->timeout_per_gib_s = p->timeout_per_gib_s;
    ret->timeout_ms = p->timeout_per_gib_s > 0 ? 0 : p->timeout_s * 1000;
}

void limits_to_plan(const struct limit_changes *c, struct plan *p)
{
    struct limits l;

    limits_of_plan(p, &l);
    for (int i = 0; i < LIMITS; i++)
        if (c->is_set[i])
            l.value[i] = c->to.value[i];
    p->bandwidth_bps = l.value[LIMIT_BANDWIDTH];
    p->disk_bandwidth_bps = l.value[LIMIT_DISK_BANDWIDTH];
    p->max_downtime_ms = l.value[LIMIT_MAX_DOWNTIME];
    p->timeout_s = l.value[LIMIT_TIMEOUT];
    p->on_timeout = (enum plan_on_timeout)l.value[LIMIT_ON_TIMEOUT];
    p->postcopy_bandwidth_bps = l.value[LIMIT_POSTCOPY_BANDWIDTH];
    p->timeout_per_gib_s = c->to.timeout_per_gib_s;
}

int limit_check(enum limit limit, int64_t value, struct qm_error *err)
{
    if (value >= ranges[limit].min && value <= ranges[limit].max)
        return 0;
    return error_set(err, QM_ERR_USAGE, "%s %lld: not between %lld and %lld",
                     names[limit], (long long)value,
                     (long long)ranges[limit].min,
                     (long long)ranges[limit].max);
}

const char *on_timeout_name(int64_t value)
{
    return timeout_words[value];
}

int on_timeout_named(const char *name, int64_t *ret, struct qm_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(timeout_words); i++)
        if (str_equal(timeout_words[i], name)) {
            *ret = (int64_t)i;
            return 0;
        }
    return error_set(err, QM_ERR_USAGE,
                     "on-timeout is abort, pause or postcopy");
}
