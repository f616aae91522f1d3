/*
 * The blackout and its parts: they add up, whatever was rounded and whatever
 * is not known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/blackout.h"

static struct result split(const struct blackout_times *t)
{
    struct result r;

    result_init(&r);
    blackout_split(t, &r);
    return r;
}

static int64_t known(int64_t ms)
{
    return ms < 0 ? 0 : ms;
}

static int64_t sum(const struct result *r)
{
    return known(r->stop_ms) + known(r->mirrors_ms) + known(r->verify_ms) +
           known(r->device_ms) + known(r->cont_ms);
}

static const struct blackout_times usual = {
    .stopped_us = 1000000,
    .switchover_us = 1001400,
    .settled_us = 1012800,
    .completed_us = 1020300,
    .running_us = 1023700,
    .announced_us = 1025600,
    .qemu_downtime_ms = 27,
};

static void each_part_is_told(void **state)
{
    struct result r = split(&usual);

    (void)state;
    assert_int_equal(r.blackout_ms, 24 + 7);
    assert_int_equal(r.stop_ms, 1 + 7); /* 27 ms of which 20 were seen */
    assert_int_equal(r.mirrors_ms, 12);
    assert_int_equal(r.verify_ms, -1);
    assert_int_equal(r.device_ms, 7);
    assert_int_equal(r.cont_ms, 4);
    assert_int_equal(r.announce_ms, 2);
}

/* Parts that were each rounded by themselves would be off by one or two. */
static void parts_add_up(void **state)
{
    (void)state;
    for (int64_t us = 0; us < 3000; us += 17) {
        struct blackout_times t = usual;
        struct result r;

        t.settled_us += us;
        t.verified_us = us % 2 ? t.settled_us + us / 3 : 0;
        t.completed_us += 2 * us;
        t.running_us += 3 * us;
        r = split(&t);
        assert_int_equal(sum(&r), r.blackout_ms);
        assert_int_equal(r.verify_ms >= 0, us % 2);
    }
}

/* It stood while its RAM moved: QEMU's downtime began later. */
static void a_pause_is_part_of_the_stop(void **state)
{
    struct blackout_times t = usual;
    struct result r;

    (void)state;
    t.we_paused = true;
    t.stopped_us -= 500000;
    r = split(&t);
    assert_int_equal(r.stop_ms, 501);
    assert_int_equal(r.blackout_ms, 524);
    assert_int_equal(sum(&r), r.blackout_ms);
}

/* A row that told nothing leaves its time to the next one. */
static void what_is_not_known_goes_to_the_next(void **state)
{
    struct blackout_times t = usual;
    struct result r;

    (void)state;
    t.settled_us = t.announced_us = 0;
    r = split(&t);
    assert_int_equal(r.mirrors_ms, -1);
    assert_int_equal(r.device_ms, 12 + 7);
    assert_int_equal(r.announce_ms, -1);
    assert_int_equal(sum(&r), r.blackout_ms);
    t.stopped_us = 0;
    r = split(&t);
    assert_int_equal(r.blackout_ms, -1);
    assert_int_equal(r.stop_ms, -1);
    assert_int_equal(r.cont_ms, -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_told),
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(a_pause_is_part_of_the_stop),
        cmocka_unit_test(what_is_not_known_goes_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
