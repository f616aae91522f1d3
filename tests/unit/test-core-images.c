/*
 * Placeholders, images that are made in their place, and slices: what is
 * done, and what forbids it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/disk-make.h"
#include "core/host-images.h"
#include "good-facts.h"

struct world {
    struct good_facts g; /* the first member */
    struct image_site site[4];
};

/* The destination has a placeholder for vd0, and all is well. */
static void init_placeholder(struct world *w)
{
    struct qmp_disk *a, *b;

    *w = (struct world){ .site[0] = { .path = NULL } };
    good_facts_init(&w->g);
    a = &w->g.disk[SOURCE][0];
    b = &w->g.disk[DESTINATION][0];
    a->allocated = MIB;
    a->cluster_size = 64 * KIB;
    a->compat = T("1.1");
    b->driver = T("null-co");
    b->protocol = T("null-co");
    b->filename = T("json:{\"read-zeroes\": true, \"driver\": \"null-co\"}");
    b->protocol_filename = b->filename;
    b->qom_path = T("/machine/peripheral/vd0/virtio-backend");
    w->g.file[DESTINATION][0].known = false;
    w->g.plan.create_disks = true;
    w->g.f.site = w->site;
    w->g.f.maker.has_qemu_img = true;
    w->site[0] = (struct image_site){ .path = T("/images/vm.qcow2"),
                                      .state = SITE_FREE,
                                      .free_bytes = 100 * GIB };
}

/* The destination's disk is a larger block device. */
static void init_device(struct world *w)
{
    init_placeholder(w);
    for (int side = 0; side < SIDES; side++) {
        struct qmp_disk *d = &w->g.disk[side][0];

        d->driver = T("raw");
        d->protocol = T("host_device");
        d->filename = d->protocol_filename = T("/dev/vg/vm");
        w->g.file[side][0] = (struct file_identity){ .known = true,
                                                     .is_block_device = true,
                                                     .device = 8 };
        snprintf(w->g.file[side][0].block_id,
                 sizeof(w->g.file[side][0].block_id), "hw:naa.%d~local", side);
    }
    w->g.plan.create_disks = false;
    w->g.disk[DESTINATION][0].virtual_size += 4 * MIB;
}

static char *judge(const struct good_facts *g, struct disk_choices *c)
{
    struct verdicts v = { .count = 0 };
    char *text;

    preflight_choose_disks(&g->f, c, &v);
    text = verdicts_as_text(&v, VERDICT_OK);
    verdicts_done(&v);
    return text;
}

#include "images-spoil.h"

#define EXAMPLE                                                                \
    "-blockdev driver=null-co,node-name=NAME,size=10737418240,"                \
    "read-zeroes=on, and drive=NAME\n"
#define BAD_NODE                                                               \
    "blocker destination disks: the placeholder of disk vd0 "                  \
    "cannot be replaced: "
#define NOT_MADE                                                               \
    "blocker destination disks: the image of disk vd0 cannot be "              \
    "made: "
#define NO_SITE "blocker destination disks: disk vd0 cannot be made"
#define NO_SITE_FIX " | give another path: --create-disks=vd0=PATH\n"
#define WHERE_FIX                                                              \
    " | say where: --create-disks=vd0=PATH, or --create-disks=/FOLDER/ for "   \
    "all\n"
#define LONE                                                                   \
    "blocker destination disks: disk vd0 is only a placeholder at "            \
    "the destination, and it is not copied: "
#define LONE_FIX                                                               \
    " | the guest would find nothing on it | start the "                       \
    "destination with its image\n"

static const struct images_case {
    const char *name;
    void (*init)(struct world *w);
    void (*spoil)(struct world *w);
    enum disk_making making;
    const char *expected; /* all verdicts */
} cases[] = {
    { "placeholder", init_placeholder, nothing, MAKE_IMAGE, "" },
    { "not_asked_for", init_placeholder, not_asked_for, MAKE_IMAGE,
      "blocker destination disks: disk vd0 is only a placeholder at the "
      "destination (null-co) | say --create-disks to have its image made, or "
      "start the destination with one\n" },
    { "left_out", init_placeholder, left_out, MAKE_NOTHING,
      LONE "--disks none" LONE_FIX },
    { "said_to_be_shared", init_placeholder, said_to_be_shared, MAKE_NOTHING,
      LONE "named by --shared" LONE_FIX },
    { "read_only_on_both_sides", init_placeholder, read_only_on_both_sides,
      MAKE_IMAGE, "" },
    { "read_only_source", init_placeholder, read_only_source, MAKE_IMAGE,
      BAD_NODE "it is writable, and the source's disk is not | -blockdev "
               "driver=null-co,node-name=NAME,size=10737418240,"
               "read-zeroes=on,read-only=on, and drive=NAME\n" },
    { "null_on_both_sides", init_placeholder, null_on_both_sides, MAKE_NOTHING,
      "" },
    { "other_size", init_placeholder, other_size, MAKE_IMAGE,
      BAD_NODE "its size is another one | it has 1073741824 bytes, and the "
               "source's disk 10737418240 | " EXAMPLE },
    { "no_name", init_placeholder, no_name, MAKE_IMAGE,
      BAD_NODE "it has no name | " EXAMPLE },
    { "behind_a_filter", init_placeholder, behind_a_filter, MAKE_IMAGE,
      BAD_NODE "it is not directly under the device | " EXAMPLE },
    { "read_only_placeholder", init_placeholder, read_only_placeholder,
      MAKE_IMAGE, BAD_NODE "it is read-only | " EXAMPLE },
    { "other_format", init_placeholder, other_format, MAKE_IMAGE,
      "blocker source disks: disk vd0: no image of its format (vmdk) can be "
      "made | make it by hand, and start the destination with it\n" },
    { "encrypted", init_placeholder, encrypted, MAKE_IMAGE, "" },
    { "overlay", init_placeholder, overlay, MAKE_IMAGE, "" },
    { "overlay_alone", init_placeholder, overlay_alone, MAKE_IMAGE,
      "blocker destination disks: disk vd0: an image that is made has no "
      "backing file | make the overlay there by hand, or copy the whole disk, "
      "with --disks-sync full\n" },
    { "host_out_of_reach", init_placeholder, host_out_of_reach, MAKE_IMAGE,
      NOT_MADE
      "on the destination's host no command can be run: it is not known "
      "how to reach it | say how to reach it with "
      "--destination-host\n" },
    { "no_tool", init_placeholder, no_tool, MAKE_IMAGE,
      NOT_MADE "the destination's host has no qemu-img | install it there "
               "(Debian: qemu-utils)\n" },
    { "another_user", init_placeholder, another_user, MAKE_IMAGE,
      NOT_MADE "the QEMU runs as user 64055, and user 1000 cannot give it a "
               "file | log in as root or as that user: --destination-host\n" },
    { "the_same_user", init_placeholder, the_same_user, MAKE_IMAGE, "" },
    { "no_path", init_placeholder, no_path, MAKE_IMAGE,
      NO_SITE ": the source's is no file whose name it could have" WHERE_FIX },
    { "odd_name", init_placeholder, odd_name, MAKE_IMAGE,
      NO_SITE ": the name of the source's file is not taken over, which has "
              "other characters than A-Z a-z 0-9 . _ + -" WHERE_FIX },
    { "nobody_said_where", init_placeholder, nobody_said_where, MAKE_IMAGE,
      NO_SITE ": no folder was chosen, and in that of the source's "
              "file the destination has no image yet" WHERE_FIX },
    { "taken", init_placeholder, taken, MAKE_IMAGE,
      NO_SITE " at /images/vm.qcow2: that name is taken, and nothing is "
              "overwritten" NO_SITE_FIX },
    { "no_folder", init_placeholder, no_folder, MAKE_IMAGE,
      NO_SITE " at /images/vm.qcow2: its folder is not there, or is "
              "reached by the link of another user" NO_SITE_FIX },
    { "closed_folder", init_placeholder, closed_folder, MAKE_IMAGE,
      NO_SITE " at /images/vm.qcow2: its folder cannot be written "
              "to" NO_SITE_FIX },
    { "no_room", init_placeholder, no_room, MAKE_IMAGE,
      "blocker destination disks: there is no room for disk vd0 at "
      "/images/vm.qcow2: 1048576 bytes are needed, and 1048575 are free | name "
      "a folder with more room: --create-disks=vd0=PATH\n" },
    { "just_room", init_placeholder, just_room, MAKE_IMAGE,
      "warning destination disks: disk vd0 may outgrow its room at "
      "/images/vm.qcow2: it can become 10737418240 bytes, and 1048576 are free "
      "| a guest that fills it gets I/O errors\n" },
    { "names_another", init_placeholder, names_another, MAKE_IMAGE,
      "blocker source disks: --create-disks names vd9, which is not a disk of the source | the "
      "source's disks are vd0\n" },
    { "names_one_that_is_there", init_placeholder, names_one_that_is_there,
      MAKE_NOTHING,
      "blocker destination disks: --create-disks names vd0, which is not "
      "a placeholder at the destination | leave it out, or start the destination "
      "with a placeholder: see qmigrate-storage(7)\n" },
    { "two", init_placeholder, two, MAKE_IMAGE, "" },
    { "two_at_one_place", init_placeholder, two_at_one_place, MAKE_IMAGE,
      "blocker destination disks: disk vd1 cannot be made at "
      "/images/vm.qcow2: another disk is to be made there | give another path: "
      "--create-disks=vd1=PATH\n" },
    { "two_without_room", init_placeholder, two_without_room, MAKE_IMAGE,
      "warning destination disks: disk vd0 may outgrow its room at "
      "/images/vm.qcow2: it can become 10737418240 bytes, and 2097151 are free "
      "| a guest that fills it gets I/O errors\n"
      "blocker destination disks: there is no room for disk vd1 at "
      "/images/second.qcow2: 2097152 bytes are needed, and 2097151 are free | "
      "name a folder with more room: --create-disks=vd1=PATH\n" },
    { "two_file_systems", init_placeholder, two_file_systems, MAKE_IMAGE, "" },

    { "larger_device", init_device, nothing, MAKE_SLICE, "" },
    { "larger_under_scsi", init_device, scsi_disk, MAKE_SLICE, "" },
    { "smaller_device", init_device, smaller_device, MAKE_NOTHING,
      "blocker both disks: disk vd0 has 10737418240 bytes at the source and "
      "10737417728 at the destination | a mirror needs the same size to the "
      "byte | make the destination's image anew with 10737418240 bytes\n" },
    { "device_without_name", init_device, device_without_name, MAKE_NOTHING,
      "blocker both disks: disk vd0 has 10737418240 bytes at the source and "
      "10741612544 at the destination | a mirror needs the same size to the "
      "byte | open the destination's with size=10737418240 (in its raw node), "
      "or qemu-img resize --shrink it\n" },
    { "ide_disk", init_device, ide_disk, MAKE_NOTHING,
      "blocker both disks: disk vd0 has 10737418240 bytes at the source and "
      "10741612544 at the destination | a mirror needs the same size to the "
      "byte | open the destination's with size=10737418240 (in its raw node), "
      "or qemu-img resize --shrink it\n" },
    { "qcow2_on_device", init_device, qcow2_on_device, MAKE_NOTHING,
      "blocker both disks: disk vd0 has 10737418240 bytes at the source and "
      "10741612544 at the destination | a mirror needs the same size to the "
      "byte | make the destination's image anew with 10737418240 bytes\n" },
    { "larger_file", init_device, larger_file, MAKE_NOTHING,
      "blocker both disks: disk vd0 has 10737418240 bytes at the source and "
      "10741612544 at the destination | a mirror needs the same size to the "
      "byte | open the destination's with size=10737418240 (in its raw node), "
      "or qemu-img resize --shrink it\n" },
};

static void words_are_as_expected(void **state)
{
    const struct images_case *c = *state;
    struct disk_choices choices = { .count = 0 };
    struct world w;
    char *text;

    c->init(&w);
    c->spoil(&w);
    text = judge(&w.g, &choices);
    assert_string_equal(text, c->expected);
    assert_int_equal(choices.item[0].making, c->making);
    free(text);
    disk_choices_done(&choices);
    plan_done(&w.g.plan);
}

/* --- how it is made ------------------------------------------------------------ */

static void image_is_like_the_source(void **state)
{
    struct qmp_disk d = { .driver = T("qcow2"), .cluster_size = 128 * KIB };
    char *options;

    (void)state;
    options = image_options(&d);
    assert_string_equal(options, "cluster_size=131072");
    free(options);
    d.compat = T("1.1");
    d.refcount_bits = 16;
    d.extended_l2 = true;
    options = image_options(&d);
    assert_string_equal(options, "compat=1.1,cluster_size=131072,"
                                 "refcount_bits=16,extended_l2=on");
    free(options);
    d.compat = T("1.1,backing_file=/etc/shadow,backing_fmt=raw");
    options = image_options(&d);
    assert_string_equal(options, "cluster_size=131072,refcount_bits=16,"
                                 "extended_l2=on");
    free(options);
    d.driver = T("host_device");
    options = image_options(&d);
    assert_string_equal(options, "");
    assert_string_equal(image_format(&d), "raw");
    free(options);
}

static void making_is_planned(void **state)
{
    struct disk_choice c = { .making = MAKE_IMAGE };
    struct disk_make *k;
    struct world w;

    (void)state;
    init_placeholder(&w);
    k = disk_make_new(&w.g.f, &c, xstrdup("qm-blank0"));
    assert_string_equal(k->device, "/machine/peripheral/vd0/virtio-backend");
    assert_string_equal(k->path, "/images/vm.qcow2");
    assert_string_equal(k->format, "qcow2");
    assert_string_equal(k->placeholder, "null-co");
    assert_true(k->placeholder_zeroes);
    assert_true(k->direct);
    assert_int_equal(k->size_bytes, 10 * GIB);
    assert_string_equal(disk_make_node(k), "disk0");
    disk_make_free(k);
    w.g.disk[SOURCE][0].is_cached = true;
    w.g.disk[DESTINATION][0].filename = T("null-co://");
    k = disk_make_new(&w.g.f, &c, xstrdup("qm-blank0"));
    assert_false(k->placeholder_zeroes);
    assert_false(k->direct);
    disk_make_free(k);
    c.making = MAKE_SLICE;
    k = disk_make_new(&w.g.f, &c, xstrdup("qm-slice0"));
    assert_string_equal(disk_make_node(k), "qm-slice0");
    assert_null(k->path);
    disk_make_free(k);
    c.making = MAKE_NOTHING;
    assert_null(disk_make_new(&w.g.f, &c, xstrdup("qm-blank0")));
    disk_make_free(NULL);
    plan_done(&w.g.plan);
}

/* The image has the placeholder's node name; a slice another one. */
static void bitmaps_travel_to_an_image(void **state)
{
    struct qmp_bitmap bitmap = { .name = T("backup") };
    struct world w;

    (void)state;
    for (int slice = 0; slice < 2; slice++) {
        CLEANUP_FREE char *mapping = NULL;

        (slice ? init_device : init_placeholder)(&w);
        for (int side = 0; side < SIDES; side++) {
            bool *has = w.g.f.side[side].features.has;

            has[QMP_FEATURE_CAP_DIRTY_BITMAPS] = true;
            has[QMP_FEATURE_PARAM_BLOCK_BITMAP_MAPPING] = true;
        }
        w.g.disk[SOURCE][0].bitmaps =
            (struct qmp_bitmaps){ .count = 1, .item = &bitmap };
        mapping = preflight_bitmap_mapping(&w.g.f, DESTINATION);
        assert_true(slice ? !mapping : !!strstr(mapping, "\"disk0\""));
        plan_done(&w.g.plan);
    }
}

static void sites_are_parsed(void **state)
{
    struct image_site site = { .path = NULL };

    (void)state;
    assert_true(image_site_parse("free 2049 1000 4096\nrest", &site));
    assert_int_equal(site.state, SITE_FREE);
    assert_int_equal(site.file_system, 2049);
    assert_int_equal(site.free_bytes, 4096000);
    assert_true(image_site_parse("nofolder 0 0 0\n", &site));
    assert_int_equal(site.state, SITE_NO_FOLDER);
    assert_int_equal(site.free_bytes, 0);
    assert_false(image_site_parse("strange 0 0 0\n", &site));
    assert_false(image_site_parse("free 1 2\n", &site));
    assert_false(image_site_parse("", &site));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases) + 4] = {
        cmocka_unit_test(image_is_like_the_source),
        cmocka_unit_test(making_is_planned),
        cmocka_unit_test(bitmaps_travel_to_an_image),
        cmocka_unit_test(sites_are_parsed),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = words_are_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
