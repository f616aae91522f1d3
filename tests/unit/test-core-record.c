/*
 * What programs read: each event, and the RESULT, as they stand on the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/record.h"
#include "good-facts.h"

#define STAMP ",\"timestamp\":{\"seconds\":1700000000,\"microseconds\":12}}\n"
#define WALL_US (INT64_C(1700000000) * 1000000 + 12)

static void expect(const struct narration *n, const char *event,
                   const char *data)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP_FREE char *want =
        xasprintf("{\"event\":\"%s\",\"data\":%s" STAMP, event, data);

    record_narration(&b, n, WALL_US);
    assert_string_equal(b.data, want);
}

static void small_events(void **state)
{
    (void)state;
    expect(&(struct narration){ .kind = NARRATE_STEP,
                                .text = "converge",
                                .step = STEP_UNDONE },
           "STEP", "{\"step\":\"converge\",\"state\":\"undone\"}");
    expect(&(struct narration){ .kind = NARRATE_STATE,
                                .side = DESTINATION,
                                .text = "active" },
           "STATE", "{\"side\":\"destination\",\"status\":\"active\"}");
    expect(&(struct narration){ .kind = NARRATE_PASS, .pass = 2 }, "PASS",
           "{\"pass\":2}");
    /* a peer's text: no control characters, nothing that is not UTF-8 */
    expect(&(struct narration){ .kind = NARRATE_WARNING,
                                .text = "bad\x1b and \xff and \"" },
           "WARNING", "{\"message\":\"bad\\\\x1b and \\\\xff and \\\"\"}");
}

static void progress_of_ram(void **state)
{
    struct progress p = {
        .step = "converge",
        .elapsed_ms = 100,
        .ram = true,
        .pass = 2,
        .ram_total = UINT64_MAX,
        .ram_remaining = 1,
        .ram_transferred = 2,
        .ram_bps = 3,
        .dirty_bps = 4,
        .throttle_percent = 5,
        .downtime_limit_ms = 20,
    };
    struct narration n = { .kind = NARRATE_PROGRESS, .progress = &p };
    static const char format[] =
        "{\"step\":\"converge\",\"elapsed-ms\":100,\"ram\":{\"pass\":2,"
        "\"total-bytes\":18446744073709551615,\"remaining-bytes\":1,"
        "\"transferred-bytes\":2,\"bps\":3,\"dirty-bps\":4,"
        "\"throttle-percent\":5,\"downtime-limit-ms\":20";
    static const struct {
        enum converge_outlook outlook;
        const char *said;
    } left[] = {
        { OUTLOOK_UNKNOWN, "" },
        { OUTLOOK_FIRST_PASS, ",\"first-pass-left-ms\":7" },
        { OUTLOOK_REST, ",\"left-ms\":7" },
        { OUTLOOK_LOST, ",\"network-lost\":true" },
        { OUTLOOK_NEVER, ",\"converges\":false,\"hot-bytes\":9" },
        { OUTLOOK_ENDS, ",\"converges\":true,\"left-ms\":7,\"blackout-ms\":8" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        CLEANUP_FREE char *data = xasprintf("%s%s}}", format, left[i].said);

        p.outlook = left[i].outlook;
        p.left_ms = 7;
        p.blackout_ms = 8;
        p.hot_bytes = 9;
        expect(&n, "PROGRESS", data);
    }
    p.outlook = OUTLOOK_UNKNOWN;
    p.timeout_left_ms = 6;
    p.on_timeout = ON_TIMEOUT_PAUSE;
    {
        CLEANUP_FREE char *data = xasprintf(
            "%s,\"timeout-left-ms\":6,\"on-timeout\":\"pause\"}}", format);

        expect(&n, "PROGRESS", data);
    }
}

static void progress_of_disks(void **state)
{
    struct progress p = { .step = "mirror disks",
                          .disk_count = 2,
                          .disk_total = 30,
                          .disk_copied = 20,
                          .disk_bps = 10 };
    static const struct progress_disk disks[] = {
        { "vda", "ready", 10, 10 }, { "vdb", "copying", 20, 10 }
    };

    (void)state;
    expect(&(struct narration){ .kind = NARRATE_PROGRESS, .progress = &p },
           "PROGRESS",
           "{\"step\":\"mirror disks\",\"elapsed-ms\":0,\"disks\":{\"count\":2,"
           "\"total-bytes\":30,\"copied-bytes\":20,\"bps\":10}}");
    p.disk = disks;
    expect(&(struct narration){ .kind = NARRATE_PROGRESS, .progress = &p },
           "PROGRESS",
           "{\"step\":\"mirror disks\",\"elapsed-ms\":0,\"disks\":{\"count\":2,"
           "\"total-bytes\":30,\"copied-bytes\":20,\"bps\":10,\"each\":["
           "{\"disk\":\"vda\",\"state\":\"ready\",\"total-bytes\":10,"
           "\"copied-bytes\":10},{\"disk\":\"vdb\",\"state\":\"copying\","
           "\"total-bytes\":20,\"copied-bytes\":10}]}}");
}

static void preflight(void **state)
{
    static struct verdict items[] = {
        { .id = "ram", .side = ABOUT_BOTH, .what = T("same") },
        { .id = "disk",
          .side = ABOUT_SOURCE,
          .level = VERDICT_BLOCKER,
          .what = T("none"),
          .why = T("because"),
          .fix = T("do") },
        { .id = "unit",
          .side = ABOUT_DESTINATION,
          .level = VERDICT_WARNING,
          .what = T("x") },
    };
    static const struct verdicts v = { 3, items };

    (void)state;
    expect(&(struct narration){ .kind = NARRATE_PREFLIGHT, .verdicts = &v },
           "PREFLIGHT",
           "{\"verdicts\":[{\"id\":\"ram\",\"side\":\"both\",\"level\":\"ok\","
           "\"what\":\"same\"},{\"id\":\"disk\",\"side\":\"source\","
           "\"level\":\"blocker\",\"what\":\"none\",\"why\":\"because\","
           "\"fix\":\"do\"},{\"id\":\"unit\",\"side\":\"destination\","
           "\"level\":\"warning\",\"what\":\"x\"}],"
           "\"ok\":1,\"warnings\":1,\"blockers\":1}");
}

static void plan(void **state)
{
    static struct disk_choice items[] = {
        { .copy = true, .verdict = DISK_COPY, .reason = T("writable") },
        { .verdict = DISK_LEAVE, .reason = T("read-only") },
    };
    static const char *const steps[] = { "connect", "preflight", NULL };
    struct disk_choices choices = { 2, items };
    struct good_facts g;

    (void)state;
    good_facts_init(&g);
    expect(
        &(struct narration){ .kind = NARRATE_PLAN,
                             .facts = &g.f,
                             .disks = &choices,
                             .steps = steps,
                             .name = "vm1" },
        "PLAN",
        "{\"name\":\"vm1\",\"insecure\":false,\"address\":\"192.0.2.2\","
        "\"bind\":\"192.0.2.2\",\"tls-hostname\":\"b.example\","
        "\"tls-authz-dn\":\"CN=a.example\","
        "\"channels\":0,\"channels-why\":\"to cancel several under TLS can "
        "hang the source's QEMU\",\"compression\":\"none\","
        "\"policy\":\"balanced\",\"max-downtime-ms\":300,"
        "\"first-throttle-percent\":20,\"max-throttle-percent\":97,\"throttle-tailslow\":true,"
        "\"patience\":2,\"when-stuck\":\"wait\",\"postcopy\":false,"
        "\"abort-handover-ms\":10000,\"timeout-s\":0,"
        "\"timeout-s-per-gib\":0,\"on-timeout\":\"abort\","
        "\"disks\":[{\"disk\":\"vd0\",\"copy\":true,\"verdict\":\"copy\",\"reason\":\"writable\","
        "\"source-file\":\"/images/vm.qcow2\","
        "\"destination-file\":\"/images/vm.qcow2\","
        "\"sync\":\"full\",\"discard\":true,\"size-bytes\":10737418240},{\"disk\":\"vd0\",\"copy\":false,\"verdict\":\"leave\","
        "\"reason\":\"read-only\",\"source-file\":\"/images/vm.qcow2\","
        "\"size-bytes\":10737418240}],"
        "\"steps\":[\"connect\",\"preflight\"]}");
    plan_done(&g.plan);
}

/* --- RESULT ------------------------------------------------------------------ */

static void expect_result(const struct result *r, const char *data)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP_FREE char *want =
        xasprintf("{\"event\":\"RESULT\",\"data\":%s" STAMP, data);

    record_result(&b, r, WALL_US);
    assert_string_equal(b.data, want);
}

static void result_of_a_refusal(void **state)
{
    struct result r;

    (void)state;
    result_init(&r);
    error_set(&r.error, QM_ERR_QEMU, "source said: no");
    error_set_peer_class(&r.error, "GenericError");
    error_hint(&r.error, "ask again");
    expect_result(
        &r, "{\"outcome\":\"refused\",\"guest\":\"source\","
            "\"retryable\":false,\"left\":[],\"error\":{\"code\":\"qemu\","
            "\"message\":\"source said: no\",\"hint\":\"ask again\","
            "\"qemu-class\":\"GenericError\"},\"exit\":3}");
    result_done(&r);
}

static void result_of_a_success(void **state)
{
    struct result r;

    (void)state;
    result_init(&r);
    r.outcome = OUTCOME_COMPLETED;
    r.guest = GUEST_DESTINATION;
    r.name = xstrdup("vm1");
    strv_add(&r.left, "a node");
    r.wall_ms = 9;
    r.wall_to_guest_ms = 8;
    r.qemu_downtime_ms = 7;
    r.blackout_ms = 10;
    r.stop_ms = 0;
    r.mirrors_ms = 1;
    r.verify_ms = 4;
    r.device_ms = 2;
    r.cont_ms = 3;
    r.announce_ms = 5;
    r.ram_total_ms = 5;
    r.ram_setup_ms = 0;
    r.ram_bytes = 4;
    r.passes = 3;
    r.channels = 2;
    r.compress = COMPRESS_ZSTD;
    r.tls = r.verified = true;
    r.compared_bytes = 12;
    r.compared_stopped_bytes = 3;
    r.bandwidth_bps = 4096;
    r.disk_bandwidth_bps = 512;
    r.disk_count = 1;
    r.disk = xcalloc(1, sizeof(*r.disk));
    r.disk[0] = (struct result_disk){ .label = xstrdup("vd0"),
                                      .source_file = xstrdup("/x"),
                                      .destination_file = xstrdup("/y"),
                                      .size_bytes = 2,
                                      .copied_bytes = 1,
                                      .tls_proved = true };
    r.connection_count = 1;
    r.connection = xcalloc(1, sizeof(*r.connection));
    r.connection[0] = (struct result_connection){
        .what = xstrdup("RAM"),
        .tls = xstrdup("x509"),
        .proof = xstrdup("read-back"),
    };
    expect_result(
        &r, "{\"outcome\":\"completed\",\"guest\":\"destination\","
            "\"retryable\":false,\"left\":[\"a node\"],\"name\":\"vm1\","
            "\"exit\":6,\"wall-ms\":9,\"paused\":false,\"source-kept\":false,"
            "\"wall-to-guest-ms\":8,\"downtime-ms\":7,"
            "\"handover\":{\"blackout-ms\":10,\"stop-ms\":0,\"mirrors-ms\":1,"
            "\"verify-ms\":4,\"device-ms\":2,\"cont-ms\":3,\"announce-ms\":5},"
            "\"ram\":{\"bytes\":4,\"total-ms\":5,\"setup-ms\":0,"
            "\"passes\":3,\"throttle-percent\":0,\"channels\":2,"
            "\"compression\":\"zstd\",\"bandwidth-bps\":4096},"
            "\"disks\":[{\"disk\":\"vd0\",\"source-file\":\"/x\","
            "\"destination-file\":\"/y\","
            "\"size-bytes\":2,\"copied-bytes\":1,\"tls-proved\":true,"
            "\"write-blocking\":false,\"discard\":false}],"
            "\"disk-bandwidth-bps\":512,\"verified\":true,"
            "\"compared-bytes\":12,\"compared-stopped-bytes\":3,\"tls\":true,"
            "\"connections\":[{\"connection\":\"RAM\",\"tls\":\"x509\","
            "\"proof\":\"read-back\"}]}");
    result_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_events),
        cmocka_unit_test(progress_of_ram),
        cmocka_unit_test(progress_of_disks),
        cmocka_unit_test(preflight),
        cmocka_unit_test(plan),
        cmocka_unit_test(result_of_a_refusal),
        cmocka_unit_test(result_of_a_success),
    };

    return cmocka_run_group_tests_name("core-record", tests, NULL, NULL);
}
