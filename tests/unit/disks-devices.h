/*
 * Block devices, loops and slices: what is spoilt, and the words that it must come
 * to, whole.
 */
#define GROUP "LVM-0123456789abcdef0123456789abcdef"
#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(same_lun)
{
    be_devices(g, "hw:naa.6001405", "hw:naa.6001405");
}

SPOIL(same_lun_by_two_paths_one_machine)
{
    same_lun(g);
    on_one_machine(g);
    g->file[DESTINATION][0].device = 9;
}

SPOIL(two_luns)
{
    be_devices(g, "hw:naa.6001405~iqn.a", "hw:naa.6001406~iqn.a");
}

SPOIL(two_luns_of_two_targets)
{
    be_devices(g, "hw:naa.6001405~iqn.a", "hw:naa.6001406~iqn.b");
}

SPOIL(one_lun_by_two_targets)
{
    be_devices(g, "hw:naa.6001405~iqn.a", "hw:naa.6001405~iqn.b");
}

SPOIL(lun_and_the_volume_it_may_be)
{
    be_devices(g, "hw:naa.6001405~iqn.a", "dm:LVM-vgone hw:naa.500~local@2");
}

SPOIL(lun_and_the_file_it_may_be)
{
    be_devices(g, "hw:naa.6001405~iqn.a", "");
    g->file[DESTINATION][0] =
        (struct file_identity){ .known = true, .fs_type = "xfs" };
}

SPOIL(built_in_disks)
{
    be_devices(g, "hw:naa.500a~local", "weak:S3ZT~local");
}

SPOIL(two_partitions)
{
    same_lun(g);
    for (int side = 0; side < SIDES; side++) {
        g->file[side][0].partition = (unsigned)side + 1;
        g->file[side][0].partition_start = (unsigned)side * GIB;
        g->file[side][0].partition_size = GIB;
    }
}

SPOIL(two_partitions_that_overlap)
{
    two_partitions(g);
    g->file[SOURCE][0].partition_size += 512;
}

SPOIL(two_partitions_of_unknown_extent)
{
    two_partitions(g);
    g->file[SOURCE][0].partition_size = 0;
}

SPOIL(same_partition)
{
    same_lun(g);
    g->file[SOURCE][0].partition = g->file[DESTINATION][0].partition = 1;
}

SPOIL(whole_and_partition)
{
    same_lun(g);
    g->file[DESTINATION][0].partition = 2;
}

SPOIL(whole_and_partition_by_name)
{
    whole_and_partition(g);
    name_disk(g, "vd0");
}

SPOIL(same_volume_group)
{
    be_devices(g, "dm:" GROUP "one hw:naa.6001405",
               "dm:" GROUP "two hw:naa.6001405");
}

SPOIL(volume_and_its_lun)
{
    be_devices(g, "dm:LVM-vgone hw:naa.6001405@1", "hw:naa.6001405");
}

SPOIL(same_volume)
{
    be_devices(g, "dm:LVM-vgone hw:naa.6001405@1",
               "dm:LVM-vgone hw:naa.6001405@1");
}

SPOIL(volume_in_a_volume)
{
    be_devices(g, "dm:" GROUP "one hw:naa.6001405",
               "dm:LVM-inner dm:" GROUP "one hw:naa.6001405");
}

SPOIL(cloned_volume)
{
    be_devices(g, "dm:LVM-vgone hw:naa.6001405", "dm:LVM-vgone hw:naa.6001406");
}

SPOIL(equal_serial_numbers)
{
    be_devices(g, "weak:disk0", "weak:disk0");
}

SPOIL(two_serial_numbers)
{
    be_devices(g, "weak:disk0", "weak:disk1");
}

SPOIL(two_serial_numbers_of_built_in_disks)
{
    be_devices(g, "weak:disk0~local", "weak:disk1~local");
}

SPOIL(serial_number_and_name)
{
    be_devices(g, "weak:disk0", "hw:naa.6001405");
}

SPOIL(local_volumes)
{
    be_devices(g, "dm:LVM-vgone here:8:0~local", "dm:LVM-vgtwo here:8:0~local");
}

SPOIL(volumes_on_who_knows_what)
{
    be_devices(g, "dm:LVM-vgone here:8:0", "dm:LVM-vgtwo here:8:0");
}

SPOIL(nameless_devices)
{
    be_devices(g, "here:8:0", "here:8:0");
}

SPOIL(nameless_devices_one_machine)
{
    be_devices(g, "here:8:0", "here:9:0");
    on_one_machine(g);
    g->file[DESTINATION][0].device = 9;
}

SPOIL(built_in_devices_one_machine)
{
    be_devices(g, "here:8:0~local", "here:9:0~local");
    on_one_machine(g);
    g->file[DESTINATION][0].device = 9;
}

SPOIL(device_and_its_partition_one_machine)
{
    be_devices(g, "here:8:0", "here:8:0");
    on_one_machine(g);
    g->file[DESTINATION][0].device = 9;
    g->file[DESTINATION][0].partition = 1;
}

SPOIL(one_nameless_device)
{
    be_devices(g, "hw:naa.6001405", "here:8:0");
}

SPOIL(too_deep_to_follow)
{
    be_devices(g, "", "");
}

SPOIL(nameless_devices_by_name)
{
    nameless_devices(g);
    name_disk(g, "vd0");
}

SPOIL(nameless_devices_all)
{
    nameless_devices(g);
    g->plan.disks = DISKS_ALL;
}

SPOIL(nameless_devices_shared)
{
    nameless_devices(g);
    share_disk(g, "disk0");
}

SPOIL(file_onto_device)
{
    g->file[DESTINATION][0] = (struct file_identity){
        .known = true, .is_block_device = true, .block_id = "hw:naa.5~local"
    };
}

SPOIL(file_onto_an_unknown_device)
{
    file_onto_device(g);
    g->file[DESTINATION][0].block_id[0] = '\0';
}

SPOIL(file_onto_what_it_lies_on)
{
    file_onto_device(g);
    on_one_machine(g);
    memcpy(g->file[SOURCE][0].block_id, "hw:naa.5", sizeof("hw:naa.5"));
    g->file[SOURCE][0].partition = 1;
}

SPOIL(file_beside_a_device_one_machine)
{
    file_onto_device(g);
    on_one_machine(g);
    memcpy(g->file[SOURCE][0].block_id, "hw:naa.6~local",
           sizeof("hw:naa.6~local"));
}

SPOIL(network_file_onto_device)
{
    file_onto_device(g);
    lie_on(g, "nfs4", "");
}

SPOIL(two_parts_of_one_file)
{
    same_file_one_machine(g);
    g->file[DESTINATION][0].offset = 512;
}

SPOIL(two_slices_of_one_file)
{
    same_file_one_machine(g);
    for (int side = 0; side < SIDES; side++) {
        g->part[side][0][0].start = (unsigned)side * GIB;
        g->part[side][0][0].end = (unsigned)(side + 1) * GIB;
    }
}

SPOIL(two_slices_that_overlap)
{
    two_slices_of_one_file(g);
    g->part[SOURCE][0][0].end++;
}

SPOIL(slices_said_to_be_shared)
{
    two_slices_that_overlap(g);
    share_disk(g, "vd0");
}

SPOIL(one_loop_ends_where_the_other_begins)
{
    same_file_one_machine(g);
    g->file[SOURCE][0].limit = 512;
    g->file[DESTINATION][0].offset = 512;
}

SPOIL(same_slice_by_loop_and_by_node)
{
    same_file_one_machine(g);
    g->file[SOURCE][0].offset = GIB;
    g->part[DESTINATION][0][0].start = GIB;
}

#undef SPOIL

static const struct disks_case devices_cases[] = {
    { "same_lun", same_lun,
      "vd0 shared: one block device: it says the same of itself on both "
      "sides\n" },
    { "same_lun_by_two_paths_one_machine", same_lun_by_two_paths_one_machine,
      "vd0 shared: one block device: it says the same of itself on both "
      "sides\n" },
    { "two_luns", two_luns, "vd0 -> vd0: writable, two block devices\n" },
    { "two_luns_of_two_targets", two_luns_of_two_targets,
      "vd0 refuse: nothing says whether the block devices of the two sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: nothing says whether the block devices of the two sides are one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "one_lun_by_two_targets", one_lun_by_two_targets,
      "vd0 shared: one block device: it says the same of itself on both sides\n" },
    { "lun_and_the_volume_it_may_be", lun_and_the_volume_it_may_be,
      "vd0 refuse: nothing says whether the block devices of the two sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: nothing says whether the block devices of the two sides are one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "lun_and_the_file_it_may_be", lun_and_the_file_it_may_be,
      "vd0 refuse: a file on one side, and on the other a block device that may be that file, offered by its host\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: a file on one side, and on the other a block device that may be that file, offered by its host | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "built_in_disks", built_in_disks,
      "vd0 -> vd0: writable, two block devices\n" },
    { "two_partitions", two_partitions,
      "vd0 -> vd0: writable, two parts of one image that have no byte in common\n" },
    { "two_partitions_that_overlap", two_partitions_that_overlap,
      "vd0 refuse: the two sides use different parts of one image, which overlap\n"
      "blocker both disks: disk vd0 can be neither copied nor shared: the two sides use different parts of one image, which overlap | a copy would destroy it, and without one the guest would wake up with other bytes | start the destination with the same layers and parts of it, or with an image of its own\n" },
    { "two_partitions_of_unknown_extent", two_partitions_of_unknown_extent,
      "vd0 refuse: two partitions of one block device, whose extent is not known\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: two partitions of one block device, whose extent is not known | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "same_partition", same_partition,
      "vd0 shared: one block device: it says the same of itself on both "
      "sides\n" },
    { "whole_and_partition", whole_and_partition,
      "vd0 refuse: one is a partition of the other\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "one is a partition of the other | one image that both sides use "
      "must not be copied, and two must be | say --shared vd0 if both "
      "sides use it; if not, name it in --disks, with all others that "
      "are to be copied\n" },
    { "whole_and_partition_by_name", whole_and_partition_by_name,
      "vd0 refuse: one is a partition of the other\n"
      "blocker both disks: disk vd0 may be the same image on both sides: "
      "one is a partition of the other | a copy onto itself would "
      "destroy it | if it is, say --shared vd0\n" },
    { "same_volume_group", same_volume_group,
      "vd0 -> vd0: writable, two block devices\n" },
    { "volume_and_its_lun", volume_and_its_lun,
      "vd0 refuse: both lie on the same hardware, and may overlap\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "both lie on the same hardware, and may overlap | one image that "
      "both sides use must not be copied, and two must be | say --shared "
      "vd0 if both sides use it; if not, name it in --disks, with all "
      "others that are to be copied\n" },
    { "same_volume", same_volume,
      "vd0 shared: one block device: it says the same of itself on both "
      "sides\n" },
    { "volume_in_a_volume", volume_in_a_volume,
      "vd0 refuse: both lie on the same hardware, and may overlap\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: both lie on the same hardware, and may overlap | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "cloned_volume", cloned_volume,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "equal_serial_numbers", equal_serial_numbers,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "two_serial_numbers", two_serial_numbers,
      "vd0 refuse: nothing says whether the block devices of the two sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: nothing says whether the block devices of the two sides are one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "two_serial_numbers_of_built_in_disks",
      two_serial_numbers_of_built_in_disks,
      "vd0 -> vd0: writable, two block devices\n" },
    { "serial_number_and_name", serial_number_and_name,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "local_volumes", local_volumes,
      "vd0 -> vd0: writable, two block devices\n" },
    { "volumes_on_who_knows_what", volumes_on_who_knows_what,
      "vd0 refuse: nothing says whether the block devices of the two sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: nothing says whether the block devices of the two sides are one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "nameless_devices", nameless_devices,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "nameless_devices_one_machine", nameless_devices_one_machine,
      "vd0 refuse: nothing says whether the block devices of the two sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: nothing says whether the block devices of the two sides are one | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "built_in_devices_one_machine", built_in_devices_one_machine,
      "vd0 -> vd0: writable, two block devices\n" },
    { "device_and_its_partition_one_machine",
      device_and_its_partition_one_machine,
      "vd0 refuse: one is a partition of the other\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "one is a partition of the other | one image that both sides use "
      "must not be copied, and two must be | say --shared vd0 if both "
      "sides use it; if not, name it in --disks, with all others that "
      "are to be copied\n" },
    { "one_nameless_device", one_nameless_device,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "too_deep_to_follow", too_deep_to_follow,
      "vd0 refuse: nothing says whether the block devices of the two "
      "sides are one\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: "
      "nothing says whether the block devices of the two sides are one | "
      "one image that both sides use must not be copied, and two must be "
      "| say --shared vd0 if both sides use it; if not, name it in "
      "--disks, with all others that are to be copied\n" },
    { "nameless_devices_by_name", nameless_devices_by_name,
      "vd0 -> vd0: writable, as you said\n"
      "warning both disks: disk vd0 is copied on your word alone: "
      "nothing says whether the block devices of the two sides are one | "
      "if both sides use one image, the copy destroys it\n" },
    { "nameless_devices_all", nameless_devices_all,
      "vd0 -> vd0: writable, as you said\n"
      "warning both disks: disk vd0 is copied on your word alone: "
      "nothing says whether the block devices of the two sides are one | "
      "if both sides use one image, the copy destroys it\n" },
    { "nameless_devices_shared", nameless_devices_shared,
      "vd0 shared: named by --shared\n" },
    { "file_onto_device", file_onto_device,
      "vd0 -> vd0: writable, a file on one side and a block device on "
      "the other\n" },
    { "file_onto_an_unknown_device", file_onto_an_unknown_device,
      "vd0 refuse: a file on one side, and on the other a block device that may be that file, offered by its host\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: a file on one side, and on the other a block device that may be that file, offered by its host | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "file_onto_what_it_lies_on", file_onto_what_it_lies_on,
      "vd0 refuse: a block device on one side, and on the other a file that may lie on it\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: a block device on one side, and on the other a file that may lie on it | one image that both sides use must not be copied, and two must be | say --shared vd0 if both sides use it; if not, name it in --disks, with all others that are to be copied\n" },
    { "file_beside_a_device_one_machine", file_beside_a_device_one_machine,
      "vd0 -> vd0: writable, a file on one side and a block device on the other\n" },
    { "network_file_onto_device", network_file_onto_device,
      "vd0 refuse: a block device on one side, and on the other a file "
      "that hosts may share\n"
      "blocker both disks: cannot determine whether disk vd0 is shared: a "
      "block device on one side, and on the other a file that hosts may "
      "share | one image that both sides use must not be copied, and two "
      "must be | say --shared vd0 if both sides use it; if not, name it "
      "in --disks, with all others that are to be copied\n" },
    { "two_parts_of_one_file", two_parts_of_one_file,
      "vd0 refuse: the two sides use different parts of one image, which overlap\n"
      "blocker both disks: disk vd0 can be neither copied nor shared: the two sides use different parts of one image, which overlap | a copy would destroy it, and without one the guest would wake up with other bytes | start the destination with the same layers and parts of it, or with an image of its own\n" },
    { "two_slices_of_one_file", two_slices_of_one_file,
      "vd0 -> vd0: writable, two parts of one image that have no byte in common\n" },
    { "two_slices_that_overlap", two_slices_that_overlap,
      "vd0 refuse: the two sides use different parts of one image, which overlap\n"
      "blocker both disks: disk vd0 can be neither copied nor shared: the two sides use different parts of one image, which overlap | a copy would destroy it, and without one the guest would wake up with other bytes | start the destination with the same layers and parts of it, or with an image of its own\n" },
    { "slices_said_to_be_shared", slices_said_to_be_shared,
      "vd0 shared: named by --shared\n"
      "blocker both disks: disk vd0 is not shared: the two sides use different parts of one image, which overlap | the guest would wake up with the destination's | start the destination with the same layers and parts of it\n" },
    { "one_loop_ends_where_the_other_begins",
      one_loop_ends_where_the_other_begins,
      "vd0 -> vd0: writable, two parts of one image that have no byte in common\n" },
    { "same_slice_by_loop_and_by_node", same_slice_by_loop_and_by_node,
      "vd0 shared: one file, which both sides use\n" },
};
