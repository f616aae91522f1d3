/*
 * What became of a machine since it was compared with the other one.  Pure.
 */
#ifndef QM_CORE_CHANGES_H
#define QM_CORE_CHANGES_H

#include "qmp/block.h"
#include "qmp/machine.h"

/* A phrase about the first device that is new, gone or another one, "device
 * vd0 was unplugged"; NULL: none.  The caller frees it. */
char *changed_device(const struct qmp_machine *before,
                     const struct qmp_machine *now);
/* The same of disks: their images and bitmaps, but for those whose names begin
 * with OWN. */
char *changed_disk(const struct qmp_disks *before, const struct qmp_disks *now,
                   const char *own);

#endif
