/*
 * What must be known after the engine died: one file a migration, JSON lines,
 * appended, each fsynced before what it announces is done.
 *
 *     {"qmigrate-journal": 1, "name": ..., "id": ..., "at": ..., ...}
 *     {"owner": "source"}
 *     {"step": "mirror disks", "state": "begins"}     done, failed, undone
 *     {"makes": "/images/vm.qcow2"}   an image on the destination's host
 *     {"made": "/images/vm.qcow2", "device": ..., "inode": ...}
 *     {"nbd-port": 49152}             is opened next, at the destination
 *     {"ram-port": 49153}
 *     {"limits": {...}}               the operator changed them
 *     {"was-running": false}          the operator stopped the guest meanwhile
 *     {"owner": "destination"}        once, never reversed
 *     {"started": true}               the guest was seen to run there
 *     {"returned": true}              it never ran there, and never will: the
 *                                     destination is ended next
 *     {"guest-ended": true}           by itself, while it ran at the source
 *     {"recover": "undo", "owner": "source"}          what recover decided
 *     {"source-gave-up": true}        once too: it was seen `completed`, or in
 *                                     post-copy; where post-copy was asked for
 *                                     the owner is written before that, with
 *                                     "source-gave-up": false
 *     {"end": "completed", "guest": "destination", "at": ...}
 *
 * "at" is the wall clock, as people look for a migration by it; older journals
 * have none.  The first line holds all that cannot be asked later (journal-story.c), and
 * no secret.  From the start of the stream until the guest runs nothing but
 * the owner waits for the disk: the guest may be stopped.
 *
 * In /var/lib/qmigrate for root, else $XDG_STATE_HOME/qmigrate (or
 * ~/.local/state/qmigrate): NAME.journal while the migration runs, renamed to
 * NAME.ID.done at its end; NAME.ID.new is one that never began.  The file is locked while its engine lives, so a
 * second migration of that name is refused, and so is one whose engine died
 * before it finished.
 */
#ifndef QM_CORE_JOURNAL_H
#define QM_CORE_JOURNAL_H

#include "base/error.h"
#include "base/util.h"
#include "core/plan.h"

struct journal;
struct json_object;

/*
 * Create it with its first line, STORY (consumed), and the first owner record
 * (the source), both durable before it appears under its name.
 */
struct journal *journal_begin(const char *name, const char *id,
                              struct json_object *story, struct qm_error *err);
/*
 * The journal of a migration whose engine died, to go on with.  FD (consumed)
 * is open for reading and writing, and locked; what is behind the first
 * WHOLE_BYTES is a line that was never finished, and is cut off.
 */
struct journal *journal_resume(int fd, const char *path, const char *name,
                               const char *id, size_t whole_bytes,
                               struct qm_error *err);
/*
 * From here on the destination owns the guest: durable when this returns 0.
 * -1: the record is certainly not there (it was cut off again).  -2: nobody
 * can tell.  SOURCE_GAVE_UP: it is known that the source has given it up.
 */
int journal_destination_owns(struct journal *j, bool source_gave_up,
                             struct qm_error *err);
/* A row of the recipe came to a STATE; DURABLE: on the disk when this
 * returns. */
int journal_step(struct journal *j, const char *step, const char *state,
                 bool durable, struct qm_error *err);
/* An image is about to be made at PATH on the destination's host; it was. */
int journal_makes(struct journal *j, const char *path, struct qm_error *err);
int journal_made(struct journal *j, const char *path, uint64_t device,
                 uint64_t inode, struct qm_error *err);
/* PORT of the destination is about to be opened, KEY "nbd-port" (disks) or
 * "ram-port"; durable. */
int journal_port(struct journal *j, const char *key, unsigned port,
                 struct qm_error *err);
/* The limits were changed, and are LIMITS (consumed) now; the lines of several
 * changes, one after the other, do not let it grow. */
int journal_limits(struct journal *j, struct json_object *limits,
                   struct qm_error *err);
/* REFUSED once it has become so long that it could not be read again if
 * anybody made it longer at will. */
int journal_check_room(const struct journal *j, struct qm_error *err);
/* KEY ("was-running", "started", "returned", "guest-ended") is so now;
 * durable. */
int journal_fact(struct journal *j, const char *key, bool value,
                 struct qm_error *err);
/* What recover is about to do, for whom it found the guest to be: durable. */
int journal_recovers(struct journal *j, const char *action, enum side_id owner,
                     struct qm_error *err);
/* The last record; then the journal is history.  Errors are told, not fatal. */
int journal_end(struct journal *j, const char *outcome, const char *guest,
                struct qm_error *err);
/* One that has its last record becomes history. */
int journal_retire(struct journal *j, struct qm_error *err);
const char *journal_path(const struct journal *j);
/* Without an end record if journal_end() was not called.  NULL is allowed. */
void journal_close(struct journal *j);
DEFINE_CLEANUP(struct journal *, journal_close)

/* "open NAME.journal" names: those in the state directory, sorted. */
int journal_list(struct strv *ret, struct qm_error *err);
/* Its path; the caller frees it. */
char *journal_path_of(const char *name, struct qm_error *err);

#endif
