/*
 * The journal that recover goes by: found, read, gone on with, or put away.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/recover-private.h"

static int refuse_missing(const struct recover *r, struct qm_error *err)
{
    error_set(err, QM_ERR_REFUSED,
              "there is nothing to recover: %s is not there", r->path);
    error_hint(err, "a migration that ended, or was recovered, leaves its "
                    "journal as NAME.ID.done");
    return -1;
}

/* Its last user may have renamed it while we waited to open it. */
static bool is_still_there(const struct recover *r)
{
    struct stat named, opened;

    return lstat(r->path, &named) == 0 && fstat(r->fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int recover_open_journal(struct recover *r, struct qm_error *err)
{
    r->path = journal_path_of(r->wish->name, err);
    if (!r->path)
        return -1;
    r->fd = open(r->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd < 0 && errno == ENOENT)
        return refuse_missing(r, err);
    if (r->fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", r->path);
    if (flock(r->fd, LOCK_EX | LOCK_NB) < 0) {
        error_set(err, QM_ERR_BUSY,
                  "'%s' is under way, or is being recovered, by another "
                  "qmigrate",
                  r->wish->name);
        error_hint(err, "wait for it: `qmigrate status` lists the migrations "
                        "under way");
        return -1;
    }
    return is_still_there(r) ? 0 : refuse_missing(r, err);
}

int recover_read_journal(struct recover *r, struct qm_error *err)
{
    if (journal_load(r->fd, r->path, &r->journal, err) < 0)
        return -1;
    if (str_equal(r->journal.name, r->wish->name))
        return 0;
    return error_set(err, QM_ERR_REFUSED, "%s is the journal of '%s'", r->path,
                     r->journal.name);
}

static int go_on(struct recover *r, const char *id, struct journal **ret,
                 struct qm_error *err)
{
    int fd = r->fd;

    r->fd = -1;
    *ret = journal_resume(fd, r->path, r->wish->name, id,
                          r->journal.whole_bytes, err);
    return *ret ? 0 : -1;
}

/* The line is for people: whose the guest is the journal says already, and what
 * changes that is written on its own, or not done. */
int recover_take_over(struct recover *r, struct qm_error *err)
{
    struct migration *m = r->m;
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;

    if (go_on(r, m->id, &m->journal, err) < 0)
        return -1;
    if (journal_recovers(m->journal, recovery_action_name(r->decision.action),
                         m->destination_owns ? DESTINATION : SOURCE,
                         &failed) < 0)
        migration_warn(m, "what was decided could not be written down: %s",
                       failed.message);
    return 0;
}

char *recover_sentence_of_end(const struct recover *r)
{
    return xasprintf("%s: nothing is left to do: it had ended (%s; the guest: "
                     "%s)",
                     r->wish->name, outcome_name(r->journal.end_outcome),
                     guest_place_name(r->journal.end_guest));
}

void recover_retire(struct recover *r, struct result *ret)
{
    CLEANUP(journal_close) struct journal *j = NULL;

    ret->outcome = OUTCOME_COMPLETED;
    ret->guest = r->journal.end_guest;
    str_replace(&ret->name, r->wish->name);
    if (!r->wish->dry_run && (go_on(r, r->journal.id, &j, &ret->error) < 0 ||
                              journal_retire(j, &ret->error) < 0))
        strv_add(&ret->left, ret->error.message);
}
