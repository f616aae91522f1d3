/*
 * From facts to verdicts: the table of checks.
 */
#include "core/preflight.h"

#include "core/preflight-private.h"

/* What makes all other answers meaningless comes first. */
static const struct {
    const char *id; /* scripts read it */
    preflight_check *judge;
} checks[] = {
    { "same-process", preflight_same_process },
    { "libvirt", preflight_libvirt },
    { "run-state", preflight_run_state },
    { "destination-waiting", preflight_waiting },
    { "migration-running", preflight_migration_running },
    { "blocked-reasons", preflight_blocked },
    { "foreign-jobs", preflight_jobs },
    { "versions", preflight_versions },
    { "machine-type", preflight_machine_type },
    { "accelerator", preflight_accelerator },
    { "uuid", preflight_uuid },
    { "ram-size", preflight_ram_size },
    { "memory-room", preflight_memory_room },
    { "cpu-topology", preflight_cpu_topology },
    { "cpu-features", preflight_cpu_features },
    { "memory-devices", preflight_memory_devices },
    { "memory-backends", preflight_memory_backends },
    { "devices", preflight_devices },
    { "settings", preflight_settings },
    { "disks", preflight_disks },
    { "disk-room", preflight_disk_room },
    { "backing", preflight_backing },
    { "bitmaps", preflight_bitmaps },
    { "snapshots", preflight_snapshots },
    { "encryption", preflight_encryption },
    { "exports", preflight_exports },
    { "multifd", preflight_multifd },
    { "postcopy", preflight_postcopy },
    { "address", preflight_address },
    { "tls", preflight_tls },
    { "hosts", preflight_hosts },
    { "restart", preflight_restart },
    { "boot", preflight_boot },
};

void preflight_judge(const struct facts *f, struct verdicts *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        size_t first = ret->count;

        checks[i].judge(f, ret);
        verdicts_stamp(ret, first, checks[i].id);
    }
}

long version_number(const struct qmp_version *v)
{
    return v->major * 1000000L + v->minor * 1000L + v->micro;
}
