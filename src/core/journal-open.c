/*
 * Journals that are open: read whole, and looked through for a QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "core/journal-read.h"
#include "core/journal.h"

int journal_load(int fd, const char *path, struct journal_content *ret,
                 struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    for (;;) {
        ssize_t n = read(fd, buffer_room(&b, 65536), 65536);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, QM_ERR_SYSTEM, errno, "read %s", path);
        buffer_grew(&b, (size_t)n);
        if (n == 0 || b.len > JOURNAL_MAX_BYTES)
            break;
    }
    if (journal_read(b.data ? b.data : "", b.len, ret, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}

bool process_is_same(const struct process_identity *a,
                     const struct process_identity *b)
{
    return a->known && b->known && a->pid == b->pid &&
           a->start_time == b->start_time && str_equal(a->boot_id, b->boot_id);
}

/* One that cannot be read says nothing of this QEMU; one that has ended, no
 * more. */
static bool speaks_of(const char *path, const struct process_identity *id)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CLEANUP(journal_content_done) struct journal_content c = { .name = NULL };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

    if (fd < 0 || journal_load(fd, path, &c, &ignored) < 0 || c.ended)
        return false;
    return process_is_same(&c.side[SOURCE].process, id) ||
           process_is_same(&c.side[DESTINATION].process, id);
}

int journal_check_free(const char *who, const struct process_identity *id,
                       struct qm_error *err)
{
    CLEANUP(strv_done) struct strv names = { 0 };

    if (journal_list(&names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FREE char *path = journal_path_of(names.item[i], err);

        if (!path)
            return -1;
        if (!speaks_of(path, id))
            continue;
        error_set(err, QM_ERR_REFUSED,
                  "%s: an earlier migration of this QEMU, '%s', did not "
                  "finish: %s",
                  who, names.item[i], path);
        error_hint(err, "`qmigrate recover %s` finishes or undoes it",
                   names.item[i]);
        return -1;
    }
    return 0;
}
