/*
 * What must be known after the engine died: one file a migration, JSON lines,
 * appended, each fsynced before what it announces is done.
 *
 *     {"qmigrate-journal": 1, "name": ..., "id": ..., "source": {...}, ...}
 *     {"owner": "source"}
 *     {"makes": "/images/vm.qcow2"}   an image on the destination's host
 *     {"owner": "destination"}        once, never reversed
 *     {"end": "completed", "guest": "destination"}
 *
 * In /var/lib/qmigrate for root, else $XDG_STATE_HOME/qmigrate (or
 * ~/.local/state/qmigrate): NAME.journal while the migration runs, renamed to
 * NAME.ID.done at its end.  The file is locked while its engine lives, so a
 * second migration of that name is refused, and so is one whose engine died
 * before it finished.
 */
#ifndef QM_CORE_JOURNAL_H
#define QM_CORE_JOURNAL_H

#include "core/host.h"
#include "core/plan.h"

struct journal;

struct journal_begin {
    const char *name, *id;
    const char *address[SIDES]; /* as given */
    const struct process_identity *process[SIDES];
    const char *uuid; /* of the guest, or NULL */
    bool was_running;
};

/* Create it and make the first owner record (the source) durable. */
struct journal *journal_begin(const struct journal_begin *b,
                              struct qm_error *err);
/*
 * From here on the destination owns the guest: durable when this returns 0.
 * -1: the record is certainly not there (it was cut off again).  -2: nobody
 * can tell.
 */
int journal_destination_owns(struct journal *j, struct qm_error *err);
/* An image is about to be made at PATH on the destination's host. */
int journal_makes(struct journal *j, const char *path, struct qm_error *err);
/* The last record; then the journal is history.  Errors are told, not fatal. */
int journal_end(struct journal *j, const char *outcome, const char *guest,
                struct qm_error *err);
const char *journal_path(const struct journal *j);
/* Without an end record if journal_end() was not called.  NULL is allowed. */
void journal_close(struct journal *j);

#endif
