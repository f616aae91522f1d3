/*
 * What is to be done after an engine died: a pure function from the owner, and
 * what both sides say now, to an action.  Its rules are those of
 * doc/model/README.md, and its table stands in qmigrate-recovery(7).
 */
#ifndef QM_CORE_RECOVERY_H
#define QM_CORE_RECOVERY_H

#include "base/buffer.h"
#include "core/plan.h"
#include "qmp/migration.h"

/* Whose the guest is, by the journal. */
#define RECOVERY_OWNERS(X)                                                     \
    X(SOURCE, "source")                                                        \
    X(DESTINATION, "destination")                                              \
    X(RETURNED, "returned") /* the destination owned it, but never ran it */   \
    X(SWITCHING,                                                               \
      "switching")          /* post-copy: the destination; it is not known   \
                                 whether the source gave the guest up */ \
    X(POSTCOPY, "postcopy") /* the same, and it did */

enum recovery_owner {
#define X(name, word) OWNER_##name,
    RECOVERY_OWNERS(X)
#undef X
};

/* What one side was found to be. */
#define RECOVERY_SEEN(X)                                                       \
    X(RUNS, "runs")       /* its CPUs run */                                   \
    X(WAITS, "waits")     /* for a guest: inmigrate */                         \
    X(GAVE_UP, "gave-up") /* completed, or post-copy, and it does not run */   \
    X(KEPT, "kept")       /* post-copy: the source failed to give it up */     \
    X(SWITCHING, "switching") /* post-copy: the source has not said */         \
    X(WHOLE, "whole")         /* post-copy: nothing is missing there */        \
    X(FAILED, "failed") /* post-copy: the destination could not load it */     \
    X(PAUSED, "paused") /* at the destination, once it has loaded, too */      \
    X(STANDS, "stands") /* stopped in any other way */                         \
    X(SILENT, "silent") /* it cannot be reached, and is not proved dead */     \
    X(DEAD, "dead")     /* proved */

enum recovery_seen {
#define X(name, word) SEEN_##name,
    RECOVERY_SEEN(X)
#undef X
};
const char *recovery_seen_name(enum recovery_seen seen);

#define RECOVERY_ACTIONS(X)                                                    \
    X(UNDO, "undo")           /* take back what was done */                    \
    X(RETURN, "return")       /* end the destination; the source goes on */    \
    X(RESUME, "resume")       /* post-copy: go on to its last page */          \
    X(START, "start")         /* the guest at the destination, and finish */   \
    X(FINISH, "finish")       /* the guest is there: clean up */               \
    X(LOST, "lost")           /* clean up, start nothing */                    \
    X(UNDECIDED, "undecided") /* touch nothing */

enum recovery_action {
#define X(name, word) RECOVER_##name,
    RECOVERY_ACTIONS(X)
#undef X
};
const char *recovery_action_name(enum recovery_action action);

struct recovery_side {
    bool reached, dead;
    bool running;
    const char *run_state; /* QEMU's word */
    enum migration_status status;
};

struct recovery_facts {
    enum recovery_owner owner;
    /* The guest is not to be started: it was paused, or has run there. */
    bool stays;
    struct recovery_side side[SIDES];
};

struct recovery {
    enum recovery_action action;
    enum recovery_seen seen[SIDES];
    const char *why; /* a sentence */
};

/* A source of that status has given its guest up, in post-copy too. */
bool recovery_gave_up(enum migration_status status);
enum recovery_seen recovery_look(enum recovery_owner owner, enum side_id side,
                                 const struct recovery_side *s);
struct recovery recovery_decide(const struct recovery_facts *f);

/* The table, a row a line, as the manual has it. */
void recovery_print_table(struct buffer *b);

#endif
