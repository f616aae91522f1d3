/*
 * The choice of disks: what is copied where to, and what forbids it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "good-facts.h"

/* "vd0 -> disk0: REASON" a disk, then the verdicts. */
static char *choose(const struct good_facts *g)
{
    struct disk_choices c = { .count = 0 };
    struct verdicts v = { .count = 0 };
    struct buffer b = { .len = 0 };
    char *text;

    preflight_choose_disks(&g->f, &c, &v);
    assert_int_equal(c.count, g->f.side[SOURCE].disks.count);
    for (size_t i = 0; i < c.count; i++) {
        const struct disk_choice *one = &c.item[i];

        buffer_printf(
            &b, "%s %s %s: %s\n", disk_label(&g->disk[SOURCE][one->source]),
            one->copy ? "->" : "stays",
            one->copy ? disk_label(&g->disk[DESTINATION][one->destination])
                      : "here",
            one->reason);
    }
    text = verdicts_as_text(&v, VERDICT_OK);
    buffer_append(&b, text, strlen(text));
    free(text);
    disk_choices_done(&c);
    verdicts_done(&v);
    return b.data;
}

/* One more disk, alike on both sides; its index. */
static size_t add_disk(struct good_facts *g, const char *qdev, const char *node)
{
    size_t i = SRC->disks.count;

    for (int side = 0; side < SIDES; side++) {
        g->disk[side][i] =
            (struct qmp_disk){ .qdev = T(qdev),
                               .device = T(""),
                               .node_name = T(node),
                               .driver = T("raw"),
                               .protocol = T("host_device"),
                               .filename = T("/dev/vg/data"),
                               .protocol_filename = T("/dev/vg/data"),
                               .virtual_size = GIB };
        g->file[side][i] = (struct file_identity){ .known = true,
                                                   .is_block_device = true,
                                                   .device = 7 };
        g->f.side[side].disks.count = i + 1;
    }
    return i;
}

static void name_disk(struct good_facts *g, const char *id)
{
    g->plan.disks = DISKS_LIST;
    strv_add(&g->plan.disk_ids, id);
}

static void on_one_machine(struct good_facts *g)
{
    DST->process.boot_id[0] = SRC->process.boot_id[0];
}

/* --- what is spoilt ---------------------------------------------------------- */

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
        g->disk[side][0].protocol = T("rbd");
        g->disk[side][0].protocol_filename = T("rbd:pool/vm");
        g->file[side][0].known = false;
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

SPOIL(looks_shared)
{
    g->file[DESTINATION][0].inode = g->file[SOURCE][0].inode;
    g->file[DESTINATION][0].device = 44;
}

SPOIL(dirty_bitmaps)
{
    g->disk[SOURCE][0].has_dirty_bitmaps = true;
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

#include "disks-cases.h"

static void words_are_as_expected(void **state)
{
    const struct disks_case *c = *state;
    struct good_facts g;
    char *text;

    good_facts_init(&g);
    c->spoil(&g);
    text = choose(&g);
    if (!text) {
        text = xstrdup("");
    }
    assert_string_equal(text, c->expected);
    free(text);
    plan_done(&g.plan);
}

/* The same verdicts whether asked for by preflight or for the choice. */
static void preflight_says_the_same(void **state)
{
    struct verdicts v = { .count = 0 };
    struct good_facts g;
    char *text;

    (void)state;
    good_facts_init(&g);
    size_differs(&g);
    preflight_judge(&g.f, &v);
    text = verdicts_as_text(&v, VERDICT_BLOCKER);
    assert_non_null(strstr(text, "disk vd0 has 10737418240 bytes at the source "
                                 "and 10737418752 at the destination"));
    assert_int_equal(verdicts_count(&v, VERDICT_BLOCKER), 1);
    free(text);
    verdicts_done(&v);
    plan_done(&g.plan);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases) + 1] = {
        cmocka_unit_test(preflight_says_the_same),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[1 + i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = words_are_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
