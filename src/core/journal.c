/*
 * The journal: JSON lines, each on the disk before what it announces is done.
 */
#include "core/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/failpoint.h"
#include "core/journal-read.h"
#include "core/rundir.h"

#define SUFFIX ".journal"

enum {
    RESERVED_BYTES = 32 * 1024,
    LIMITS_BYTES = 64 * 1024,
    FULL_BYTES = JOURNAL_MAX_BYTES / 2,
};

struct journal {
    int fd;
    bool broken; /* it ends in the midst of a record that cannot be cut off */
    off_t limits_begin, limits_end; /* lines of limits, one behind the other */
    char *path, *new_path, *done_path;
};

static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *dir = xstrndup(path, (size_t)(slash - path));
    CLEANUP(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd);
}

/* Append one line; -1 with errno. */
static int write_line(int fd, struct json_object *record)
{
    const char *text = json_object_to_json_string_ext(
        record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    CLEANUP_FREE char *line = xasprintf("%s\n", text);
    size_t len = strlen(line), done = 0;

    while (done < len) {
        ssize_t n = write(fd, line + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

/* What is written in part is cut off again: what follows it would be read as
 * the rest of its line. */
static int append_line(struct journal *j, struct json_object *record,
                       bool durable, struct qm_error *err)
{
    off_t end = lseek(j->fd, 0, SEEK_END);
    bool written = !j->broken && end >= 0 && write_line(j->fd, record) == 0 &&
                   (!durable || fsync(j->fd) == 0);
    int failed = written ? 0 : j->broken ? EIO : errno;

    json_object_put(record);
    if (written)
        return 0;
    j->broken = j->broken || end < 0 || ftruncate(j->fd, end) < 0;
    return error_set_errno(err, QM_ERR_SYSTEM, failed, "write %s", j->path);
}

/* Durable. */
static int append(struct journal *j, struct json_object *record,
                  struct qm_error *err)
{
    return append_line(j, record, true, err);
}

static void add_string(struct json_object *o, const char *key,
                       const char *value)
{
    if (value)
        json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *owner_record(enum side_id owner)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "owner", side_name(owner));
    return o;
}

/* A journal of that name is there: does its engine live? */
static int explain_existing(const char *path, const char *name,
                            struct qm_error *err)
{
    CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        error_set(err, QM_ERR_REFUSED,
                  "a migration named '%s' is under way on this machine", name);
        error_hint(err, "give this one another name with --name");
        return -1;
    }
    error_set(err, QM_ERR_REFUSED,
              "an earlier migration named '%s' did not finish: %s", name, path);
    error_hint(err, "`qmigrate recover %s` finishes or undoes it", name);
    return -1;
}

static struct journal *journal_new(const char *path, const char *name,
                                   const char *id)
{
    const char *slash = strrchr(path, '/');
    struct journal *j = XNEW(struct journal);

    j->fd = -1;
    j->path = xstrdup(path);
    j->new_path =
        xasprintf("%.*s/%s.%s.new", (int)(slash - path), path, name, id);
    j->done_path =
        xasprintf("%.*s/%s.%s.done", (int)(slash - path), path, name, id);
    return j;
}

/*
 * Room for what follows the first lines, so that a file system that fills up
 * meanwhile does not keep the last ones from it.  Some file systems know of no
 * such thing.
 */
static int reserve(struct journal *j, struct qm_error *err)
{
    off_t end = lseek(j->fd, 0, SEEK_END);

    if (end < 0 ||
        fallocate(j->fd, FALLOC_FL_KEEP_SIZE, end, RESERVED_BYTES) == 0 ||
        (errno != ENOSPC && errno != EDQUOT))
        return 0;
    return error_set_errno(err, QM_ERR_SYSTEM, errno, "reserve %d KiB for %s",
                           RESERVED_BYTES / 1024, j->new_path);
}

/* Locked, and not a journal yet. */
static int create(struct journal *j, struct qm_error *err)
{
    j->fd = open(j->new_path,
                 O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                 0600);
    if (j->fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "create %s",
                               j->new_path);
    if (flock(j->fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return error_set_errno(err, QM_ERR_SYSTEM, errno, "lock %s", j->new_path);
}

/* For file systems without hard links. */
static int rename_new(struct journal *j)
{
    return renameat2(AT_FDCWD, j->new_path, AT_FDCWD, j->path,
                     RENAME_NOREPLACE);
}

/* Under its name, unless that is taken: it is there with its first owner, or
 * not at all. */
static int publish(struct journal *j, const char *name, struct qm_error *err)
{
    bool there = link(j->new_path, j->path) == 0 ||
                 (errno != EEXIST && rename_new(j) == 0);

    if (!there && errno == EEXIST)
        return explain_existing(j->path, name, err);
    if (there && sync_parent(j->path) == 0)
        return 0;
    error_set_errno(err, QM_ERR_SYSTEM, errno, "create %s", j->path);
    if (there)
        unlink(
            j->path); /* or it would count as a migration that did not finish */
    return -1;
}

struct journal *journal_begin(const char *name, const char *id,
                              struct json_object *story, struct qm_error *err)
{
    CLEANUP_FREE char *path = journal_path_of(name, err);
    struct journal *j = path ? journal_new(path, name, id) : NULL;
    bool begun =
        j && create(j, err) == 0 &&
        append_line(j, json_object_get(story), false, err) == 0 &&
        append(j, owner_record(SOURCE), err) == 0 && reserve(j, err) == 0 &&
        failpoint("journal", "new", err) == 0 && publish(j, name, err) == 0;

    json_object_put(story);
    if (j)
        unlink(j->new_path);
    if (begun)
        return j;
    journal_close(j);
    return NULL;
}

struct journal *journal_resume(int fd, const char *path, const char *name,
                               const char *id, size_t whole_bytes,
                               struct qm_error *err)
{
    struct journal *j = journal_new(path, name, id);

    j->fd = fd;
    if (ftruncate(fd, (off_t)whole_bytes) == 0 && lseek(fd, 0, SEEK_END) >= 0)
        return j;
    error_set_errno(err, QM_ERR_SYSTEM, errno, "truncate %s", path);
    journal_close(j);
    return NULL;
}

int journal_destination_owns(struct journal *j, bool source_gave_up,
                             struct qm_error *err)
{
    struct json_object *o = owner_record(DESTINATION);
    bool was_broken = j->broken;

    json_object_object_add(o, "source-gave-up",
                           json_object_new_boolean(source_gave_up));
    if (append(j, o, err) == 0)
        return 0;
    /* After a failed fsync nobody knows what the disk holds, unless the
     * record was cut off again for certain. */
    return was_broken || (!j->broken && fsync(j->fd) == 0) ? -1 : -2;
}

int journal_makes(struct journal *j, const char *path, struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "makes", path);
    return append(j, o, err);
}

int journal_made(struct journal *j, const char *path, uint64_t device,
                 uint64_t inode, struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "made", path);
    json_object_object_add(o, "device", json_object_new_uint64(device));
    json_object_object_add(o, "inode", json_object_new_uint64(inode));
    return append(j, o, err);
}

int journal_step(struct journal *j, const char *step, const char *state,
                 bool durable, struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "step", step);
    add_string(o, "state", state);
    return append_line(j, o, durable, err);
}

int journal_port(struct journal *j, const char *key, unsigned port,
                 struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, key, json_object_new_int64(port));
    return append(j, o, err);
}

int journal_check_room(const struct journal *j, struct qm_error *err)
{
    off_t end = lseek(j->fd, 0, SEEK_END);

    if (end < FULL_BYTES)
        return 0;
    error_set(err, QM_ERR_REFUSED,
              "the journal of this migration has %lld MiB, and takes no more "
              "changes",
              (long long)(end / (off_t)MIB));
    error_hint(err, "the limits stay as they are; cancel the migration to "
                    "start with others");
    return -1;
}

/* Only the last of them counts: a run of such lines that became long is begun
 * anew.  Should the engine die in between, those of before are in force. */
int journal_limits(struct journal *j, struct json_object *limits,
                   struct qm_error *err)
{
    struct json_object *o = json_object_new_object();
    off_t end = lseek(j->fd, 0, SEEK_END);

    json_object_object_add(o, "limits", limits);
    if (end < 0 || j->limits_end != end)
        j->limits_begin = end;
    else if (end - j->limits_begin > LIMITS_BYTES &&
             ftruncate(j->fd, j->limits_begin) < 0)
        j->limits_begin = end;
    if (append_line(j, o, false, err) < 0)
        return -1;
    j->limits_end = lseek(j->fd, 0, SEEK_END);
    return 0;
}

int journal_fact(struct journal *j, const char *key, bool value,
                 struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, key, json_object_new_boolean(value));
    return append(j, o, err);
}

int journal_recovers(struct journal *j, const char *action, enum side_id owner,
                     struct qm_error *err)
{
    struct json_object *o = owner_record(owner);

    add_string(o, "recover", action);
    return append(j, o, err);
}

int journal_end(struct journal *j, const char *outcome, const char *guest,
                struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "end", outcome);
    add_string(o, "guest", guest);
    add_string(o, "at", clock_utc(clock_wall_us()).s);
    if (append(j, o, err) < 0 || failpoint("journal", "ended", err) < 0)
        return -1;
    return journal_retire(j, err);
}

int journal_retire(struct journal *j, struct qm_error *err)
{
    if (rename(j->path, j->done_path) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "rename %s", j->path);
    sync_parent(j->path);
    return 0;
}

const char *journal_path(const struct journal *j)
{
    return j->path;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    close_fd(j->fd);
    free(j->path);
    free(j->new_path);
    free(j->done_path);
    free(j);
}

/* --- those that are open ------------------------------------------------------ */

char *journal_path_of(const char *name, struct qm_error *err)
{
    CLEANUP_FREE char *dir = statedir_path(err);

    return dir ? xasprintf("%s/%s" SUFFIX, dir, name) : NULL;
}

int journal_list(struct strv *ret, struct qm_error *err)
{
    CLEANUP_FREE char *path = statedir_path(err);

    return path ? rundir_names(path, SUFFIX, ret, err) : -1;
}
