/*
 * What each spoilt fact must come to: the words, whole.
 */
static const struct preflight_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    const char *expected;
} cases[] = {
    { "nothing", nothing, "" },
    { "same_process", same_process,
      "blocker both same-process: source and destination are the same "
      "QEMU | give the monitor of a second QEMU, started with `-S "
      "-incoming defer`, as DESTINATION\n" },
    { "libvirt_source", libvirt_source,
      "blocker source libvirt: libvirt runs the source's guest | it would "
      "not know where the guest went | use virsh migrate\n" },
    { "source_panicked", source_panicked,
      "blocker source run-state: the source's guest has panicked | only a "
      "running, paused or not yet started guest can be moved; QEMU says "
      "'guest-panicked'\n" },
    { "source_failed_before", source_failed_before,
      "blocker source run-state: the source's guest is stopped, and still "
      "there: a migration of it failed | QEMU calls that 'postmigrate', and "
      "refuses to migrate such a guest until it has run | `cont` at the "
      "source and, if it is to stay stopped, `stop` at once (it runs for a "
      "moment in between); then try again\n" },
    { "source_moved_before", source_moved_before,
      "blocker source run-state: the source's guest was moved elsewhere, or "
      "saved: its last migration completed | QEMU says 'postmigrate' | use "
      "the QEMU that has it now; only if that is proved to have ended, or "
      "never to have started it: `cont` at the source and, if it is to stay "
      "stopped, `stop` at once (it runs for a moment in between); then try "
      "again\n" },
    { "source_state_unknown", source_state_unknown,
      "blocker source run-state: the source is in a state that is not "
      "known: 'dreaming\\x0a' | only a running, paused or not yet started "
      "guest can be moved\n" },
    { "destination_runs", destination_runs,
      "blocker destination destination-waiting: the destination does not "
      "wait for a guest (it is 'running') | start a fresh destination, "
      "with the source's command line and `-S -incoming defer`\n" },
    { "destination_used", destination_used,
      "blocker destination destination-waiting: the destination was "
      "already used (its migration is 'failed') | QEMU takes one incoming "
      "guest in its life | start a fresh destination, with the source's "
      "command line and `-S -incoming defer`\n" },
    { "destination_listens", destination_listens,
      "blocker destination destination-waiting: the destination already "
      "listens, on port 4444 | TLS and channels must be agreed before it "
      "listens | start a fresh destination, with the source's command "
      "line and `-S -incoming defer`\n" },
    { "migration_active", migration_active,
      "blocker source migration-running: a migration of the source is "
      "already under way (other) | wait for it; qmigrate(1) says under "
      "AFTER A CRASH how to settle one whose engine died\n" },
    { "migration_cancelled", migration_cancelled, "" },
    { "blocked_both", blocked_both,
      "blocker source blocked-reasons: the source's QEMU cannot be "
      "migrated: non-migratable device: 0000:00:01.0/nvme | remove what "
      "it names (device_del), or move the guest while it is shut down\n"
      "blocker destination blocked-reasons: the destination's QEMU cannot "
      "be migrated: non-migratable device: 0000:00:09.0/ivshmem | remove "
      "what it names (device_del), or move the guest while it is shut down\n" },
    { "job_running", job_running,
      "blocker source foreign-jobs: the source has a job: backup backup0 "
      "(running) | a job on a disk would not survive the move | wait for "
      "its end or cancel it (job-cancel backup0)\n" },
    { "job_concluded", job_concluded,
      "blocker source foreign-jobs: the source has a job: mirror qm-1 "
      "(concluded) | it has ended and waits to be dismissed | job-dismiss "
      "qm-1 at the source; what else an interrupted migration left "
      "stands in qmigrate(1) under AFTER A CRASH\n" },
    { "old_source", old_source,
      "blocker source versions: the source's QEMU is 6.2.0 | nothing "
      "before 7.2.0 was ever tried\n"
      "warning source versions: the source's QEMU 6.2.0 has a known fault "
      "| a connection under TLS may not be cut off when its peer is "
      "silent | a QEMU of 7.2.5 or later has it repaired\n"
      "warning source versions: the source's QEMU 6.2.0 has a known fault "
      "| a migration that fails at its very end leaves the disks unusable "
      "| a QEMU of 7.2.3 or later has it repaired\n"
      "warning source versions: the source's QEMU 6.2.0 has a known fault "
      "| a QMP command may run in the middle of another | a QEMU of 7.2.9 "
      "or later has it repaired\n" },
    { "early_7_2", early_7_2,
      "warning source versions: the source's QEMU 7.2.4 has a known fault "
      "| a connection under TLS may not be cut off when its peer is "
      "silent | a QEMU of 7.2.5 or later has it repaired\n"
      "warning source versions: the source's QEMU 7.2.4 has a known fault "
      "| a QMP command may run in the middle of another | a QEMU of 7.2.9 "
      "or later has it repaired\n"
      "warning destination versions: the destination's QEMU 7.2.13 has a "
      "known fault | it may crash when its NBD server stops "
      "(CVE-2024-7409) | a QEMU of 7.2.14 or later has it repaired\n" },
    { "to_older", to_older,
      "warning both versions: the guest goes to an older QEMU: 10.0.13 to "
      "7.2.22 | QEMU may refuse it while loading; the guest then stays at "
      "the source\n" },
    { "machine_type_differs", machine_type_differs,
      "blocker both machine-type: the machine type is pc-q35-7.2 at the "
      "source and pc-q35-7.1 at the destination | start the destination "
      "with -machine pc-q35-7.2\n" },
    { "machine_type_unknown", machine_type_unknown,
      "blocker both machine-type: the machine type is pc-q35-10.0 at the "
      "source and pc-q35-7.2 at the destination | the destination's QEMU "
      "does not know pc-q35-10.0 | use a QEMU at the destination that "
      "knows it\n" },
    { "accelerator_differs", accelerator_differs,
      "blocker both accelerator: the accelerator is kvm at the source and "
      "tcg at the destination | their interrupt controllers and clocks "
      "differ | start the destination with -accel kvm\n" },
    { "uuid_differs", uuid_differs,
      "blocker both uuid: the UUID is "
      "11111111-2222-3333-4444-555555555555 at the source and "
      "99999999-2222-3333-4444-555555555555 at the destination | the "
      "destination was made for another guest | start the destination "
      "with -uuid 11111111-2222-3333-4444-555555555555\n" },
    { "uuid_missing", uuid_missing, "" },
    { "ram_differs", ram_differs,
      "blocker both ram-size: RAM is 4 GiB at the source and 2 GiB at the "
      "destination | give the destination the source's -m\n"
      "blocker both ram-size: hot-plugged RAM is 0 bytes at the source "
      "and 1 GiB at the destination | give the destination the source's "
      "-m and its hot-plugged DIMMs\n" },
    { "cpu_count_differs", cpu_count_differs,
      "blocker both cpu-topology: the guest has 2 CPUs at the source and "
      "1 at the destination | give the destination the source's -smp, and "
      "every hot-plugged CPU as a -device\n" },
    { "cpu_place_differs", cpu_place_differs,
      "blocker both cpu-topology: CPU 1 is socket 0 core 1 at the source "
      "and socket 1 core 0 at the destination | give the destination the "
      "source's -smp\n" },
    { "features_lost", features_lost,
      "blocker destination cpu-features: the guest's CPU has sse2 at the "
      "source, which the destination does not have | programs that use "
      "them would crash | give both sides the same -cpu, a named model "
      "that both hosts can run, with ,enforce at the destination\n" },
    { "feature_word_lost", feature_word_lost,
      "blocker destination cpu-features: the guest's CPU has avx2 at the "
      "source, which the destination does not have | programs that use "
      "them would crash | give both sides the same -cpu, a named model "
      "that both hosts can run, with ,enforce at the destination\n" },
    { "features_gained", features_gained,
      "warning destination cpu-features: the guest's CPU would gain sse2 "
      "at the destination | the guest did not find them when it booted | "
      "give both sides the same -cpu, a named model\n" },
    { "features_gained_by_host_model", features_gained_by_host_model,
      "blocker destination cpu-features: the guest's CPU would gain sse2 "
      "at the destination | a CPU model that is the host's moves only "
      "between equal hosts | give both sides the same -cpu, a named model\n" },
    { "host_model_equal", host_model_equal,
      "warning both cpu-features: the guest's CPU model is the host's own "
      "(host, max), and the hosts' look equal | what is not in CPUID "
      "(microcode, MSRs) may still differ\n" },
    { "property_differs", property_differs,
      "blocker both cpu-features: the guest's CPU differs (at the source, "
      "at the destination): family (6, 15) | give both sides the same -cpu\n" },
    { "tsc_close", tsc_close, "" },
    { "tsc_far", tsc_far,
      "blocker both cpu-features: the guest's CPU differs (at the source, "
      "at the destination): tsc-frequency (2400000000, 2401000000) | give "
      "both sides the same -cpu\n" },
    { "model_differs", model_differs,
      "warning both cpu-features: the CPU model is Haswell-x86_64-cpu at "
      "the source and Haswell-v4-x86_64-cpu at the destination | what "
      "they show of themselves was compared, but not everything can be | "
      "give both sides the same -cpu\n" },
    { "another_model", another_model,
      "blocker destination cpu-features: the guest's CPU has sse2 at the "
      "source, which the destination does not have | programs that use "
      "them would crash | give both sides the same -cpu, a named model "
      "that both hosts can run, with ,enforce at the destination\n"
      "blocker both cpu-features: the guest's CPU differs (at the source, "
      "at the destination): family (6, 15) and tsc-frequency (2400000000, "
      "2401000000) | give both sides the same -cpu\n" },
    { "dimm_missing", dimm_missing,
      "blocker destination memory-devices: memory device dimm0 (dimm, 1 "
      "GiB at 0x100000000, slot 0, node 0) of the source is not at the "
      "destination\n" },
    { "dimm_extra", dimm_extra,
      "blocker source memory-devices: memory device dimm0 (dimm, 1 GiB at "
      "0x100000000, slot 0, node 0) of the destination is not at the "
      "source\n" },
    { "dimm_moved", dimm_moved,
      "blocker both memory-devices: memory device dimm0 is dimm, 1 GiB at "
      "0x100000000, slot 0, node 0 at the source and dimm, 1 GiB at "
      "0x100000000, slot 1, node 0 at the destination\n" },
    { "backend_renamed", backend_renamed,
      "blocker destination memory-backends: memory backend pc.ram (4 GiB) "
      "of the source is not at the destination\n"
      "blocker source memory-backends: memory backend ram0 (4 GiB) of the "
      "destination is not at the source\n" },
    { "backend_resized", backend_resized,
      "blocker both memory-backends: memory backend pc.ram is 4 GiB at "
      "the source and 4294967297 bytes at the destination\n" },
    { "device_missing", device_missing,
      "blocker destination devices: the source has a device that the "
      "destination has not: virtio-rng-pci at pcie.0 06.0 | the "
      "destination could not load its state | add it to the destination's "
      "command line, also if it was hot-plugged at the source\n" },
    { "device_extra", device_extra,
      "blocker source devices: the destination has a device that the "
      "source has not: virtio-net-pci net1 at pcie.0 07.0 | QEMU would "
      "not notice, and the guest would find it in an unknown state | "
      "remove it from the destination's command line\n" },
    { "device_moved", device_moved,
      "blocker both devices: a device differs: virtio-blk-pci vd0 at "
      "pcie.0 05.0 at the source, virtio-blk-pci vd0 at pcie.0 08.0 at "
      "the destination | give it the same type and address (bus=,addr=) "
      "on both command lines\n" },
    { "device_without_id_moved", device_without_id_moved,
      "blocker both devices: a device differs: virtio-rng-pci at pcie.0 "
      "06.0 at the source, virtio-rng-pci at pcie.0 09.0 at the "
      "destination | give it the same type and address (bus=,addr=) on "
      "both command lines\n" },
    { "device_of_another_type", device_of_another_type,
      "blocker both devices: a device differs: virtio-blk-pci vd0 at "
      "pcie.0 05.0 at the source, virtio-scsi-pci vd0 at pcie.0 05.0 at "
      "the destination | give it the same type and address (bus=,addr=) "
      "on both command lines\n" },
    { "devices_in_another_order", devices_in_another_order, "" },
    { "source_exports", source_exports,
      "warning source exports: the source exports disks: backup | their "
      "clients are cut off when the source ends\n" },
    { "source_exports_verify", source_exports_verify,
      "blocker source exports: the source exports disks: backup | QEMU has "
      "one NBD server, and --verify needs it | stop it: nbd-server-stop at "
      "the source\n" },
    { "destination_exports", destination_exports,
      "blocker destination exports: the destination already exports "
      "disks: vda | QEMU has one NBD server, and the disks need it | stop "
      "it: nbd-server-stop at the destination\n" },
    { "destination_exports_no_copy", destination_exports_no_copy,
      "warning both disks: disk vd0 is not copied, and its images on the two "
      "sides are different files | the guest would wake up with the "
      "destination's | add it to --disks\n"
      "warning destination exports: the destination already exports "
      "disks: vda | whoever uses them could write to the guest's disks | "
      "stop it: nbd-server-stop at the destination\n" },
    { "multifd_unknown", multifd_unknown,
      "blocker destination multifd: the destination's QEMU knows no "
      "multifd | use --channels 0\n" },
    { "multifd_desync", multifd_desync,
      "blocker both multifd: QEMU 9.2.0 at the destination does not "
      "understand several channels of a source before 9.0 | use "
      "--channels 0, or QEMU 9.2.1 at the destination\n" },
    { "compress_unknown", compress_unknown,
      "blocker source multifd: the source's QEMU cannot compress RAM with "
      "zstd | both have to be built with it | leave --compress out\n" },
    { "compress_level_unknown", compress_level_unknown,
      "blocker destination multifd: the destination's QEMU cannot compress "
      "RAM with zlib | both have to be built with it | leave --compress "
      "out\n" },
    { "compress_level_forgotten", compress_level_forgotten,
      "warning both multifd: the RAM goes by channels | to cancel several "
      "under TLS can hang the source's QEMU | leave --compress out\n"
      "blocker source multifd: the source's QEMU cannot be told a level of "
      "zlib | before 9.0 it forgets multifd-zlib-level | use --compress zlib, "
      "without a level\n" },
    { "compress_level_there", compress_level_there,
      "warning both multifd: the RAM goes by channels | to cancel several "
      "under TLS can hang the source's QEMU | leave --compress out\n" },
    { "compress_and_postcopy", compress_and_postcopy,
      "warning both multifd: the RAM goes by channels | to cancel several "
      "under TLS can hang the source's QEMU | leave --compress out\n"
      "blocker source postcopy: the source's QEMU 10.0.2 cannot do post-copy "
      "with several channels | before 10.1 one excludes the other | leave "
      "--compress or --postcopy out\n" },
    { "postcopy_unknown", postcopy_unknown,
      "blocker source postcopy: the source's QEMU knows no post-copy | leave "
      "--postcopy out\n" },
    { "multifd_crash", multifd_crash,
      "warning both multifd: the RAM goes by channels | to cancel several "
      "under TLS can hang the source's QEMU | leave --channels out\n" },
    { "no_address", no_address,
      "blocker destination address: no address at which the source could "
      "reach the destination: cannot find the address of host b | give it "
      "with --address\n" },
    { "address_loopback", address_loopback,
      "blocker destination address: the destination's address is "
      "127.0.0.1, which on the source's host is the source's host itself "
      "| give with --address the one that the source's host uses for it\n" },
    { "address_loopback_one_machine", address_loopback_one_machine, "" },
    { "address_wildcard", address_wildcard,
      "blocker destination address: 0.0.0.0 is not an address that a source "
      "could connect to | give --address one address of the destination's "
      "host\n" },
    { "address_without_zone", address_without_zone,
      "blocker destination address: the address fe80::1 means nothing "
      "without an interface | give --address an address that is routed\n" },
    { "bind_unknown", bind_unknown,
      "blocker destination address: no address for the destination to "
      "listen on: cannot find the address of host c | give it with --bind\n" },
    { "bind_wildcard", bind_wildcard,
      "blocker destination address: --bind :: would listen on every "
      "network | give --bind one address of the destination's host\n" },
    { "bind_other_family", bind_other_family,
      "blocker destination address: who connects to 192.0.2.2 cannot "
      "reach what listens on 2001:db8::2 | give --bind an address of the "
      "same network\n" },
    { "bind_loopback", bind_loopback,
      "blocker destination address: who connects to 192.0.2.2 cannot "
      "reach what listens on 127.0.0.1 | give --bind an address of the "
      "same network\n" },
    { "bind_elsewhere", bind_elsewhere,
      "blocker destination address: 192.0.2.2 is not an address of the "
      "destination's host, which cannot listen on it | give --bind one that "
      "it has; --address is what the source connects to, also where it "
      "is a translated one\n" },
    { "insecure", insecure,
      "warning both tls: RAM and disks cross the network unencrypted | "
      "--insecure asks for it: whoever listens gets the guest's memory, "
      "and neither side is authenticated | make certificates: qmigrate keys "
      "create-ca; qmigrate(1) says under CERTIFICATES how\n" },
    { "tls_unread", tls_unread,
      "warning destination tls: TLS is requested, not proved: the files "
      "in /etc/pki/qemu of the destination could not be read | only QEMU "
      "will see whether they are right\n" },
    { "tls_bad", tls_bad,
      "blocker destination tls: destination: server-cert.pem expired | "
      "make a new one\n" },
    { "tls_psk", tls_psk, "" },
    { "tls_psk_unknown", tls_psk_unknown,
      "blocker source tls: the source's QEMU knows no pre-shared keys | use "
      "certificates: --tls-dir\n" },
    { "tls_psk_out_of_reach", tls_psk_out_of_reach,
      "blocker destination tls: no key can be put at the destination's host: "
      "it is not known how to reach it | say with --destination-host how to get "
      "there, or use certificates: --tls-dir\n"
      "warning destination hosts: the destination's host could not be asked: "
      "it is not known how to reach it | who started that QEMU was not checked, "
      "and if it dies, that cannot be proved | say where it runs with "
      "--destination-host, as a user who may see its process\n" },
    { "tls_unauthorised", tls_unauthorised,
      "warning destination tls: the destination accepts whoever has a "
      "certificate of its CA | whose certificate the source has could not be "
      "read | say it with --tls-authz-dn\n" },
    { "tls_authz_of_somebody", tls_authz_of_somebody,
      "blocker destination tls: the destination goes by a rule of somebody "
      "else's, tls-authz old, which may be there no more | say with "
      "--tls-authz-dn whom it is to accept, or start a fresh destination\n" },
    { "tls_authz_missing", tls_authz_missing,
      "warning destination tls: the destination accepts whoever has a "
      "certificate of its CA | its QEMU cannot be told whom to accept | "
      "update that QEMU\n" },
    { "tls_authz_not_to_be_had", tls_authz_not_to_be_had,
      "blocker destination tls: the destination's QEMU cannot be told whom to "
      "accept | leave out --tls-authz-dn, or update that QEMU\n" },
    { "tls_authz_of_another", tls_authz_of_another,
      "blocker both tls: the destination is to accept CN=c.example alone, and "
      "the source's certificate is for CN=a.example | leave out "
      "--tls-authz-dn, or give the source that certificate\n" },
    { "tls_pair_warns", tls_pair_warns, "warning both tls: clocks differ\n" },
    { "host_unknown", host_unknown,
      "warning source hosts: the source's host could not be asked: ssh "
      "failed: Connection refused | who started that QEMU was not "
      "checked, and if it dies, that cannot be proved | say where it runs "
      "with --source-host, as a user who may see its process\n" },
    { "restart_always", restart_always,
      "blocker source restart: systemd would start the source again: "
      "vm.service has Restart=always | a second guest would boot from the "
      "disks that were left behind | on the source's host: mkdir -p "
      "/run/systemd/system/vm.service.d && printf '%s\\n' '[Service]' "
      "Restart=no > /run/systemd/system/vm.service.d/zz-qmigrate.conf && "
      "systemctl daemon-reload\n" },
    { "restart_on_success_of_user", restart_on_success_of_user,
      "blocker source restart: systemd would start the source again: "
      "vm.service has Restart=on-success | a second guest would boot from "
      "the disks that were left behind | on the source's host: mkdir -p "
      "$XDG_RUNTIME_DIR/systemd/user/vm.service.d && printf '%s\\n' "
      "'[Service]' Restart=no > "
      "$XDG_RUNTIME_DIR/systemd/user/vm.service.d/zz-qmigrate.conf && "
      "systemctl --user daemon-reload\n" },
    { "restart_always_of_escaped_unit", restart_always_of_escaped_unit,
      "blocker source restart: systemd would start the source again: "
      "vm@a\\x2db.service has Restart=always | a second guest would boot "
      "from the disks that were left behind | on the source's host: mkdir "
      "-p /run/systemd/system/'vm@a\\x2db.service'.d && printf '%s\\n' "
      "'[Service]' Restart=no > "
      "/run/systemd/system/'vm@a\\x2db.service'.d/zz-qmigrate.conf && "
      "systemctl daemon-reload\n" },
    { "restart_always_kept", restart_always_kept,
      "warning source restart: systemd would start the source again: "
      "vm.service has Restart=always | when you end the source that is "
      "kept, a second guest would boot from its disks | on the source's "
      "host: mkdir -p /run/systemd/system/vm.service.d && printf '%s\\n' "
      "'[Service]' Restart=no > "
      "/run/systemd/system/vm.service.d/zz-qmigrate.conf && systemctl "
      "daemon-reload\n" },
    { "restart_always_but_clean_is_final", restart_always_but_clean_is_final,
      "warning source restart: systemd would start the source again: "
      "vm.service has Restart=always | should the source have to be "
      "killed, a second guest would boot from its disks | on the source's "
      "host: mkdir -p /run/systemd/system/vm.service.d && printf '%s\\n' "
      "'[Service]' Restart=no > "
      "/run/systemd/system/vm.service.d/zz-qmigrate.conf && systemctl "
      "daemon-reload\n" },
    { "restart_on_failure", restart_on_failure,
      "warning source restart: systemd would start the source again: "
      "vm.service has Restart=on-failure | should the source have to be "
      "killed, a second guest would boot from its disks | on the source's "
      "host: mkdir -p /run/systemd/system/vm.service.d && printf '%s\\n' "
      "'[Service]' Restart=no > "
      "/run/systemd/system/vm.service.d/zz-qmigrate.conf && systemctl "
      "daemon-reload\n" },
    { "restart_no", restart_no, "" },
    { "restart_on_watchdog", restart_on_watchdog, "" },
    { "restart_of_a_bystander", restart_of_a_bystander, "" },
    { "restart_unknown", restart_unknown,
      "warning source restart: cannot determine whether systemd starts "
      "vm.service again | a second guest could boot from the disks that "
      "are left behind | on the source's host: systemctl show -p Restart "
      "vm.service\n" },
    { "restart_by_a_timer", restart_by_a_timer,
      "warning source restart: vm.timer may start vm.service again | a second "
      "guest could boot from the disks that are left behind | on the source's "
      "host: systemctl stop vm.timer\n" },
    { "restart_mute", restart_mute,
      "warning source restart: cannot determine which unit of systemd the "
      "source is, and whether it is started again | a second guest could "
      "boot from the disks that are left behind | on the source's host: "
      "systemctl status 100\n" },
    { "restart_by_runit", restart_by_runit,
      "blocker source restart: the source would be started again by runit "
      "(process 7, runsv) | a second guest would boot from the disks that "
      "were left behind | on the source's host: sv once '/sv/vm'\n" },
    { "restart_by_runit_kept", restart_by_runit_kept,
      "warning source restart: the source would be started again by runit "
      "(process 7, runsv) | when you end the source that is kept, a second "
      "guest could boot from its disks | on the source's host: sv once "
      "'/sv/vm'\n" },
    { "restart_by_runit_no_more", restart_by_runit_no_more, "" },
    { "restart_by_supervisord", restart_by_supervisord,
      "warning source restart: the source may be started again by supervisord "
      "(process 7, supervisord) | a second guest could boot from the disks "
      "that are left behind | on the source's host: grep -rn autorestart "
      "/etc/supervisor* (it must be false)\n" },
    { "boot", boot,
      "warning source boot: systemd starts vm.service when the source's "
      "host boots | a second guest would boot from the disks that are "
      "left behind | on the source's host: systemctl disable vm.service\n" },
};

static const char all_good[] =
    "ok source run-state: the guest runs\n"
    "ok destination destination-waiting: the destination waits for a guest\n"
    "ok source migration-running: no migration is under way at the source\n"
    "ok both blocked-reasons: nothing in either QEMU forbids migration\n"
    "ok both foreign-jobs: no job is under way on either side\n"
    "ok both versions: QEMU 7.2.22 to QEMU 7.2.22\n"
    "ok both machine-type: machine type pc-q35-7.2 on both sides\n"
    "ok both accelerator: accelerator kvm on both sides\n"
    "ok both uuid: UUID 11111111-2222-3333-4444-555555555555 on both sides\n"
    "ok both ram-size: 4 GiB of RAM on both sides\n"
    "ok both cpu-topology: 2 CPUs, placed alike on both sides\n"
    "ok both cpu-features: CPU model, features and properties are the "
    "same on both sides\n"
    "ok both memory-devices: memory devices are the same on both sides\n"
    "ok both memory-backends: memory backends are the same on both sides\n"
    "ok both devices: 2 devices are the same on both sides\n"
    "ok both settings: no earlier migration left a setting that matters\n"
    "ok both disks: disk vd0 will be copied (10 GiB, qcow2)\n"
    "ok destination exports: the destination exports nothing yet\n"
    "ok both multifd: one stream for the RAM: to cancel several under TLS can "
    "hang the source's QEMU\n"
    "ok destination address: the source connects to 192.0.2.2 ports "
    "49152-49215\n"
    "ok destination tls: the destination will accept "
    "only CN=a.example\n"
    "ok source hosts: the source is process 100 on its host\n"
    "ok destination hosts: the destination is process 101 on its host\n"
    "ok source restart: systemd does not start vm.service again "
    "(Restart=no)\n";
