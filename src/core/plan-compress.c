/*
 * --compress: names and levels.
 */
#include "core/plan-private.h"

static const struct {
    const char *name;
    int level_max; /* QEMU options.c */
} compressions[] = {
#define X(id, name, level_max) [COMPRESS_##id] = { name, level_max },
    COMPRESSIONS(X)
#undef X
};

const char *compress_name(enum plan_compress c)
{
    return compressions[c].name;
}

enum plan_compress compress_named(const char *name)
{
    int i = 0;

    while (i < COMPRESS_COUNT && !str_equal(compressions[i].name, name))
        i++;
    return (enum plan_compress)i;
}

int plan_check_compress(const struct plan *p, struct qm_error *err)
{
    int most = compressions[p->compress].level_max;

    if (p->compress == COMPRESS_NONE)
        return 0;
    if (p->channels == 0) {
        error_set(err, QM_ERR_USAGE,
                  "--compress and --channels 0 exclude each other");
        error_hint(err, "only channels are compressed: one will do");
        return -1;
    }
    if (p->compress_level != PLAN_LEVEL_THEIRS &&
        (p->compress_level < 0 || p->compress_level > most))
        return error_set(
            err, QM_ERR_USAGE, "--compress %s:%lld: not between 0 and %d",
            compress_name(p->compress), (long long)p->compress_level, most);
    return 0;
}
