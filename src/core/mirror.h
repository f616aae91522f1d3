/*
 * Mirrors: what the steps that start and end them share.
 */
#ifndef QM_CORE_MIRROR_H
#define QM_CORE_MIRROR_H

#include "core/side.h"

/* For side_do(): is the struct qmp_nbd_node ARG among S's nodes? */
int mirror_asked_node(struct side *s, void *arg, struct qm_error *err);

#endif
