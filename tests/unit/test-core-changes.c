/*
 * What became of a machine since it was compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/changes.h"
#include "core/preflight-private.h"
#include "good-facts.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices),
        cmocka_unit_test(disks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
