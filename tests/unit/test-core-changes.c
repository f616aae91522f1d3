/*
 * What became of a machine since it was compared; and a source whose disks
 * wait for a guest that was never continued.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "core/changes.h"
#include "core/preflight-private.h"
#include "good-facts.h"
#include "qmp/parse.h"

static void expect(char *found, const char *expected)
{
    if (!expected) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, expected);
    }
    free(found);
}

static void devices(void **state)
{
    struct qmp_device old[] = {
        { T("/machine/peripheral/vd0"), T("vd0"), T("virtio-blk-pci"), NULL },
        { T("/machine/peripheral-anon/device[0]"), NULL, T("usb-kbd"), NULL },
        { T(""), NULL, T("PCI 8086:2918"), T("pci 1f.0") },
    };
    struct qmp_device new[] = { old[0], old[1], old[0] };
    const struct qmp_machine before = { .device_count = 3, .device = old };
    struct qmp_machine now = { .device_count = 2, .device = new };

    (void)state;
    expect(changed_device(&before, &now), NULL);
    now.device_count = 1;
    expect(changed_device(&before, &now),
           "device /machine/peripheral-anon/device[0] was unplugged");
    now.device_count = 3;
    new[2].path = T("/machine/peripheral/vd1");
    new[2].id = T("vd1");
    expect(changed_device(&before, &now),
           "device vd1 (virtio-blk-pci) was plugged");
    now.device_count = 2;
    new[1].type = T("usb-mouse");
    expect(changed_device(&before, &now),
           "device /machine/peripheral-anon/device[0] (usb-mouse) was plugged "
           "in the place of another");
}

static void disks(void **state)
{
    struct qmp_bitmap one = { .name = T("backup") };
    struct qmp_bitmap ours = { .name = T("qm-1a2b3c4d-export0-written") };
    struct qmp_disk old = { .qdev = T("vd0"),
                            .qom_path = T("/machine/peripheral/vd0/virtio"),
                            .node_name = T("disk0") };
    struct qmp_disk new = old;
    struct qmp_disk unused = { .node_name = T("spare") };
    struct qmp_disk all[] = { old, unused };
    struct qmp_disks before = { .count = 2, .item = all };
    const struct qmp_disks now = { .count = 1, .item = &new };

    (void)state;
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"), NULL);
    new.bitmaps = (struct qmp_bitmaps){ 1, &ours };
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"), NULL);
    new.bitmaps = (struct qmp_bitmaps){ 1, &one };
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"),
           "disk vd0 has a new bitmap, backup");
    all[0].bitmaps = new.bitmaps;
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"), NULL);
    new.bitmaps.count = 0;
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"),
           "bitmap backup of disk vd0 is gone");
    all[0].bitmaps.count = 0;
    new.node_name = T("overlay");
    expect(changed_disk(&before, &now, "qm-1a2b3c4d"),
           "disk vd0 has another image: node overlay, which was disk0");
}

/* As 7.2.22 shows a raw disk, with what its device is granted. */
static bool waits(const char *granted)
{
    CLEANUP_FREE char *text = xasprintf(
        "{\"nodes\": [{\"id\": 1, \"type\": \"block-driver\", \"name\": "
        "\"disk0\"}, {\"id\": 2, \"type\": \"block-driver\", \"name\": "
        "\"file0\"}, {\"id\": 3, \"type\": \"block-backend\", \"name\": "
        "\"/machine/peripheral/vd0/virtio-backend\"}], \"edges\": ["
        "{\"parent\": 1, \"child\": 2, \"name\": \"file\", \"perm\": [], "
        "\"shared-perm\": []}, {\"parent\": 3, \"child\": 1, \"name\": "
        "\"root\", \"perm\": [%s], \"shared-perm\": []}]}",
        granted);
    struct json_object *graph = json_tokener_parse(text);
    struct qmp_disk disk = { .qdev = T("vd0"), .node_name = T("disk0") };
    const struct qmp_disks all = { .count = 1, .item = &disk };
    bool found = waiting_parse(graph, &all);

    json_object_put(graph);
    return found;
}

static void disks_that_wait(void **state)
{
    (void)state;
    assert_true(waits(""));
    assert_false(waits("\"consistent-read\""));
    assert_false(waits("\"write\", \"consistent-read\""));
}

static void sources_that_wait(void **state)
{
    static const struct {
        enum qmp_wait wait;
        enum migration_status status;
        const char *expected; /* NULL: it may be moved */
    } table[] = {
        { QMP_WAITS_NOT, MIGRATION_COMPLETED, NULL },
        { QMP_WAITS, MIGRATION_COMPLETED, "was never continued" },
        { QMP_WAITS, MIGRATION_FAILED, "was never continued" },
        { QMP_WAITS_UNKNOWN, MIGRATION_NONE, NULL },
        { QMP_WAITS_UNKNOWN, MIGRATION_COMPLETED, "cannot determine whether" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct good_facts g;
        CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
        CLEANUP_FREE char *text = NULL;

        good_facts_init(&g);
        g.f.side[SOURCE].run_state =
            (struct qmp_run_state){ .status = T("paused") };
        g.f.side[SOURCE].disks_wait = table[i].wait;
        g.f.side[SOURCE].migration.status = table[i].status;
        preflight_run_state(&g.f, &v);
        text = verdicts_as_text(&v, VERDICT_BLOCKER);
        if (table[i].expected) {
            assert_non_null(strstr(text, table[i].expected));
        } else {
            assert_string_equal(text, "");
        }
        plan_done(&g.plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices),
        cmocka_unit_test(disks),
        cmocka_unit_test(disks_that_wait),
        cmocka_unit_test(sources_that_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
