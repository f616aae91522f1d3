/*
 * Folders: parents, and new ones that appear complete or not at all.
 *
 * rename(2) is what never overwrites: it does not put a folder in the place of
 * a file, a link or a folder that has anything in it.
 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_make_parents(const char *path, struct qm_error *err)
{
    if (!path[0])
        return 0;
    for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
        CLEANUP_FREE char *parent = xstrndup(path, (size_t)(p - path));

        if (mkdir(parent, 0700) < 0 && errno != EEXIST)
            return error_set_errno(err, QM_ERR_SYSTEM, errno, "mkdir %s",
                                   parent);
    }
    return 0;
}

int new_folder_begin(struct new_folder *f, const char *path,
                     struct qm_error *err)
{
    struct stat st;

    *f = (struct new_folder){ .path = xstrdup(path) };
    if (lstat(path, &st) == 0) {
        error_set(err, QM_ERR_REFUSED, "%s is there already", path);
        error_hint(err, "nothing is ever overwritten: move it away, or give "
                        "another name");
        return -1;
    }
    if (folder_make_parents(path, err) < 0)
        return -1;
    CLEANUP_FREE char *temporary = xasprintf("%s.new-XXXXXX", path);
    if (!mkdtemp(temporary))
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "make a folder beside %s", path);
    f->temporary = STEAL(temporary);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

int new_folder_add(struct new_folder *f, const char *name, const void *bytes,
                   size_t len, unsigned mode, struct qm_error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", f->temporary, name);
    CLEANUP(close_fd)
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0)
        strv_add(&f->files, path);
    /* fchmod: whatever the umask is */
    if (fd < 0 || fchmod(fd, (mode_t)mode) < 0 ||
        write_all(fd, bytes, len) < 0 || fsync(fd) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "write %s", path);
    return 0;
}

int new_folder_finish(struct new_folder *f, struct qm_error *err)
{
    CLEANUP(close_fd)
    int fd = open(f->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0 || rename(f->temporary, f->path) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "rename %s to %s",
                               f->temporary, f->path);
    free(STEAL(f->temporary));
    return 0;
}

void new_folder_done(struct new_folder *f)
{
    if (f->temporary) {
        for (size_t i = 0; i < f->files.count; i++)
            (void)unlink(f->files.item[i]);
        (void)rmdir(f->temporary);
    }
    free(f->temporary);
    free(f->path);
    strv_done(&f->files);
    *f = (struct new_folder){ .path = NULL };
}
