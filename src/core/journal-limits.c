/*
 * The limits in a journal, written and read: those of the plan in its first
 * line, then what an operator made of them.
 */
#include "core/journal-read-private.h"
#include "core/migration-private.h"
#include "qmp/json.h"

#define PER_GIB "timeout-s-per-gib"

struct json_object *journal_limits_data(const struct limits *l)
{
    struct json_object *o = json_object_new_object();

    for (int i = 0; i < LIMITS; i++) {
        const char *name = limit_name((enum limit)i);

        if (i == LIMIT_ON_TIMEOUT)
            json_add_string(o, name, on_timeout_name(l->value[i]));
        else
            json_add_int(o, name, l->value[i]);
    }
    json_add_int(o, PER_GIB, l->timeout_per_gib_s);
    return o;
}

static int read_limit(struct json_object *o, enum limit limit, int64_t *ret)
{
    const char *word = json_get_string(o, limit_name(limit));

    if (limit == LIMIT_ON_TIMEOUT)
        return word ? on_timeout_named(word, ret, NULL) : -1;
    *ret = json_get_int(o, limit_name(limit), -1);
    return limit_check(limit, *ret, NULL);
}

int journal_read_limits(struct journal_reader *r, struct json_object *o,
                        struct qm_error *err)
{
    struct limit_changes *l = &r->c.limits;

    for (int i = 0; i < LIMITS; i++) {
        if (!json_get(o, limit_name((enum limit)i)))
            continue;
        l->is_set[i] = true;
        if (read_limit(o, (enum limit)i, &l->to.value[i]) < 0)
            return journal_damaged(r, "a limit is none", err);
    }
    if (json_get(o, PER_GIB))
        l->to.timeout_per_gib_s = json_get_int(o, PER_GIB, -1);
    if (l->to.timeout_per_gib_s < 0 ||
        l->to.timeout_per_gib_s > PLAN_MAX_TIMEOUT_S)
        return journal_damaged(r, "a limit is none", err);
    return 0;
}
