/*
 * Every migration parameter and capability of the QEMUs that are known, and
 * what is done about a value that somebody left in it.
 */
#ifndef QM_CORE_KNOWN_SETTINGS_H
#define QM_CORE_KNOWN_SETTINGS_H

#include "qmp/migration.h"

enum known_care {
    CARE_SET,      /* each move sets it to what the plan says */
    CARE_DEFAULT,  /* each move sets it to NORMAL, if it is otherwise */
    CARE_HARMLESS, /* it is left as it is */
};

struct known_setting {
    const char *name;
    enum known_care care;
    const char *why; /* "only of colo, which is off" */
    const char *normal;
    enum qmp_setting_type type; /* of NORMAL */
};

/* NULL: it is not known. */
const struct known_setting *known_parameter(const char *name);
const struct known_setting *known_capability(const char *name);

/* What NOW, a side's parameters, has otherwise than CARE_DEFAULT wants: what to
 * set, added to RET. */
void known_list_defaults(const struct qmp_settings *now,
                         struct qmp_settings *ret);

#endif
