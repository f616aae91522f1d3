/*
 * What child-run.c needs to know of a child.  Private to base/.
 */
#ifndef QM_BASE_CHILD_PRIVATE_H
#define QM_BASE_CHILD_PRIVATE_H

#include "base/child.h"

/* It wrote more than output_max; the excess is lost. */
bool child_wrote_too_much(const struct child *c);

#endif
