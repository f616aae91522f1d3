/*
 * What each spoilt fact must come to: the words, whole.
 */
static const struct disks_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    const char *expected;
} cases[] = {
    { "nothing", nothing, "vd0 -> vd0: writable, local to each host\n" },
    { "two_disks", two_disks,
      "vd0 -> vd0: writable, local to each host\n"
      "sd0 -> sd0: writable, local to each host\n" },
    { "two_disks_swapped", two_disks_swapped,
      "vd0 -> vd0: writable, local to each host\n"
      "sd0 -> sd0: writable, local to each host\n" },
    { "other_qdev_same_node", other_qdev_same_node,
      "vd0 -> disk-a: writable, local to each host\n" },
    { "only_the_drive_name_is_equal", only_the_drive_name_is_equal,
      "vd0 -> disk-a: writable, local to each host\n" },
    { "automatic_node_names_do_not_count", automatic_node_names_do_not_count,
      "vd0 stays here: no counterpart at the destination\n"
      "blocker destination disks: disk vd0 has no counterpart at the "
      "destination | give the destination a disk whose device or node has "
      "the same name\n" },
    { "no_counterpart", no_counterpart,
      "vd0 stays here: no counterpart at the destination\n"
      "blocker destination disks: disk vd0 has no counterpart at the "
      "destination | give the destination a disk whose device or node has "
      "the same name\n" },
    { "size_differs", size_differs,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker both disks: disk vd0 has 10737418240 bytes at the source "
      "and 10737418752 at the destination | a mirror needs the same size "
      "to the byte | make the destination's image anew with 10737418240 "
      "bytes\n" },
    { "read_only_there", read_only_there,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker destination disks: disk vd0 is read-only at the "
      "destination | open it for writing there (read-only=off)\n" },
    { "no_medium_there", no_medium_there,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker destination disks: disk vd0 has no medium at the "
      "destination\n" },
    { "same_file_one_machine", same_file_one_machine,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker both disks: disk vd0 is the same image on both sides: "
      "/images/vm.qcow2 | a copy onto itself would destroy it | leave it "
      "out of --disks (--disks none, if all disks are shared)\n" },
    { "other_file_of_the_same_name", other_file_of_the_same_name,
      "vd0 -> vd0: writable, local to each host\n" },
    { "same_name_nobody_looked", same_name_nobody_looked,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker both disks: disk vd0 is the same image on both sides: "
      "/images/vm.qcow2 | a copy onto itself would destroy it | leave it "
      "out of --disks (--disks none, if all disks are shared)\n" },
    { "same_block_device_one_machine", same_block_device_one_machine,
      "vd0 -> vd0: writable, local to each host\n"
      "sd0 -> sd0: writable, local to each host\n"
      "blocker both disks: disk sd0 is the same image on both sides: "
      "/dev/vg/data | a copy onto itself would destroy it | leave it out "
      "of --disks (--disks none, if all disks are shared)\n" },
    { "both_local_but_processes_unknown", both_local_but_processes_unknown,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker both disks: disk vd0 is the same image on both sides: "
      "/images/vm.qcow2 | a copy onto itself would destroy it | leave it "
      "out of --disks (--disks none, if all disks are shared)\n" },
    { "same_network_image", same_network_image,
      "vd0 -> vd0: writable, local to each host\n"
      "blocker both disks: disk vd0 is the same image on both sides: "
      "rbd:pool/vm | a copy onto itself would destroy it | leave it out "
      "of --disks (--disks none, if all disks are shared)\n" },
    { "same_words_for_two_servers", same_words_for_two_servers,
      "vd0 -> vd0: writable, local to each host\n" },
    { "looks_shared", looks_shared,
      "vd0 -> vd0: writable, local to each host\n"
      "warning both disks: disk vd0 has the same name and inode number on "
      "both hosts | if it is on a file system that both mount, it must "
      "not be copied | leave it out of --disks if it is shared\n" },
    { "dirty_bitmaps", dirty_bitmaps,
      "vd0 -> vd0: writable, local to each host\n"
      "warning source disks: disk vd0 has dirty bitmaps, which do not "
      "move | the next incremental backup has to be a full one\n" },
    { "cd_and_flash_and_unused", cd_and_flash_and_unused,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 stays here: read-only\n"
      "vars stays here: flash: its content travels with RAM\n"
      "spare stays here: no device of the guest uses it\n" },
    { "empty_tray", empty_tray,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 stays here: empty tray\n" },
    { "medium_gone_there", medium_gone_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 stays here: read-only\n"
      "warning destination disks: disk cd0 has a medium at the source and "
      "none at the destination | the guest would find it gone\n" },
    { "flash_of_another_size", flash_of_another_size,
      "vd0 -> vd0: writable, local to each host\n"
      "vars stays here: flash: its content travels with RAM\n"
      "blocker both disks: disk vars has 1073741824 bytes at the source "
      "and 2147483648 at the destination | RAM and flash load only into "
      "their own size | make the destination's image anew with 1073741824 "
      "bytes\n" },
    { "none", none, "vd0 stays here: --disks none\n" },
    { "none_but_two_files_one_machine", none_but_two_files_one_machine,
      "vd0 stays here: --disks none\n"
      "warning both disks: disk vd0 is not copied, and its images on the "
      "two sides are different files | the guest would wake up with the "
      "destination's | add it to --disks\n" },
    { "none_and_same_file_one_machine", none_and_same_file_one_machine,
      "vd0 stays here: --disks none\n" },
    { "named_by_node", named_by_node,
      "vd0 stays here: not named by --disks\n"
      "sd0 -> sd0: writable, local to each host\n" },
    { "named_by_id", named_by_id,
      "vd0 -> vd0: writable, local to each host\n" },
    { "named_is_no_disk", named_is_no_disk,
      "vd0 -> vd0: writable, local to each host\n"
      "sd0 stays here: not named by --disks\n"
      "blocker source disks: --disks names vd7, which is no disk | the "
      "source's disks are vd0 and sd0\n" },
    { "named_read_only", named_read_only,
      "vd0 stays here: read-only\n"
      "blocker source disks: disk vd0 cannot be copied: read-only | leave "
      "it out of --disks\n" },
    { "named_flash", named_flash,
      "vd0 stays here: not named by --disks\n"
      "vars stays here: flash: its content travels with RAM\n"
      "blocker source disks: disk vars cannot be copied: flash: its "
      "content travels with RAM | leave it out of --disks\n" },
    { "named_empty_tray", named_empty_tray,
      "vd0 stays here: not named by --disks\n"
      "cd0 stays here: empty tray\n"
      "blocker source disks: disk cd0 cannot be copied: empty tray | "
      "leave it out of --disks\n" },
    { "no_disks", no_disks, "" },
};
