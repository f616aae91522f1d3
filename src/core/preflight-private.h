/*
 * The checks of preflight, one function each; what they read in common.
 */
#ifndef QM_CORE_PREFLIGHT_PRIVATE_H
#define QM_CORE_PREFLIGHT_PRIVATE_H

#include "core/preflight.h"
#include "core/verdicts.h"

typedef void preflight_check(const struct facts *f, struct verdicts *v);

/* preflight-state.c */
preflight_check preflight_migration_running, preflight_waiting,
    preflight_blocked, preflight_run_state, preflight_jobs, preflight_exports;
/* preflight-version.c */
preflight_check preflight_versions, preflight_multifd;
/* preflight-machine.c */
preflight_check preflight_machine_type, preflight_accelerator, preflight_uuid,
    preflight_ram_size, preflight_cpu_topology, preflight_memory_devices,
    preflight_memory_backends;
/* preflight-devices.c */
preflight_check preflight_devices;
/* preflight-cpu.c */
preflight_check preflight_cpu_features;
/* preflight-disks.c */
preflight_check preflight_disks;
/* preflight-address.c */
preflight_check preflight_address;
/* preflight-tls.c */
preflight_check preflight_tls;
/* preflight-host.c */
preflight_check preflight_same_process, preflight_hosts, preflight_libvirt,
    preflight_restart, preflight_boot;

/* A version as one number that can be compared: 7.2.22 is 7002022. */
long version_number(const struct qmp_version *v);

/* Are both QEMUs known to run on one machine? */
bool facts_same_machine(const struct facts *f);

enum storage_relation { STORAGE_UNKNOWN, STORAGE_SAME, STORAGE_DIFFERENT };
/* Do disk I of the source and disk J of the destination use one image? */
enum storage_relation facts_same_storage(const struct facts *f, size_t i,
                                         size_t j);

/* On two machines: the same name and the same inode number, as a file of a
 * shared file system has, and hardly another. */
bool facts_looks_shared(const struct facts *f, size_t i, size_t j);

/* Will any disk be copied? */
bool facts_copy_disks(const struct facts *f);

#endif
