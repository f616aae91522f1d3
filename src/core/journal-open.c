/*
 * Journals that are open: read whole, and looked through for a QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "core/journal-read.h"
#include "core/journal.h"

static int read_all(int fd, struct buffer *b, const char *path,
                    struct qm_error *err)
{
    for (;;) {
        ssize_t n = read(fd, buffer_room(b, 65536), 65536);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, QM_ERR_SYSTEM, errno, "read %s", path);
        buffer_grew(b, (size_t)n);
        if (n == 0 || b->len > JOURNAL_MAX_BYTES)
            return 0;
    }
}

/* Of an empty file, too. */
static const char *bytes_of(const struct buffer *b)
{
    return b->data ? b->data : "";
}

int journal_load(int fd, const char *path, struct journal_content *ret,
                 struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (read_all(fd, &b, path, err) < 0)
        return -1;
    if (journal_read(bytes_of(&b), b.len, ret, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}

/* One that cannot be understood may still say whose it is. */
static int damaged_speaks_of(const struct buffer *b,
                             const struct process_identity *id)
{
    struct process_identity of[SIDES];

    if (!journal_read_processes(bytes_of(b), b->len, of))
        return -1;
    return process_is_same(&of[SOURCE], id) ||
           process_is_same(&of[DESTINATION], id);
}

/* 1 yes, 0 no: also one that has ended; -1: nobody knows. */
static int speaks_of(const char *path, const struct process_identity *id)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP(journal_content_done) struct journal_content c = { .name = NULL };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (read_all(fd, &b, path, &ignored) < 0)
        return -1;
    if (journal_read(bytes_of(&b), b.len, &c, &ignored) < 0)
        return damaged_speaks_of(&b, id);
    return !c.ended && (process_is_same(&c.side[SOURCE].process, id) ||
                        process_is_same(&c.side[DESTINATION].process, id));
}

static int refuse(const char *who, const char *name, const char *path,
                  bool known, struct qm_error *err)
{
    if (known) {
        error_set(err, QM_ERR_REFUSED,
                  "%s: an earlier migration of this QEMU, '%s', did not "
                  "finish: %s",
                  who, name, path);
        error_hint(err, "`qmigrate recover %s` finishes or undoes it", name);
    } else {
        error_set(err, QM_ERR_REFUSED,
                  "%s: cannot determine whether %s is about this QEMU: it "
                  "cannot be read",
                  who, path);
        error_hint(err,
                   "`qmigrate recover %s` says what is wrong with it; settle "
                   "it as qmigrate-recovery(7) says under BY HAND, then "
                   "remove it",
                   name);
    }
    return -1;
}

int journal_check_free(const char *who, const struct process_identity *id,
                       struct qm_error *err)
{
    CLEANUP(strv_done) struct strv names = { 0 };

    if (journal_list(&names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FREE char *path = journal_path_of(names.item[i], err);
        int speaks = path ? speaks_of(path, id) : 0;

        if (!path)
            return -1;
        if (speaks != 0)
            return refuse(who, names.item[i], path, speaks > 0, err);
    }
    return 0;
}
