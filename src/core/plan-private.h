/*
 * What the files of the plan know of each other.
 */
#ifndef QM_CORE_PLAN_PRIVATE_H
#define QM_CORE_PLAN_PRIVATE_H

#include "core/plan.h"

/* VALUE of OPTION is a host name or number, as --address, --bind and
 * --tls-hostname take it, or NULL; else -1 with a USAGE error. */
int plan_check_host_name(const char *option, const char *value,
                         struct qm_error *err);
/* One of plan_check()'s parts. */
int plan_check_tls(const struct plan *p, struct qm_error *err);

/* plan-compress.c */
int plan_check_compress(const struct plan *p, struct qm_error *err);

#endif
