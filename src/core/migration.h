/*
 * One migration, from the outside.
 */
#ifndef QM_CORE_MIGRATION_H
#define QM_CORE_MIGRATION_H

#include "base/loop.h"
#include "core/narration.h"
#include "core/result.h"

struct migration;

/* PLAN must outlive it. */
struct migration *migration_new(struct loop *loop, const struct plan *plan,
                                const struct narrator *narrator);
void migration_free(struct migration *m);

/* Move the guest.  Always fills RET (the caller's result_done()). */
void migration_run(struct migration *m, struct result *ret);

/* Connect and preflight alone (`check`, and `--dry-run`, which also tells the
 * PLAN): nothing is changed. */
void migration_check(struct migration *m, bool tell_plan, struct result *ret);

/* Its name, once preflight has passed and it is recorded that it began; NULL
 * before that. */
const char *migration_under_way(const struct migration *m);

/* What its journal will be called, and its own id; the name is NULL until
 * preflight has chosen it, which is before there is a journal. */
const char *migration_name(const struct migration *m);
const char *migration_id(const struct migration *m);

/* The operator cancels.  From a callback too; again changes nothing. */
void migration_cancel(struct migration *m);

#endif
