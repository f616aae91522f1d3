/*
 * The mark of a migration that is being recovered by a supervisor, which may
 * just wait, with nobody at the control socket: a file RUNDIR/NAME.recovering.
 * It counts while it is locked, so one that was left says nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/supervise.h"
#include "core/rundir.h"

#define SUFFIX ".recovering"

static char *path_of(const char *name)
{
    CLEANUP_FREE char *dir = rundir_path(NULL);

    return dir ? xasprintf("%s/%s" SUFFIX, dir, name) : NULL;
}

/* Who looks has it locked for a moment only. */
int supervise_mark(const char *name)
{
    CLEANUP_FREE char *path = path_of(name);
    int fd =
        path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        continue;
    return fd;
}

void supervise_unmark(const char *name, int mark)
{
    CLEANUP_FREE char *path = mark >= 0 ? path_of(name) : NULL;

    if (path)
        unlink(path);
    close_fd(mark);
}

bool supervise_is_marked(const char *name)
{
    CLEANUP_FREE char *path = path_of(name);
    CLEANUP(close_fd)
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
