/*
 * Failures on demand, in developer builds alone: the runner passes a point
 * before and after each row of the recipe, and of its undo, and one at each
 * answer of a QEMU within it, so that a test can break every row, also those
 * that were added yesterday.
 *
 *     QMIGRATE_FAIL='mirror disks:after=fail'     the row fails
 *     QMIGRATE_FAIL='mirror disks:before=kill'    the engine dies there
 *     QMIGRATE_FAIL='converge:after=stop'         it stands still: SIGSTOP
 *     QMIGRATE_FAIL='export disks:1:destination:nbd-server-start=kill'
 *                                  that answer is the first of its kind there
 *     QMIGRATE_FAIL='undo mirror disks:before=kill'   it dies as it undoes
 *     QMIGRATE_POINTS=FILE         each point that was passed, one a line
 *     QMIGRATE_PATIENCE_MS=5000    with a link, once the destination owns
 *     QMIGRATE_DISCARD=always      also where a mirror that may discard loses
 *                                  writes while it starts
 */
#include "core/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "config.h"

#if QM_FAILPOINTS

/* The row that runs, and "SIDE:COMMAND" of each answer in it so far. */
static const char *row;
static struct strv answers;

static void write_down(const char *point)
{
    const char *path = getenv("QMIGRATE_POINTS");
    CLEANUP_FREE char *line = xasprintf("%s\n", point);
    int fd;

    if (!path)
        return;
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        abort(); /* a list with holes is none */
    close(fd);
}

/* Does it fail there? */
static bool pass(const char *point)
{
    const char *wish = getenv("QMIGRATE_FAIL");
    size_t len = strlen(point);

    write_down(point);
    if (!wish || !str_starts(wish, point) || wish[len] != '=')
        return false;
    if (str_equal(wish + len + 1, "kill"))
        raise(SIGKILL);
    if (str_equal(wish + len + 1, "stop"))
        raise(SIGSTOP);
    return str_equal(wish + len + 1, "fail");
}

int failpoint(const char *step, const char *when, struct qm_error *err)
{
    CLEANUP_FREE char *point = xasprintf("%s:%s", step, when);

    if (str_equal(when, "before")) {
        strv_done(&answers);
        row = step;
    } else if (str_equal(when, "after")) {
        row = NULL;
    }
    if (!pass(point))
        return 0;
    return error_set(err, QM_ERR_INTERNAL, "failed on demand %s the step",
                     when);
}

void failpoint_undo(const char *step, const char *when)
{
    CLEANUP(error_clear) struct qm_error none = QM_ERROR_INIT;

    failpoint(step, when, &none);
}

void failpoint_answer(const char *side, const char *command)
{
    CLEANUP_FREE char *answer = xasprintf("%s:%s", side, command);
    CLEANUP_FREE char *point = NULL;
    unsigned nth = 1;

    if (!row || (!getenv("QMIGRATE_POINTS") && !getenv("QMIGRATE_FAIL")))
        return;
    for (size_t i = 0; i < answers.count; i++)
        nth += str_equal(answers.item[i], answer);
    strv_add(&answers, answer);
    point = xasprintf("%s:%u:%s", row, nth, answer);
    pass(point);
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

void failpoint_undo(const char *step, const char *when)
{
    (void)step;
    (void)when;
}

void failpoint_answer(const char *side, const char *command)
{
    (void)side;
    (void)command;
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
