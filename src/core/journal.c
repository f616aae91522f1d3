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

#include "core/rundir.h"

#define JOURNAL_VERSION 1

struct journal {
    int fd;
    char *path, *done_path;
};

static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *dir = xstrndup(path, (size_t)(slash - path));
    CLEANUP(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd);
}

/* Append one line and make it durable; -1 with errno. */
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
    return fsync(fd);
}

static int append(struct journal *j, struct json_object *record,
                  struct qm_error *err)
{
    int failed = write_line(j->fd, record) < 0 ? errno : 0;

    json_object_put(record);
    if (failed)
        return error_set_errno(err, QM_ERR_SYSTEM, failed, "write %s", j->path);
    return 0;
}

static void add_string(struct json_object *o, const char *key,
                       const char *value)
{
    if (value)
        json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *side_record(const struct journal_begin *b, int side)
{
    struct json_object *o = json_object_new_object();
    const struct process_identity *id = b->process[side];

    add_string(o, "address", b->address[side]);
    if (id && id->known) {
        json_object_object_add(o, "pid", json_object_new_int(id->pid));
        json_object_object_add(o, "start-time",
                               json_object_new_uint64(id->start_time));
        add_string(o, "boot-id", id->boot_id);
    }
    return o;
}

static struct json_object *begin_record(const struct journal_begin *b)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "qmigrate-journal",
                           json_object_new_int(JOURNAL_VERSION));
    add_string(o, "name", b->name);
    add_string(o, "id", b->id);
    for (int i = 0; i < SIDES; i++)
        json_object_object_add(o, side_name((enum side_id)i),
                               side_record(b, i));
    add_string(o, "guest-uuid", b->uuid);
    json_object_object_add(o, "was-running",
                           json_object_new_boolean(b->was_running));
    return o;
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
    error_hint(err, "its last \"owner\" line says which side owns the guest; "
                    "qmigrate(1), AFTER A CRASH, says how to settle it; then "
                    "remove that file");
    return -1;
}

static int create(struct journal *j, const char *name, struct qm_error *err)
{
    j->fd = open(j->path,
                 O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                 0600);
    if (j->fd < 0 && errno == EEXIST)
        return explain_existing(j->path, name, err);
    if (j->fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "create %s", j->path);
    if (flock(j->fd, LOCK_EX | LOCK_NB) == 0 && sync_parent(j->path) == 0)
        return 0;
    error_set_errno(err, QM_ERR_SYSTEM, errno, "lock %s", j->path);
    unlink(j->path); /* or it would count as a migration that did not finish */
    return -1;
}

struct journal *journal_begin(const struct journal_begin *b,
                              struct qm_error *err)
{
    CLEANUP_FREE char *dir = statedir_path(err);
    struct journal *j;

    if (!dir)
        return NULL;
    j = XNEW(struct journal);
    j->path = xasprintf("%s/%s.journal", dir, b->name);
    j->done_path = xasprintf("%s/%s.%s.done", dir, b->name, b->id);
    if (create(j, b->name, err) < 0) {
        journal_close(j);
        return NULL;
    }
    if (append(j, begin_record(b), err) < 0 ||
        append(j, owner_record(SOURCE), err) < 0) {
        unlink(j->path);
        journal_close(j);
        return NULL;
    }
    return j;
}

int journal_destination_owns(struct journal *j, struct qm_error *err)
{
    off_t end = lseek(j->fd, 0, SEEK_END);

    if (append(j, owner_record(DESTINATION), err) == 0)
        return 0;
    /* After a failed fsync nobody knows what the disk holds, unless the
     * record can be cut off again for certain. */
    if (end < 0 || ftruncate(j->fd, end) < 0 || fsync(j->fd) < 0)
        return -2;
    return -1;
}

int journal_makes(struct journal *j, const char *path, struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "makes", path);
    return append(j, o, err);
}

int journal_end(struct journal *j, const char *outcome, const char *guest,
                struct qm_error *err)
{
    struct json_object *o = json_object_new_object();

    add_string(o, "end", outcome);
    add_string(o, "guest", guest);
    if (append(j, o, err) < 0)
        return -1;
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
    free(j->done_path);
    free(j);
}
