/*
 * The choice of disks: what is copied where to, and what forbids it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "core/preflight-private.h"
#include "good-facts.h"

/* "vd0 -> disk0: REASON" a disk that is copied, "vd0 shared: REASON", then the
 * verdicts. */
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

        buffer_printf(&b, "%s ", disk_label(&g->disk[SOURCE][one->source]));
        assert_int_equal(one->copy, one->verdict == DISK_COPY);
        if (one->copy) {
            buffer_printf(&b, "-> %s: ",
                          disk_label(&g->disk[DESTINATION][one->destination]));
        } else {
            buffer_printf(&b, "%s: ", disk_verdict_word(one->verdict));
        }
        buffer_printf(&b, "%s\n", one->reason);
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
                                                   .device = 7 + i };
        snprintf(g->file[side][i].block_id, sizeof(g->file[side][i].block_id),
                 "hw:naa.%d%zu~local", side, i);
        g->f.side[side].disks.count = i + 1;
    }
    if (node) {
        good_facts_stand(g, i);
    }
    return i;
}

static void name_disk(struct good_facts *g, const char *id)
{
    g->plan.disks = DISKS_LIST;
    strv_add(&g->plan.disk_ids, id);
}

static void share_disk(struct good_facts *g, const char *id)
{
    strv_add(&g->plan.shared_ids, id);
}

static void on_one_machine(struct good_facts *g)
{
    DST->process.place.boot_id[0] = SRC->process.place.boot_id[0];
}

/* Both images lie on such a file system. */
static void lie_on(struct good_facts *g, const char *source_type,
                   const char *destination_type)
{
    snprintf(g->file[SOURCE][0].fs_type, sizeof(g->file[SOURCE][0].fs_type),
             "%s", source_type);
    snprintf(g->file[DESTINATION][0].fs_type,
             sizeof(g->file[DESTINATION][0].fs_type), "%s", destination_type);
}

/* The first disk is a block device that says this of itself. */
static void be_devices(struct good_facts *g, const char *source_id,
                       const char *destination_id)
{
    const char *ids[SIDES] = { source_id, destination_id };

    for (int side = 0; side < SIDES; side++) {
        struct file_identity *f = &g->file[side][0];

        *f = (struct file_identity){ .known = true,
                                     .is_block_device = true,
                                     .device = 8 };
        snprintf(f->block_id, sizeof(f->block_id), "%s", ids[side]);
        g->disk[side][0].protocol = T("host_device");
    }
}

#include "disks-spoil.h"

#include "disks-cases.h"

#include "disks-devices.h"
#include "disks-graphs.h"
#include "disks-read-only.h"

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

/* Nobody reads a disk whose bytes decide nothing. */
static void only_what_tells_is_read(void **state)
{
    static const struct {
        void (*spoil)(struct good_facts *g);
        bool read;
    } wanted[] = {
        { cd_nobody_compared, true },
        { cd_perhaps_shared, true },
        { cd_differs_and_all_are_asked_for, true },
        { cd_is_one_file, false },
        { cd_is_shared_and_cached, false },
        { cd_of_another_size, false },
        { cd_over_a_backing_file, false },
        { cd_over_a_data_file, false },
        { cd_is_another_part_of_an_equal_file, false },
        { cd_in_two_formats, false },
        { cd_differs_and_none_is_asked_for, true },
        { cd_differs_and_is_not_named, true },
        { cd_is_said_to_be_shared, false },
        { cd_too_large_to_read, false },
        { medium_gone_there_and_named, false },
        { medium_only_there, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct good_facts g;

        good_facts_init(&g);
        wanted[i].spoil(&g);
        assert_false(facts_need_digest(&g.f, 0, 0)); /* it is writable */
        assert_int_equal(facts_need_digest(&g.f, 1, 1), wanted[i].read);
        plan_done(&g.plan);
    }
}

/* One name on both sides: of one thing, or of something near each. */
static void names_of_network_images(void **state)
{
    static const struct {
        const char *protocol, *name;
        bool same;
    } names[] = {
        { "nbd", "nbd://198.51.100.9:10809/vm", true },
        { "nbd", "nbd://2001:db8::1:10809/vm", true },
        { "rbd",
          "json:{\"driver\": \"rbd\", \"pool\": \"p\", \"server\": "
          "[{\"host\": \"198.51.100.9\", \"port\": \"3300\"}]}",
          true },
        { "iscsi", "json:{\"portal\": \"198.51.100.9:3260\", \"lun\": 1}",
          true },
        { "nfs", "nfs://nas.example.com/vm/disk", true },
        { "https", "https://me@mirror.example.org:8443/vm.iso", true },
        { "ssh", "json:{\"path\": \"/vm\", \"server.host\": \"a.b.cz\"}",
          true },
        { "rbd", "json:{\"driver\": \"rbd\", \"pool\": \"p\"}", false },
        { "rbd", "json:{\"conf\": \"/etc/ceph/b.conf\", \"pool\": \"p\"}",
          false },
        { "nbd", "nbd://10.0.0.9:10809/vm", false },
        { "nbd", "nbd://172.31.0.9:10809/vm", false },
        { "nbd", "nbd://100.64.0.9:10809/vm", false },
        { "nbd", "nbd://192.168.127.9:10809/vm", false },
        { "nbd", "nbd://169.254.0.9:10809/vm", false },
        { "nbd", "nbd://fd00::9:10809/vm", false },
        { "nbd", "nbd://fe80::9:10809/vm", false },
        { "nbd", "nbd://::ffff:10.0.0.9:10809/vm", false },
        { "iscsi", "json:{\"portal\": \"san:3260\", \"lun\": 1}", false },
        { "iscsi", "json:{\"portal\": \"[fd00::1]:3260\"}", false },
        { "nfs", "nfs://nas/vm/disk", false },
        { "nfs", "nfs://nas.local/vm/disk", false },
        { "gluster", "gluster://node1/vol/disk", false },
        { "http", "http://127.1/vm.iso", false },
        { "http", "http://0x7f.1/vm.iso", false },
        { "nbd", "nbd://127.0.0.1:10809/vm", false },
        { "nbd", "nbd://::1:10809/vm", false },
        { "nbd", "nbd://localhost:10809/vm", false },
        { "nbd", "nbd+unix:///vm?socket=/run/nbd", false },
        { "nbd", "json:{\"server\": {\"type\": \"fd\"}}", false },
        { "nbd", "json:{\"server\": {\"type\": \"vsock\"}}", false },
        { "gluster", "gluster+unix:///vol/disk", false },
        { "http", "http://[::1]/vm.iso", false },
        { "nvme", "nvme://0000:44:00.0/1", false },
        { "nvme-io_uring", "/dev/ng0n1", false },
        { "io_uring", "/srv/vm.raw", false },
        { "virtio-blk-vhost-user", "/run/vhost", false },
        { "vvfat", "json:{\"driver\": \"vvfat\", \"dir\": \"/c\"}", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct good_facts g;

        good_facts_init(&g);
        for (int side = 0; side < SIDES; side++) {
            g.disk[side][0].protocol = T(names[i].protocol);
            g.disk[side][0].protocol_filename = T(names[i].name);
            g.file[side][0].known = false;
        }
        if (facts_storage(&g.f, 0, 0).relation !=
            (names[i].same ? STORAGE_SAME : STORAGE_UNKNOWN)) {
            fail_msg("%s is %staken for one image", names[i].name,
                     names[i].same ? "not " : "");
        }
        on_one_machine(&g); /* where it must not be copied onto itself */
        assert_int_equal(facts_storage(&g.f, 0, 0).relation,
                         names[i].same ? STORAGE_SAME : STORAGE_PERHAPS);
        plan_done(&g.plan);
    }
}

static void add_tests(struct CMUnitTest *ret, const struct disks_case *c,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct CMUnitTest){
            .name = c[i].name,
            .test_func = words_are_as_expected,
            .initial_state = (void *)&c[i],
        };
    }
}

int main(void)
{
    struct CMUnitTest tests[3 + ARRAY_LEN(cases) + ARRAY_LEN(read_only_cases) +
                            ARRAY_LEN(devices_cases) +
                            ARRAY_LEN(graphs_cases)] = {
        cmocka_unit_test(preflight_says_the_same),
        cmocka_unit_test(only_what_tells_is_read),
        cmocka_unit_test(names_of_network_images),
    };
    struct CMUnitTest *at = tests + 3;

    add_tests(at, cases, ARRAY_LEN(cases));
    at += ARRAY_LEN(cases);
    add_tests(at, read_only_cases, ARRAY_LEN(read_only_cases));
    at += ARRAY_LEN(read_only_cases);
    add_tests(at, devices_cases, ARRAY_LEN(devices_cases));
    at += ARRAY_LEN(devices_cases);
    add_tests(at, graphs_cases, ARRAY_LEN(graphs_cases));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
