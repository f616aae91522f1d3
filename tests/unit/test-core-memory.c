/*
 * Memory that must not be moved: one file for both sides' RAM, a virtio-pmem;
 * and a disk that the guest drives with SCSI commands of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/preflight-private.h"
#include "good-facts.h"

enum { SAME = 'S', UNKNOWN = '?', FINE = ' ' };

struct where {
    uint64_t device, inode;
    const char *name, *fs;
};

static const struct memory_case {
    const char *name;
    struct where at[SIDES]; /* device 0: not known */
    enum host_mark mark;
    uint64_t links; /* 0: one */
    bool alone;     /* mounted by itself */
    bool folder, one_machine, process_unknown;
    char expected;
} cases[] = {
    { "one file of one machine",
      { { 1, 7, "a", "tmpfs" }, { 1, 7, "a", "tmpfs" } },
      .one_machine = true,
      .expected = SAME },
    { "two files of one machine",
      { { 1, 7, "a", "tmpfs" }, { 1, 8, "b", "tmpfs" } },
      .one_machine = true,
      .expected = FINE },
    { "one folder of one machine",
      { { 1, 7, "a", "tmpfs" }, { 1, 7, "a", "tmpfs" } },
      .one_machine = true,
      .folder = true,
      .expected = FINE },
    { "equal numbers on two machines",
      { { 1, 7, "a", "tmpfs" }, { 1, 7, "a", "tmpfs" } },
      .expected = FINE },
    { "equal numbers, and perhaps one machine",
      { { 1, 7, "a", "tmpfs" }, { 1, 7, "a", "tmpfs" } },
      .process_unknown = true,
      .expected = UNKNOWN },
    { "not looked at",
      { { 0, 0, "", "" }, { 1, 7, "a", "tmpfs" } },
      .expected = UNKNOWN },
    { "a shared file system, and a mark was seen",
      { { 1, 7, "a", "nfs" }, { 9, 7, "a", "nfs" } },
      .mark = MARK_DONE,
      .expected = SAME },
    { "a shared file system, two files of one folder",
      { { 1, 7, "a", "nfs" }, { 9, 8, "b", "nfs" } },
      .mark = MARK_DONE,
      .expected = FINE },
    { "a shared file system, two names that may be one file",
      { { 1, 7, "a", "nfs" }, { 9, 8, "b", "nfs" } },
      .mark = MARK_DONE,
      .links = 2,
      .expected = UNKNOWN },
    { "a shared file system, a mark not seen beside a file mounted alone",
      { { 1, 7, "a", "nfs" }, { 9, 8, "a", "nfs" } },
      .mark = MARK_UNSEEN,
      .alone = true,
      .expected = UNKNOWN },
    { "a shared file system, and a mark was not seen",
      { { 1, 7, "a", "nfs" }, { 9, 8, "a", "nfs" } },
      .mark = MARK_UNSEEN,
      .expected = FINE },
    { "not seen, and yet equal inodes",
      { { 1, 7, "a", "nfs" }, { 9, 7, "a", "nfs" } },
      .mark = MARK_UNSEEN,
      .expected = UNKNOWN },
    { "a shared file system, and no mark could be made",
      { { 1, 7, "a", "nfs" }, { 9, 8, "a", "tmpfs" } },
      .mark = MARK_FAILED,
      .expected = UNKNOWN },
    { "two views of one machine",
      { { 1, 7, "a", "fuseblk" }, { 9, 7, "a", "fuseblk" } },
      .mark = MARK_DONE,
      .one_machine = true,
      .expected = SAME },
};

static char judge_case(const struct memory_case *c)
{
    struct memory_pair pair = { .mark = c->mark };
    CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
    CLEANUP_FREE char *text = NULL;
    struct good_facts g;

    good_facts_init(&g);
    for (int side = 0; side < SIDES; side++) {
        const struct where *w = &c->at[side];
        struct file_identity *f = &pair.file[side];

        g.backend[side][0].file = T("/dev/shm/ram");
        g.f.side[side].process.known = !c->process_unknown;
        pair.is_folder[side] = c->folder;
        f->known = w->device != 0;
        f->device = w->device;
        f->inode = w->inode;
        f->links = c->links ? c->links : 1;
        f->mounted = c->alone ? MOUNTED_ALONE : MOUNTED_WITH_FOLDER;
        strncpy(f->name, w->name, sizeof(f->name) - 1);
        strncpy(f->fs_type, w->fs, sizeof(f->fs_type) - 1);
    }
    if (c->one_machine) {
        g.f.side[DESTINATION].process = g.f.side[SOURCE].process;
        g.f.side[DESTINATION].process.pid++;
    }
    g.f.memory_pair = &pair;
    g.f.memory_pair_count = 1;
    preflight_memory_backends(&g.f, &v);
    text = verdicts_as_text(&v, VERDICT_BLOCKER);
    plan_done(&g.plan);
    return strstr(text, "is the file that the source has for its guest's "
                        "memory, /dev/shm/ram |")
               ? (strstr(text, "cannot determine") ? UNKNOWN : SAME)
               : FINE;
}

static void files_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (judge_case(&cases[i]) != cases[i].expected) {
            fail_msg("%s", cases[i].name);
        }
    }
}

static void a_virtio_pmem_is_refused(void **state)
{
    struct good_facts g;
    CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
    CLEANUP_FREE char *text = NULL;

    (void)state;
    good_facts_init(&g);
    for (int side = 0; side < SIDES; side++) {
        g.dimm[side][0] = (struct qmp_memory_device){ .id = T("p0"),
                                                      .type = T("virtio-pmem"),
                                                      .size = GIB };
        g.f.side[side].machine.memory_device_count = 1;
    }
    preflight_memory_devices(&g.f, &v);
    text = verdicts_as_text(&v, VERDICT_BLOCKER);
    assert_non_null(strstr(text, "memory device p0 of the source is a "
                                 "virtio-pmem"));
    plan_done(&g.plan);
}

static void scsi_commands_of_the_guest(void **state)
{
    static const struct {
        const char *type;
        bool shared, refused;
    } table[] = {
        { "scsi-hd", false, false },
        { "scsi-block", false, true },
        { "scsi-generic", false, true },
        { "scsi-block", true, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct good_facts g;
        CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
        CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };
        CLEANUP_FREE char *text = NULL;

        good_facts_init(&g);
        for (int side = 0; side < SIDES; side++) {
            g.device[side][0].type = T(table[i].type);
        }
        if (table[i].shared) {
            g.f.side[DESTINATION].process = g.f.side[SOURCE].process;
            g.file[DESTINATION][0] = g.file[SOURCE][0];
        }
        preflight_choose_disks(&g.f, &c, &v);
        text = verdicts_as_text(&v, VERDICT_BLOCKER);
        assert_int_equal(strstr(text, "cannot be copied") != NULL,
                         table[i].refused);
        plan_done(&g.plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_memory),
        cmocka_unit_test(a_virtio_pmem_is_refused),
        cmocka_unit_test(scsi_commands_of_the_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
