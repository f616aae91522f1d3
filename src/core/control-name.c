/*
 * Who has the name of a migration: who listens at its socket.
 *
 * A socket at which nobody answers was left by an engine that was killed.
 * That is found out, and the socket replaced, under a lock on the folder, so
 * that of two engines one alone gets the name.
 */
#include "core/control-private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/stream.h"
#include "core/rundir.h"

#define CONNECT_LIMIT_MS 1000
#define LOCK_RETRY_MS 20
#define LOCK_RETRIES 100

char *control_path(const char *name, struct qm_error *err)
{
    CLEANUP_FREE char *dir = rundir_path(err);

    assert(plan_name_is_valid(name));
    return dir ? xasprintf("%s/%s" CONTROL_SUFFIX, dir, name) : NULL;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* Others hold it for a moment only; a lock has no event. */
static int lock_folder(struct loop *loop, const char *dir, struct qm_error *err)
{
    CLEANUP(close_fd)
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", dir);
    for (int i = 0; i < LOCK_RETRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            int kept = fd;

            fd = -1;
            return kept;
        }
        loop_wait(loop, never, NULL, deadline_in_ms(LOCK_RETRY_MS));
    }
    return error_set_errno(err, QM_ERR_SYSTEM, errno, "lock %s", dir);
}

static bool somebody_answers(struct loop *loop, const char *path)
{
    CLEANUP(error_clear) struct qm_error why = QM_ERROR_INIT;
    int fd =
        socket_connect_unix(loop, path, deadline_in_ms(CONNECT_LIMIT_MS), &why);

    close_fd(fd);
    return fd >= 0 || why.code == QM_ERR_BUSY;
}

int control_listen(struct loop *loop, const char *name, const char *path,
                   struct qm_error *err)
{
    CLEANUP_FREE char *dir = rundir_path(err);
    CLEANUP(close_fd) int lock = dir ? lock_folder(loop, dir, err) : -1;

    if (lock < 0)
        return -1;
    if (somebody_answers(loop, path)) {
        error_set(err, QM_ERR_BUSY, "a migration called %s is under way here",
                  name);
        error_hint(err, "give this one another name with --name");
        return -1;
    }
    unlink(path);
    return socket_listen_unix(path, err);
}
