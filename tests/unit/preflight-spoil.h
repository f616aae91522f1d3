/*
 * Ways to spoil good facts, for test-core-preflight.c; the words that come of
 * each are in preflight-cases.h.
 */
#ifndef QM_TESTS_PREFLIGHT_SPOIL_H
#define QM_TESTS_PREFLIGHT_SPOIL_H

#include "good-facts.h"

#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(nothing)
{
    (void)g;
}

SPOIL(same_process)
{
    DST->process = SRC->process;
    /* one machine now: the files must still be told apart */
}

SPOIL(libvirt_source)
{
    SRC->unit.is_libvirt = true;
}

SPOIL(source_panicked)
{
    SRC->run_state.status = T("guest-panicked");
}

SPOIL(source_failed_before)
{
    SRC->run_state.status = T("postmigrate");
    SRC->migration.status = MIGRATION_FAILED;
}

SPOIL(source_moved_before)
{
    SRC->run_state.status = T("postmigrate");
    SRC->migration.status = MIGRATION_COMPLETED;
}

SPOIL(source_state_unknown)
{
    SRC->run_state.status = T("dreaming\n");
}

SPOIL(destination_runs)
{
    DST->run_state.status = T("running");
}

SPOIL(destination_used)
{
    DST->migration.status = MIGRATION_FAILED;
}

SPOIL(destination_listens)
{
    DST->migration.socket_port = 4444;
}

SPOIL(migration_active)
{
    SRC->migration.status = MIGRATION_OTHER;
}

SPOIL(migration_cancelled)
{
    SRC->migration.status = MIGRATION_CANCELLED;
}

SPOIL(blocked_both)
{
    static char *s[] = { T("non-migratable device: 0000:00:01.0/nvme"), NULL };
    static char *d[] = { T("non-migratable device: 0000:00:09.0/ivshmem"),
                         NULL };

    SRC->migration.blocked_reasons = one_string(s);
    DST->migration.blocked_reasons = one_string(d);
}

SPOIL(job_running)
{
    g->job[0] = (struct qmp_job){ .id = T("backup0"),
                                  .type = T("backup"),
                                  .status = T("running") };
    SRC->jobs = (struct qmp_jobs){ .count = 1, .item = g->job };
}

SPOIL(job_concluded)
{
    g->job[0] = (struct qmp_job){ .id = T("qm-1"),
                                  .type = T("mirror"),
                                  .status = T("concluded") };
    SRC->jobs = (struct qmp_jobs){ .count = 1, .item = g->job };
}

SPOIL(old_source)
{
    SRC->version = (struct qmp_version){ .major = 6, .minor = 2 };
}

SPOIL(early_7_2)
{
    SRC->version.micro = 4;
    DST->version.micro = 13;
}

SPOIL(to_older)
{
    SRC->version = (struct qmp_version){ .major = 10, .micro = 13 };
}

SPOIL(machine_type_differs)
{
    DST->machine.type = T("pc-q35-7.1-machine");
}

SPOIL(machine_type_unknown)
{
    SRC->machine.type = T("pc-q35-10.0-machine");
    DST->has_machine_type = false;
}

SPOIL(accelerator_differs)
{
    DST->machine.accelerator = T("tcg");
}

SPOIL(uuid_differs)
{
    DST->machine.uuid = T("99999999-2222-3333-4444-555555555555");
}

SPOIL(uuid_missing)
{
    DST->machine.uuid = NULL;
}

SPOIL(ram_differs)
{
    DST->machine.base_memory = 2 * GIB;
    DST->machine.plugged_memory = GIB;
}

SPOIL(cpu_count_differs)
{
    DST->machine.cpu_count = 1;
}

SPOIL(cpu_place_differs)
{
    g->cpu[DESTINATION][1].topology = T("socket 1 core 0");
}

SPOIL(features_lost)
{
    g->word[DESTINATION][0].bits = 1;
}

SPOIL(feature_word_lost)
{
    g->word[SOURCE][1] = (struct qmp_feature_word){
        .eax = 7, .has_ecx = true, .ecx = 0, .reg = "EBX", .bits = 1 << 5
    };
    SRC->machine.word_count = 2;
}

SPOIL(features_gained)
{
    g->word[SOURCE][0].bits = 1;
}

SPOIL(features_gained_by_host_model)
{
    features_gained(g);
    for (int side = 0; side < SIDES; side++) {
        g->cpu[side][0].type = T("host-x86_64-cpu");
    }
}

SPOIL(host_model_equal)
{
    for (int side = 0; side < SIDES; side++) {
        g->cpu[side][0].type = T("max-x86_64-cpu");
    }
}

SPOIL(property_differs)
{
    g->property[DESTINATION][0] = T("family=15");
}

SPOIL(tsc_close)
{
    g->property[DESTINATION][1] = T("tsc-frequency=2400500000");
}

SPOIL(tsc_far)
{
    g->property[DESTINATION][1] = T("tsc-frequency=2401000000");
}

SPOIL(model_differs)
{
    g->cpu[DESTINATION][0].type = T("Haswell-v4-x86_64-cpu");
}

SPOIL(another_model)
{
    features_lost(g);
    model_differs(g);
    tsc_far(g);
    property_differs(g);
}

SPOIL(dimm_missing)
{
    g->dimm[SOURCE][0] = (struct qmp_memory_device){
        .id = T("dimm0"), .type = T("dimm"), .size = GIB, .address = 0x100000000
    };
    SRC->machine.memory_device_count = 1;
}

SPOIL(dimm_extra)
{
    g->dimm[DESTINATION][0] = (struct qmp_memory_device){
        .id = T("dimm0"), .type = T("dimm"), .size = GIB, .address = 0x100000000
    };
    DST->machine.memory_device_count = 1;
}

SPOIL(dimm_moved)
{
    dimm_missing(g);
    g->dimm[DESTINATION][0] = g->dimm[SOURCE][0];
    g->dimm[DESTINATION][0].slot = 1;
    DST->machine.memory_device_count = 1;
}

SPOIL(backend_renamed)
{
    g->backend[DESTINATION][0].id = T("ram0");
}

SPOIL(backend_resized)
{
    g->backend[DESTINATION][0].size = 4 * GIB + 1;
}

SPOIL(device_missing)
{
    DST->machine.device_count = 1;
}

SPOIL(device_extra)
{
    g->device[DESTINATION][2] =
        (struct qmp_device){ .id = T("net1"),
                             .type = T("virtio-net-pci"),
                             .address = T("pcie.0 07.0") };
    DST->machine.device_count = 3;
}

SPOIL(device_moved)
{
    g->device[DESTINATION][0].address = T("pcie.0 08.0");
}

SPOIL(device_without_id_moved)
{
    g->device[DESTINATION][1].address = T("pcie.0 09.0");
}

SPOIL(device_of_another_type)
{
    g->device[DESTINATION][0].type = T("virtio-scsi-pci");
}

SPOIL(devices_in_another_order)
{
    struct qmp_device swap = g->device[DESTINATION][0];

    g->device[DESTINATION][0] = g->device[DESTINATION][1];
    g->device[DESTINATION][0].path = T("/machine/peripheral-anon/device[7]");
    g->device[DESTINATION][1] = swap;
}

SPOIL(source_exports)
{
    static char *s[] = { T("backup"), NULL };

    SRC->exports = one_string(s);
}

SPOIL(source_exports_verify)
{
    source_exports(g);
    g->plan.verify = true;
}

SPOIL(destination_exports)
{
    static char *d[] = { T("vda"), NULL };

    DST->exports = one_string(d);
}

SPOIL(destination_exports_no_copy)
{
    destination_exports(g);
    g->plan.disks = DISKS_NONE;
}

SPOIL(multifd_unknown)
{
    g->plan.channels = 4;
    DST->features.has[QMP_FEATURE_CAP_MULTIFD] = false;
}

SPOIL(multifd_desync)
{
    g->plan.channels = 4;
    DST->version = (struct qmp_version){ .major = 9, .minor = 2 };
}

SPOIL(compress_unknown)
{
    g->plan.compress = COMPRESS_ZSTD;
    g->plan.compress_level = PLAN_LEVEL_THEIRS;
    DST->features.has[QMP_FEATURE_COMPRESS_ZSTD] = true;
}

SPOIL(compress_level_unknown)
{
    g->plan.compress = COMPRESS_ZLIB;
    g->plan.compress_level = 3;
    for (int i = 0; i < SIDES; i++)
        g->f.side[i].features.has[QMP_FEATURE_COMPRESS_ZLIB] = true;
    SRC->features.has[QMP_FEATURE_PARAM_ZLIB_LEVEL] = true;
}

SPOIL(compress_level_forgotten)
{
    compress_level_unknown(g);
    for (int i = 0; i < SIDES; i++) {
        bool *has = g->f.side[i].features.has;

        has[QMP_FEATURE_COMPRESS_ZLIB] = true;
        has[QMP_FEATURE_PARAM_ZLIB_LEVEL] = true;
    }
}

SPOIL(compress_level_there)
{
    static struct qmp_setting three[] = { { .name = T("multifd-zlib-level"),
                                            .value = T("3") } };

    compress_level_forgotten(g);
    SRC->parameters = DST->parameters =
        (struct qmp_settings){ .count = 1, .item = three };
}

SPOIL(compress_and_postcopy)
{
    static struct qmp_setting both = { .name = (char *)"postcopy-ram",
                                       .value = (char *)"off" };

    g->plan.compress = COMPRESS_ZLIB;
    g->plan.compress_level = PLAN_LEVEL_THEIRS;
    g->plan.postcopy = true;
    DST->userfaultfd = HOST_HAS;
    for (int i = 0; i < SIDES; i++) {
        struct side_facts *s = &g->f.side[i];

        s->features.has[QMP_FEATURE_COMPRESS_ZLIB] = true;
        s->capabilities = (struct qmp_settings){ .count = 1, .item = &both };
        s->version = (struct qmp_version){ .major = 10, .micro = 2 };
        s->disks.count = 0;
    }
}

SPOIL(postcopy_unknown)
{
    g->plan.postcopy = true;
}

SPOIL(multifd_crash)
{
    g->plan.channels = 4;
    SRC->version = (struct qmp_version){ .major = 9, .minor = 1 };
    DST->version = SRC->version;
    SRC->disks.count = 0;
}

SPOIL(no_address)
{
    g->f.address = NULL;
    g->f.address_problem = T("cannot find the address of host b");
}

SPOIL(address_loopback)
{
    g->f.address = g->f.bind = T("127.0.0.1");
}

SPOIL(address_loopback_one_machine)
{
    address_loopback(g);
    DST->process.place.boot_id[0] = 'a';
}

SPOIL(address_wildcard)
{
    g->f.address = T("0.0.0.0");
}

SPOIL(address_without_zone)
{
    g->f.address = T("fe80::1");
}

SPOIL(bind_unknown)
{
    g->f.bind = NULL;
    g->f.bind_problem = T("cannot find the address of host c");
}

SPOIL(bind_wildcard)
{
    g->f.bind = T("::");
}

SPOIL(bind_other_family)
{
    g->f.bind = T("2001:db8::2");
}

SPOIL(bind_loopback)
{
    g->f.bind = T("127.0.0.1");
}

SPOIL(bind_elsewhere)
{
    g->f.bind_is_there = HOST_HAS_NOT;
}

SPOIL(insecure)
{
    g->plan.insecure = true;
    SRC->tls_read = false;
}

SPOIL(tls_unread)
{
    DST->tls_read = false;
}

SPOIL(tls_bad)
{
    g->finding[0] = (struct tls_finding){ .severity = TLS_BAD,
                                          .what = T("server-cert.pem expired"),
                                          .fix = T("make a new one") };
    DST->tls = (struct tls_findings){ .count = 1, .item = g->finding };
}

SPOIL(tls_psk)
{
    g->plan.tls_psk = true;
    SRC->features.has[QMP_FEATURE_OBJECT_TLS_PSK] = true;
    DST->features.has[QMP_FEATURE_OBJECT_TLS_PSK] = true;
}
SPOIL(tls_psk_unknown)
{
    tls_psk(g);
    SRC->features.has[QMP_FEATURE_OBJECT_TLS_PSK] = false;
}
SPOIL(tls_psk_out_of_reach)
{
    tls_psk(g);
    DST->host_known = false;
    DST->host_problem = T("it is not known how to reach it");
}
SPOIL(tls_unauthorised)
{
    g->f.source_subject = NULL;
    g->f.authz_dn = NULL;
}
SPOIL(tls_authz_of_somebody)
{
    static struct qmp_setting rule = { .name = T("tls-authz"),
                                       .value = T("old") };

    tls_unauthorised(g);
    DST->parameters = (struct qmp_settings){ .count = 1, .item = &rule };
}
SPOIL(tls_authz_missing)
{
    g->f.authz_dn = NULL;
}
SPOIL(tls_authz_not_to_be_had)
{
    str_replace(&g->plan.tls_authz_dn, "CN=a.example");
    g->f.authz_dn = NULL;
}
SPOIL(tls_authz_of_another)
{
    str_replace(&g->plan.tls_authz_dn, "CN=c.example");
    g->f.authz_dn = T("CN=c.example");
}
SPOIL(tls_pair_warns)
{
    g->finding[0] = (struct tls_finding){ .severity = TLS_WARNING,
                                          .what = T("clocks differ") };
    g->f.tls_pair = (struct tls_findings){ .count = 1, .item = g->finding };
}

SPOIL(host_unknown)
{
    SRC->host_known = false;
    SRC->host_problem = T("ssh failed: Connection refused");
    SRC->process.known = false;
}

#undef SPOIL

#endif
