/*
 * The typed commands of migration, settings and objects: what is sent, and what replies
 * mean.  The replies were taken from QEMU 7.2.22, 10.0.2 and 11.1.3.
 */
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake-qmp.h"
#include "qmp/block.h"
#include "qmp/migration.h"

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

static void test_migration_commands(void **state)
{
    struct qmp *q = *state;

    assert_int_equal(qmp_migrate(q, "tcp:192.0.2.2:49152", NULL), 0);
    assert_int_equal(qmp_migrate_incoming(q, "tcp:192.0.2.2:0", false, NULL),
                     0);
    assert_int_equal(qmp_migrate_incoming(q, "tcp:192.0.2.2:0", true, NULL), 0);
    assert_int_equal(qmp_migrate_cancel(q, NULL), 0);
    assert_int_equal(qmp_migrate_continue(q, NULL), 0);
    assert_int_equal(qmp_stop(q, NULL), 0);
    assert_int_equal(qmp_cont(q, NULL), 0);
    assert_int_equal(qmp_announce_self(q, 50, 550, 5, 100, NULL), 0);
    assert_int_equal(qmp_yank_migration(q, NULL), 0);
    assert_int_equal(qmp_yank_node(q, "qm-disk0", NULL), 0);
    assert_string_equal(
        fake_trace(q),
        "control: migrate {'uri':'tcp:192.0.2.2:49152'}\n"
        "control: migrate-incoming {'uri':'tcp:192.0.2.2:0'}\n"
        "control: migrate-incoming {'uri':'tcp:192.0.2.2:0',"
        "'exit-on-error':false}\n"
        "control: migrate_cancel\n"
        "control: migrate-continue {'state':'pre-switchover'}\n"
        "blocking: stop\n"
        "blocking: cont\n"
        "control: announce-self {'initial':50,'max':550,'rounds':5,"
        "'step':100}\n"
        "oob: yank {'instances':[{'type':'migration'}]}\n"
        "oob: yank {'instances':[{'type':'block-node',"
        "'node-name':'qm-disk0'}]}\n");
}

static void test_quit(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;

    assert_int_equal(qmp_quit(q, &err), 0);
    assert_string_equal(fake_trace(q), "control: quit\n(expect the end)\n");

    /* No answer: it may have ended, or never have heard. */
    fake_fail(q, QM_ERR_LINK);
    assert_int_equal(qmp_quit(q, &err), -1);
    assert_error(&err, QM_ERR_LINK, "fake: quit: fails");
    assert_string_equal(fake_trace(q), "control: quit\n");

    fake_fail(q, QM_ERR_TIMEOUT);
    assert_int_equal(qmp_quit(q, &err), -1);
    assert_error(&err, QM_ERR_TIMEOUT, "fake: quit: fails");
}

static void test_objects(void **state)
{
    struct qmp *q = *state;
    CLEANUP(strv_done) struct strv ids = { 0 };

    assert_int_equal(
        qmp_object_add_tls_x509(q, "qm-s", "/etc/pki/qemu", true, NULL, NULL),
        0);
    assert_int_equal(qmp_object_add_tls_x509(q, "qm-c", "/etc/pki/qemu", false,
                                             "NORMAL", NULL),
                     0);
    assert_int_equal(qmp_object_del(q, "qm-s", NULL), 0);
    fake_reply(q, "[{'name':'type','type':'string'},"
                  "{'name':'rng0','type':'child<rng-random>'},"
                  "{'name':'pc.ram','type':'child<memory-backend-ram>'}]");
    assert_int_equal(qmp_query_objects(q, &ids, NULL), 0);
    assert_int_equal(ids.count, 2);
    assert_string_equal(ids.item[0], "rng0");
    assert_string_equal(ids.item[1], "pc.ram");
    assert_string_equal(
        fake_trace(q),
        "blocking: object-add {'qom-type':'tls-creds-x509','id':'qm-s',"
        "'dir':'/etc/pki/qemu','endpoint':'server','verify-peer':true}\n"
        "blocking: object-add {'qom-type':'tls-creds-x509','id':'qm-c',"
        "'dir':'/etc/pki/qemu','endpoint':'client','verify-peer':true,'priority':'NORMAL'}\n"
        "blocking: object-del {'id':'qm-s'}\n"
        "query: qom-list {'path':'/objects'}\n");
}

static void test_names(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP(strv_done) struct strv names = { 0 };

    fake_reply(q, "[{'node-name':'d0','shutting-down':false,'type':'nbd',"
                  "'id':'e0'}]");
    assert_int_equal(qmp_query_exports(q, &names, NULL), 0);
    fake_reply(q, "[{'node-name':'d0'},{'node-name':'d0-f'}]");
    assert_int_equal(qmp_query_nodes(q, &names, NULL), 0);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.item[0], "e0");
    assert_string_equal(names.item[2], "d0-f");
    assert_string_equal(fake_trace(q),
                        "query: query-block-exports\n"
                        "query: query-named-block-nodes {'flat':true}\n");
    fake_reply(q, "[{'id':'e1'},{}]");
    assert_int_equal(qmp_query_exports(q, &names, &err), -1);
    assert_error(&err, QM_ERR_PROTOCOL,
                 "fake: query-block-exports: QEMU's reply has no \"id\", or "
                 "one of the wrong type");
    assert_int_equal(names.count, 3);
}

/* --- settings ----------------------------------------------------------- */

static void test_settings_are_sent(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP(qmp_settings_done) struct qmp_settings s = { 0 };
    CLEANUP(qmp_settings_done) struct qmp_settings caps = { 0 };

    qmp_settings_add_int(&s, "downtime-limit", 20);
    qmp_settings_add_string(&s, "tls-creds", "");
    qmp_settings_add_bool(&s, "cpu-throttle-tailslow", true);
    qmp_settings_add(&s, "max-bandwidth", QMP_SETTING_INT,
                     "18446744073709551615");
    assert_int_equal(qmp_set_parameters(q, &s, &err), 0);
    qmp_settings_add_bool(&caps, "events", true);
    qmp_settings_add_bool(&caps, "xbzrle", false);
    assert_int_equal(qmp_set_capabilities(q, &caps, &err), 0);
    assert_string_equal(fake_trace(q),
                        "control: migrate-set-parameters {'downtime-limit':20,"
                        "'tls-creds':'','cpu-throttle-tailslow':true,"
                        "'max-bandwidth':18446744073709551615}\n"
                        "control: migrate-set-capabilities {'capabilities':["
                        "{'capability':'events','state':true},"
                        "{'capability':'xbzrle','state':false}]}\n");

    qmp_settings_done(&s);
    qmp_settings_add(&s, "block-bitmap-mapping", QMP_SETTING_COMPLEX,
                     "[{\"alias\":\"a\"}]");
    assert_int_equal(qmp_set_parameters(q, &s, &err), 0);
    assert_string_equal(fake_trace(q),
                        "control: migrate-set-parameters "
                        "{'block-bitmap-mapping':[{'alias':'a'}]}\n");
    qmp_settings_add(&s, "cpr-exec-command", QMP_SETTING_COMPLEX, "[");
    assert_int_equal(qmp_set_parameters(q, &s, &err), -1);
    assert_error(&err, QM_ERR_INTERNAL,
                 "fake: migrate-set-parameters: the parameter "
                 "cpr-exec-command cannot be sent with the value [");
    qmp_settings_add_int(&caps, "events", 1);
    assert_int_equal(qmp_set_capabilities(q, &caps, &err), -1);
    assert_error(&err, QM_ERR_INTERNAL,
                 "fake: migrate-set-capabilities: the capability events is "
                 "given a value that is neither on nor off: 1");
    assert_string_equal(fake_trace(q), "");
}

/* An object's members may come back in another order. */
static void test_settings_hold(void **state)
{
    struct qmp_setting s = { .type = QMP_SETTING_COMPLEX,
                             .value = (char *)"[{\"a\":1,\"b\":2}]" };

    (void)state;
    assert_true(qmp_setting_holds(&s, "[{\"b\":2,\"a\":1}]"));
    assert_false(qmp_setting_holds(&s, "[{\"b\":2,\"a\":2}]"));
    assert_false(qmp_setting_holds(&s, "[]"));
    assert_false(qmp_setting_holds(&s, NULL));
    s = (struct qmp_setting){ .type = QMP_SETTING_STRING, .value = (char *)"" };
    assert_true(qmp_setting_holds(&s, ""));
    assert_false(qmp_setting_holds(&s, NULL));
}

static void test_settings_are_read(void **state)
{
    struct qmp *q = *state;
    CLEANUP(qmp_settings_done) struct qmp_settings p = { 0 };
    CLEANUP(qmp_settings_done) struct qmp_settings caps = { 0 };

    fake_load(q, "qemu-11.1.json");
    assert_int_equal(qmp_query_parameters(q, &p, NULL), 0);
    assert_string_equal(qmp_settings_get(&p, "max-bandwidth"), "134217728");
    assert_string_equal(qmp_settings_get(&p, "cpu-throttle-tailslow"), "on");
    assert_string_equal(qmp_settings_get(&p, "tls-creds"), "");
    assert_string_equal(qmp_settings_get(&p, "cpr-exec-command"), "[]");
    assert_null(qmp_settings_get(&p, "compress-level"));
    assert_int_equal(qmp_query_capabilities(q, &caps, NULL), 0);
    assert_string_equal(qmp_settings_get(&caps, "events"), "on");
    assert_string_equal(qmp_settings_get(&caps, "multifd"), "off");
}

/* --- query-migrate and query-status ------------------------------------- */

static const char active[] =
    "{'expected-downtime':20,'status':'pre-switchover','setup-time':60,"
    "'total-time':705,'ram':{'total':294330368,'postcopy-requests':0,"
    "'dirty-sync-count':2,'multifd-bytes':7,'pages-per-second':46171,"
    "'downtime-bytes':0,'page-size':4096,'remaining':4096,"
    "'postcopy-bytes':0,'mbps':14.5,'transferred':958174,"
    "'dirty-sync-missed-zero-copy':0,'precopy-bytes':958174,"
    "'duplicate':71782,'dirty-pages-rate':3,'skipped':0,"
    "'normal-bytes':311296,'normal':76},'cpu-throttle-percentage':20}";

static void test_migrate_active(void **state)
{
    struct qmp *q = *state;
    CLEANUP(qmp_migration_done) struct qmp_migration m = { 0 };

    fake_reply(q, active);
    assert_int_equal(qmp_query_migrate(q, &m, NULL), 0);
    assert_int_equal(m.status, MIGRATION_PRE_SWITCHOVER);
    assert_null(m.error_desc);
    assert_int_equal(m.setup_time_ms, 60);
    assert_int_equal(m.total_time_ms, 705);
    assert_int_equal(m.expected_downtime_ms, 20);
    assert_int_equal(m.throttle_percent, 20);
    assert_int_equal(m.ram_total, 294330368);
    assert_int_equal(m.ram_transferred, 958174);
    assert_int_equal(m.ram_remaining, 4096);
    assert_int_equal(m.ram_normal_bytes, 311296);
    assert_int_equal(m.ram_duplicate_pages, 71782);
    assert_int_equal(m.ram_multifd_bytes, 7);
    assert_int_equal(m.ram_dirty_pages_rate, 3);
    assert_int_equal(m.ram_page_size, 4096);
    assert_int_equal(m.ram_dirty_sync_count, 2);
    assert_true(m.ram_mbps == 14.5);
    assert_string_equal(fake_trace(q), "query: query-migrate\n");
}

static void test_migrate_other_replies(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    struct qmp_migration m = { 0 };

    fake_reply(q, "{}");
    assert_int_equal(qmp_query_migrate(q, &m, NULL), 0);
    assert_int_equal(m.status, MIGRATION_NONE);

    fake_reply(q, "{'socket-address':[{'type':'unix','path':'/x'},"
                  "{'port':'39307','ipv4':true,'host':'127.0.0.1',"
                  "'type':'inet'}]}");
    assert_int_equal(qmp_query_migrate(q, &m, NULL), 0);
    assert_int_equal(m.socket_port, 39307);

    fake_reply(q, "{'status':'failed','error-desc':'no route',"
                  "'blocked-reasons':['nvme','vfio']}");
    assert_int_equal(qmp_query_migrate(q, &m, NULL), 0);
    assert_int_equal(m.status, MIGRATION_FAILED);
    assert_string_equal(m.error_desc, "no route");
    assert_int_equal(m.blocked_reasons.count, 2);
    assert_string_equal(m.blocked_reasons.item[1], "vfio");
    qmp_migration_done(&m);

    fake_reply(q, "{'status':'switching-planets'}");
    assert_int_equal(qmp_query_migrate(q, &m, NULL), 0);
    assert_int_equal(m.status, MIGRATION_OTHER);

    fake_reply(q, "[]");
    assert_int_equal(qmp_query_migrate(q, &m, &err), -1);
    assert_error(&err, QM_ERR_PROTOCOL,
                 "fake: query-migrate: QEMU's reply is of the wrong type: "
                 "array, not object");
}

static void test_status_names(void **state)
{
    (void)state;
    for (int s = MIGRATION_NONE; s <= MIGRATION_OTHER; s++) {
        const char *name = migration_status_name((enum migration_status)s);

        assert_int_equal(migration_status_parse(name), s);
    }
    assert_int_equal(migration_status_parse(NULL), MIGRATION_NONE);
}

static void test_run_state(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP(qmp_run_state_done) struct qmp_run_state s = { 0 };

    fake_reply(q, "{'status':'inmigrate','singlestep':false,"
                  "'running':false}");
    assert_int_equal(qmp_query_status(q, &s, NULL), 0);
    assert_string_equal(s.status, "inmigrate");
    assert_false(s.running);
    qmp_run_state_done(&s);
    fake_reply(q, "{'status':'running','running':true}");
    assert_int_equal(qmp_query_status(q, &s, NULL), 0);
    assert_true(s.running);

    fake_reply(q, "{'status':'running'}");
    assert_int_equal(qmp_query_status(q, &s, &err), -1);
    assert_error(&err, QM_ERR_PROTOCOL,
                 "fake: query-status: QEMU's reply has no \"running\", or "
                 "one of the wrong type");
    fake_reply(q, "{'running':true}");
    assert_int_equal(qmp_query_status(q, &s, &err), -1);
    assert_error(&err, QM_ERR_PROTOCOL,
                 "fake: query-status: QEMU's reply has no \"status\", or "
                 "one of the wrong type");
}

static void test_migration_events(void **state)
{
    struct qmp_event e = { .name = "MIGRATION",
                           .data = fake_json("{'status':'device'}") };

    (void)state;
    assert_int_equal(qmp_event_migration_status(&e), MIGRATION_DEVICE);
    json_object_put(e.data);
    e.data = fake_json("{'pass':3}");
    assert_int_equal(qmp_event_pass(&e), 3);
    json_object_put(e.data);
    e.data = NULL;
    assert_int_equal(qmp_event_pass(&e), 0);
    assert_false(qmp_event_panic_goes_on(&e));
    e.data = fake_json("{'action':'pause'}");
    assert_false(qmp_event_panic_goes_on(&e));
    json_object_put(e.data);
    e.data = fake_json("{'action':'run'}");
    assert_true(qmp_event_panic_goes_on(&e));
    json_object_put(e.data);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_migration_commands),
        TEST(test_quit),
        TEST(test_objects),
        TEST(test_names),
        TEST(test_settings_are_sent),
        TEST(test_settings_hold),
        TEST(test_settings_are_read),
        TEST(test_migrate_active),
        TEST(test_migrate_other_replies),
        TEST(test_status_names),
        TEST(test_run_state),
        TEST(test_migration_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
