/*
 * Read-only disks: what is there, and the words it must come to.
 */
#define SPOIL(name) static void name(struct good_facts *g)

/* One more disk, a read-only file on each side; its index. */
static size_t add_cd(struct good_facts *g, const char *here, const char *there)
{
    const char *digests[SIDES] = { here, there };
    size_t i = add_disk(g, "cd0", "cd");

    for (int side = 0; side < SIDES; side++) {
        struct qmp_disk *d = &g->disk[side][i];

        d->protocol = T("file");
        d->driver = T("raw");
        d->filename = d->protocol_filename = T("/images/cd.iso");
        d->read_only = d->removable = true;
        g->file[side][i] = g->file[side][0];
        g->file[side][i].inode += 1000;
        snprintf(g->digest[side][i].sha256, sizeof(g->digest[side][i].sha256),
                 "%s", digests[side]);
        g->digest[side][i].known = *digests[side];
    }
    return i;
}

SPOIL(cd_differs)
{
    add_cd(g, "aa", "bb");
}

SPOIL(cd_is_there)
{
    add_cd(g, "aa", "aa");
}

SPOIL(cd_nobody_compared)
{
    add_cd(g, "aa", "");
}

SPOIL(cd_is_one_file)
{
    size_t i = add_cd(g, "", "");

    on_one_machine(g);
    g->file[DESTINATION][i] = g->file[SOURCE][i];
}

SPOIL(cd_is_one_file_and_all_are_asked_for)
{
    cd_is_one_file(g);
    g->plan.disks = DISKS_ALL;
}

SPOIL(cd_is_one_file_and_named)
{
    cd_is_one_file(g);
    name_disk(g, "cd0");
    name_disk(g, "vd0");
}

SPOIL(cd_is_shared_and_cached)
{
    size_t i = add_cd(g, "", "");

    for (int side = 0; side < SIDES; side++) {
        snprintf(g->file[side][i].fs_type, sizeof(g->file[side][i].fs_type),
                 "nfs");
        g->disk[side][i].is_cached = true; /* nobody writes */
    }
    g->mark[1] = g->mark[2] = MARK_UNSEEN;
    g->mark[3] = MARK_DONE;
}

SPOIL(cd_of_another_size)
{
    g->disk[DESTINATION][add_cd(g, "aa", "")].virtual_size += 2048;
}

SPOIL(cd_too_large_to_read)
{
    size_t i = add_cd(g, "", "");

    g->disk[SOURCE][i].virtual_size = g->disk[DESTINATION][i].virtual_size =
        16 * GIB + 512;
}

SPOIL(cd_over_a_backing_file)
{
    /* equal overlays say nothing of what is beneath them */
    size_t i = add_cd(g, "aa", "aa");

    g->disk[SOURCE][i].has_backing = g->disk[DESTINATION][i].has_backing = true;
}

SPOIL(cd_over_a_data_file)
{
    size_t i = add_cd(g, "aa", "aa");

    g->disk[DESTINATION][i].has_data_file = true;
}

SPOIL(cd_is_another_part_of_an_equal_file)
{
    size_t i = add_cd(g, "aa", "aa");

    g->disk[SOURCE][i].filename = T("json:{\"offset\": 512}");
}

SPOIL(cd_under_a_throttle)
{
    /* over raw here, over qcow2 there */
    size_t i = add_cd(g, "aa", "aa");

    g->disk[SOURCE][i].driver = g->disk[DESTINATION][i].driver = T("throttle");
}

SPOIL(cd_in_two_formats)
{
    size_t i = add_cd(g, "aa", "aa");

    g->disk[DESTINATION][i].driver = T("qcow2");
}

SPOIL(cd_writable_there)
{
    size_t i = add_cd(g, "aa", "bb");

    g->disk[DESTINATION][i].read_only = false;
    g->disk[DESTINATION][i].driver = T("vdi");
}

SPOIL(cd_in_a_real_drive_there)
{
    size_t i = add_cd(g, "", "");

    g->disk[DESTINATION][i].protocol = T("host_cdrom");
}

SPOIL(cd_in_another_format_there)
{
    g->disk[DESTINATION][add_cd(g, "aa", "bb")].driver = T("vdi");
}

SPOIL(cd_is_a_part_there)
{
    size_t i = add_cd(g, "aa", "bb");

    g->disk[DESTINATION][i].filename = T("json:{\"offset\": 512}");
}

SPOIL(cd_perhaps_shared)
{
    size_t i = add_cd(g, "aa", "bb");

    snprintf(g->file[SOURCE][i].fs_type, sizeof(g->file[SOURCE][i].fs_type),
             "nfs");
    g->mark[1] = g->mark[2] = MARK_UNSEEN;
}

SPOIL(cd_perhaps_shared_and_equal)
{
    cd_perhaps_shared(g);
    g->digest[DESTINATION][1] = g->digest[SOURCE][1];
}

SPOIL(cd_perhaps_shared_and_all_are_asked_for)
{
    cd_perhaps_shared(g);
    g->plan.disks = DISKS_ALL;
}

SPOIL(cd_without_a_counterpart)
{
    add_cd(g, "", "");
    DST->disks.count--;
}

SPOIL(cd_differs_and_none_is_asked_for)
{
    add_cd(g, "", "");
    g->plan.disks = DISKS_NONE;
    on_one_machine(g);
    g->file[DESTINATION][0] = g->file[SOURCE][0];
}

SPOIL(cd_differs_and_all_are_asked_for)
{
    add_cd(g, "aa", "bb");
    g->plan.disks = DISKS_ALL;
}

SPOIL(cd_is_there_and_all_are_asked_for)
{
    add_cd(g, "aa", "aa");
    g->plan.disks = DISKS_ALL;
}

SPOIL(cd_differs_and_is_not_named)
{
    add_cd(g, "", "");
    name_disk(g, "vd0");
}

SPOIL(cd_is_known_to_differ_and_is_not_named)
{
    add_cd(g, "aa", "bb");
    name_disk(g, "vd0");
}

SPOIL(cd_is_there_and_is_not_named)
{
    add_cd(g, "aa", "aa");
    name_disk(g, "vd0");
}

SPOIL(cd_of_another_size_and_none_is_asked_for)
{
    cd_differs_and_none_is_asked_for(g);
    g->disk[DESTINATION][1].virtual_size += 512;
}

SPOIL(cd_is_said_to_be_shared)
{
    add_cd(g, "", "");
    share_disk(g, "cd0");
}

SPOIL(medium_gone_there_and_named)
{
    size_t i = add_cd(g, "", "");

    g->disk[DESTINATION][i].tray_empty = true;
    g->disk[DESTINATION][i].node_name = NULL;
    name_disk(g, "vd0");
    name_disk(g, "cd0");
}

SPOIL(medium_only_there)
{
    size_t i = add_cd(g, "", "");

    g->disk[SOURCE][i].tray_empty = true;
    g->disk[SOURCE][i].node_name = NULL;
}

#undef SPOIL

static const struct disks_case read_only_cases[] = {
    { "cd_differs", cd_differs,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n" },
    { "cd_is_there", cd_is_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: read-only, and the destination has the same, byte "
      "for byte\n" },
    { "cd_nobody_compared", cd_nobody_compared,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n" },
    { "cd_is_one_file", cd_is_one_file,
      "vd0 -> vd0: writable, two files of one machine\n"
      "cd0 shared: one file, which both sides use\n" },
    { "cd_is_one_file_and_all_are_asked_for",
      cd_is_one_file_and_all_are_asked_for,
      "vd0 -> vd0: writable, two files of one machine\n"
      "cd0 shared: one file, which both sides use\n" },
    { "cd_is_one_file_and_named", cd_is_one_file_and_named,
      "vd0 -> vd0: writable, two files of one machine\n"
      "cd0 refuse: one file, which both sides use\n"
      "blocker both disks: disk cd0 is the same image on both sides: "
      "/images/cd.iso (one file, which both sides use) | a copy onto "
      "itself would destroy it | leave it out of --disks, as --disks "
      "auto does\n" },
    { "cd_is_shared_and_cached", cd_is_shared_and_cached,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 shared: one file: a mark beside it was seen from the other "
      "side\n" },
    { "cd_of_another_size", cd_of_another_size,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n"
      "blocker both disks: disk cd0 has 1073741824 bytes at the "
      "source and 1073743872 at the destination | a mirror needs the "
      "same size to the byte | make the destination's image anew with "
      "1073741824 bytes\n" },
    { "cd_over_a_backing_file", cd_over_a_backing_file,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same; its backing chain is "
      "flattened\n" },
    { "cd_over_a_data_file", cd_over_a_data_file,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n" },
    { "cd_is_another_part_of_an_equal_file",
      cd_is_another_part_of_an_equal_file,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n" },
    { "cd_under_a_throttle", cd_under_a_throttle,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n"
      "blocker destination disks: read-only disk cd0 cannot be "
      "written at the destination: it is neither raw nor qcow2 | copy "
      "it there yourself, and name all others in --disks\n" },
    { "cd_in_two_formats", cd_in_two_formats,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n" },
    { "cd_writable_there", cd_writable_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n" },
    { "cd_in_a_real_drive_there", cd_in_a_real_drive_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n"
      "blocker destination disks: read-only disk cd0 cannot be "
      "written at the destination: it is neither a file nor a block "
      "device | copy it there yourself, and name all others in "
      "--disks\n" },
    { "cd_in_another_format_there", cd_in_another_format_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n"
      "blocker destination disks: read-only disk cd0 cannot be "
      "written at the destination: it is neither raw nor qcow2 | copy "
      "it there yourself, and name all others in --disks\n" },
    { "cd_is_a_part_there", cd_is_a_part_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n"
      "blocker destination disks: read-only disk cd0 cannot be "
      "written at the destination: it is a part of a file, or lies "
      "under more than a format | copy it there yourself, and name "
      "all others in --disks\n" },
    { "cd_perhaps_shared", cd_perhaps_shared,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 refuse: on a file system that hosts may share, where no "
      "mark could be made\n"
      "blocker both disks: cannot determine whether disk cd0 is "
      "shared: on a file system that hosts may share, where no mark "
      "could be made | one image that both sides use must not be "
      "copied, and two must be | say --shared cd0 if both sides use "
      "it; if not, name it in --disks, with all others that are to be "
      "copied\n" },
    { "cd_perhaps_shared_and_equal", cd_perhaps_shared_and_equal,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: read-only, and the destination has the same, byte "
      "for byte\n" },
    { "cd_perhaps_shared_and_all_are_asked_for",
      cd_perhaps_shared_and_all_are_asked_for,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, as you said\n"
      "warning both disks: disk cd0 is copied on your word alone: on "
      "a file system that hosts may share, where no mark could be "
      "made | if both sides use one image, the copy destroys it\n" },
    { "cd_without_a_counterpart", cd_without_a_counterpart,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 refuse: no counterpart at the destination\n"
      "blocker destination disks: disk cd0 has no counterpart at the "
      "destination | give the destination a disk whose device has the "
      "same id\n" },
    { "cd_differs_and_none_is_asked_for", cd_differs_and_none_is_asked_for,
      "vd0 leave: --disks none\n"
      "cd0 leave: --disks none\n" },
    { "cd_differs_and_all_are_asked_for", cd_differs_and_all_are_asked_for,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and the destination has something else\n" },
    { "cd_is_there_and_all_are_asked_for", cd_is_there_and_all_are_asked_for,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: read-only, and the destination has the same, byte "
      "for byte\n" },
    { "cd_differs_and_is_not_named", cd_differs_and_is_not_named,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: not named by --disks\n" },
    { "cd_is_known_to_differ_and_is_not_named",
      cd_is_known_to_differ_and_is_not_named,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: not named by --disks\n"
      "warning both disks: read-only disk cd0 is not copied, and the "
      "destination has something else in its place | the guest would "
      "wake up with the destination's | add it to --disks\n" },
    { "cd_is_there_and_is_not_named", cd_is_there_and_is_not_named,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: not named by --disks\n" },
    { "cd_of_another_size_and_none_is_asked_for",
      cd_of_another_size_and_none_is_asked_for,
      "vd0 leave: --disks none\n"
      "cd0 leave: --disks none\n"
      "warning both disks: read-only disk cd0 is not copied, and the "
      "destination has something else in its place | the guest would "
      "wake up with the destination's | add it to --disks\n" },
    { "cd_is_said_to_be_shared", cd_is_said_to_be_shared,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 shared: named by --shared\n"
      "blocker both disks: disk cd0 is not shared: local to each host "
      "| the guest would wake up with the destination's | leave it "
      "out of --shared, so that it is copied\n" },
    { "medium_gone_there_and_named", medium_gone_there_and_named,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 -> cd0: read-only, and it cannot be determined whether the "
      "destination has the same\n"
      "blocker destination disks: disk cd0 has no medium at the "
      "destination\n" },
    { "medium_only_there", medium_only_there,
      "vd0 -> vd0: writable, local to each host\n"
      "cd0 leave: empty tray\n"
      "warning destination disks: disk cd0 has a medium at the "
      "destination and none at the source | the guest would find it "
      "in the drive | eject it there\n" },
};
