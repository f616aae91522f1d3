/*
 * Failures on demand, in developer builds alone: the runner passes a point
 * before and after each row of the recipe, so that a test can break every row,
 * also those that were added yesterday.
 *
 *     QMIGRATE_FAIL='mirror disks:after=fail'     the row fails
 *     QMIGRATE_FAIL='mirror disks:before=kill'    the engine dies there
 *     QMIGRATE_PATIENCE_MS=5000    with a link, once the destination owns
 *     QMIGRATE_DISCARD=always      also where a mirror that may discard loses
 *                                  writes while it starts
 */
#include "core/migration-private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#if QM_FAILPOINTS

int failpoint(const char *step, const char *when, struct qm_error *err)
{
    const char *wish = getenv("QMIGRATE_FAIL");
    CLEANUP_FREE char *point = xasprintf("%s:%s=", step, when);

    if (!wish || !str_starts(wish, point))
        return 0;
    if (str_equal(wish + strlen(point), "kill"))
        raise(SIGKILL);
    return error_set(err, QM_ERR_INTERNAL, "failed on demand %s the step",
                     when);
}

int64_t failpoint_ms(int64_t ms)
{
    const char *wish = getenv("QMIGRATE_PATIENCE_MS");
    uint64_t wished;

    return wish && str_to_u64(wish, 1, INT32_MAX, &wished) ? (int64_t)wished
                                                           : ms;
}

bool failpoint_discards(void)
{
    return str_equal(getenv("QMIGRATE_DISCARD"), "always");
}

#else

int failpoint(const char *step, const char *when, struct qm_error *err)
{
    (void)step;
    (void)when;
    (void)err;
    return 0;
}

int64_t failpoint_ms(int64_t ms)
{
    return ms;
}

bool failpoint_discards(void)
{
    return false;
}

#endif
