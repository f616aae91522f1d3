/*
 * The command line: what is understood, and what each refusal says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/options.h"

enum { WORDS_MAX = 20 };

/* Parse LINE, words apart by one blank, as the arguments of `migrate`. */
static int parse(const char *line, struct options *ret, struct qm_error *err)
{
    char *copy = xasprintf("migrate %s", line);
    char *argv[WORDS_MAX] = { NULL }, *rest = NULL;
    int argc = 0, status;

    for (char *w = strtok_r(copy, " ", &rest); w;
         w = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc++] = w;
    }
    status = options_parse(ret, argc, argv, err);
    free_string(copy);
    return status;
}

static void accept(const char *line, struct options *ret)
{
    struct qm_error err = QM_ERROR_INIT;

    if (parse(line, ret, &err) < 0) {
        fail_msg("%s: %s", line, err.message);
    }
}

static void defaults(void **state)
{
    CLEANUP(options_done) struct options o;

    (void)state;
    accept("/a ssh://host/b", &o);
    assert_string_equal(o.plan.peer[SOURCE].path, "/a");
    assert_string_equal(o.plan.peer[DESTINATION].host, "host");
    assert_false(o.json || o.dry_run || o.help || o.plan.insecure);
    assert_int_equal(o.plan.disks, DISKS_AUTO);
    assert_int_equal(o.plan.channels, PLAN_CHANNELS_CHOSEN);
    assert_string_equal(o.plan.tls_dir[SOURCE], PLAN_TLS_DIR);
    assert_string_equal(o.plan.policy->name, "balanced");
    assert_int_equal(o.plan.max_throttle, 97);
    assert_int_equal(o.plan.max_downtime_ms, 300);
}

static void named_policies(void **state)
{
    static const struct {
        const char *words;
        int64_t max_downtime_ms, max_throttle;
    } cases[] = {
        { "--policy gentle /a /b", 300, 0 },
        { "--policy urgent /a /b", 1000, 99 },
        { "--policy urgent --max-downtime-ms 50 /a /b", 50, 99 },
        { "--max-throttle 40 --policy gentle /a /b", 300, 40 },
        { "--policy gentle --auto-converge on /a /b", 300, 97 },
        { "--policy urgent --auto-converge off /a /b", 1000, 0 },
        { "--max-throttle 0 /a /b", 300, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(options_done) struct options o;

        accept(cases[i].words, &o);
        assert_int_equal(o.plan.max_downtime_ms, cases[i].max_downtime_ms);
        assert_int_equal(o.plan.max_throttle, cases[i].max_throttle);
    }
}

static void words_of_the_plan(void **state)
{
    CLEANUP(options_done) struct options o;

    (void)state;
    accept("--name vm1 --address 10.0.0.2 /a --bind=10.0.0.3 /b --ports "
           "5000-5010 --tls-hostname=h2 --disks d1,d2 "
           "--shared d3,d4",
           &o);
    assert_string_equal(o.plan.name, "vm1");
    assert_string_equal(o.plan.address, "10.0.0.2");
    assert_string_equal(o.plan.bind, "10.0.0.3");
    assert_int_equal(o.plan.port_low, 5000);
    assert_int_equal(o.plan.port_high, 5010);
    assert_string_equal(o.plan.tls_hostname, "h2");
    assert_int_equal(o.plan.disks, DISKS_LIST);
    assert_int_equal(o.plan.disk_ids.count, 2);
    assert_string_equal(o.plan.disk_ids.item[1], "d2");
    assert_int_equal(o.plan.shared_ids.count, 2);
    assert_string_equal(o.plan.shared_ids.item[1], "d4");
    assert_string_equal(o.plan.peer[DESTINATION].path, "/b");
}

static void images_to_make(void **state)
{
    CLEANUP(options_done) struct options none, all, some, folder;

    (void)state;
    accept("/a /b", &none);
    assert_false(none.plan.create_disks);
    accept("--create-disks /a /b", &all);
    assert_true(all.plan.create_disks);
    assert_int_equal(all.plan.create_ids.count, 0);
    assert_null(all.plan.create_folder);
    accept("--create-disks=/srv/images/ /a /b", &folder);
    assert_true(folder.plan.create_disks);
    assert_string_equal(folder.plan.create_folder, "/srv/images/");
    accept("--create-disks=vd0=/x/a=b,disk1=/y /a /b", &some);
    assert_true(some.plan.create_disks);
    assert_int_equal(some.plan.create_ids.count, 2);
    assert_string_equal(some.plan.create_ids.item[1], "disk1");
    assert_string_equal(some.plan.create_paths.item[0], "/x/a=b");
    assert_string_equal(some.plan.create_paths.item[1], "/y");
    assert_string_equal(some.plan.peer[DESTINATION].path, "/b");
}

static void numbers_of_the_plan(void **state)
{
    CLEANUP(options_done) struct options o;

    (void)state;
    accept("--max-downtime-ms 50 --abort-handover-ms 900 --timeout-s 60 "
           "--bandwidth 100M --disk-bandwidth 2g --channels 4 /a /b",
           &o);
    assert_int_equal(o.plan.max_downtime_ms, 50);
    assert_int_equal(o.plan.abort_handover_ms, 900);
    assert_int_equal(o.plan.timeout_s, 60);
    assert_int_equal(o.plan.bandwidth_bps, 100 * MIB);
    assert_int_equal(o.plan.disk_bandwidth_bps, 2 * GIB);
    assert_int_equal(o.plan.channels, 4);
}

/* A policy's, unless it is said. */
static void tailslow_of_the_plan(void **state)
{
    static const struct {
        const char *line;
        int tailslow;
    } rows[] = {
        { "/a /b", 1 },
        { "--policy urgent /a /b", 0 },
        { "--throttle-tailslow on --policy urgent /a /b", 1 },
        { "--policy gentle --throttle-tailslow off /a /b", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(options_done) struct options o;

        accept(rows[i].line, &o);
        assert_int_equal(o.plan.tailslow, rows[i].tailslow);
    }
}

static void patience_of_the_plan(void **state)
{
    static const struct {
        const char *line;
        int patience, pauses;
    } rows[] = {
        { "/a /b", 2, 0 },
        { "--policy urgent /a /b", 1, 1 },
        { "--patience 7 --when-stuck wait --policy urgent /a /b", 7, 0 },
        { "--policy gentle --when-stuck pause /a /b", 3, 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(options_done) struct options o;

        accept(rows[i].line, &o);
        assert_int_equal(o.plan.patience, rows[i].patience);
        assert_int_equal(o.plan.pause_when_stuck, rows[i].pauses);
    }
}

static void compression_of_the_plan(void **state)
{
    CLEANUP(options_done) struct options with, without;

    (void)state;
    accept("--compress zstd:7 /a /b", &with);
    assert_int_equal(with.plan.compress, COMPRESS_ZSTD);
    assert_int_equal(with.plan.compress_level, 7);
    accept("--compress zlib /a /b", &without);
    assert_int_equal(without.plan.compress, COMPRESS_ZLIB);
    assert_int_equal(without.plan.compress_level, PLAN_LEVEL_THEIRS);
}

static void switches_of_the_plan(void **state)
{
    CLEANUP(options_done) struct options o;

    (void)state;
    accept(
        "--insecure --verify --disks-sync top --keep-source --paused --dry-run --json /a "
        "--on-timeout pause --auto-converge off --source-host local /b",
        &o);
    assert_true(o.plan.insecure && o.plan.keep_source && o.plan.paused);
    assert_true(o.plan.verify);
    assert_int_equal(o.plan.disks_sync, DISKS_SYNC_TOP);
    assert_true(o.dry_run && o.json);
    assert_int_equal(o.plan.on_timeout, ON_TIMEOUT_PAUSE);
    assert_int_equal(o.plan.max_throttle, 0);
    assert_string_equal(o.plan.host[SOURCE], "local");
    assert_null(o.plan.host[DESTINATION]);
}

static void a_side_s_own_tls_dir_wins_in_any_order(void **state)
{
    static const char *const lines[] = {
        "--tls-dir /both --destination-tls-dir /there /a /b",
        "--destination-tls-dir /there --tls-dir /both /a /b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(options_done) struct options o;

        accept(lines[i], &o);
        assert_string_equal(o.plan.tls_dir[SOURCE], "/both");
        assert_string_equal(o.plan.tls_dir[DESTINATION], "/there");
    }
}

static void two_dashes_end_the_options(void **state)
{
    CLEANUP(options_done) struct options o;

    (void)state;
    accept("--json /a -- /b", &o);
    assert_string_equal(o.plan.peer[DESTINATION].path, "/b");
}

static void help_needs_no_addresses(void **state)
{
    static const char *const lines[] = { "--help", "-h", "/a --help" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(options_done) struct options o;

        accept(lines[i], &o);
        assert_true(o.help);
    }
}

/* LINE, then "message" or "message | hint" as it must begin. */
static const struct {
    const char *line, *said;
} refusals[] = {
    { "", "SOURCE and DESTINATION are needed | qmigrate migrate" },
    { "/a", "SOURCE and DESTINATION are needed" },
    { "/a /b /c", "there is more than SOURCE and DESTINATION" },
    { "/a /a", "source and destination are the same monitor: /a" },
    { "/a nonsense", "destination: " },
    { "--insecur /a /b",
      "there is no option --insecur | did you mean --insecure?" },
    { "--chanels=4 /a /b",
      "there is no option --chanels | did you mean --channels?" },
    { "--frobnicate /a /b",
      "there is no option --frobnicate | qmigrate migrate --help" },
    { "-x /a /b", "there is no option -x" },
    /* short for two options, for one, and with a value */
    { "--disk d1 /a /b", "there is no option --disk | did you mean --disks?" },
    { "--time 5 /a /b",
      "there is no option --time | did you mean --timeout-s?" },
    { "/a /b --name", "--name needs a value: --name NAME" },
    { "--json=yes /a /b", "--json takes no value" },
    { "--name a --name b /a /b", "--name was given twice" },
    { "--name= /a /b", "--name is empty" },
    { "--timeout-s -1 /a /b", "--timeout-s '-1' is not a whole number" },
    { "--bandwidth 1X /a /b", "--bandwidth '1X' is not a size" },
    { "--bandwidth K /a /b", "--bandwidth 'K' is not a size" },
    { "--bandwidth 9999999999999G /a /b", "--bandwidth '9999999999999G' is" },
    { "--ports 5000 /a /b", "--ports '5000' is not LOW-HIGH" },
    { "--ports 0-7 /a /b", "--ports '0-7' is not LOW-HIGH" },
    { "--ports 7-5 /a /b", "--ports 7-5: not LOW-HIGH" },
    { "--policy brutal /a /b",
      "--policy 'brutal' is not gentle, balanced or urgent" },
    { "--max-throttle 100 /a /b", "--max-throttle 100: not between 0 and 99" },
    { "--auto-converge off --max-throttle 5 /a /b",
      "--auto-converge off and --max-throttle 5 exclude each other" },
    { "--auto-converge yes /a /b", "--auto-converge 'yes' is not on or off" },
    { "--on-timeout never /a /b",
      "--on-timeout 'never' is not abort, pause or" },
    { "--when-stuck cry /a /b", "--when-stuck 'cry' is not wait or pause" },
    { "--patience 0 /a /b", "--patience 0: not between 1 and 1000" },
    { "--throttle-tailslow 1 /a /b",
      "--throttle-tailslow '1' is not on or off" },
    { "--compress lz4 /a /b",
      "--compress 'lz4' is not zstd or zlib, with :LEVEL or without" },
    { "--compress zstd:x /a /b",
      "--compress 'zstd:x' is not zstd or zlib, with :LEVEL or without" },
    { "--compress zstd: /a /b",
      "--compress 'zstd:' is not zstd or zlib, with :LEVEL or without" },
    { "--channels x /a /b", "--channels 'x' is not a number of channels" },
    { "--disks= /a /b", "--disks '' is not auto" },
    { "--create-disks=vd0 /a /b",
      "--create-disks 'vd0' is not ID=PATH or /FOLDER/" },
    { "--create-disks=/srv /a /b",
      "--create-disks '/srv' is not ID=PATH or /FOLDER/ | a folder ends with "
      "a slash: /srv/" },
    { "--create-disks=images/ /a /b",
      "--create-disks 'images/' is not ID=PATH or /FOLDER/" },
    { "--create-disks=vd0=images/a /a /b",
      "--create-disks: 'images/a' is not an absolute path of a file" },
    { "--create-disks=vd0=/images/ /a /b",
      "--create-disks: '/images/' is not an absolute path of a file" },
    { "--create-disks=vd0=/a,vd0=/b /a /b", "--create-disks names vd0 twice" },
    { "--create-disks== /a /b", "--create-disks has an empty name" },
    { "--shared= /a /b", "--shared '' is not a list of disks" },
    { "--disks a,,b /a /b", "--disks has an empty name" },
    { "--postcopy=on /a /b", "--postcopy takes no value" },
    { "--postcopy-bandwidth fast /a /b", "--postcopy-bandwidth 'fast' is not" },
    { "/a tcp:10.0.0.1:4444",
      "destination: the connection to tcp:10.0.0.1:4444" },
    { "/a\x1b[31m /b", "source: " },
};

static void each_refusal_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        CLEANUP(options_done) struct options o;
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        CLEANUP_FREE char *said = NULL;

        if (parse(refusals[i].line, &o, &err) == 0) {
            fail_msg("accepted: %s", refusals[i].line);
        }
        assert_int_equal(err.code, QM_ERR_USAGE);
        said = xasprintf("%s%s%s", err.message, err.hint ? " | " : "",
                         err.hint ? err.hint : "");
        if (!str_starts(said, refusals[i].said) || strchr(said, '\x1b')) {
            fail_msg("%s: said: %s", refusals[i].line, said);
        }
    }
}

static void nearest(void **state)
{
    static const char *const names[] = { "bandwidth", "bind", "disks", NULL };

    (void)state;
    assert_string_equal(nearest_name("bandwith", names), "bandwidth");
    assert_string_equal(nearest_name("bindd", names), "bind");
    assert_string_equal(nearest_name("dsiks", names), "disks");
    assert_string_equal(nearest_name("band", names), "bandwidth");
    assert_null(nearest_name("colour", names));
    assert_null(nearest_name("", names));
    assert_null(
        nearest_name("a-word-that-is-longer-than-any-option-could-be", names));
}

static void help_is_of_the_table_and_fits(void **state)
{
    static const char *const some[] = {
        "  --disks WHICH ",
        "  --auto-converge on|off ",
        "  --destination-tls-dir DIR\n",
        "(default: 49152-49215)\n",
    };
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    size_t width = 0;

    (void)state;
    options_help(&b, "migrate");
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        if (!strstr(b.data, some[i])) {
            fail_msg("not in the help: %s", some[i]);
        }
    }
    for (const char *c = b.data; *c; c++) {
        width = *c == '\n' ? 0 : width + 1;
        assert_true(width < 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(named_policies),
        cmocka_unit_test(words_of_the_plan),
        cmocka_unit_test(images_to_make),
        cmocka_unit_test(numbers_of_the_plan),
        cmocka_unit_test(tailslow_of_the_plan),
        cmocka_unit_test(patience_of_the_plan),
        cmocka_unit_test(compression_of_the_plan),
        cmocka_unit_test(switches_of_the_plan),
        cmocka_unit_test(a_side_s_own_tls_dir_wins_in_any_order),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_needs_no_addresses),
        cmocka_unit_test(each_refusal_says_why),
        cmocka_unit_test(nearest),
        cmocka_unit_test(help_is_of_the_table_and_fits),
    };

    return cmocka_run_group_tests_name("cli-options", tests, NULL, NULL);
}
