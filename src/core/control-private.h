/*
 * Private to control*.c.
 */
#ifndef QM_CORE_CONTROL_PRIVATE_H
#define QM_CORE_CONTROL_PRIVATE_H

#include "core/control.h"

#define CONTROL_SUFFIX ".sock"

/* A socket that listens at PATH for the migration NAME. */
int control_listen(struct loop *loop, const char *name, const char *path,
                   struct qm_error *err);

#endif
