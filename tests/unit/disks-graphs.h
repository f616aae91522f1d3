/*
 * What disks stand on beside their images: what is spoilt, and the words that it
 * must come to, whole.
 */
#define SPOIL(name) static void name(struct good_facts *g)

/* The source goes on above what both have. */
SPOIL(onto_its_backing_file)
{
    on_one_machine(g);
    good_facts_back(g, SOURCE);
    g->base[SOURCE][1] = g->file[DESTINATION][0];
}

SPOIL(onto_its_backing_file_said_separate)
{
    onto_its_backing_file(g);
    strv_add(&g->plan.separate_ids, "vd0");
}

SPOIL(over_a_common_backing_file)
{
    on_one_machine(g);
    good_facts_back(g, SOURCE);
    good_facts_back(g, DESTINATION);
    g->base[DESTINATION][1] = g->base[SOURCE][1];
}

SPOIL(one_image_over_two_backing_files)
{
    same_file_one_machine(g);
    good_facts_back(g, SOURCE);
    good_facts_back(g, DESTINATION);
}

SPOIL(one_image_with_all_below_it)
{
    one_image_over_two_backing_files(g);
    g->base[DESTINATION][1] = g->base[SOURCE][1];
}

SPOIL(one_image_read_without_its_backing_file)
{
    same_file_one_machine(g);
    good_facts_back(g, SOURCE);
}

SPOIL(one_data_file)
{
    over_a_common_backing_file(g);
    for (int side = 0; side < SIDES; side++) {
        g->part[side][0][1].role = "data file";
        g->part[side][0][1].is_written = true;
    }
}

SPOIL(data_files_of_an_unknown_server)
{
    one_data_file(g);
    for (int side = 0; side < SIDES; side++) {
        g->part[side][0][1].driver = T("nbd");
        g->part[side][0][1].filename = side ? T("nbd://a/x") : T("nbd://a/y");
    }
}

SPOIL(data_files_said_separate)
{
    data_files_of_an_unknown_server(g);
    strv_add(&g->plan.separate_ids, "vd0");
}

SPOIL(graph_untold_there)
{
    g->disk[DESTINATION][0].graph_known = false;
}

SPOIL(graph_untold_here)
{
    g->disk[SOURCE][0].graph_known = false;
}

SPOIL(graph_untold_said_separate)
{
    graph_untold_here(g);
    strv_add(&g->plan.separate_ids, "disk0");
}

SPOIL(separate_is_no_disk)
{
    strv_add(&g->plan.separate_ids, "vd7");
}

/* Two disks of the destination on one file. */
SPOIL(two_there_are_one)
{
    size_t i = add_disk(g, "sd0", "data");

    for (int side = 0; side < SIDES; side++) {
        g->file[side][i] = g->file[side][0];
        g->file[side][i].inode += side == SOURCE;
    }
}

/* A node of which no disk is made holds it. */
SPOIL(over_a_node_without_disk)
{
    on_one_machine(g);
    g->loose = (struct qmp_part){ .node = T("spare"),
                                  .role = "block node",
                                  .driver = T("file"),
                                  .filename = T("/images/x"),
                                  .end = UINT64_MAX };
    SRC->disks.loose = (struct qmp_parts){ .count = 1, .item = &g->loose };
    SRC->part_file = g->part_file;
    g->part_file[1] = g->file[DESTINATION][0];
}

#undef SPOIL

static const struct disks_case
    graphs_cases[] = {
        { "onto_its_backing_file", onto_its_backing_file,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n"
          "blocker both disks: disk vd0 would be copied over the source's backing file of disk vd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
        { "onto_its_backing_file_said_separate",
          onto_its_backing_file_said_separate,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n"
          "blocker both disks: disk vd0 would be copied over the source's backing file of disk vd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
        { "over_a_common_backing_file", over_a_common_backing_file,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n" },
        { "one_image_over_two_backing_files", one_image_over_two_backing_files,
          "vd0 refuse: they have one image, and below it another one\n"
          "blocker both disks: disk vd0 can be neither copied nor shared: they have one image, and below it another one | a copy would destroy it, and without one the guest would wake up with other bytes | start the destination with the same layers and parts of it, or with an image of its own\n" },
        { "one_image_with_all_below_it", one_image_with_all_below_it,
          "vd0 shared: one file, which both sides use\n" },
        { "one_image_read_without_its_backing_file",
          one_image_read_without_its_backing_file,
          "vd0 refuse: the two sides read one image by different layers\n"
          "blocker both disks: disk vd0 can be neither copied nor shared: the two sides read one image by different layers | a copy would destroy it, and without one the guest would wake up with other bytes | start the destination with the same layers and parts of it, or with an image of its own\n" },
        { "one_data_file", one_data_file,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n"
          "blocker both disks: disk vd0 would be copied over the source's data file of disk vd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
        { "data_files_of_an_unknown_server", data_files_of_an_unknown_server,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n"
          "blocker both disks: cannot determine whether disk vd0 would be copied over the source's disk vd0: a network image on one side and not on the other | the copy would destroy it | say --separate vd0 if nothing that the source has open lies in the destination's image of it\n" },
        { "data_files_said_separate", data_files_said_separate,
          "vd0 -> vd0: writable, two files of one machine; its backing chain is flattened\n" },
        { "graph_untold_there", graph_untold_there,
          "vd0 -> vd0: writable, local to each host\n"
          "blocker both disks: cannot determine whether disk vd0 would be copied over the source's disks: the destination's QEMU does not tell all that it stands on | the copy would destroy it | say --separate vd0 if nothing that the source has open lies in the destination's image of it\n" },
        { "graph_untold_here", graph_untold_here,
          "vd0 -> vd0: writable, local to each host\n"
          "blocker both disks: cannot determine whether disk vd0 would be copied over the source's disk vd0: the source's QEMU does not tell all that it stands on | the copy would destroy it | say --separate vd0 if nothing that the source has open lies in the destination's image of it\n" },
        { "graph_untold_said_separate", graph_untold_said_separate,
          "vd0 -> vd0: writable, local to each host\n" },
        { "separate_is_no_disk", separate_is_no_disk,
          "vd0 -> vd0: writable, local to each host\n"
          "blocker source disks: --separate names vd7, which is not a disk of the source | the source's disks are vd0\n" },
        { "two_there_are_one", two_there_are_one,
          "vd0 -> vd0: writable, local to each host\n"
          "sd0 -> sd0: writable, local to each host\n"
          "blocker both disks: disk vd0 would be copied over the destination's disk sd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n"
          "blocker both disks: disk sd0 would be copied over the destination's disk vd0 | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
        { "over_a_node_without_disk", over_a_node_without_disk,
          "vd0 -> vd0: writable, two files of one machine\n"
          "blocker both disks: disk vd0 would be copied over the source's block node spare | the destination uses the same image for it | give the destination images of its own, and its disks the source's names in the source's order\n" },
    };
