/*
 * Reading a journal: what is in it, where it is cut off, what is wrong.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "core/disk-make.h"
#include "core/journal-past.h"
#include "core/journal-read.h"
#include "core/journal.h"
#include "qmp/json.h"

#define SIDE(name)                                                             \
    "\"" name "\":{\"address\":\"/run/" name ".qmp\",\"pid\":42,"              \
    "\"start-time\":18446744073709551615,\"boot-id\":\"b\","                   \
    "\"capabilities\":[{\"capability\":\"events\",\"state\":false}],"          \
    "\"parameters\":{\"tls-creds\":\"\",\"max-bandwidth\":1}},"
#define DISK(id)                                                               \
    "{\"disk\":\"vda\",\"source-node\":\"a\",\"destination-node\":\"b\","      \
    "\"export\":\"" id "-export0\",\"export-name\":\"" id "-export0\","        \
    "\"node\":\"" id "-disk0\",\"job\":\"" id "-mirror0\","                    \
    "\"makes\":\"/i.raw\",\"size-bytes\":7}"
#define PLAN                                                                   \
    "\"plan\":{\"address\":\"192.0.2.2\",\"bind\":\"::\",\"port-low\":7,"      \
    "\"port-high\":9,\"insecure\":true,\"paused\":true"
#define STORY_WITH(version, id, disk_id, more, rules)                          \
    "{\"qmigrate-journal\":" version "," more "\"name\":\"vm\",\"id\":\"" id   \
    "\"," SIDE("source")                                                       \
        SIDE("destination") "\"was-running\":true," PLAN rules                 \
                            "},\"disks\":[" DISK(disk_id) "]}\n"
#define STORY_OF(version, id) STORY_WITH(version, id, "qm-0123abcd", "", "")
#define STORY STORY_OF("1", "qm-0123abcd")
#define OWNER(side) "{\"owner\":\"" side "\"}\n"
#define BEGUN STORY OWNER("source")
#define STEP(row, state) "{\"step\":\"" row "\",\"state\":\"" state "\"}\n"
#define AT(moment) "\"at\":\"2026-11-28T" moment ".000Z\","
#define DATED(id, moment)                                                      \
    STORY_WITH("1", id, id, AT(moment), "") OWNER("source")
#define ENDED(moment)                                                          \
    "{" AT(moment) "\"end\":\"completed\",\"guest\":\"source\"}\n"
#define RULED(rules)                                                           \
    STORY_WITH("1", "qm-0123abcd", "qm-0123abcd", "", "," rules) OWNER("source")
#define END(how, where) "{\"end\":\"" how "\",\"guest\":\"" where "\"}\n"

static void expect_error(const char *text, const char *says)
{
    struct qm_error err = QM_ERROR_INIT;
    struct journal_content c = { .name = NULL };

    assert_int_equal(journal_read(text, strlen(text), &c, &err), -1);
    assert_null(c.name);
    if (!strstr(err.message, says))
        fail_msg("'%s' is not '%s'", err.message, says);
    assert_non_null(strstr(err.message, says));
    error_clear(&err);
}

static struct journal_content read_well(const char *text)
{
    struct qm_error err = QM_ERROR_INIT;
    struct journal_content c;

    if (journal_read(text, strlen(text), &c, &err) < 0)
        fail_msg("%s", err.message);
    return c;
}

static void story_is_read(void **state)
{
    CLEANUP(journal_content_done) struct journal_content c = read_well(BEGUN);

    (void)state;
    assert_string_equal(c.name, "vm");
    assert_string_equal(c.id, "qm-0123abcd");
    assert_true(c.was_running && c.insecure && c.paused && !c.keep_source);
    assert_int_equal(c.owner, SOURCE);
    assert_true(!c.torn && !c.ended && !c.started && !c.returned);
    assert_int_equal(c.whole_bytes, strlen(BEGUN));
    for (int i = 0; i < SIDES; i++) {
        assert_true(c.side[i].process.known);
        assert_int_equal(c.side[i].process.pid, 42);
        assert_true(c.side[i].process.start_time == UINT64_MAX);
        assert_string_equal(c.side[i].process.place.boot_id, "b");
        /* as in journals of older versions */
        assert_string_equal(c.side[i].process.place.machine_id, "");
        assert_string_equal(c.side[i].process.place.pid_namespace, "");
        assert_string_equal(
            qmp_settings_get(&c.side[i].parameters, "max-bandwidth"), "1");
        assert_string_equal(qmp_settings_get(&c.side[i].capabilities, "events"),
                            "off");
    }
    assert_int_equal(c.disk_count, 1);
    assert_string_equal(c.disk[0].job_id, "qm-0123abcd-mirror0");
    assert_int_equal(c.disk[0].size_bytes, 7);
    assert_string_equal(c.disk[0].make->path, "/i.raw");
}

/* TEXT with all its boot ids as WITH says; the caller frees it. */
static char *with_place(const char *text, const char *with)
{
    static const char boot[] = "\"boot-id\":\"b\"";
    struct buffer b = { .len = 0 };

    for (const char *at; (at = strstr(text, boot)); text = at + strlen(boot))
        buffer_printf(&b, "%.*s%s", (int)(at - text), text, with);
    buffer_printf(&b, "%s", text);
    buffer_append(&b, "", 1);
    return b.data;
}

static void places_are_read(void **state)
{
    static const char whole[] =
        "\"boot-id\":\"x\",\"machine-id\":\"m\","
        "\"pid-namespace\":\"pid:[1]\",\"time-namespace\":\"time:[2]\"";
    static const char *const bad[] = {
        "\"machine-id\":\"m\"",
        "\"boot-id\":\"\"",
        "\"boot-id\":\"x\",\"pid-namespace\":"
        "\"pid:[11111111111111111111111111111111111]\"",
    };
    CLEANUP_FREE char *text = with_place(BEGUN, whole);
    CLEANUP(journal_content_done) struct journal_content c = read_well(text);

    (void)state;
    for (int i = 0; i < SIDES; i++) {
        const struct process_place *p = &c.side[i].process.place;

        assert_string_equal(p->machine_id, "m");
        assert_string_equal(p->boot_id, "x");
        assert_string_equal(p->pid_namespace, "pid:[1]");
        assert_string_equal(p->time_namespace, "time:[2]");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP_FREE char *damaged = with_place(BEGUN, bad[i]);

        expect_error(damaged, "which process a QEMU is");
    }
}

static void records_are_read(void **state)
{
    CLEANUP(journal_content_done)
    struct journal_content c =
        read_well(BEGUN STEP("agree capabilities", "begins") STEP(
            "agree capabilities",
            "done") "{\"makes\":\"/i.raw\"}\n"
                    "{\"made\":\"/i.raw\",\"device\":3,\"inode\":4}\n"
                    "{\"was-running\":false}\n{\"of\":\"another kind\"}\n" STEP(
                        "switch over", "begins")
                        OWNER("destination") "{\"started\":true}\n"
                                             "{\"guest-ended\":true}\n");

    (void)state;
    assert_int_equal(c.owner, DESTINATION);
    assert_true(c.started && !c.was_running && c.guest_over);
    assert_true(journal_did(&c, "agree capabilities"));
    assert_true(journal_began(&c, "switch over"));
    assert_false(journal_did(&c, "switch over"));
    assert_false(journal_began(&c, "converge"));
    assert_true(c.disk[0].make->made.known && !c.disk[0].make->made_unsure);
    assert_int_equal(c.disk[0].make->made.inode, 4);
}

static void rules_are_read(void **state)
{
    CLEANUP(journal_content_done)
    struct journal_content c = read_well(RULED(
        "\"policy\":\"gentle\",\"postcopy\":true,\"max-throttle\":0,"
        "\"abort-handover-ms\":7,\"announce-rounds\":9,\"limits\":{"
        "\"bandwidth\":1,\"disk-bandwidth\":2,\"max-downtime-ms\":3,"
        "\"timeout-s\":4,\"on-timeout\":\"pause\",\"postcopy-bandwidth\":5,"
        "\"timeout-s-per-gib\":6}"));
    static const int64_t expected[] = { 1, 2, 3, 4, ON_TIMEOUT_PAUSE, 5 };

    (void)state;
    assert_string_equal(c.policy->name, "gentle");
    assert_true(c.postcopy_allowed);
    assert_int_equal(c.max_throttle, 0);
    assert_int_equal(c.abort_handover_ms, 7);
    assert_int_equal(c.announce_rounds, 9);
    for (int i = 0; i < LIMITS; i++)
        assert_true(c.limits.is_set[i] && c.limits.to.value[i] == expected[i]);
    assert_int_equal(c.limits.to.timeout_per_gib_s, 6);
}

/* An older journal has none of it. */
static void rules_may_be_missing(void **state)
{
    CLEANUP(journal_content_done) struct journal_content c = read_well(BEGUN);

    (void)state;
    assert_null(c.policy);
    assert_false(c.postcopy_allowed);
    assert_int_equal(c.max_throttle, PLAN_OF_POLICY);
    assert_int_equal(c.abort_handover_ms, 0);
    assert_int_equal(c.announce_rounds, PLAN_ANNOUNCE_THEIRS);
    assert_int_equal(c.nbd_port + c.ram_port, 0);
    for (int i = 0; i < LIMITS; i++)
        assert_false(c.limits.is_set[i]);
}

static void rules_that_are_none(void **state)
{
    static const char *const none[] = {
        RULED("\"announce-rounds\":1001"),
        RULED("\"announce-rounds\":-2"),
        RULED("\"max-throttle\":100"),
        RULED("\"abort-handover-ms\":-1"),
        RULED("\"abort-handover-ms\":\"a\""),
        RULED("\"limits\":{\"max-downtime-ms\":0}"),
        RULED("\"limits\":{\"on-timeout\":\"pray\"}"),
        RULED("\"limits\":{\"on-timeout\":1}"),
        RULED("\"limits\":{\"timeout-s-per-gib\":-1}"),
        BEGUN "{\"limits\":{\"bandwidth\":-1}}\n",
        BEGUN "{\"nbd-port\":0}\n",
        BEGUN "{\"ram-port\":65536}\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        expect_error(none[i], "the journal is damaged: line ");
}

/* The last word counts, and says no more than it says. */
static void what_was_set_is_read(void **state)
{
    CLEANUP(journal_content_done)
    struct journal_content c = read_well(RULED(
        "\"limits\":{\"bandwidth\":1,\"timeout-s-per-gib\":6}") "{\"nbd-port\":7}\n{\"nbd-port\":8}\n{\"ram-port\":9}\n"
                                                                "{\"limits\":{\"bandwidth\":2,\"timeout-s-per-gib\":0}}\n"
                                                                "{\"limits\":{\"timeout-s\":3}}\n");
    struct plan plan;

    (void)state;
    assert_int_equal(c.nbd_port, 8);
    assert_int_equal(c.ram_port, 9);
    plan_init(&plan);
    plan.timeout_per_gib_s = 6;
    limits_to_plan(&c.limits, &plan);
    assert_int_equal(plan.bandwidth_bps, 2);
    assert_int_equal(plan.timeout_s, 3);
    assert_int_equal(plan.timeout_per_gib_s, 0);
    assert_int_equal(plan.max_downtime_ms, policy_default->max_downtime_ms);
    plan_done(&plan);
}

/* Wherever it is cut off: it is refused, or the owner is what was durable. */
static void any_end_is_understood(void **state)
{
    static const char whole[] = BEGUN STEP("switch over", "done")
        OWNER("destination") "{\"started\":true}\n";
    const size_t owned =
        strlen(BEGUN STEP("switch over", "done") OWNER("destination"));

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        struct journal_content c;
        int ret = journal_read(whole, len, &c, &err);

        assert_int_equal(ret, len < strlen(BEGUN) ? -1 : 0);
        if (ret < 0) {
            assert_non_null(strstr(err.message, "before its first owner"));
            continue;
        }
        assert_int_equal(c.owner, len < owned ? SOURCE : DESTINATION);
        assert_int_equal(c.torn, c.whole_bytes < len);
        journal_content_done(&c);
    }
}

static void owner_goes_back_only_from_the_dead(void **state)
{
    CLEANUP(journal_content_done)
    struct journal_content c = read_well(
        BEGUN OWNER("destination") "{\"returned\":true}\n" OWNER("source"));

    (void)state;
    assert_true(c.returned);
    assert_int_equal(c.owner, SOURCE);
    expect_error(BEGUN OWNER("destination") OWNER("source"), "went back");
}

static void end_is_read(void **state)
{
    CLEANUP(journal_content_done)
    struct journal_content c =
        read_well(BEGUN OWNER("destination") END("completed", "destination"));
    CLEANUP(journal_content_done)
    struct journal_content failed = read_well(BEGUN END("failed", "nowhere"));

    (void)state;
    assert_true(c.ended && failed.ended);
    assert_int_equal(c.end_outcome, OUTCOME_COMPLETED);
    assert_int_equal(c.end_guest, GUEST_DESTINATION);
    assert_int_equal(failed.end_outcome, OUTCOME_FAILED);
    assert_int_equal(failed.end_guest, GUEST_NOWHERE);
}

/* --- writing ----------------------------------------------------------- */

/* No file of this process grows beyond that. */
static void limit_files(off_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < 0 ? limit.rlim_max : (rlim_t)bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full for a while: what it took of a line is cut off. */
static void half_a_line_is_cut_off(void **state)
{
    static const char half[] = "{\"step\":\"conv";
    char path[] = "/tmp/test-core-journal-XXXXXX";
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(journal_content_done) struct journal_content c = { .name = NULL };
    CLEANUP(journal_close) struct journal *j = NULL;
    int fd = mkstemp(path);
    off_t begun = (off_t)strlen(BEGUN);

    (void)state;
    assert_true(fd >= 0 && write(fd, BEGUN, strlen(BEGUN)) == begun);
    j = journal_resume(fd, path, "vm", "qm-0123abcd", strlen(BEGUN), &err);
    assert_non_null(j);
    signal(SIGXFSZ, SIG_IGN);
    limit_files(begun + (off_t)strlen(half));
    assert_int_equal(journal_step(j, "converge", "begins", true, &err), -1);
    assert_non_null(strstr(err.message, path));
    error_clear(&err);
    assert_int_equal(lseek(fd, 0, SEEK_END), begun);
    assert_int_equal(journal_destination_owns(j, true, &err), -1);
    error_clear(&err);
    limit_files(-1);
    assert_int_equal(journal_step(j, "converge", "done", true, &err), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(journal_load(fd, path, &c, &err), 0);
    assert_true(c.owner == SOURCE && journal_did(&c, "converge") && !c.torn);
    unlink(path);
}

static struct json_object *limits_of(int bandwidth)
{
    struct json_object *o = json_object_new_object();

    json_add_int(o, "bandwidth", bandwidth);
    return o;
}

/* Somebody who sets a limit each second, for a day. */
static void limits_do_not_let_it_grow(void **state)
{
    char path[] = "/tmp/test-core-journal-XXXXXX";
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(journal_close) struct journal *j = NULL;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, BEGUN, strlen(BEGUN)), strlen(BEGUN));
    j = journal_resume(fd, path, "vm", "qm-0123abcd", strlen(BEGUN), &err);
    assert_non_null(j);
    for (int i = 1; i <= 86400; i++) {
        assert_int_equal(journal_limits(j, limits_of(i), &err), 0);
        if (i % 20000 == 0)
            assert_int_equal(journal_step(j, "converge", "done", false, &err),
                             0);
        if (i % 9973 == 0) {
            CLEANUP(journal_content_done)
            struct journal_content c = { .name = NULL };

            lseek(fd, 0, SEEK_SET);
            assert_int_equal(journal_load(fd, path, &c, &err), 0);
            assert_int_equal(c.limits.to.value[LIMIT_BANDWIDTH], i);
            assert_true(i < 20000 || journal_did(&c, "converge"));
        }
    }
    assert_in_range(lseek(fd, 0, SEEK_END), strlen(BEGUN), 1024 * 1024);
    assert_int_equal(journal_check_room(j, &err), 0);
    /* whatever else made it long */
    assert_int_equal(ftruncate(fd, 8 * 1024 * 1024), 0);
    assert_int_equal(journal_check_room(j, &err), -1);
    assert_int_equal(err.code, QM_ERR_REFUSED);
    unlink(path);
}

/* --- those that have ended ---------------------------------------------------- */

static char folder[] = "/tmp/qm-past-XXXXXX";

static void put(const char *name, const char *text, time_t mtime)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    const struct timespec times[2] = { { .tv_sec = mtime },
                                       { .tv_sec = mtime } };
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(futimens(fd, times), 0);
    close_fd(fd);
}

/* BEGAN and ENDED without their day; DAMAGE: a part of it, or NULL. */
static void expect_past(const struct past *p, const char *name, const char *id,
                        const char *began, const char *ended,
                        const char *damage)
{
    assert_string_equal(p->name, name);
    assert_string_equal(p->id, id);
    assert_string_equal(clock_utc(p->began_us).s + 11, began);
    assert_string_equal(clock_utc(p->ended_us).s + 11, ended);
    assert_int_equal(p->damage != NULL, damage != NULL);
    if (damage && !strstr(p->damage, damage))
        fail_msg("'%s' is not '%s'", p->damage, damage);
}

static void expect_json(const struct past *p, const char *expected)
{
    CLEANUP_JSON struct json_object *o = record_past_data(p);

    assert_string_equal(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                              JSON_C_TO_STRING_NOSLASHESCAPE),
        expected);
}

static void make_history(void)
{
    assert_non_null(mkdtemp(folder));
    put("vm.qm-00000003.done",
        DATED("qm-00000003", "02:00:00") ENDED("03:00:00"), 1);
    put("vm.qm-0123abcd.done", BEGUN END("failed", "source"), 2);
    put("vm.qm-00000001.done", "{\"qmigrate-journal\":", 4);
    put("vm.qm-00000002.done", DATED("qm-00000002", "01:00:00"), 3);
    put("other.qm-00000005.done", DATED("qm-00000003", "01:00:00"), 5);
    /* what has not ended, or is no journal */
    put("vm.journal", BEGUN, 1);
    put("vm.qm-00000009.new", BEGUN, 1);
    put("vm.done", BEGUN, 1);
    put("-vm.qm-00000009.done", BEGUN, 1);
    put("vm.qm-0000000.done", BEGUN, 1);
}

static void history_is_read(void **state)
{
    CLEANUP(history_done) struct history h = { .count = 0 };
    CLEANUP_FREE char *remove = NULL;
    struct qm_error err = QM_ERROR_INIT;
    const char *never = "00:00:00.000Z";

    (void)state;
    make_history();
    assert_int_equal(history_load(folder, &h, &err), 0);
    remove = xasprintf("rm -rf '%s'", folder);
    assert_int_equal(system(remove), 0);
    assert_int_equal(h.count, 5);
    expect_past(&h.item[0], "vm", "qm-0123abcd", never, "00:00:02.000Z", NULL);
    assert_int_equal(h.item[0].outcome, OUTCOME_FAILED);
    expect_past(&h.item[1], "vm", "qm-00000002", never, "00:00:03.000Z",
                "it has no end");
    expect_past(&h.item[2], "vm", "qm-00000001", never, "00:00:04.000Z",
                "before its first owner");
    expect_past(&h.item[3], "other", "qm-00000005", never, "00:00:05.000Z",
                "it is the journal of vm.qm-00000003");
    expect_past(&h.item[4], "vm", "qm-00000003", "02:00:00.000Z",
                "03:00:00.000Z", NULL);
    expect_json(&h.item[4],
                "{\"name\":\"vm\",\"id\":\"qm-00000003\",\"finished\":true,"
                "\"began-at\":\"2026-11-28T02:00:00.000Z\","
                "\"ended-at\":\"2026-11-28T03:00:00.000Z\","
                "\"outcome\":\"completed\",\"guest\":\"source\","
                "\"source\":\"/run/source.qmp\","
                "\"destination\":\"/run/destination.qmp\"}");
    assert_int_equal(history_load(folder, &h, &err), -1);
    assert_int_equal(err.code, QM_ERR_SYSTEM);
    error_clear(&err);
}

static void damage_is_explained(void **state)
{
    (void)state;
    expect_error("", "before its first owner");
    expect_error("\n", "first line cannot be read");
    expect_error("hello\n", "first line cannot be read");
    expect_error("{\"a\":1}\n", "it is not a journal of qmigrate");
    expect_error(STORY_OF("2", "qm-0123abcd"), "another version");
    expect_error(STORY_OF("1", "../../etc/a"), "line 1: it does not say what");
    expect_error(STORY_OF("1", "qm-ffffffff"), "another migration");
    expect_error(STORY STEP("converge", "begins"), "line 2: the owner is miss");
    expect_error(STORY OWNER("destination"), "line 2: the first owner");
    expect_error(STORY OWNER("nobody"), "line 2: an owner that is neither");
    expect_error(BEGUN "{\"started\":tru\n", "line 3: it cannot be read");
    expect_error(BEGUN "[]\n", "line 3: it cannot be read");
    expect_error(BEGUN "{} {}\n", "line 3: it cannot be read");
    expect_error(BEGUN END("failed", "source") "{}\n", "line 4: something");
    expect_error(BEGUN END("failed", "moon"), "line 3: it does not say how");
    expect_error(BEGUN END("good", "source"), "line 3: it does not say how");
    expect_error(BEGUN "{\"end\":1}\n", "line 3: it does not say how");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story_is_read),
        cmocka_unit_test(places_are_read),
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(rules_may_be_missing),
        cmocka_unit_test(rules_that_are_none),
        cmocka_unit_test(what_was_set_is_read),
        cmocka_unit_test(any_end_is_understood),
        cmocka_unit_test(owner_goes_back_only_from_the_dead),
        cmocka_unit_test(end_is_read),
        cmocka_unit_test(half_a_line_is_cut_off),
        cmocka_unit_test(limits_do_not_let_it_grow),
        cmocka_unit_test(history_is_read),
        cmocka_unit_test(damage_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
