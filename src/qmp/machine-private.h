/*
 * What machine*.c share: the parts of qmp_query_machine().
 */
#ifndef QM_QMP_MACHINE_PRIVATE_H
#define QM_QMP_MACHINE_PRIVATE_H

#include "qmp/batch.h"
#include "qmp/machine.h"

/* CPUs and what the first of them shows; HOTPLUGGABLE may be NULL. */
int machine_query_cpus(struct qmp *q, struct json_object *cpus,
                       struct json_object *hotpluggable, struct qmp_machine *m,
                       struct qm_error *err);

/* Devices with their addresses; PCI may be NULL. */
int machine_query_devices(struct qmp *q, struct json_object *named,
                          struct json_object *anonymous,
                          struct json_object *pci, struct qmp_machine *m,
                          struct qm_error *err);

#endif
