/*
 * Failures on demand: what a developer's build does at the points that it
 * passes, by the environment (failpoint.c).  Otherwise these do nothing.
 */
#ifndef QM_CORE_FAILPOINT_H
#define QM_CORE_FAILPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* WHEN: before, after, or a word of the row's own. */
int failpoint(const char *step, const char *when, struct qm_error *err);
/* The same, of "undo STEP", which cannot fail. */
void failpoint_undo(const char *step, const char *when);
/* SIDE has answered COMMAND; nothing was done with the answer yet. */
void failpoint_answer(const char *side, const char *command);
/* QMIGRATE_PATIENCE_MS in the place of MS. */
int64_t failpoint_ms(int64_t ms);
/* QMIGRATE_DISCARD=always */
bool failpoint_discards(void);

#endif
