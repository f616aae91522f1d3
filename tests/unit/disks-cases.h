/*
 * What each spoilt fact must come to: the words, whole.
 */
static const struct disks_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    const char *expected;
} cases
    [] = {
        { "nothing", nothing, "vd0 -> vd0: writable, local to each host\n" },
        { "two_disks", two_disks,
          "vd0 -> vd0: writable, local to each host\n"
          "sd0 -> sd0: writable, two block devices\n" },
        { "two_disks_swapped", two_disks_swapped,
          "vd0 -> vd0: writable, a file on one side and a block device on "
          "the other\n"
          "sd0 -> sd0: writable, a file on one side and a block device on "
          "the other\n" },
        { "other_qdev_same_node", other_qdev_same_node,
          "vd0 -> disk-a: writable, local to each host\n" },
        { "only_the_drive_name_is_equal", only_the_drive_name_is_equal,
          "vd0 -> disk-a: writable, local to each host\n" },
        { "automatic_node_names_do_not_count",
          automatic_node_names_do_not_count,
          "vd0 refuse: no counterpart at the destination\n"
          "blocker destination disks: disk vd0 has no counterpart at the "
          "destination | give the destination a disk whose device has the "
          "same id\n" },
        { "no_counterpart", no_counterpart,
          "vd0 refuse: no counterpart at the destination\n"
          "blocker destination disks: disk vd0 has no counterpart at the "
          "destination | give the destination a disk whose device has the "
          "same id\n" },
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
          "vd0 shared: one file, which both sides use\n" },
        { "other_file_of_the_same_name", other_file_of_the_same_name,
          "vd0 -> vd0: writable, two files of one machine\n" },
        { "same_name_nobody_looked", same_name_nobody_looked,
          "vd0 refuse: one name on one machine, which could not be looked at\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "one name on one machine, which could not be looked at | one image "
          "that both sides use must not be copied, and two must be | say "
          "--shared vd0 if both sides use it; if not, name it in --disks, "
          "with all others that are to be copied\n" },
        { "same_block_device_one_machine", same_block_device_one_machine,
          "vd0 -> vd0: writable, two files of one machine\n"
          "sd0 shared: one block device, which both sides use\n" },
        { "both_local_but_processes_unknown", both_local_but_processes_unknown,
          "vd0 refuse: one name on one machine, which could not be looked at\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "one name on one machine, which could not be looked at | one image "
          "that both sides use must not be copied, and two must be | say "
          "--shared vd0 if both sides use it; if not, name it in --disks, "
          "with all others that are to be copied\n" },
        { "same_network_image", same_network_image,
          "vd0 shared: one network image, which both sides name\n" },
        { "same_words_for_two_servers", same_words_for_two_servers,
          "vd0 refuse: the same name of something near each host\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "the same name of something near each host | one image that both "
          "sides use must not be copied, and two must be | say --shared vd0 "
          "if both sides use it; if not, name it in --disks, with all others "
          "that are to be copied\n" },
        { "other_network_image", other_network_image,
          "vd0 refuse: two names of network images, which may be one\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "two names of network images, which may be one | one image that "
          "both sides use must not be copied, and two must be | say --shared "
          "vd0 if both sides use it; if not, name it in --disks, with all "
          "others that are to be copied\n" },
        { "network_image_onto_a_file", network_image_onto_a_file,
          "vd0 refuse: a network image on one side and not on the other\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: a "
          "network image on one side and not on the other | one image that "
          "both sides use must not be copied, and two must be | say --shared "
          "vd0 if both sides use it; if not, name it in --disks, with all "
          "others that are to be copied\n" },
        { "both_hold_nothing", both_hold_nothing,
          "vd0 shared: it holds nothing\n" },
        { "same_numbers_local_files", same_numbers_local_files,
          "vd0 -> vd0: writable, local to each host\n" },
        { "same_numbers_on_who_knows_which_machine",
          same_numbers_on_who_knows_which_machine,
          "vd0 refuse: the same numbers on both sides, which may be one machine\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "the same numbers on both sides, which may be one machine | one image that "
          "both sides use must not be copied, and two must be | say --shared vd0 "
          "if both sides use it; if not, name it in --disks, with all others that "
          "are to be copied\n" },
        { "other_numbers_on_who_knows_which_machine",
          other_numbers_on_who_knows_which_machine,
          "vd0 -> vd0: writable, local to each host\n" },
        { "mark_seen", mark_seen,
          "vd0 shared: one file: a mark beside it was seen from the other "
          "side\n" },
        { "mark_seen_by_the_server", mark_seen_by_the_server,
          "vd0 shared: one file: a mark beside it was seen from the other "
          "side\n" },
        { "mark_seen_beside_another_file", mark_seen_beside_another_file,
          "vd0 -> vd0: writable, two files of one folder\n" },
        { "mark_seen_beside_a_hard_link", mark_seen_beside_a_hard_link,
          "vd0 shared: one file: a mark beside it was seen from the other "
          "side\n" },
        { "mark_unseen", mark_unseen,
          "vd0 -> vd0: writable, in another folder: a mark beside it was not "
          "seen from the other side\n" },
        { "mark_unseen_but_same_inode", mark_unseen_but_same_inode,
          "vd0 refuse: a mark beside it was not seen from the other side, "
          "and yet the inode numbers are equal\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: a "
          "mark beside it was not seen from the other side, and yet the "
          "inode numbers are equal | one image that both sides use must not "
          "be copied, and two must be | say --shared vd0 if both sides use "
          "it; if not, name it in --disks, with all others that are to be "
          "copied\n" },
        { "mark_failed", mark_failed,
          "vd0 refuse: on a file system that hosts may share, where no mark "
          "could be made\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "on a file system that hosts may share, where no mark could be "
          "made | one image that both sides use must not be copied, and two "
          "must be | say --shared vd0 if both sides use it; if not, name it "
          "in --disks, with all others that are to be copied\n" },
        { "mark_failed_one_machine", mark_failed_one_machine,
          "vd0 refuse: on a file system that hosts may share, where no mark "
          "could be made\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "on a file system that hosts may share, where no mark could be "
          "made | one image that both sides use must not be copied, and two "
          "must be | say --shared vd0 if both sides use it; if not, name it "
          "in --disks, with all others that are to be copied\n" },
        { "mark_left_behind", mark_left_behind,
          "vd0 shared: one file: a mark beside it was seen from the other "
          "side\n"
          "warning both disks: an empty file may be left: "
          "/images/.qmigrate-mark-1 | remove it: it only showed whether a "
          "folder is shared\n" },
        { "shared_and_cached", shared_and_cached,
          "vd0 shared: one file: a mark beside it was seen from the other "
          "side\n"
          "warning source disks: disk vd0 is shared, and the source uses its "
          "host's page cache for it | what one host has cached may be older "
          "than what the other wrote | open it with cache.direct=on "
          "(cache=none) on both sides\n"
          "warning destination disks: disk vd0 is shared, and the "
          "destination uses its host's page cache for it | what one host has "
          "cached may be older than what the other wrote | open it with "
          "cache.direct=on (cache=none) on both sides\n" },
        { "shared_and_cached_one_machine", shared_and_cached_one_machine,
          "vd0 shared: one file, which both sides use\n" },
        { "nobody_looked", nobody_looked,
          "vd0 refuse: neither side's could be looked at\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "neither side's could be looked at | one image that both sides use "
          "must not be copied, and two must be | say --shared vd0 if both "
          "sides use it; if not, name it in --disks, with all others that "
          "are to be copied\n" },
        { "nobody_looked_there", nobody_looked_there,
          "vd0 refuse: the destination's could not be looked at\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: "
          "the destination's could not be looked at | one image that both "
          "sides use must not be copied, and two must be | say --shared vd0 "
          "if both sides use it; if not, name it in --disks, with all others "
          "that are to be copied\n" },
        { "shared_but_different", shared_but_different,
          "vd0 shared: named by --shared\n"
          "blocker both disks: disk vd0 is not shared: local to each host "
          "| the guest would wake up with the destination's | leave it "
          "out of --shared, so that it is copied\n" },
        { "shared_but_other_size", shared_but_other_size,
          "vd0 shared: named by --shared\n"
          "blocker both disks: shared disk vd0 has 10737418240 bytes at the "
          "source and 10737418752 at the destination | a QEMU has the size "
          "that the image had when it was opened there | block_resize at the "
          "source, if the image has grown; or, if the two are not one image, "
          "leave it out of --shared, so that it is copied\n" },
        { "shared_has_grown", shared_has_grown,
          "vd0 shared: one file, which both sides use\n"
          "blocker both disks: shared disk vd0 has 10737418240 bytes at the "
          "source and 10737417728 at the destination | a QEMU has the size "
          "that the image had when it was opened there | start a fresh "
          "destination\n" },
        { "shared_is_no_disk", shared_is_no_disk,
          "vd0 -> vd0: writable, local to each host\n"
          "blocker source disks: --shared names vd7, which is not a disk of "
          "the source | the source's disks are vd0\n" },
        { "shared_of_two", shared_of_two,
          "vd0 -> vd0: writable, local to each host\n"
          "sd0 shared: named by --shared\n" },
        { "all_but_one_is_shared", all_but_one_is_shared,
          "vd0 refuse: one file, which both sides use\n"
          "blocker both disks: disk vd0 is the same image on both sides: "
          "/images/vm.qcow2 (one file, which both sides use) | a copy onto "
          "itself would destroy it | leave it out of --disks, as --disks "
          "auto does\n" },
        { "named_is_shared", named_is_shared,
          "vd0 refuse: one file: a mark beside it was seen from the other "
          "side\n"
          "blocker both disks: disk vd0 is the same image on both sides: "
          "/images/vm.qcow2 (one file: a mark beside it was seen from the "
          "other side) | a copy onto itself would destroy it | leave it out "
          "of --disks, as --disks auto does\n" },
        { "not_named_is_shared", not_named_is_shared,
          "vd0 leave: not named by --disks\n"
          "sd0 -> sd0: writable, local to each host\n"
          "warning source disks: disk vd0 is shared, and the source uses its host's page cache for it | what one host has cached may be older than what the other wrote | open it with cache.direct=on (cache=none) on both sides\n"
          "warning destination disks: disk vd0 is shared, and the destination uses its host's page cache for it | what one host has cached may be older than what the other wrote | open it with cache.direct=on (cache=none) on both sides\n" },
        { "over_another_disk", over_another_disk,
          "vd0 -> vd0: writable, two files of one machine\n"
          "sd0 -> sd0: writable, a file on one side and a block device on the other\n"
          "blocker both disks: disk sd0 would be copied over the source's disk vd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
        { "flash_without_image", flash_without_image,
          "vd0 -> vd0: writable, local to each host\n"
          "vars leave: flash: its content travels with RAM\n"
          "blocker destination disks: flash vars has no image at the "
          "destination | what the firmware stores in it would be lost | give "
          "it one of 1073741824 bytes there\n" },
        { "cd_and_flash_and_unused", cd_and_flash_and_unused,
          "vd0 -> vd0: writable, local to each host\n"
          "cd0 -> cd0: read-only, and it cannot be determined whether the "
          "destination has the same\n"
          "vars leave: flash: its content travels with RAM\n"
          "spare leave: no device of the guest uses it\n" },
        { "empty_tray", empty_tray,
          "vd0 -> vd0: writable, local to each host\n"
          "cd0 leave: empty tray\n" },
        { "medium_gone_there", medium_gone_there,
          "vd0 -> vd0: writable, local to each host\n"
          "cd0 leave: read-only\n"
          "warning destination disks: disk cd0 has a medium at the source "
          "and none at the destination | the guest would find it gone\n" },
        { "flash_of_another_size", flash_of_another_size,
          "vd0 -> vd0: writable, local to each host\n"
          "vars leave: flash: its content travels with RAM\n"
          "blocker both disks: disk vars has 1073741824 bytes at the source "
          "and 2147483648 at the destination | RAM and flash load only into "
          "their own size | make the destination's image anew with "
          "1073741824 bytes\n" },
        { "none", none,
          "vd0 leave: --disks none\n"
          "warning both disks: disk vd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n" },
        { "none_but_two_files_one_machine", none_but_two_files_one_machine,
          "vd0 leave: --disks none\n"
          "warning both disks: disk vd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n" },
        { "none_and_same_file_one_machine", none_and_same_file_one_machine,
          "vd0 leave: --disks none\n" },
        { "named_by_node", named_by_node,
          "vd0 leave: not named by --disks\n"
          "sd0 -> sd0: writable, two block devices\n"
          "warning both disks: disk vd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n" },
        { "named_by_id", named_by_id,
          "vd0 -> vd0: writable, local to each host\n" },
        { "named_is_no_disk", named_is_no_disk,
          "vd0 -> vd0: writable, local to each host\n"
          "sd0 leave: not named by --disks\n"
          "warning both disks: disk sd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n"
          "blocker source disks: --disks names vd7, which is not a disk of "
          "the source | the source's disks are vd0 and sd0\n" },
        { "named_read_only", named_read_only,
          "vd0 -> vd0: read-only, and it cannot be determined whether the "
          "destination has the same\n" },
        { "named_flash", named_flash,
          "vd0 leave: not named by --disks\n"
          "vars leave: flash: its content travels with RAM\n"
          "warning both disks: disk vd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n"
          "blocker source disks: disk vars cannot be copied: flash: its "
          "content travels with RAM | leave it out of --disks\n" },
        { "named_empty_tray", named_empty_tray,
          "vd0 leave: not named by --disks\n"
          "cd0 leave: empty tray\n"
          "warning both disks: disk vd0 is not copied, and its images on the "
          "two sides are different files | the guest would wake up with the "
          "destination's | add it to --disks\n"
          "blocker source disks: disk cd0 cannot be copied: empty tray | "
          "leave it out of --disks\n" },
        { "no_disks", no_disks, "" },
        { "same_private_address", same_private_address,
          "vd0 refuse: the same name, of a server that may be another one for each host\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: the same name, of a server that may be another one for each host | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "same_private_address_one_machine", same_private_address_one_machine,
          "vd0 refuse: the same name, of a server that may be another one for each host\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: the same name, of a server that may be another one for each host | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "same_image_of_each_hosts_own_cluster",
          same_image_of_each_hosts_own_cluster,
          "vd0 refuse: the same name, of a server that may be another one for each host\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: the same name, of a server that may be another one for each host | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "ceph_image_onto_a_file", ceph_image_onto_a_file,
          "vd0 -> vd0: writable, a file on one side and an image of a Ceph cluster on the other\n" },
        { "mark_seen_beside_a_name_of_equal_inode",
          mark_seen_beside_a_name_of_equal_inode,
          "vd0 refuse: two names of one folder, which may be one file\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: two names of one folder, which may be one file | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_seen_beside_a_name_in_capitals",
          mark_seen_beside_a_name_in_capitals,
          "vd0 refuse: two names of one folder, which may be one file\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: two names of one folder, which may be one file | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_seen_beside_files_with_further_names",
          mark_seen_beside_files_with_further_names,
          "vd0 refuse: two files of one folder that have further names, and may be one\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: two files of one folder that have further names, and may be one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_seen_beside_a_file_mounted_alone",
          mark_seen_beside_a_file_mounted_alone,
          "vd0 refuse: on a file system that hosts may share, and mounted as a single file, of which its folder says nothing\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: on a file system that hosts may share, and mounted as a single file, of which its folder says nothing | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_unseen_but_further_names", mark_unseen_but_further_names,
          "vd0 refuse: a mark beside it was not seen from the other side, but both files have further names\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: a mark beside it was not seen from the other side, but both files have further names | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_unseen_beside_a_file_mounted_alone",
          mark_unseen_beside_a_file_mounted_alone,
          "vd0 refuse: on a file system that hosts may share, and mounted as a single file, of which its folder says nothing\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: on a file system that hosts may share, and mounted as a single file, of which its folder says nothing | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "mark_unseen_below_an_overlay", mark_unseen_below_an_overlay,
          "vd0 refuse: a mark beside it was not seen from the other side, but an overlay hides what lies below it\n"
          "blocker both disks: cannot determine whether disk vd0 is shared: a mark beside it was not seen from the other side, but an overlay hides what lies below it | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
        { "overlay_and_what_it_shows", overlay_and_what_it_shows,
          "vd0 shared: one file: a mark beside it was seen from the other side\n" },
    };
