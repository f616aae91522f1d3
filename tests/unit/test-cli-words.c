/*
 * What stands at the end, for people: verdicts, the plan, the summary, errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/show-parts.h"
#include "good-facts.h"

static const struct style plain = { .color = false, .columns = 60 };

static struct verdict verdict_items[] = {
    { .id = "running", .side = ABOUT_SOURCE, .what = T("the guest runs") },
    { .id = "waiting",
      .side = ABOUT_DESTINATION,
      .what = T("the destination waits for a guest") },
    { .id = "tls",
      .side = ABOUT_SOURCE,
      .level = VERDICT_WARNING,
      .what = T("a certificate of whose name \x1b[2J nobody would think that "
                "it fits on a line"),
      .why = T("it ends soon"),
      .fix = T("renew it") },
    { .id = "ram",
      .side = ABOUT_BOTH,
      .level = VERDICT_BLOCKER,
      .what = T("4 GiB of RAM here, 2 GiB there") },
};
static const struct verdicts verdicts = { 4, verdict_items };

static void verdicts_of_check(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    verdicts_in_words(&b, &verdicts, true, &plain);
    assert_string_equal(
        b.data, "     ok   source: the guest runs\n"
                "     ok   the destination waits for a guest\n"
                "warning   source: a certificate of whose name \\x1b[2J\n"
                "          nobody would think that it fits on a line\n"
                "          it ends soon\n"
                "          -> renew it\n"
                "BLOCKER   4 GiB of RAM here, 2 GiB there\n"
                "\n2 ok, 1 warning, 1 blocker\n");
}

static void verdicts_of_migrate(void **state)
{
    static const struct style colors = { .color = true, .columns = 0 };
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    verdicts_in_words(&b, &verdicts, false, &colors);
    assert_string_equal(
        b.data, YELLOW "warning" PLAIN "   source: a certificate of whose name "
                       "\\x1b[2J nobody would think that it fits on a line\n"
                       "          it ends soon\n"
                       "          -> renew it\n" RED "BLOCKER" PLAIN
                       "   4 GiB of RAM here, 2 GiB there\n");
}

static void paragraphs(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    write_paragraph(&b, 4, 40, "a-word-that-is-longer-than-any-line-of-this");
    write_paragraph(&b, 4, 40, "äöü äöü äöü äöü äöü äöü äöü äöü äöü äöü");
    write_paragraph(&b, 4, 40, "");
    assert_string_equal(b.data,
                        "    a-word-that-is-longer-than-any-line-of-this\n"
                        "    äöü äöü äöü äöü äöü äöü äöü äöü äöü\n"
                        "    äöü\n"
                        "    \n");
}

static void folds_what_is_too_wide(void **state)
{
    static const char text[] =
        RED "  label   " PLAIN "one two three four five six seven\n"
            "  label   /a/path/that/is/wider/than/the/whole/line and more\n"
            "  label   two words\n";
    CLEANUP(buffer_done) struct buffer folded = { .data = NULL };
    CLEANUP(buffer_done) struct buffer whole = { .data = NULL };

    (void)state;
    fold_text(&folded, text, 10, 40);
    assert_string_equal(folded.data, RED
                        "  label   " PLAIN "one two three four five six\n"
                        "          seven\n"
                        "  label   /a/path/that/is/wider/than/the/whole/line\n"
                        "          and more\n"
                        "  label   two words\n");
    fold_text(&whole, text, 10, 0);
    assert_string_equal(whole.data, text);
}

/* --- the plan ------------------------------------------------------------------ */

static struct disk_choice choices[] = {
    { .copy = true, .verdict = DISK_COPY, .reason = T("writable") },
    { .verdict = DISK_LEAVE, .reason = T("read-only") },
};
static const char *const steps[] = { "connect", "preflight", NULL };

static void plan_under_tls(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct good_facts g;
    struct disk_choices list = { 2, choices };

    (void)state;
    good_facts_init(&g);
    plan_in_words(
        &b,
        &(struct narration){
            .facts = &g.f, .disks = &list, .steps = steps, .name = "vm1" },
        &plain);
    assert_string_equal(
        b.data, "\nMigration of vm1\n"
                "    by 192.0.2.2, ports 49152-49215 of the destination\n"
                "    RAM over one stream: to cancel several under TLS can\n"
                "    hang the source's QEMU\n"
                "    under TLS, both ends verified; the destination must be\n"
                "    b.example\n"
                "    the destination will accept CN=a.example alone\n"
                "\nDisks\n"
                "    vd0: 10.0 GiB, copied: writable\n"
                "        /images/vm.qcow2 -> /images/vm.qcow2\n"
                "    vd0: 10.0 GiB, left alone: read-only\n"
                "\nLimits\n"
                "    handover: a stop of 300 ms to aim for; one of more than\n"
                "    10.0 s before the switch is undone\n"
                "    if it writes too fast, policy balanced: slowed down by\n"
                "    up to 97 %\n"
                "    RAM: as long as it takes\n"
                "\nSteps\n"
                "     1. connect\n"
                "     2. preflight\n");
    plan_done(&g.plan);
}

/* As if all lines were one. */
static void unfold(struct buffer *b)
{
    size_t len = 0;

    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] != '\n' &&
            (b->data[i] != ' ' || len == 0 || b->data[len - 1] != ' '))
            b->data[len++] = b->data[i];
        else if (len > 0 && b->data[len - 1] != ' ')
            b->data[len++] = ' ';
    b->data[len] = '\0';
}

/* What will be done without a question is said in advance. */
static void plan_says_the_limits(void **state)
{
    static const struct {
        const char *policy;
        int64_t timeout_s, per_gib_s, max_throttle;
        enum plan_on_timeout then;
        bool postcopy;
        const char *says[2];
    } cases[] = {
        { "gentle",
          600,
          0,
          0,
          ON_TIMEOUT_ABORT,
          false,
          { "policy gentle: left as it is", "RAM: abort after 10 min 00 s" } },
        { "urgent",
          0,
          20,
          99,
          ON_TIMEOUT_PAUSE,
          false,
          { "up to 99 %, then stopped until its RAM is across",
            "RAM: pause after 20.0 s for each GiB of it" } },
        { "gentle",
          30,
          20,
          0,
          ON_TIMEOUT_POSTCOPY,
          true,
          { "policy gentle: post-copy",
            "RAM: postcopy after 30.0 s, or 20.0 s for each GiB of it if that "
            "is longer" } },
        { "urgent",
          0,
          0,
          40,
          ON_TIMEOUT_ABORT,
          true,
          { "up to 40 %, then post-copy", "RAM: as long as it takes" } },
    };
    struct disk_choices none = { 0, NULL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buffer_done) struct buffer b = { .data = NULL };
        struct good_facts g;

        good_facts_init(&g);
        g.plan.policy = policy_named(cases[i].policy);
        g.plan.pause_when_stuck = g.plan.policy->pause_when_stuck;
        g.plan.timeout_s = cases[i].timeout_s;
        g.plan.timeout_per_gib_s = cases[i].per_gib_s;
        g.plan.max_throttle = cases[i].max_throttle;
        g.plan.on_timeout = cases[i].then;
        g.plan.postcopy = cases[i].postcopy;
        plan_in_words(&b,
                      &(struct narration){
                          .facts = &g.f, .disks = &none, .steps = steps },
                      &plain);
        unfold(&b);
        assert_non_null(strstr(b.data, cases[i].says[0]));
        assert_non_null(strstr(b.data, cases[i].says[1]));
        plan_done(&g.plan);
    }
}

static void plan_in_clear(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct good_facts g;
    struct disk_choices none = { 0, NULL };

    (void)state;
    good_facts_init(&g);
    g.plan.insecure = true;
    plan_in_words(
        &b,
        &(struct narration){ .facts = &g.f, .disks = &none, .steps = steps },
        &plain);
    assert_non_null(
        strstr(b.data, "    INSECURE: memory and disks are not encrypted"));
    assert_non_null(strstr(b.data, "\nDisks\n    none\n"));
    plan_done(&g.plan);
}

/* --- the summary ----------------------------------------------------------------- */

static struct result_disk result_disks[] = {
    { .label = T("vd0"),
      .source_file = T("/images/vm.qcow2"),
      .size_bytes = 10 * GIB,
      .copied_bytes = 4 * GIB,
      .tls_proved = true },
    { .label = T("vd1"),
      .source_file = T("/images/data.raw"),
      .size_bytes = GIB,
      .copied_bytes = GIB },
};

static struct result_connection connections[] = {
    { .what = T("RAM"),
      .tls = T("x509"),
      .source = T("CN=a"),
      .destination = T("CN=b"),
      .authz = T("CN=a"),
      .proof = T("read-back") },
    { .what = T("vd0"),
      .tls = T("psk"),
      .version = T("TLS1.3"),
      .cipher = T("AES-256-GCM"),
      .source = T("qm-1"),
      .destination = T("qm-1"),
      .proof = T("full") },
    { .what = T("vd1"), .tls = T("x509"), .proof = T("requested") },
};

static struct result moved(void)
{
    return (struct result){
        .outcome = OUTCOME_COMPLETED,
        .guest = GUEST_DESTINATION,
        .name = T("vm1"),
        .wall_ms = 65432,
        .postcopy_ms = -1,
        .wall_to_guest_ms = 65400,
        .ram_total_ms = 12000,
        .ram_setup_ms = 5,
        .qemu_downtime_ms = 18,
        .blackout_ms = 34,
        .stop_ms = 0,
        .mirrors_ms = 12,
        .device_ms = 20,
        .cont_ms = 2,
        .verify_ms = -1,
        .announce_ms = 3,
        .ram_bytes = 6 * GIB,
        .passes = 3,
        .channels = 4,
        .compress = COMPRESS_ZSTD,
        .tls = true,
        .disk_count = 2,
        .disk = result_disks,
        .connection_count = ARRAY_LEN(connections),
        .connection = connections,
    };
}

static char *summary(const struct result *r)
{
    struct buffer b = { .data = NULL };

    buffer_append(&b, "", 0);
    summary_in_words(&b, r, &plain);
    return b.data ? b.data : xstrdup("");
}

static void summary_of_a_success(void **state)
{
    struct result r = moved();
    CLEANUP_FREE char *text = summary(&r);

    (void)state;
    assert_string_equal(
        text,
        "vm1 runs at the destination\n"
        "  stopped for   34 ms (stop 0 ms, mirrors 12 ms, device 20 ms, "
        "cont 2 ms), announced after 3 ms\n"
        "  took          1 min 05 s, 1 min 05 s until the guest was there\n"
        "  RAM           6.0 GiB in 12.0 s, 512.0 MiB/s, 3 passes, "
        "4 channels, zstd, TLS\n"
        "  disks         vd0: 4.0 GiB copied, TLS proved\n"
        "                vd1: 1.0 GiB copied, TLS requested, not proved\n"
        "  security      RAM: TLS, CN=a to CN=b, which accepts no other; both "
        "QEMUs say so\n"
        "                vd0: TLS1.3 AES-256-GCM, the key qm-1; seen by qmigrate "
        "itself\n"
        "                vd1: TLS; requested, not proved\n"
        "  stays behind  /images/vm.qcow2\n"
        "                /images/data.raw\n"
        "                (at the source, out of date from now on)\n");
}

static void summary_says_what_was_verified(void **state)
{
    struct result_disk disk = { .label = T("vd0"),
                                .source_file = T("/a"),
                                .destination_file = T("/b") };
    struct result r = moved();
    CLEANUP_FREE char *text = NULL;

    (void)state;
    r.disk = &disk;
    r.disk_count = 1;
    r.connection_count = 0;
    r.verified = true;
    r.compared_bytes = 5 * GIB;
    r.compared_stopped_bytes = 3 * MIB;
    r.verify_ms = 7;
    text = summary(&r);
    assert_non_null(
        strstr(text, "  verified      5.0 GiB compared, and 3.0 MiB of it "
                     "again while stopped for 7 ms\n"
                     "                vd0: the source's /a with the "
                     "destination's /b\n"));
}

static void summary_says_what_the_copy_lacks(void **state)
{
    struct result_disk disk = { .label = T("vd0"),
                                .source_file = T("/images/vm.qcow2"),
                                .snapshots = T("clean, before"),
                                .encryption = T("lost"),
                                .copied_bytes = GIB,
                                .tls_proved = true };
    struct result r = moved();
    CLEANUP_FREE char *text = NULL;

    (void)state;
    r.disk = &disk;
    r.disk_count = 1;
    r.connection_count = 0;
    text = summary(&r);
    assert_non_null(strstr(
        text,
        "  disks         vd0: 1.0 GiB copied, TLS proved; encrypted at the "
        "source, NOT at the destination\n"
        "  stays behind  /images/vm.qcow2\n"
        "                with its internal snapshots: clean, before\n"
        "                (at the source, out of date from now on)\n"));
}

static void summary_says_what_it_was_limited_to(void **state)
{
    struct result r = moved();
    CLEANUP_FREE char *both = NULL, *disks = NULL;

    (void)state;
    r.disk_bandwidth_bps = 3 * MIB;
    disks = summary(&r);
    assert_non_null(strstr(disks, "  limited to    each disk 3.0 MiB/s\n"));
    r.bandwidth_bps = 8 * MIB;
    both = summary(&r);
    assert_non_null(
        strstr(both, "  limited to    RAM 8.0 MiB/s, each disk 3.0 MiB/s\n"));
}

static void summary_in_clear_with_things_left(void **state)
{
    char *left[] = { T("node qm-1-disk0 at the source"), T("another") };
    struct result r = moved();
    CLEANUP_FREE char *text = NULL;

    (void)state;
    r.tls = false;
    r.paused = r.source_kept = true;
    r.blackout_ms = -1;
    r.channels = 0;
    r.compress = COMPRESS_NONE;
    r.disk_count = 1;
    r.left = (struct strv){ 2, left };
    text = summary(&r);
    assert_string_equal(
        text,
        "vm1 is at the destination, paused\n"
        "  took          1 min 05 s, 1 min 05 s until the guest was there\n"
        "  RAM           6.0 GiB in 12.0 s, 512.0 MiB/s, 3 passes, not encrypted\n"
        "  disks         vd0: 4.0 GiB copied, not encrypted\n"
        "  stays behind  /images/vm.qcow2\n"
        "                (at the source, out of date from now on)\n"
        "  source        its QEMU waits there, stopped: --keep-source\n"
        "  INSECURE: nothing was encrypted\n"
        "  to clean up   node qm-1-disk0 at the source\n"
        "                another\n");
}

/* How each end begins. */
static void summary_says_where_it_is(void **state)
{
    static const struct {
        enum outcome outcome;
        enum guest_place guest;
        const char *said;
    } ends[] = {
        { OUTCOME_REFUSED, GUEST_SOURCE, "" },
        { OUTCOME_FAILED, GUEST_SOURCE,
          "vm1 is where it was: the migration failed and was undone\n" },
        { OUTCOME_CANCELLED, GUEST_SOURCE,
          "vm1 is where it was: the migration was cancelled and undone\n" },
        { OUTCOME_UNDECIDED, GUEST_UNKNOWN,
          "vm1 may be at either side: look at both QEMUs before anything "
          "else, and start neither\n" },
        { OUTCOME_FAILED, GUEST_NOWHERE,
          "vm1 runs nowhere: it ended while it was moved\n" },
        { OUTCOME_FAILED, GUEST_DESTINATION, "vm1 runs at the destination\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct result r = moved();
        CLEANUP_FREE char *text = NULL;

        r.outcome = ends[i].outcome;
        r.guest = ends[i].guest;
        r.tls = r.outcome != OUTCOME_UNDECIDED; /* not known: not said */
        text = summary(&r);
        assert_null(strstr(text, "INSECURE"));
        if (!str_starts(text, ends[i].said) || (!*ends[i].said && *text)) {
            fail_msg("%zu: %s", i, text);
        }
        if (r.guest != GUEST_DESTINATION) {
            assert_null(strstr(text, "stays behind"));
        }
    }
}

static void those_that_have_ended(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    static char name[] = "vm", id[] = "qm-0123abcd", from[] = "/run/a\x1b.qmp",
                to[] = "ssh://hostb/run/b.qmp", damage[] = "line 3: \x1b";
    struct past p = { .name = name,
                      .id = id,
                      .began_us = 1795833149123456,
                      .ended_us = 1795833149123456 + 32 * 1000000LL,
                      .outcome = OUTCOME_COMPLETED,
                      .guest = GUEST_DESTINATION,
                      .address = { from, to } };

    (void)state;
    past_in_words(&b, &p);
    p.ended_us += 86400 * 1000000LL;
    p.outcome = OUTCOME_FAILED;
    p.guest = GUEST_NOWHERE;
    past_in_words(&b, &p);
    p.began_us = 0;
    p.damage = damage;
    past_in_words(&b, &p);
    assert_string_equal(
        b.data,
        "vm  2026-11-28 02:32:29 to 02:33:01 UTC  completed, the guest is at "
        "the destination  /run/a\\x1b.qmp to ssh://hostb/run/b.qmp  "
        "qm-0123abcd\n"
        "vm  2026-11-28 02:32:29 to 2026-11-29 02:33:01 UTC  failed, the guest "
        "is nowhere  /run/a\\x1b.qmp to ssh://hostb/run/b.qmp  qm-0123abcd\n"
        "vm  until 2026-11-29 02:33:01 UTC  damaged: line 3: \\x1b\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_of_check),
        cmocka_unit_test(verdicts_of_migrate),
        cmocka_unit_test(paragraphs),
        cmocka_unit_test(folds_what_is_too_wide),
        cmocka_unit_test(plan_under_tls),
        cmocka_unit_test(plan_says_the_limits),
        cmocka_unit_test(plan_in_clear),
        cmocka_unit_test(summary_of_a_success),
        cmocka_unit_test(summary_says_what_was_verified),
        cmocka_unit_test(summary_says_what_the_copy_lacks),
        cmocka_unit_test(summary_says_what_it_was_limited_to),
        cmocka_unit_test(summary_in_clear_with_things_left),
        cmocka_unit_test(summary_says_where_it_is),
        cmocka_unit_test(those_that_have_ended),
    };

    return cmocka_run_group_tests_name("cli-words", tests, NULL, NULL);
}
