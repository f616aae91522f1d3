/*
 * What the files of recover share.
 */
#ifndef QM_CORE_RECOVER_PRIVATE_H
#define QM_CORE_RECOVER_PRIVATE_H

#include "core/journal-read.h"
#include "core/migration-private.h"
#include "core/recover.h"
#include "core/recovery.h"

struct recover {
    struct loop *loop;
    const struct recover_wish *wish;
    char *path; /* of the journal */
    int fd;     /* of it, locked; -1: given away */
    struct journal_content journal;
    struct plan plan;
    struct migration *m;
    char *silent_because[SIDES]; /* or NULL */
    /* A QEMU answers there, which may be the journal's: it is not dead. */
    bool may_answer[SIDES];
    bool is_elsewhere[SIDES]; /* its process cannot be seen from here */
    struct recovery decision;
};

/* Find it, and lock it; read it: it is about this migration. */
int recover_open_journal(struct recover *r, struct qm_error *err);
int recover_read_journal(struct recover *r, struct qm_error *err);
/* The journal is gone on with, and says what was decided, if it takes it. */
int recover_take_over(struct recover *r, struct qm_error *err);
/* One with its last record, whose writer died before it was history: what is
 * said of it (the caller frees it), and what comes of it. */
char *recover_sentence_of_end(const struct recover *r);
void recover_retire(struct recover *r, struct result *ret);

/* The plan that the journal tells of. */
int recover_plan(struct recover *r, struct qm_error *err);
/* r->m as the engine that died may have left it, both sides yet unknown; takes
 * what it needs out of r->journal. */
void recover_rebuild(struct recover *r);
/* What was changed in a side that was reached: asked, not remembered. */
int recover_compare(struct recover *r, enum side_id side, struct qm_error *err);

/* Reach both sides, and see whether they are those of the journal. */
int recover_meet(struct recover *r, struct qm_error *err);
/* The proofs that the operator offers for a SIDE that is silent. */
void recover_prove_dead(struct recover *r, enum side_id side);
/* Decide by what is known now. */
void recover_decide(struct recover *r);

#endif
