/*
 * What is spoilt in a good world, one function for each case of
 * test-core-images.
 */
#define SPOIL(name) static void name(struct world *w)
#define SOURCE_DISK (&w->g.disk[SOURCE][0])
#define PLACEHOLDER (&w->g.disk[DESTINATION][0])

SPOIL(nothing)
{
    (void)w;
}

SPOIL(not_asked_for)
{
    w->g.plan.create_disks = false;
    w->g.f.site = NULL;
}

SPOIL(left_out)
{
    w->g.plan.disks = DISKS_NONE;
}

SPOIL(said_to_be_shared)
{
    strv_add(&w->g.plan.shared_ids, "vd0");
}

SPOIL(read_only_source)
{
    SOURCE_DISK->read_only = true;
}

SPOIL(read_only_on_both_sides)
{
    SOURCE_DISK->read_only = PLACEHOLDER->read_only = true;
}

SPOIL(null_on_both_sides)
{
    SOURCE_DISK->protocol = T("null-aio");
    w->site[0].path = NULL;
}

SPOIL(other_size)
{
    PLACEHOLDER->virtual_size = GIB;
}

SPOIL(no_name)
{
    PLACEHOLDER->node_name = T("#block123");
}

SPOIL(behind_a_filter)
{
    PLACEHOLDER->driver = T("raw");
}

SPOIL(read_only_placeholder)
{
    PLACEHOLDER->read_only = true;
}

SPOIL(other_format)
{
    SOURCE_DISK->driver = T("vmdk");
}

SPOIL(encrypted)
{
    SOURCE_DISK->is_encrypted = true;
}

SPOIL(overlay)
{
    SOURCE_DISK->has_backing = true;
}

SPOIL(overlay_alone)
{
    overlay(w);
    w->g.plan.disks_sync = DISKS_SYNC_TOP;
}

SPOIL(host_out_of_reach)
{
    w->g.f.site_problem = T("it is not known how to reach it");
}

SPOIL(no_tool)
{
    w->g.f.maker.has_qemu_img = false;
}

SPOIL(another_user)
{
    w->g.f.maker.user = 1000;
    w->g.f.maker.qemu_user = 64055;
}

SPOIL(the_same_user)
{
    w->g.f.maker.user = w->g.f.maker.qemu_user = 1000;
}

static void find_no_place(struct world *w)
{
    w->site[0].path = image_place(&w->g.f, 0, &w->site[0].why);
    assert_null(w->site[0].path);
}

SPOIL(no_path)
{
    w->g.disk[SOURCE][0].protocol = T("rbd");
    find_no_place(w);
}

SPOIL(odd_name)
{
    w->g.disk[SOURCE][0].protocol_filename = T("/images/vm qcow2");
    find_no_place(w);
}

SPOIL(nobody_said_where)
{
    w->g.disk[SOURCE][0].protocol_filename = T("/images/vm.qcow2");
    find_no_place(w);
}

SPOIL(taken)
{
    w->site[0].state = SITE_TAKEN;
}

SPOIL(no_folder)
{
    w->site[0].state = SITE_NO_FOLDER;
}

SPOIL(closed_folder)
{
    w->site[0].state = SITE_CLOSED;
}

SPOIL(no_room)
{
    w->site[0].free_bytes = MIB - 1;
}

SPOIL(just_room)
{
    w->site[0].free_bytes = MIB;
}

SPOIL(names_another)
{
    strv_add(&w->g.plan.create_ids, "vd9");
}

SPOIL(names_one_that_is_there)
{
    strv_add(&w->g.plan.create_ids, "vd0");
    PLACEHOLDER->driver = T("qcow2");
    PLACEHOLDER->protocol = T("file");
    w->g.file[DESTINATION][0].known = true;
    w->site[0].path = NULL;
}

/* A second one; beside the first. */
SPOIL(two)
{
    for (int side = 0; side < SIDES; side++) {
        w->g.disk[side][1] = w->g.disk[side][0];
        w->g.disk[side][1].qdev = T("vd1");
        w->g.disk[side][1].node_name = T("disk1");
        w->g.f.side[side].disks.count = 2;
    }
    w->site[1] = w->site[0];
    w->site[1].path = T("/images/second.qcow2");
}

SPOIL(two_at_one_place)
{
    two(w);
    w->site[1].path = w->site[0].path;
}

SPOIL(two_without_room)
{
    two(w);
    w->site[0].free_bytes = w->site[1].free_bytes = 2 * MIB - 1;
}

SPOIL(two_file_systems)
{
    two_without_room(w);
    w->site[1].file_system = 1;
    w->site[0].free_bytes = w->site[1].free_bytes = 10 * GIB;
}

SPOIL(smaller_device)
{
    PLACEHOLDER->virtual_size = SOURCE_DISK->virtual_size - 512;
}

SPOIL(device_without_name)
{
    PLACEHOLDER->node_name = T("#block7");
}

SPOIL(ide_disk)
{
    for (int side = 0; side < SIDES; side++) {
        w->g.device[side][0].type = T("ide-hd");
    }
}

SPOIL(scsi_disk)
{
    w->g.device[DESTINATION][0].type = T("scsi-hd");
}

SPOIL(qcow2_on_device)
{
    PLACEHOLDER->driver = T("qcow2");
}

SPOIL(larger_file)
{
    for (int side = 0; side < SIDES; side++) {
        w->g.disk[side][0].protocol = T("file");
        w->g.file[side][0].is_block_device = false;
        snprintf(w->g.file[side][0].fs_type, sizeof(w->g.file[side][0].fs_type),
                 "xfs");
    }
}

#undef SPOIL
