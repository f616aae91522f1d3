/*
 * The policy of mirrors against traces: when a disk is written faster than it
 * is copied, when its writes have become too slow, and when it is stuck.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/mirror-policy.h"
#include "core/mirror.h"

#define M (1024ULL * 1024)
#define STEP_MS 250

/* A disk that is copied and dirtied at steady rates, but no more than HOT. */
struct model {
    uint64_t copy_bps, write_bps, hot;
    uint64_t current, remaining;
    int64_t now_ms;
};

static void move_on(struct model *m)
{
    uint64_t moved = m->copy_bps * STEP_MS / 1000;
    uint64_t written = m->write_bps * STEP_MS / 1000;

    if (moved > m->remaining)
        moved = m->remaining;
    m->current += moved;
    m->remaining -= moved;
    if (m->remaining < m->hot)
        m->remaining =
            m->remaining + written > m->hot ? m->hot : m->remaining + written;
    m->now_ms += STEP_MS;
}

/* When it is found to be overtaken, in ms; -1: not until it is in sync, -2:
 * not within ten minutes. */
static int64_t overtaken_at(struct model m)
{
    struct mirror_pace pace = { 0 };

    m.now_ms = 1;
    while (m.now_ms < 600000) {
        if (mirror_is_overtaken(&pace, m.now_ms, m.current,
                                m.current + m.remaining))
            return m.now_ms - 1;
        if (m.copy_bps && m.remaining <= m.copy_bps * STEP_MS / 1000)
            return -1;
        move_on(&m);
    }
    return -2;
}

static void test_overtaken(void **state)
{
    static const struct {
        const char *what;
        struct model m;
        int64_t at_ms;
    } table[] = {
        { "nobody writes", { .copy_bps = 10 * M, .remaining = 3000 * M }, -1 },
        { "slow, but it gets there",
          { 100 * M, 50 * M, 20000 * M, 0, 20000 * M, 0 },
          -1 },
        { "a hot set that is smaller than the disk: the bulk first",
          { 10 * M, 20 * M, 100 * M, 0, 300 * M, 0 },
          30000 },
        { "written faster than copied",
          { 10 * M, 20 * M, 1000 * M, 0, 500 * M, 0 },
          10000 },
        { "as fast as copied",
          { 10 * M, 10 * M, 1000 * M, 0, 500 * M, 0 },
          10000 },
        { "it gains, but a new one would be there much sooner",
          { 100 * M, 99 * M, 20000 * M, 0, 10000 * M, 0 },
          10000 },
        { "it does not move at all: a stall",
          { 0, 20 * M, 1000 * M, 0, 500 * M, 0 },
          -2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (overtaken_at(table[i].m) != table[i].at_ms)
            fail_msg("%s: %lld", table[i].what,
                     (long long)overtaken_at(table[i].m));
}

/* One bad window is a burst. */
static void test_burst(void **state)
{
    struct mirror_pace p = { 0 };

    (void)state;
    assert_false(mirror_is_overtaken(&p, 1, 0, 500 * M));
    assert_false(mirror_is_overtaken(&p, 5001, 50 * M, 600 * M));
    assert_int_equal(p.copied_bps, 10 * M);
    assert_int_equal(p.written_bps, 20 * M);
    assert_false(mirror_is_overtaken(&p, 10001, 100 * M, 600 * M));
    assert_false(mirror_is_overtaken(&p, 15001, 150 * M, 700 * M));
    assert_true(mirror_is_overtaken(&p, 20001, 200 * M, 800 * M));
}

/* The target is zeroed first, without a figure. */
static void test_not_begun(void **state)
{
    struct mirror_pace p = { 0 };

    (void)state;
    for (int64_t ms = 1; ms < 60000; ms += STEP_MS)
        assert_false(mirror_is_overtaken(&p, ms, 0, 0));
    assert_false(mirror_is_overtaken(&p, 60000, 0, 100 * M));
    assert_false(mirror_is_overtaken(&p, 65000, 0, 100 * M));
}

struct writes {
    int64_t window_ms; /* a window each, of 100 writes that took each */
    bool blocking;
    double each_ms;
    bool told;
};

static void run_writes(const struct writes *w, size_t count)
{
    struct write_pace p = { 0 };
    struct write_count sum = { 0 };
    int64_t now_ms = 1;

    assert_false(mirror_slows_writes(&p, now_ms, &sum, false));
    for (size_t i = 0; i < count; i++) {
        now_ms += MIRROR_WINDOW_MS;
        sum.writes += 100;
        sum.total_ns += (uint64_t)(w[i].each_ms * 1e6) * 100;
        if (mirror_slows_writes(&p, now_ms, &sum, w[i].blocking) != w[i].told)
            fail_msg("window %zu", i);
    }
}

static void test_slow_writes(void **state)
{
    static const struct writes protected_guest[] = {
        { .each_ms = 1 },
        { .blocking = true, .each_ms = 20 }, /* slower, but bearable */
        { .blocking = true, .each_ms = 150, .told = true },
        { .blocking = true, .each_ms = 200 },
        { .blocking = true, .each_ms = 301, .told = true },
        { .blocking = true, .each_ms = 2 },
    };
    static const struct writes slow_disk[] = {
        { .each_ms = 90 },
        { .blocking = true, .each_ms = 200 }, /* as slow as it ever was */
        { .blocking = true, .each_ms = 400, .told = true },
    };
    static const struct writes without_mirror[] = { { .each_ms = 4000 } };

    (void)state;
    run_writes(protected_guest, ARRAY_LEN(protected_guest));
    run_writes(slow_disk, ARRAY_LEN(slow_disk));
    run_writes(without_mirror, ARRAY_LEN(without_mirror));
}

/* Where no write ends, the window goes on until one does. */
static void test_held_up_for_long(void **state)
{
    struct write_pace p = { 0 };
    struct write_count c = { .writes = 10, .total_ns = 1000000 };

    (void)state;
    assert_false(mirror_slows_writes(&p, 1, &c, true));
    assert_false(mirror_slows_writes(&p, 6000, &c, true));
    assert_false(mirror_slows_writes(&p, 20000, &c, true));
    c.writes++;
    c.total_ns += 20000000000;
    assert_true(mirror_slows_writes(&p, 20001, &c, true));
    assert_true(p.now_ms > 19999 && p.now_ms < 20001);
}

/* --- stuck ---------------------------------------------------------------- */

/* Looked at each second; when it is warned of, and stuck, in s; 0: never. */
struct looks {
    struct mirror_sight first;
    uint64_t moves;   /* bytes ... */
    int64_t each_s;   /* ... so often; 0: never */
    int64_t look_ms;  /* 0: each second */
    int64_t warned_s; /* the first time */
    int64_t stuck_s;
};

static void run_looks(const char *what, const struct looks *l)
{
    struct mirror_quiet p = { 0 };
    struct mirror_sight s = l->first;
    int64_t warned_s = 0, stuck_s = 0, look_ms = l->look_ms ? l->look_ms : 1000;

    for (s.now_ms = 1; s.now_ms < 700000 && stuck_s == 0; s.now_ms += look_ms) {
        enum mirror_advice advice;

        if (l->each_s > 0 && s.now_ms / 1000 % l->each_s == 0)
            s.current += l->moves;
        advice = mirror_is_stuck(&p, &s);
        if (advice == MIRROR_IS_QUIET && warned_s == 0)
            warned_s = s.now_ms / 1000;
        if (advice == MIRROR_IS_STUCK)
            stuck_s = s.now_ms / 1000;
    }
    if (warned_s != l->warned_s || stuck_s != l->stuck_s)
        fail_msg("%s: warned at %lld s, stuck at %lld s", what,
                 (long long)warned_s, (long long)stuck_s);
}

#define SIGHT(...)                                                             \
    {                                                                          \
        .current = 10 * M, .total = 3000 * M, __VA_ARGS__                      \
    }

/* A write of the guest, of so many bytes, is under way. */
#define WRITES(bytes, ...)                                                     \
    {                                                                          \
        .current = 10 * M, .total = 10 * M + (bytes), .ready = true,           \
        .blocking = true, __VA_ARGS__                                          \
    }

static const struct {
    const char *what;
    struct looks looks;
} looks_table[] = {
    { "the bulk, in the background",
      { SIGHT(.ready = false), .warned_s = 10, .stuck_s = 30 } },
    { "in sync once, but something was written since",
      { SIGHT(.ready = true), .warned_s = 10, .stuck_s = 30 } },
    { "a write of the guest waits",
      { WRITES(4096, ), .warned_s = 5, .stuck_s = 15 } },
    { "2 GiB of zeroes wait",
      { WRITES(2048 * M, ), .warned_s = 5, .stuck_s = 143 } },
    { "and a lost network is waited for",
      { WRITES(4096, .patient = true), .warned_s = 5, .stuck_s = 120 } },
    { "one byte each 4 s", { WRITES(4096, ), .moves = 1, .each_s = 4 } },
    { "one byte each 14 s: a warning",
      { WRITES(4096, ), .moves = 1, .each_s = 14, .warned_s = 5 } },
    { "one byte each 29 s, in the background",
      { SIGHT(.ready = true), .moves = 1, .each_s = 29, .warned_s = 10 } },
    { "idle, in sync",
      { { .current = 5, .total = 5, .ready = true, .blocking = true },
        .stuck_s = 0 } },
    { "more copied than there is", /* between two figures of QEMU */
      { { .current = 6, .total = 5, .ready = true }, .stuck_s = 0 } },
    { "it zeroes the target",
      { { .total = 0 }, .warned_s = 60, .stuck_s = 600 } },
    { "it flushes the target",
      { { .current = 5, .total = 5 }, .warned_s = 60, .stuck_s = 600 } },
    { "a speed of 1 MiB/s: QEMU pauses for 16 s",
      { SIGHT(.speed_bps = 1 << 20), .warned_s = 26, .stuck_s = 46 } },
    { "hardly ever looked at: QEMU may have been stopped",
      { WRITES(4096, ), .look_ms = 20000, .warned_s = 40, .stuck_s = 100 } },
};

static void test_stuck(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(looks_table); i++)
        run_looks(looks_table[i].what, &looks_table[i].looks);
}

/* A write that is on its way is no older than when it was first seen, however
 * long it was idle before. */
static void test_idle_before(void **state)
{
    struct mirror_sight s = { .current = 5, .total = 5, .ready = true };
    struct mirror_quiet p = { 0 };

    (void)state;
    for (s.now_ms = 1; s.now_ms < 100000; s.now_ms += 1000)
        assert_int_equal(mirror_is_stuck(&p, &s), MIRROR_IS_WELL);
    s.total = 6;
    assert_int_equal(mirror_is_stuck(&p, &s), MIRROR_IS_WELL);
    assert_int_equal(p.quiet_ms, 0);
    for (int i = 0; i < 29; i++, s.now_ms += 1000)
        assert_int_not_equal(mirror_is_stuck(&p, &s), MIRROR_IS_STUCK);
    s.current = 6;
    assert_int_equal(mirror_is_stuck(&p, &s), MIRROR_IS_WELL);
    assert_int_equal(p.quiet_ms, 0);
}

/* A storage that hangs again and again is told once a minute. */
static void test_told_once_a_minute(void **state)
{
    struct mirror_sight s = WRITES(4096, );
    struct mirror_quiet p = { 0 };
    int told = 0;

    (void)state;
    for (s.now_ms = 1; s.now_ms < 300000; s.now_ms += 1000) {
        s.current += s.now_ms / 1000 % 10 == 0;
        told += mirror_is_stuck(&p, &s) == MIRROR_IS_QUIET;
    }
    assert_int_equal(told, 5);
}

static void room_is_asked_for_where_it_lacks(void **state)
{
    static const struct {
        uint64_t left, room; /* MiB / 10 */
        const char *says;
    } rows[] = {
        { 1000, 400, "for 60.0 MiB more" },
        { 1000, 999, "for 0.1 MiB more" },
        { 1000, 1000, "a quota" },
        { 1000, 2000, "a quota" },
        { 0, 0, "a quota" },
    };
    CLEANUP_FREE char *unknown = mirror_room_hint(MIB, NULL);

    (void)state;
    assert_non_null(strstr(unknown, "at most 1.0 MiB"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t room = rows[i].room * MIB / 10;
        CLEANUP_FREE char *hint =
            mirror_room_hint(rows[i].left * MIB / 10, &room);

        assert_non_null(strstr(hint, rows[i].says));
        assert_null(strstr(hint, " 0.0 MiB more"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overtaken),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_not_begun),
        cmocka_unit_test(test_slow_writes),
        cmocka_unit_test(test_held_up_for_long),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_idle_before),
        cmocka_unit_test(room_is_asked_for_where_it_lacks),
        cmocka_unit_test(test_told_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
