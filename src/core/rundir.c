/*
 * Our directories and the locks on QEMU processes.
 */
#include "core/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "core/plan.h"

#define PRIVATE_PREFIX "tmp."
#define PRIVATE_ATTEMPTS 10
#define LOCK_ATTEMPTS 10

/* A directory of ours: made if missing, and then looked at, since somebody
 * else may have made it for us. */
static int make_dir(const char *path, struct qm_error *err)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "mkdir %s", path);
    if (lstat(path, &st) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "stat %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
        error_set(err, QM_ERR_SYSTEM,
                  "%s is not a directory of mode 0700 that belongs to this "
                  "user",
                  path);
        error_hint(err, "look who made it: if you did, chmod 700 it; "
                        "else move it away");
        return -1;
    }
    return 0;
}

/* BASE/qmigrate, made; consumes BASE. */
static char *own_dir(char *base, struct qm_error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/qmigrate", base);

    free(base);
    if (folder_make_parents(path, err) < 0 || make_dir(path, err) < 0)
        return NULL;
    return STEAL(path);
}

char *rundir_path(struct qm_error *err)
{
    const char *run = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return own_dir(xstrdup("/run"), err);
    if (run && *run == '/')
        return own_dir(xstrdup(run), err);
    error_set(err, QM_ERR_SYSTEM, "XDG_RUNTIME_DIR is not set");
    error_hint(err, "set it to a directory of mode 0700 that belongs to you");
    return NULL;
}

char *statedir_path(struct qm_error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (geteuid() == 0)
        return own_dir(xstrdup("/var/lib"), err);
    if (state && *state == '/')
        return own_dir(xstrdup(state), err);
    if (home && *home == '/')
        return own_dir(xasprintf("%s/.local/state", home), err);
    error_set(err, QM_ERR_SYSTEM, "neither XDG_STATE_HOME nor HOME is set");
    return NULL;
}

/* --- private directories ---------------------------------------------------- */

/* An flock of the directory, or -1: it is another's, or not there. */
static int lock_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close_fd(fd);
        return -1;
    }
    return fd;
}

static void empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0); /* not "." and ".." */
    if (dir)
        closedir(dir);
}

/* The lock goes with its engine, however that ended. */
static void remove_stale(const char *base)
{
    DIR *dir = opendir(base);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", base, entry->d_name);
        int lock =
            str_starts(entry->d_name, PRIVATE_PREFIX) ? lock_dir(path) : -1;

        if (lock < 0)
            continue;
        empty_dir(path);
        rmdir(path);
        close_fd(lock);
    }
    if (dir)
        closedir(dir);
}

/* Another engine may take one that is not locked yet for stale: it is ours
 * only if its name still leads to it once it is locked. */
static bool is_still_there(const char *path, int lock)
{
    struct stat named, locked;

    return lstat(path, &named) == 0 && fstat(lock, &locked) == 0 &&
           named.st_dev == locked.st_dev && named.st_ino == locked.st_ino;
}

char *rundir_make_private(int *ret_lock, struct qm_error *err)
{
    CLEANUP_FREE char *base = rundir_path(err);

    if (!base)
        return NULL;
    remove_stale(base);
    for (int i = 0; i < PRIVATE_ATTEMPTS; i++) {
        CLEANUP_FREE char *path =
            xasprintf("%s/" PRIVATE_PREFIX "XXXXXX", base);
        int lock;

        if (!mkdtemp(path)) {
            error_set_errno(err, QM_ERR_SYSTEM, errno, "mkdir %s", path);
            return NULL;
        }
        lock = lock_dir(path);
        if (lock >= 0 && is_still_there(path, lock)) {
            *ret_lock = lock;
            return STEAL(path);
        }
        close_fd(lock);
        rmdir(path);
    }
    error_set(err, QM_ERR_SYSTEM, "cannot keep a directory in %s", base);
    return NULL;
}

void rundir_remove_private(char *dir, int lock)
{
    if (dir)
        rmdir(dir);
    free(dir);
    close_fd(lock);
}

/* --- locks ------------------------------------------------------------------- */

/* Removed meanwhile by who had it is -2. */
static int open_lock(const char *path, struct qm_error *err)
{
    CLEANUP(close_fd)
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int kept = fd;

    if (fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? error_set(err, QM_ERR_BUSY, "it is locked")
                   : error_set_errno(err, QM_ERR_SYSTEM, errno, "lock %s",
                                     path);
    if (!is_still_there(path, fd))
        return -2;
    fd = -1;
    return kept;
}

/*
 * The lock is the file's flock, so it goes with the engine however that ends.
 * Only who has it removes the file, and who gets it makes sure that its name
 * still leads to it: else somebody else may have made, and locked, another one
 * of that name.
 */
int rundir_lock_process(const char *who, const struct process_identity *id,
                        struct qm_error *err)
{
    CLEANUP_FREE char *base = rundir_path(err);
    CLEANUP_FREE char *path = NULL;
    struct qm_error failed = QM_ERROR_INIT;
    int fd = -2;

    if (!base)
        return -1;
    path = xasprintf("%s/qemu-%.8s-%d-%llu.lock", base, id->place.boot_id,
                     id->pid, (unsigned long long)id->start_time);
    for (int i = 0; i < LOCK_ATTEMPTS && fd == -2; i++)
        fd = open_lock(path, &failed);
    if (fd >= 0)
        return fd;
    if (fd == -1 && failed.code != QM_ERR_BUSY)
        return error_move(err, &failed);
    error_clear(&failed);
    error_set(err, QM_ERR_BUSY,
              "%s: another qmigrate is at work on this QEMU (pid %d)", who,
              id->pid);
    error_hint(err, "wait for it, or end it: `qmigrate status` lists the "
                    "migrations under way");
    return -1;
}

void rundir_unlock_process(int lock)
{
    CLEANUP_FREE char *link = xasprintf("/proc/self/fd/%d", lock);
    char path[PATH_MAX];
    ssize_t len = lock < 0 ? -1 : readlink(link, path, sizeof(path) - 1);

    if (len > 0) {
        path[len] = '\0';
        if (is_still_there(path, lock))
            unlink(path);
    }
    close_fd(lock);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int rundir_stems(const char *folder, const char *suffix,
                 bool (*is_one)(const char *stem), struct strv *ret,
                 struct qm_error *err)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);

    if (!dir)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", folder);
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        CLEANUP_FREE char *stem = NULL;

        if (!str_ends(entry->d_name, suffix))
            continue;
        stem = xstrndup(entry->d_name, len - strlen(suffix));
        if (is_one(stem))
            strv_add(ret, stem);
    }
    closedir(dir);
    if (ret->count > 0)
        qsort(ret->item, ret->count, sizeof(ret->item[0]), by_name);
    return 0;
}

int rundir_names(const char *folder, const char *suffix, struct strv *ret,
                 struct qm_error *err)
{
    return rundir_stems(folder, suffix, plan_name_is_valid, ret, err);
}
