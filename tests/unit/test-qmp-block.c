/*
 * The typed commands of disks, jobs and NBD: what is sent, and what replies
 * mean.  The replies were taken from QEMU 7.2.22, 10.0.2 and 11.1.3.
 */
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "fake-qmp.h"
#include "qmp/block.h"
#include "qmp/parse.h"

static int setup(void **state)
{
    *state = fake_new();
    return 0;
}

static int teardown(void **state)
{
    fake_free(*state);
    return 0;
}

static void assert_error(struct qm_error *err, enum qm_error_code code,
                         const char *message)
{
    assert_string_equal(err->message, message);
    assert_int_equal(err->code, code);
    error_clear(err);
}

/* --- what is sent ------------------------------------------------------- */

static void test_nbd_commands(void **state)
{
    struct qmp *q = *state;
    struct qmp_nbd_server server = { .host = "2001:db8::2", .port = 49153 };
    struct qmp_nbd_node node = {
        .node_name = "qm-disk0",
        .host = "192.0.2.2",
        .port = 49153,
        .export_name = "vd0",
        .limit_ms = 15000,
    };

    assert_int_equal(qmp_nbd_server_start(q, &server, NULL), 0);
    server.tls_creds = "qm-tls";
    assert_int_equal(qmp_nbd_server_start(q, &server, NULL), 0);
    assert_int_equal(qmp_export_add(q, "qm-e0", "d0", "vd0", true, false, NULL),
                     0);
    assert_int_equal(qmp_nbd_server_stop(q, NULL), 0);
    assert_int_equal(qmp_blockdev_add_nbd(q, &node, NULL), 0);
    node.tls_creds = "qm-tls";
    node.tls_hostname = "b.example";
    node.discard_unmap = true;
    assert_int_equal(qmp_blockdev_add_nbd(q, &node, NULL), 0);
    assert_int_equal(qmp_blockdev_del(q, "qm-disk0", NULL), 0);
    assert_string_equal(
        fake_trace(q),
        "blocking: nbd-server-start {'addr':{'type':'inet',"
        "'data':{'host':'2001:db8::2','port':'49153'}}}\n"
        "blocking: nbd-server-start {'addr':{'type':'inet',"
        "'data':{'host':'2001:db8::2','port':'49153'}},"
        "'tls-creds':'qm-tls'}\n"
        "blocking: block-export-add {'type':'nbd','id':'qm-e0',"
        "'node-name':'d0','name':'vd0','writable':true}\n"
        "blocking: nbd-server-stop\n"
        "15000 ms: blockdev-add {'driver':'nbd','node-name':'qm-disk0',"
        "'server':{'host':'192.0.2.2','port':'49153','type':'inet'},"
        "'export':'vd0','discard':'ignore'}\n"
        "15000 ms: blockdev-add {'driver':'nbd','node-name':'qm-disk0',"
        "'server':{'host':'192.0.2.2','port':'49153','type':'inet'},"
        "'export':'vd0','tls-creds':'qm-tls','tls-hostname':'b.example',"
        "'discard':'unmap'}\n"
        "blocking: blockdev-del {'node-name':'qm-disk0'}\n");
}

static void test_reading_commands(void **state)
{
    struct qmp *q = *state;
    struct qmp_nbd_server server = { .path = "/run/vm/qm.nbd" };

    assert_int_equal(qmp_nbd_server_start(q, &server, NULL), 0);
    assert_int_equal(qmp_bitmap_add(q, "d0", "b0", 65536, NULL), 0);
    assert_int_equal(qmp_export_add_reading(q, "e0", "d0", NULL, NULL), 0);
    assert_int_equal(qmp_bitmap_disable(q, "d0", "b0", NULL), 0);
    assert_int_equal(qmp_export_add_reading(q, "e1", "d0", "b0", NULL), 0);
    assert_int_equal(qmp_bitmap_remove(q, "d0", "b0", NULL), 0);
    assert_string_equal(
        fake_trace(q),
        "blocking: nbd-server-start {'addr':{'type':'unix',"
        "'data':{'path':'/run/vm/qm.nbd'}}}\n"
        "blocking: block-dirty-bitmap-add {'node':'d0','name':'b0',"
        "'granularity':65536}\n"
        "blocking: block-export-add {'type':'nbd','id':'e0',"
        "'node-name':'d0','name':'e0','writable':false}\n"
        "blocking: block-dirty-bitmap-disable {'node':'d0','name':'b0'}\n"
        "blocking: block-export-add {'type':'nbd','id':'e1',"
        "'node-name':'d0','name':'e1','writable':false,'bitmaps':['b0']}\n"
        "blocking: block-dirty-bitmap-remove {'node':'d0','name':'b0'}\n");
}

static void test_mirror_commands(void **state)
{
    struct qmp *q = *state;
    struct qmp_mirror m = {
        .job_id = "qm-j0",
        .device = "d0",
        .target = "qm-disk0",
        .sync = "full",
    };

    assert_int_equal(qmp_blockdev_mirror(q, &m, NULL), 0);
    m.write_blocking = true;
    m.speed_bps = 1000000;
    assert_int_equal(qmp_blockdev_mirror(q, &m, NULL), 0);
    assert_int_equal(qmp_block_job_cancel(q, "qm-j0", NULL), 0);
    assert_int_equal(qmp_block_job_write_blocking(q, "qm-j0", NULL), 0);
    assert_int_equal(qmp_job_dismiss(q, "qm-j0", NULL), 0);
    assert_string_equal(
        fake_trace(q),
        "blocking: blockdev-mirror {'job-id':'qm-j0','device':'d0',"
        "'target':'qm-disk0','sync':'full','copy-mode':'background',"
        "'on-source-error':'report','on-target-error':'report','speed':0,"
        "'auto-dismiss':false}\n"
        "blocking: blockdev-mirror {'job-id':'qm-j0','device':'d0',"
        "'target':'qm-disk0','sync':'full','copy-mode':'write-blocking',"
        "'on-source-error':'report','on-target-error':'report',"
        "'speed':1000000,'auto-dismiss':false}\n"
        "blocking: block-job-cancel {'device':'qm-j0'}\n"
        "control: block-job-change {'id':'qm-j0','type':'mirror',"
        "'copy-mode':'write-blocking'}\n"
        "control: job-dismiss {'id':'qm-j0'}\n");
}

static void test_writes(void **state)
{
    struct qmp *q = *state;
    struct qmp_writes_list list = { 0 };

    fake_reply(q, "[{'device':'','node-name':'disk0','qdev':'vd0','stats':"
                  "{'wr_operations':12,'wr_total_time_ns':34000000000}},"
                  "{'device':'cd0','stats':{'wr_operations':0}},"
                  "{'node-name':'disk1'}]");
    assert_int_equal(
        qmp_finish_query_writes(qmp_send_query_writes(q), &list, NULL), 0);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.item[0].node_name, "disk0");
    assert_int_equal(list.item[0].writes, 12);
    assert_int_equal(list.item[0].total_ns, 34000000000);
    qmp_writes_list_done(&list);
}

/* --- disks -------------------------------------------------------------- */

static char *print_disks(const struct qmp_disks *disks)
{
    struct buffer b = { .data = NULL };

    for (size_t i = 0; i < disks->count; i++) {
        const struct qmp_disk *d = &disks->item[i];

        buffer_printf(&b, "%s: ", d->qdev ? d->qdev : "nobody");
        if (d->tray_empty) {
            buffer_printf(&b, "empty\n");
            continue;
        }
        buffer_printf(
            &b, "%s%s %s, %llu bytes%s%s%s%s%s%s, on %s %s\n", d->device,
            *d->device ? ":" : "", d->driver,
            (unsigned long long)d->virtual_size,
            d->read_only ? ", read-only" : "",
            d->removable ? ", removable" : "", d->has_backing ? ", backed" : "",
            d->is_pflash ? ", pflash" : "", d->bitmaps.count ? ", bitmaps" : "",
            d->is_cached ? ", cached" : "",
            d->protocol ? d->protocol : "nothing known",
            d->protocol_filename ? d->protocol_filename : "");
    }
    return b.data;
}

static const char expected_disks[] =
    "/machine/system.flash1: pflash1: raw, 4194304 bytes, read-only, pflash, "
    "cached, on file /vm/pf1\n"
    "/machine/peripheral-anon/device[0]: drv2: qcow2, 16777216 bytes, "
    "cached, on file /vm/d.qcow2\n"
    "ide0: cd0: raw, 2097152 bytes, read-only, removable, "
    "cached, on file /vm/cd.iso\n"
    "/machine/system.flash0:  raw, 4194304 bytes, pflash, cached, on file /vm/pf0\n"
    "vd0:  raw, 33554432 bytes, cached, on file /vm/a.raw\n"
    "sd0:  qcow2, 67108864 bytes, backed, cached, on file /vm/c.qcow2\n"
    "idee: empty\n";

static void test_disks_of_real_qemus(void **state)
{
    static const char *const names[] = { "qemu-7.2.json", "qemu-10.0.json",
                                         "qemu-11.1.json" };
    struct qmp *q = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
        CLEANUP_FREE char *text = NULL;

        fake_load(q, names[i]);
        assert_int_equal(qmp_query_disks(q, NULL, &disks, NULL), 0);
        text = print_disks(&disks);
        assert_string_equal(text, expected_disks);
    }
}

/* One disk with NODES; what is said of it. */
static char *one_disk(const char *inserted, const char *nodes)
{
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    CLEANUP_FREE char *text =
        xasprintf("[{'device':'','qdev':'vd0','inserted':%s}]", inserted);
    struct json_object *a = fake_json(text), *b = fake_json(nodes);
    struct qm_error err = QM_ERROR_INIT;
    char *result;

    if (disks_parse(a, b, &disks, &err) < 0) {
        result = xstrdup(err.message);
        error_clear(&err);
    } else {
        result = print_disks(&disks);
    }
    json_object_put(a);
    json_object_put(b);
    return result;
}

/* What an image is like, so that another can be made like it. */
static void test_image(void **state)
{
    struct json_object *image = fake_json(
        "{'virtual-size':1024,'actual-size':100,'cluster-size':131072,"
        "'snapshots':[{'id':'1','name':'a'},{'id':'2','name':''}],"
        "'backing-image':{'actual-size':20,'filename':'/b','snapshots':"
        "[{'id':'1','name':'old'}],'backing-image':{'actual-size':3}},"
        "'format-specific':{'type':'qcow2','data':{'compat':'1.1',"
        "'bitmaps':[{'name':'daily','flags':['auto']}],"
        "'extended-l2':true,'refcount-bits':16}}}");
    struct json_object *raw =
        fake_json("{'virtual-size':512,'format-specific':{'type':'file',"
                  "'data':{'compat':'no'}}}");
    struct qmp_disk d = { .qdev = NULL }, plain = { .qdev = NULL };

    (void)state;
    image_parse(image, &d);
    assert_int_equal(d.virtual_size, 1024);
    assert_int_equal(d.allocated, 123);
    assert_int_equal(d.cluster_size, 131072);
    assert_true(d.extended_l2);
    assert_int_equal(d.snapshots.count, 2);
    assert_string_equal(d.snapshots.item[0], "a");
    assert_string_equal(d.snapshots.item[1], "2");
    assert_int_equal(d.chain_snapshots.count, 1);
    assert_string_equal(d.chain_snapshots.item[0], "old of /b");
    assert_int_equal(d.stored_bitmaps.count, 1);
    assert_string_equal(d.stored_bitmaps.item[0], "daily");
    assert_int_equal(d.refcount_bits, 16);
    assert_string_equal(d.compat, "1.1");
    image_parse(raw, &plain);
    assert_int_equal(plain.allocated, 0);
    assert_int_equal(plain.cluster_size, 0);
    assert_null(plain.compat);
    free(d.compat);
    strv_done(&d.snapshots);
    strv_done(&d.chain_snapshots);
    strv_done(&d.stored_bitmaps);
    json_object_put(image);
    json_object_put(raw);
}

/* As QEMU 7.2 and 10.0 describe them. */
static void test_encryption(void **state)
{
#define FILE_OF(name) "'file':{'driver':'file','filename':'" name "'}"
    static const struct {
        const char *file, *inserted;
        bool is, below;
    } rows[] = {
        { "/a", "", false, false },
        { "/a", ",'encrypted':true", true, false },
        { "/a", ",'image':{'encrypted':true}", true, false },
        { "json:{'driver':'luks','key-secret':'k'," FILE_OF("/a") "}", "", true,
          false },
        { "json:{'driver':'raw','file':{'driver':'luks','key-secret':'k'," FILE_OF(
              "/a") "}}",
          "", true, false },
        { "json:{'driver':'copy-on-read','file':{'encrypt.key-secret':'k',"
          "'driver':'qcow2'," FILE_OF("/a") "}}",
          "", true, false },
        { "json:{'driver':'qcow2'," FILE_OF(
              "/a") ",'data-file':{'driver':'luks'," FILE_OF("/d") "}}",
          "", true, false },
        { "json:{'driver':'qcow2','data-file':{'driver':'raw'," FILE_OF(
              "/d") "},'file':{'driver':'luks'," FILE_OF("/a") "}}",
          "", false, true },
        { "json:{'driver':'qcow2'," FILE_OF(
              "/a") ",'backing':{'driver':'luks'," FILE_OF("/b") "}}",
          "", false, true },
        { "json:{'driver':'quorum','children':[{'driver':'raw'},{'driver':"
          "'luks'}]}",
          "", false, true },
        { "/a", ",'image':{'backing-image':{'encrypted':true}}", false, true },
        { "/a",
          ",'image':{'backing-image':{'filename':'json:{\\\"driver\\\":"
          "\\\"luks\\\"}'}}",
          false, true },
        { "json:{", "", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = xasprintf("{'node-name':'n'%s}", rows[i].inserted);
        char *file = xstrdup(rows[i].file);
        struct json_object *inserted;
        struct qmp_disk d = { .qdev = NULL };

        for (char *c = file; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        inserted = fake_json(text);
        json_object_object_add(inserted, "file", json_object_new_string(file));
        encryption_parse(inserted, &d);
        if (d.is_encrypted != rows[i].is ||
            d.chain_is_encrypted != rows[i].below)
            fail_msg("row %zu: %d %d", i, d.is_encrypted, d.chain_is_encrypted);
        json_object_put(inserted);
        free(text);
        free(file);
    }
#undef FILE_OF
}

/* Where its property `drive` is. */
static void test_qom_path(void **state)
{
    struct json_object *block = fake_json(
        "[{'device':'','qdev':'/machine/peripheral/vd0/virtio-backend'},"
        "{'device':'','qdev':'sd0'},{'device':'floppy0'}]");
    struct json_object *nodes = fake_json("[]");
    struct qmp_disks disks = { 0 };

    (void)state;
    assert_int_equal(disks_parse(block, nodes, &disks, NULL), 0);
    assert_string_equal(disks.item[0].qom_path,
                        "/machine/peripheral/vd0/virtio-backend");
    assert_string_equal(disks.item[1].qom_path, "/machine/peripheral/sd0");
    assert_null(disks.item[2].qom_path);
    qmp_disks_done(&disks);
    json_object_put(block);
    json_object_put(nodes);
}

static void test_odd_disks(void **state)
{
    static const struct {
        const char *inserted, *nodes, *expected;
    } table[] = {
        /* a slice of a block device has no filename of its own */
        { "{'node-name':'n','drv':'raw','ro':false,'image':"
          "{'virtual-size':512},'file':'json:{@driver@:@raw@,@size@:512,"
          "@file@:{@driver@:@host_device@,@filename@:@/dev/vg/x@}}'}",
          "[]", "vd0:  raw, 512 bytes, on host_device /dev/vg/x\n" },
        /* a filter without a name of its own; children go before names */
        { "{'node-name':'n','drv':'throttle','ro':false,'image':"
          "{'virtual-size':512},'file':'/a'}",
          "[{'node-name':'n','drv':'throttle','children':["
          "{'child':'file','node-name':'m'}]},"
          "{'node-name':'m','drv':'qcow2','children':["
          "{'child':'backing','node-name':'x'},"
          "{'child':'file','node-name':'p'}]},"
          "{'node-name':'x','drv':'file','file':'/a'},"
          "{'node-name':'p','drv':'nbd','file':'nbd://h:1/e'}]",
          "vd0:  throttle, 512 bytes, on nbd nbd://h:1/e\n" },
        /* a chain that bites its tail */
        { "{'node-name':'n','drv':'raw','ro':false,'image':"
          "{'virtual-size':512}}",
          "[{'node-name':'n','drv':'raw','children':["
          "{'child':'file','node-name':'n'}]}]",
          "vd0:  raw, 512 bytes, on nothing known \n" },
        /* bitmaps of jobs do not count, those with names do */
        { "{'node-name':'n','drv':'raw','image':{'virtual-size':512},"
          "'dirty-bitmaps':[{'granularity':65536,'count':0}]}",
          "[]", "vd0:  raw, 512 bytes, on nothing known \n" },
        { "{'node-name':'n','drv':'raw','image':{'virtual-size':512},"
          "'dirty-bitmaps':[{'name':'b'}]}",
          "[]", "vd0:  raw, 512 bytes, bitmaps, on nothing known \n" },
        { "{'drv':'raw','image':{'virtual-size':512}}", "[]",
          "QEMU's reply has no \"node-name\", or one of the wrong type" },
        { "{'node-name':'n','image':{'virtual-size':512}}", "[]",
          "QEMU's reply has no \"drv\", or one of the wrong type" },
        { "{'node-name':'n','drv':'raw'}", "[]",
          "QEMU's reply has no \"virtual-size\", or one of the wrong type" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP_FREE char *inserted = xstrdup(table[i].inserted);
        CLEANUP_FREE char *escaped = NULL;
        CLEANUP_FREE char *text = NULL;
        struct buffer b = { .data = NULL };

        /* @ is a " within a string */
        for (const char *p = inserted; *p; p++) {
            buffer_append(&b, *p == '@' ? "\\\"" : p, *p == '@' ? 2 : 1);
        }
        escaped = b.data;
        text = one_disk(escaped, table[i].nodes);
        assert_string_equal(text, table[i].expected);
    }
}

/* Of several nodes over that file the first that reads in that format. */
static void test_backing(void **state)
{
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    struct json_object *block = fake_json(
        "[{'device':'','inserted':{'node-name':'n','drv':'qcow2','ro':false,"
        "'backing_file_depth':1,'image':{'virtual-size':1024,'backing-image':"
        "{'filename':'/base','format':'raw','virtual-size':512,"
        "'backing-image':{'filename':'/root','format':'qcow2'}}}}}]");
    struct json_object *nodes =
        fake_json("[{'node-name':'n','drv':'qcow2','file':'/top','ro':false,"
                  "'dirty-bitmaps':[{'name':'of the disk'}]},"
                  "{'node-name':'p','drv':'file','file':'/base','ro':true},"
                  "{'node-name':'w','drv':'raw','file':'/base','ro':false},"
                  "{'node-name':'#block1','drv':'raw','file':'/base','ro':true,"
                  "'dirty-bitmaps':[{'name':'a'},{'count':0},{'name':'b'}]}]");

    (void)state;
    assert_int_equal(disks_parse(block, nodes, &disks, NULL), 0);
    assert_true(disks.item[0].has_backing);
    assert_string_equal(disks.item[0].backing_file, "/base");
    assert_string_equal(disks.item[0].backing_node, "#block1");
    assert_int_equal(disks.item[0].backing_size, 512);
    assert_int_equal(disks.other_bitmaps.count, 1);
    assert_string_equal(disks.other_bitmaps.item[0], "#block1 (a, b)");
    assert_int_equal(disks.item[0].chain_file.count, 2);
    assert_string_equal(disks.item[0].chain_file.item[0], "/base");
    assert_string_equal(disks.item[0].chain_format.item[1], "qcow2");
    json_object_put(block);
    json_object_put(nodes);
}

/* --- jobs --------- ---------------------------------------------------- */

static void test_jobs(void **state)
{
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP(qmp_jobs_done) struct qmp_jobs jobs = { 0 };
    struct json_object *a = fake_json(
        "[{'current-progress':33554432,'status':'ready',"
        "'total-progress':33554440,'type':'mirror','id':'qm-j'},"
        "{'current-progress':1,'status':'concluded','total-progress':2,"
        "'type':'mirror','id':'qm-k','error':'Input/output error'}]");
    struct json_object *b =
        fake_json("[{'auto-finalize':true,'io-status':'ok','device':'qm-j',"
                  "'auto-dismiss':false,'busy':false,'len':33554432,"
                  "'offset':33554432,'status':'ready','paused':false,'speed':0,"
                  "'ready':true,'type':'mirror','actively-synced':true}]");
    struct json_object *bad = fake_json("[{'id':'x'}]");
    const struct qmp_job *job;

    (void)state;
    assert_int_equal(jobs_parse(a, b, &jobs, NULL), 0);
    assert_int_equal(jobs.count, 2);
    job = qmp_jobs_find(&jobs, "qm-j");
    assert_string_equal(job->type, "mirror");
    assert_string_equal(job->status, "ready");
    assert_int_equal(job->current, 33554432);
    assert_int_equal(job->total, 33554440);
    assert_true(job->actively_synced);
    assert_null(job->error);
    job = qmp_jobs_find(&jobs, "qm-k");
    assert_string_equal(job->error, "Input/output error");
    assert_false(job->actively_synced);
    assert_null(qmp_jobs_find(&jobs, "qm-l"));

    assert_int_equal(jobs_parse(bad, b, &jobs, &err), -1);
    assert_error(&err, QM_ERR_PROTOCOL,
                 "QEMU's reply has no \"status\", or one of the wrong type");
    json_object_put(a);
    json_object_put(b);
    json_object_put(bad);
}

static void test_events(void **state)
{
    static const struct {
        const char *name, *data, *id, *status, *error;
    } table[] = {
        { "JOB_STATUS_CHANGE", "{'status':'ready','id':'j'}", "j", "ready",
          NULL },
        { "BLOCK_JOB_READY", "{'device':'j','len':1,'offset':1,'speed':0}", "j",
          NULL, NULL },
        { "BLOCK_JOB_COMPLETED", "{'device':'j','error':'No space'}", "j", NULL,
          "No space" },
        { "BLOCK_JOB_CANCELLED", "{'device':'j'}", "j", NULL, NULL },
        { "BLOCK_JOB_ERROR", "{'device':'j','operation':'write'}", "j", NULL,
          NULL },
        { "BLOCK_JOB_ERROR", "{'device':'j','operation':'read'}", "j", NULL,
          NULL },
        { "BLOCK_JOB_PENDING", "{'id':'j'}", NULL, NULL, NULL },
        { "BLOCK_JOB_READY", "{}", NULL, NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct qmp_event e = { .name = table[i].name,
                               .data = fake_json(table[i].data) };
        struct qmp_job_event job = { .id = NULL };

        assert_int_equal(qmp_event_is_job(&e, &job), table[i].id != NULL);
        if (table[i].id)
            assert_int_equal(job.write_failed,
                             strstr(table[i].data, "'write'") != NULL);
        assert_true(str_equal(job.id, table[i].id));
        assert_true(str_equal(job.status, table[i].status));
        assert_true(str_equal(job.error, table[i].error));
        json_object_put(e.data);
    }
}

static void test_names_of_devices(void **state)
{
    static const struct {
        const char *device, *qdev, *expected;
    } table[] = {
        { "", "sd0", "sd0" },
        { "", "/machine/peripheral/vd0/virtio-backend", "vd0" },
        { "virtio0", "/machine/peripheral-anon/device[0]/virtio-backend",
          "/machine/peripheral-anon/device[0]" },
        /* 7.2 and 10.0, the same -hda */
        { "ide0-hd0", "/machine/unattached/device[18]", "ide0-hd0" },
        { "ide0-hd0", "/machine/unattached/device[15]", "ide0-hd0" },
        { "", "/machine/unattached/device[15]",
          "/machine/unattached/device[15]" },
        { "pflash0", "/machine/system.flash0", "/machine/system.flash0" },
        { "sd0", "", NULL },
    };
    struct json_object *nodes = fake_json("[]");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
        CLEANUP_FREE char *text = xasprintf("[{'device':'%s','qdev':'%s'}]",
                                            table[i].device, table[i].qdev);
        struct json_object *block = fake_json(text);

        assert_int_equal(disks_parse(block, nodes, &disks, NULL), 0);
        assert_true(str_equal(disks.item[0].qdev, table[i].expected));
        json_object_put(block);
    }
    json_object_put(nodes);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nbd_commands),
        TEST(test_writes),
        TEST(test_reading_commands),
        TEST(test_mirror_commands),
        TEST(test_disks_of_real_qemus),
        TEST(test_image),
        TEST(test_encryption),
        TEST(test_qom_path),
        TEST(test_odd_disks),
        TEST(test_backing),
        TEST(test_jobs),
        TEST(test_events),
        TEST(test_names_of_devices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
