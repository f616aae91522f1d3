/*
 * What another process tells, read back: nothing is lost on the way.  And what
 * a monitoring system reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/metrics.h"
#include "cli/read-record.h"
#include "core/record.h"
#include "qmp/json.h"

/* The data of the event in B. */
static struct json_object *data_of(const struct buffer *b)
{
    CLEANUP_JSON struct json_object *event = json_tokener_parse(b->data);

    assert_non_null(event);
    return json_object_get(json_get_object(event, "data"));
}

static void there_and_back(const struct result *r)
{
    CLEANUP(buffer_done) struct buffer there = { .data = NULL };
    CLEANUP(buffer_done) struct buffer back = { .data = NULL };
    CLEANUP_JSON struct json_object *data = NULL;
    struct result again;

    record_result(&there, r, 0);
    data = data_of(&there);
    read_result(data, &again);
    record_result(&back, &again, 0);
    assert_string_equal(there.data, back.data);
    assert_int_equal(result_exit(&again), result_exit(r));
    result_done(&again);
}

static void a_refusal_is_read(void **state)
{
    struct result r;

    (void)state;
    result_init(&r);
    error_set(&r.error, QM_ERR_TLS, "no \x1b certificate");
    error_hint(&r.error, "make one");
    there_and_back(&r);
    result_done(&r);
}

static void a_success_is_read(void **state)
{
    struct result r;

    (void)state;
    result_init(&r);
    r.outcome = OUTCOME_COMPLETED;
    r.guest = GUEST_DESTINATION;
    r.name = xstrdup("vm1");
    strv_add(&r.left, "a node");
    strv_add(&r.left, "an object");
    r.retryable = r.paused = r.source_kept = true;
    r.wall_ms = 1;
    r.wall_to_guest_ms = 2;
    r.qemu_downtime_ms = 3;
    r.blackout_ms = 4;
    r.stop_ms = 5;
    r.mirrors_ms = 6;
    r.verify_ms = 7;
    r.postcopy_ms = 18;
    r.recoveries = 19;
    r.device_ms = 8;
    r.cont_ms = 9;
    r.announce_ms = 20;
    r.ram_total_ms = 10;
    r.ram_setup_ms = 11;
    r.ram_bytes = UINT64_MAX;
    r.passes = 12;
    r.throttle_percent = 13;
    r.channels = 14;
    r.compress = COMPRESS_ZLIB;
    r.bandwidth_bps = INT64_MAX;
    r.disk_bandwidth_bps = 15;
    r.tls = r.verified = true;
    r.compared_bytes = 16;
    r.compared_stopped_bytes = 17;
    r.disk_count = 1;
    r.disk = xcalloc(1, sizeof(*r.disk));
    r.disk[0] = (struct result_disk){ .label = xstrdup("vd0"),
                                      .source_file = xstrdup("/x"),
                                      .size_bytes = 2,
                                      .copied_bytes = 1,
                                      .tls_proved = true,
                                      .write_blocking = true,
                                      .discard = true };
    r.connection_count = 1;
    r.connection = xcalloc(1, sizeof(*r.connection));
    r.connection[0] = (struct result_connection){
        .what = xstrdup("RAM"),
        .tls = xstrdup("x509"),
        .version = xstrdup("TLS1.3"),
        .cipher = xstrdup("AES-256-GCM"),
        .source = xstrdup("CN=a"),
        .destination = xstrdup("CN=b"),
        .authz = xstrdup("CN=a"),
        .proof = xstrdup("full"),
    };
    there_and_back(&r);
    result_done(&r);
}

static void every_end_is_read(void **state)
{
    (void)state;
    for (int outcome = 0; outcome <= OUTCOME_UNDECIDED; outcome++)
        for (int guest = 0; guest <= GUEST_UNKNOWN; guest++) {
            struct result r;

            result_init(&r);
            r.outcome = (enum outcome)outcome;
            r.guest = (enum guest_place)guest;
            there_and_back(&r);
            result_done(&r);
        }
}

static void progress_is_read(void **state)
{
    static const struct {
        enum converge_outlook outlook;
        int64_t left_ms, blackout_ms;
        uint64_t hot_bytes;
    } said[] = {
        { OUTLOOK_UNKNOWN, 0, 0, 0 }, { OUTLOOK_FIRST_PASS, 5, 0, 0 },
        { OUTLOOK_ENDS, 6, 7, 0 },    { OUTLOOK_NEVER, 0, 0, 8 },
        { OUTLOOK_REST, 9, 0, 0 },    { OUTLOOK_LOST, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        const struct progress p = {
            .step = "converge",
            .elapsed_ms = 1,
            .ram = true,
            .pass = 2,
            .ram_total = 3,
            .ram_remaining = 4,
            .ram_transferred = 5,
            .ram_bps = 6,
            .dirty_bps = 7,
            .throttle_percent = 8,
            .downtime_limit_ms = 9,
            .outlook = said[i].outlook,
            .left_ms = said[i].left_ms,
            .blackout_ms = said[i].blackout_ms,
            .hot_bytes = said[i].hot_bytes,
            .timeout_left_ms = 10,
            .on_timeout = ON_TIMEOUT_POSTCOPY,
            .disk_count = 10,
            .disk_total = 11,
            .disk_copied = 12,
            .disk_bps = 13,
        };
        CLEANUP_JSON struct json_object *data = record_progress_data(&p);
        CLEANUP_JSON struct json_object *same = NULL;
        struct progress again;

        read_progress(data, &again);
        same = record_progress_data(&again);
        assert_string_equal(json_object_to_json_string(same),
                            json_object_to_json_string(data));
    }
}

static void limits_are_read(void **state)
{
    const struct limits l = { { 1, 2, 3, 4, ON_TIMEOUT_PAUSE }, 5, 6 };
    CLEANUP_JSON struct json_object *data = record_limits_data(&l);
    struct limits again;

    (void)state;
    read_limits(data, &again);
    assert_memory_equal(&again, &l, sizeof(l));
}

/* Of an engine that is another one: nothing goes wrong. */
static void what_is_strange_is_survived(void **state)
{
    static const char *const data[] = {
        "{}", "[]", "{\"left\":{},\"disks\":[1,{}],\"ram\":[],\"outcome\":7}",
        "{\"ram\":{\"pass\":\"x\"},\"step\":null,\"error\":{\"message\":1}}",
        "{\"ram\":{\"timeout-left-ms\":1,\"on-timeout\":\"pray\"}}"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(data); i++) {
        CLEANUP_JSON struct json_object *o = json_tokener_parse(data[i]);
        struct progress p;
        struct limits l;
        struct result r;

        read_progress(o, &p);
        assert_string_equal(p.step, "?");
        read_limits(o, &l);
        read_result(o, &r);
        assert_int_equal(r.outcome, OUTCOME_UNDECIDED);
        assert_int_equal(r.guest, GUEST_UNKNOWN);
        result_done(&r);
    }
}

/* --- metrics ---------------------------------------------------------------- */

static void metrics_are_text(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    const struct progress p = { .ram = true,
                                .ram_total = 1 << 20,
                                .throttle_percent = 20,
                                .downtime_limit_ms = 20 };
    const struct metrics_facts f = {
        .name = "vm1", .step = "converge", .elapsed_ms = 1500, .progress = &p
    };

    (void)state;
    metrics_in_text(&b, &f);
    assert_non_null(strstr(b.data, "# TYPE qmigrate_running gauge\n"
                                   "qmigrate_running{name=\"vm1\"} 1\n"));
    assert_non_null(
        strstr(b.data, "\nqmigrate_elapsed_seconds{name=\"vm1\"} 1.5\n"));
    assert_non_null(
        strstr(b.data, "\nqmigrate_step{name=\"vm1\",step=\"converge\"} 1\n"));
    assert_non_null(
        strstr(b.data, "\nqmigrate_ram_bytes{name=\"vm1\"} 1048576\n"));
    assert_non_null(
        strstr(b.data, "\nqmigrate_throttle_ratio{name=\"vm1\"} 0.2\n"));
    assert_null(strstr(b.data, "qmigrate_disks"));
    assert_null(strstr(b.data, "qmigrate_outcome"));
}

static char *read_file(const char *path)
{
    char text[65536];
    FILE *file = fopen(path, "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof(text), file);
    fclose(file);
    return xstrndup(text, n);
}

static void the_metrics_are_replaced(void **state)
{
    char folder[] = "/tmp/qm-metrics-XXXXXX";
    CLEANUP_FREE char *file = NULL, *none = NULL, *first = NULL, *last = NULL;
    CLEANUP_FREE char *remove = NULL;
    CLEANUP(metrics_free) struct metrics *m = NULL;
    struct qm_error err = QM_ERROR_INIT;
    struct result r;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(folder));
    file = xasprintf("%s/vm1.prom", folder);
    m = metrics_new(file, &err);
    assert_non_null(m);
    none = read_file(file);
    assert_string_equal(none, "");
    metrics_record(m,
                   &(struct narration){ .kind = NARRATE_STEP,
                                        .text = "converge",
                                        .step = STEP_BEGINS },
                   "vm1");
    assert_int_equal(metrics_tick(m, &err), 0); /* its name is new */
    first = read_file(file);
    assert_non_null(strstr(first, "qmigrate_running{name=\"vm1\"} 1\n"));
    result_init(&r);
    r.blackout_ms = 25;
    assert_int_equal(metrics_end(m, &r, &err), 0);
    last = read_file(file);
    assert_non_null(strstr(last, "qmigrate_running{name=\"vm1\"} 0\n"));
    assert_non_null(
        strstr(last, "qmigrate_handover_seconds{name=\"vm1\"} 0.025\n"));
    assert_non_null(strstr(last, "outcome=\"refused\"} 1\n"));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    remove = xasprintf("rm '%s' && rmdir '%s'", file, folder); /* all of it */
    assert_int_equal(system(remove), 0);
    assert_int_equal(metrics_end(m, &r, &err), -1);
    assert_non_null(strstr(err.message, "write --metrics /tmp/qm-metrics-"));
    error_clear(&err);
    result_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_read),
        cmocka_unit_test(a_success_is_read),
        cmocka_unit_test(every_end_is_read),
        cmocka_unit_test(progress_is_read),
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(what_is_strange_is_survived),
        cmocka_unit_test(metrics_are_text),
        cmocka_unit_test(the_metrics_are_replaced),
    };

    umask(022);
    return cmocka_run_group_tests_name("cli-records", tests, NULL, NULL);
}
