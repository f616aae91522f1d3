/*
 * Progress as people see it: figures, lines, the bar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/figures.h"
#include "cli/show-parts.h"

static void figures(void **state)
{
    (void)state;
    assert_string_equal(figure_bytes(0).s, "0 B");
    assert_string_equal(figure_bytes(1023).s, "1023 B");
    assert_string_equal(figure_bytes(1024).s, "1.0 KiB");
    assert_string_equal(figure_bytes(MIB - 1).s, "1.0 MiB");
    assert_string_equal(figure_bytes(3 * GIB / 2).s, "1.5 GiB");
    assert_string_equal(figure_bytes(UINT64_MAX).s, "16777216.0 TiB");
    assert_string_equal(figure_rate(852000000).s, "812.5 MiB/s");
    assert_string_equal(figure_ms(-1).s, "?");
    assert_string_equal(figure_ms(34).s, "34 ms");
    assert_string_equal(figure_ms(999).s, "999 ms");
    assert_string_equal(figure_ms(3449).s, "3.4 s");
    assert_string_equal(figure_ms(59949).s, "59.9 s");
    assert_string_equal(figure_ms(59950).s, "1 min 00 s");
    assert_string_equal(figure_ms(125000).s, "2 min 05 s");
    assert_string_equal(figure_ms(3720000).s, "1 h 02 min");
    assert_string_equal(figure_left(0).s, "under 1 s");
    assert_string_equal(figure_left(1000).s, "1 s");
    assert_string_equal(figure_left(12001).s, "13 s");
    assert_string_equal(figure_left(59500).s, "1 min 00 s");
    assert_string_equal(figure_in(0).s, "in under 1 s");
    assert_string_equal(figure_in(12001).s, "in about 13 s");
    assert_string_equal(figure_in(59500).s, "in about 1 min 00 s");
}

static void a_hundred_percent_is_all(void **state)
{
    (void)state;
    assert_int_equal(percent_of(0, 10), 0);
    assert_int_equal(percent_of(UINT64_MAX / 2, UINT64_MAX), 50);
    assert_int_equal(percent_of(GIB - 1, GIB), 99);
    assert_int_equal(percent_of(GIB, GIB), 100);
}

static const struct progress converging = {
    .step = "converge",
    .elapsed_ms = 12345,
    .ram = true,
    .pass = 2,
    .ram_total = 4 * GIB,
    .ram_remaining = 1 * GIB,
    .ram_transferred = 3 * GIB,
    .ram_bps = 812 * MIB,
    .dirty_bps = 20 * MIB,
    .throttle_percent = 20,
    .downtime_limit_ms = 20,
    .outlook = OUTLOOK_ENDS,
    .left_ms = 1300,
    .blackout_ms = 18,
    .disk_count = 2,
    .disk_total = 10 * GIB,
    .disk_copied = 10 * GIB,
};

static const struct progress mirroring = {
    .step = "mirror disks",
    .disk_count = 1,
    .disk_total = 10 * GIB,
    .disk_copied = 4 * GIB,
    .disk_bps = 200 * MIB,
};

static const struct progress hopeless = {
    .step = "converge",
    .ram = true,
    .pass = 1,
    .ram_total = GIB,
    .ram_remaining = GIB,
    .outlook = OUTLOOK_NEVER,
    .hot_bytes = 600 * MIB,
    .timeout_left_ms = 41001,
    .on_timeout = ON_TIMEOUT_POSTCOPY,
};

static const struct progress last_page = {
    .step = "last page",
    .ram = true,
    .pass = 5,
    .ram_total = GIB,
    .ram_remaining = GIB / 4,
    .ram_bps = 8 * MIB,
    .outlook = OUTLOOK_REST,
    .left_ms = 32000,
};

static const struct progress cut_off = {
    .step = "last page",
    .ram = true,
    .pass = 5,
    .ram_total = GIB,
    .ram_remaining = GIB / 4,
    .outlook = OUTLOOK_LOST,
};

static void lines_of_progress(void **state)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    lines_progress(&b, 12345, false, &converging);
    lines_progress(&b, 999, false, &mirroring);
    lines_progress(&b, 3600000, false, &hopeless);
    lines_progress(&b, 70000, false, &last_page);
    lines_progress(&b, 71000, false, &cut_off);
    lines_progress(&b, 5000, true, &(struct progress){ .step = "connect" });
    assert_string_equal(
        b.data,
        "[    12.3 s] converge: disks 100 % of 10.0 GiB, RAM 75 % in pass 2, "
        "812.0 MiB/s, dirties 20.0 MiB/s, slowed down by 20 %, "
        "downtime limit 20 ms, ends in about 2 s, blackout about 18 ms\n"
        "[     0.9 s] mirror disks: disks 40 % of 10.0 GiB, 200.0 MiB/s\n"
        "[  3600.0 s] converge: RAM 0 %, 0.0 MiB/s, "
        "never ends this way: hot set 600.0 MiB, postcopy in 42 s\n"
        "[    70.0 s] last page: RAM 75 % in pass 5, 8.0 MiB/s, "
        "all is across in about 32 s\n"
        "[    71.0 s] last page: RAM 75 % in pass 5, 0.0 MiB/s, "
        "the network is lost\n"
        "[     5.0 s] INSECURE connect: still at it\n");
}

static void figures_of_a_step_are_shown_again(void **state)
{
    struct progress bare;

    (void)state;
    assert_ptr_equal(progress_of_step(&mirroring, "mirror disks", &bare),
                     &mirroring);
    assert_ptr_equal(progress_of_step(&mirroring, "converge", &bare), &bare);
    assert_string_equal(bare.step, "converge");
    assert_int_equal(bare.disk_count, 0);
    assert_ptr_equal(
        progress_of_step(&(struct progress){ .step = NULL }, "connect", &bare),
        &bare);
}

static void lines_of_what_happens(void **state)
{
    static const struct narration told[] = {
        { .kind = NARRATE_STEP, .text = "connect", .step = STEP_BEGINS },
        { .kind = NARRATE_STEP, .text = "connect", .step = STEP_DONE },
        { .kind = NARRATE_PASS, .pass = 2 },
        { .kind = NARRATE_STATE, .side = SOURCE, .text = "active" },
        { .kind = NARRATE_WARNING, .text = "bad\x1b[2J" },
        { .kind = NARRATE_STEP, .text = "converge", .step = STEP_FAILED },
        { .kind = NARRATE_STEP, .text = "converge", .step = STEP_CANCELLED },
        { .kind = NARRATE_STEP, .text = "open the door", .step = STEP_UNDONE },
    };
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        lines_narration(&b, (int64_t)i * 100, false, &told[i]);
    }
    assert_string_equal(b.data, "[     0.0 s] connect\n"
                                "[     0.4 s] warning: bad\\x1b[2J\n"
                                "[     0.5 s] converge: failed\n"
                                "[     0.6 s] converge: cancelled\n"
                                "[     0.7 s] open the door: undone\n");
}

/* Whichever timeout there is, and what it comes to. */
static void limits_in_a_line(void **state)
{
    static const struct {
        struct limits l;
        const char *words;
    } cases[] = {
        { { .value = { [LIMIT_MAX_DOWNTIME] = 300,
                       [LIMIT_ON_TIMEOUT] = ON_TIMEOUT_PAUSE } },
          "timeout-s 0" },
        { { .value = { [LIMIT_MAX_DOWNTIME] = 300, [LIMIT_TIMEOUT] = 9 },
            .timeout_ms = 9000 },
          "timeout-s 9, on-timeout abort" },
        { { .value = { [LIMIT_MAX_DOWNTIME] = 300 }, .timeout_per_gib_s = 64 },
          "timeout-s 0, timeout-s-per-gib 64, on-timeout abort" },
        { { .value = { [LIMIT_MAX_DOWNTIME] = 300, [LIMIT_TIMEOUT] = 9 },
            .timeout_per_gib_s = 64,
            .timeout_ms = 33000 },
          "timeout-s 9, timeout-s-per-gib 64 (in all 33.0 s), on-timeout abort" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buffer_done) struct buffer b = { .data = NULL };
        CLEANUP_FREE char *whole =
            xasprintf("bandwidth no limit, disk-bandwidth no limit, "
                      "max-downtime-ms 300, %s",
                      cases[i].words);

        limits_in_words(&b, &cases[i].l);
        assert_string_equal(b.data, whole);
    }
}

static const struct bar bars[] = {
    { .step = "preflight" },
    { .step = "mirror disks", .elapsed_ms = 61000, .progress = &mirroring },
    { .step = "converge", .elapsed_ms = 12345, .progress = &converging },
    { .step = "converge", .progress = &hopeless, .insecure = true },
    /* figures of another step */
    { .step = "settle disks", .progress = &converging },
    { .step = "mirror disks", .progress = &mirroring, .undoing = true },
};

static char *drawn(unsigned columns, bool color)
{
    struct buffer b = { .data = NULL };
    struct style style = { .color = color, .columns = columns };

    for (size_t i = 0; i < ARRAY_LEN(bars); i++) {
        unsigned width[2];

        bar_draw(&b, &bars[i], &style, width);
        buffer_printf(&b, "\n");
        assert_true(width[0] < columns && width[1] < columns);
    }
    return b.data;
}

static void bar_of_80_columns(void **state)
{
    CLEANUP_FREE char *text = drawn(80, false);

    (void)state;
    assert_string_equal(
        text, "preflight\n"
              "0:00\n"
              "mirror disks         "
              "[###########..................] disks  40 %    200.0 MiB/s\n"
              "1:01  31 s left  4.0 GiB of 10.0 GiB on 1 disk\n"
              "converge             "
              "[#######################........] RAM  75 %    812.0 MiB/s\n"
              "0:12  2 s left  blackout 18 ms  slowed by 20 %  "
              "dirties 20.0 MiB/s  pass 2\n"
              "converge             "
              "[...............................] RAM   0 %\n"
              "INSECURE 0:00  never ends this way: hot set 600.0 MiB  "
              "postcopy in 42 s  pass 1\n"
              "settle disks\n"
              "0:00  2 s left  blackout 18 ms  slowed by 20 %  "
              "dirties 20.0 MiB/s  pass 2\n"
              "undo: mirror disks\n"
              "0:00\n");
}

static void bar_fits_everywhere(void **state)
{
    (void)state;
    for (unsigned columns = 2; columns < 250; columns++) {
        CLEANUP_FREE char *text = drawn(columns, false);
        size_t width = 0;

        for (const char *c = text; *c; c++) {
            width = *c == '\n' ? 0 : width + 1;
            assert_true(width < columns);
        }
    }
}

static void insecure_is_red(void **state)
{
    CLEANUP_FREE char *text = drawn(80, true);

    (void)state;
    assert_non_null(strstr(text, RED "INSECURE" PLAIN " 0:00"));
}

static void a_narrower_terminal_wraps(void **state)
{
    static const unsigned width[2] = { 79, 40 };

    (void)state;
    assert_int_equal(bar_rows_up(width, 80), 1);
    assert_int_equal(bar_rows_up(width, 79), 1);
    assert_int_equal(bar_rows_up(width, 40), 2);
    assert_int_equal(bar_rows_up(width, 30), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(a_hundred_percent_is_all),
        cmocka_unit_test(lines_of_progress),
        cmocka_unit_test(figures_of_a_step_are_shown_again),
        cmocka_unit_test(lines_of_what_happens),
        cmocka_unit_test(limits_in_a_line),
        cmocka_unit_test(bar_of_80_columns),
        cmocka_unit_test(bar_fits_everywhere),
        cmocka_unit_test(insecure_is_red),
        cmocka_unit_test(a_narrower_terminal_wraps),
    };

    return cmocka_run_group_tests_name("cli-progress", tests, NULL, NULL);
}
