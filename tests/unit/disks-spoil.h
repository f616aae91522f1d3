/*
 * What is spoilt in good facts, one function for each case of disks-cases.h.
 */
#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(nothing)
{
    (void)g;
}

SPOIL(two_disks)
{
    add_disk(g, "sd0", "data");
}

SPOIL(two_disks_swapped)
{
    struct qmp_disk swap;

    add_disk(g, "sd0", "data");
    swap = g->disk[DESTINATION][0];
    g->disk[DESTINATION][0] = g->disk[DESTINATION][1];
    g->disk[DESTINATION][1] = swap;
}

SPOIL(other_qdev_same_node)
{
    g->disk[DESTINATION][0].qdev = T("disk-a");
}

SPOIL(only_the_drive_name_is_equal)
{
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].device = T("drive0");
    }
    g->disk[DESTINATION][0].qdev = T("disk-a");
    g->disk[SOURCE][0].node_name = T("#block123");
    g->disk[DESTINATION][0].node_name = T("#block321");
}

SPOIL(automatic_node_names_do_not_count)
{
    g->disk[DESTINATION][0].qdev = T("disk-a");
    g->disk[SOURCE][0].node_name = T("#block123");
    g->disk[DESTINATION][0].node_name = T("#block123");
}

SPOIL(no_counterpart)
{
    DST->disks.count = 0;
}

SPOIL(size_differs)
{
    g->disk[DESTINATION][0].virtual_size += 512;
}

SPOIL(read_only_there)
{
    g->disk[DESTINATION][0].read_only = true;
}

SPOIL(no_medium_there)
{
    g->disk[DESTINATION][0].tray_empty = true;
    g->disk[DESTINATION][0].node_name = NULL;
}

SPOIL(same_file_one_machine)
{
    on_one_machine(g);
    g->file[DESTINATION][0] = g->file[SOURCE][0];
    g->disk[DESTINATION][0].protocol_filename = T("/images/link.qcow2");
}

SPOIL(other_file_of_the_same_name)
{
    on_one_machine(g); /* one QEMU sees another tree: inodes decide */
}

SPOIL(same_name_nobody_looked)
{
    on_one_machine(g);
    g->file[SOURCE][0].known = false;
}

SPOIL(same_block_device_one_machine)
{
    add_disk(g, "sd0", "data");
    on_one_machine(g);
}

SPOIL(both_local_but_processes_unknown)
{
    for (int side = 0; side < SIDES; side++) {
        g->f.side[side].process.known = false;
        g->f.side[side].host_is_local = true;
        g->file[side][0].known = false;
    }
}

SPOIL(same_network_image)
{
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].protocol = T("nbd");
        g->disk[side][0].protocol_filename = T("nbd://198.51.100.9:10809/vm");
        g->file[side][0].known = false;
    }
}

SPOIL(same_private_address)
{
    same_network_image(g);
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].protocol_filename = T("nbd://10.0.0.9:10809/vm");
    }
}

SPOIL(same_private_address_one_machine)
{
    same_private_address(g);
    on_one_machine(g);
}

SPOIL(same_image_of_each_hosts_own_cluster)
{
    same_network_image(g);
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].protocol = T("rbd");
        g->disk[side][0].protocol_filename = T("rbd:pool/vm");
    }
}

SPOIL(same_words_for_two_servers)
{
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].protocol = T("nbd");
        g->disk[side][0].protocol_filename = T("nbd://127.0.0.1:10809/vm");
        g->file[side][0].known = false;
    }
}

SPOIL(other_network_image)
{
    same_network_image(g);
    g->disk[DESTINATION][0].protocol_filename =
        T("nbd://198.51.100.9:10809/vm2");
}

SPOIL(network_image_onto_a_file)
{
    g->disk[SOURCE][0].protocol = T("nbd");
    g->disk[SOURCE][0].protocol_filename = T("nbd://198.51.100.9:10809/vm");
    g->file[SOURCE][0].known = false;
}

SPOIL(ceph_image_onto_a_file)
{
    network_image_onto_a_file(g);
    g->disk[SOURCE][0].protocol = T("rbd");
    g->disk[SOURCE][0].protocol_filename = T("rbd:pool/vm");
}

SPOIL(both_hold_nothing)
{
    for (int side = 0; side < SIDES; side++) {
        g->disk[side][0].protocol = T("null-co");
        g->file[side][0].known = false;
    }
}

SPOIL(same_numbers_local_files)
{
    g->file[DESTINATION][0].inode = g->file[SOURCE][0].inode;
}

SPOIL(same_numbers_on_who_knows_which_machine)
{
    same_numbers_local_files(g);
    DST->process.known = false;
}

SPOIL(other_numbers_on_who_knows_which_machine)
{
    DST->process.known = false;
}

SPOIL(mark_seen)
{
    lie_on(g, "nfs", "nfs");
    g->mark[0] = MARK_DONE;
}

SPOIL(mark_seen_by_the_server)
{
    lie_on(g, "ext2/ext3", "nfs");
    g->mark[0] = MARK_DONE;
}

SPOIL(mark_seen_beside_another_file)
{
    mark_seen(g);
    g->file[DESTINATION][0].name[0] = 'x';
}

SPOIL(mark_seen_beside_a_hard_link)
{
    mark_seen_beside_another_file(g);
    g->file[DESTINATION][0].inode = g->file[SOURCE][0].inode;
    g->file[SOURCE][0].links = g->file[DESTINATION][0].links = 2;
}

SPOIL(mark_seen_beside_a_name_of_equal_inode)
{
    mark_seen_beside_another_file(g);
    g->file[DESTINATION][0].inode = g->file[SOURCE][0].inode;
}

SPOIL(mark_seen_beside_a_name_in_capitals)
{
    mark_seen(g);
    g->file[DESTINATION][0].name[0] = 'V';
}

SPOIL(mark_seen_beside_files_with_further_names)
{
    mark_seen_beside_another_file(g);
    g->file[SOURCE][0].links = g->file[DESTINATION][0].links = 2;
}

SPOIL(mark_seen_beside_a_file_mounted_alone)
{
    mark_seen(g);
    g->file[SOURCE][0].mounted = MOUNTED_ALONE;
}

SPOIL(mark_unseen)
{
    lie_on(g, "nfs", "nfs");
    g->mark[0] = MARK_UNSEEN;
}

SPOIL(mark_unseen_but_same_inode)
{
    mark_unseen(g);
    g->file[DESTINATION][0].inode = g->file[SOURCE][0].inode;
}

SPOIL(mark_unseen_but_further_names)
{
    mark_unseen(g);
    g->file[SOURCE][0].links = g->file[DESTINATION][0].links = 2;
}

SPOIL(mark_unseen_beside_a_file_mounted_alone)
{
    mark_unseen(g);
    g->file[DESTINATION][0].mounted = MOUNTED_UNKNOWN;
}

SPOIL(mark_unseen_below_an_overlay)
{
    lie_on(g, "overlayfs", "nfs");
    g->mark[0] = MARK_UNSEEN;
}

SPOIL(overlay_and_what_it_shows)
{
    lie_on(g, "overlayfs", "xfs");
    on_one_machine(g);
    g->mark[0] = MARK_DONE;
}

SPOIL(mark_failed)
{
    lie_on(g, "fuseblk", "xfs");
    g->mark[0] = MARK_FAILED;
}

SPOIL(mark_failed_one_machine)
{
    mark_failed(g);
    on_one_machine(g);
}

SPOIL(mark_left_behind)
{
    mark_seen(g);
    g->f.mark_left = T("/images/.qmigrate-mark-1");
}

SPOIL(shared_and_cached)
{
    mark_seen(g);
    g->disk[SOURCE][0].is_cached = g->disk[DESTINATION][0].is_cached = true;
}

SPOIL(shared_and_cached_one_machine)
{
    same_file_one_machine(g);
    g->disk[SOURCE][0].is_cached = g->disk[DESTINATION][0].is_cached = true;
}

SPOIL(nobody_looked)
{
    g->file[SOURCE][0].known = g->file[DESTINATION][0].known = false;
}

SPOIL(nobody_looked_there)
{
    g->file[DESTINATION][0].known = false;
}

SPOIL(shared_but_different)
{
    share_disk(g, "vd0");
}

SPOIL(shared_but_other_size)
{
    nobody_looked(g);
    size_differs(g);
    share_disk(g, "vd0");
}

SPOIL(shared_has_grown)
{
    same_file_one_machine(g);
    g->disk[DESTINATION][0].virtual_size -= 512;
}

SPOIL(shared_is_no_disk)
{
    share_disk(g, "vd7");
}

SPOIL(shared_of_two)
{
    add_disk(g, "sd0", "data");
    g->file[DESTINATION][1].block_id[0] = '\0';
    share_disk(g, "sd0");
}

SPOIL(all_but_one_is_shared)
{
    same_file_one_machine(g);
    g->plan.disks = DISKS_ALL;
}

SPOIL(named_is_shared)
{
    mark_seen(g);
    name_disk(g, "vd0");
}

SPOIL(not_named_is_shared)
{
    shared_and_cached(g);
    lie_on(g, "nfs", "nfs");
    add_disk(g, "sd0", "data");
    g->file[DESTINATION][1] = g->file[SOURCE][1] =
        (struct file_identity){ .known = true,
                                .fs_type = "xfs",
                                .links = 1,
                                .mounted = MOUNTED_WITH_FOLDER };
    g->mark[1] = g->mark[2] = MARK_UNSEEN;
    name_disk(g, "sd0");
}

SPOIL(over_another_disk)
{
    size_t i = add_disk(g, "sd0", "data");

    on_one_machine(g);
    g->file[DESTINATION][i] = g->file[SOURCE][0];
    g->file[DESTINATION][i].is_block_device = false;
}

SPOIL(flash_without_image)
{
    size_t i = add_disk(g, "/machine/flash0", "vars");

    g->disk[SOURCE][i].is_pflash = g->disk[DESTINATION][i].is_pflash = true;
    g->disk[DESTINATION][i].tray_empty = true;
}

SPOIL(cd_and_flash_and_unused)
{
    g->disk[SOURCE][add_disk(g, "cd0", "cd")].read_only = true;
    g->disk[SOURCE][add_disk(g, "/machine/flash0", "vars")].is_pflash = true;
    g->disk[SOURCE][add_disk(g, NULL, "spare")].device = T("spare-drive");
}

SPOIL(empty_tray)
{
    size_t i = add_disk(g, "cd0", NULL);

    g->disk[SOURCE][i].tray_empty = g->disk[DESTINATION][i].tray_empty = true;
}

SPOIL(medium_gone_there)
{
    size_t i = add_disk(g, "cd0", "cd");

    g->disk[SOURCE][i].read_only = true;
    g->disk[DESTINATION][i].tray_empty = true;
}

SPOIL(flash_of_another_size)
{
    size_t i = add_disk(g, "/machine/flash0", "vars");

    g->disk[SOURCE][i].is_pflash = g->disk[DESTINATION][i].is_pflash = true;
    g->disk[DESTINATION][i].virtual_size = 2 * GIB;
}

SPOIL(none)
{
    g->plan.disks = DISKS_NONE;
}

SPOIL(none_but_two_files_one_machine)
{
    none(g);
    on_one_machine(g);
}

SPOIL(none_and_same_file_one_machine)
{
    same_file_one_machine(g);
    none(g);
}

SPOIL(named_by_node)
{
    add_disk(g, "sd0", "data");
    name_disk(g, "data");
}

SPOIL(named_by_id)
{
    name_disk(g, "vd0");
}

SPOIL(named_is_no_disk)
{
    add_disk(g, "sd0", "data");
    name_disk(g, "vd0");
    name_disk(g, "vd7");
}

SPOIL(named_read_only)
{
    g->disk[SOURCE][0].read_only = true;
    name_disk(g, "vd0");
}

SPOIL(named_flash)
{
    g->disk[SOURCE][add_disk(g, "/machine/flash0", "vars")].is_pflash = true;
    name_disk(g, "vars");
}

SPOIL(named_empty_tray)
{
    size_t i = add_disk(g, "cd0", NULL);

    g->disk[SOURCE][i].tray_empty = true;
    name_disk(g, "cd0");
}

SPOIL(no_disks)
{
    SRC->disks.count = 0;
}

#undef SPOIL
