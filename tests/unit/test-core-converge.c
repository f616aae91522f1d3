/*
 * The convergence policy against traces: what it does and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/converge.h"

#define M (1024ULL * 1024)

static const struct converge_rules usual = { .max_downtime_ms = 300 };

/* The sample that follows when a pass of the model ends: D/B of what remained
 * remains, at most the hot set. */
struct model {
    uint64_t send_bps, dirty_bps, hot_set;
    struct converge_sample now;
};

static void model_init(struct model *m, uint64_t send, uint64_t dirty,
                       uint64_t hot_set, uint64_t total)
{
    *m = (struct model){
        .send_bps = send,
        .dirty_bps = dirty,
        .hot_set = hot_set,
        .now = { .at_ms = 1, .pass = 1, .total = total, .remaining = total },
    };
}

static void next_pass(struct model *m)
{
    uint64_t ms = m->now.remaining * 1000 / m->send_bps + 1;
    uint64_t left = m->dirty_bps * ms / 1000;

    m->now.at_ms += (int64_t)ms;
    m->now.transferred += m->now.remaining;
    m->now.remaining = left < m->hot_set ? left : m->hot_set;
    m->now.dirty_bps = m->dirty_bps;
    m->now.pass++;
}

static void starts_strict(void **state)
{
    struct converge c;

    (void)state;
    converge_init(&c, &usual);
    assert_int_equal(c.limit_ms, CONVERGE_FIRST_LIMIT_MS);
    converge_init(&c, &(struct converge_rules){ .max_downtime_ms = 5 });
    assert_int_equal(c.limit_ms, 5);
}

/* A guest that dirties slowly: each pass leaves a fraction of the last, so the
 * limit stays strict until the end fits it. */
static void stays_strict_while_passes_shrink(void **state)
{
    struct converge c;
    struct model m;

    (void)state;
    converge_init(&c, &usual);
    model_init(&m, 100 * M, 20 * M, 256 * M, 1024 * M);
    while (m.now.remaining > 2 * M) {
        assert_int_equal(converge_step(&c, &m.now), CONVERGE_WAIT);
        next_pass(&m);
    }
    assert_int_equal(c.limit_ms, CONVERGE_FIRST_LIMIT_MS);
}

/* 10 MiB are dirtied again in each pass and take 100 ms: two passes without
 * progress raise the limit to about that, not to the bound. */
static void rises_to_what_is_enough(void **state)
{
    struct converge c;
    struct model m;
    enum converge_action action = CONVERGE_WAIT;
    int passes = 0;

    (void)state;
    converge_init(&c, &usual);
    model_init(&m, 100 * M, 150 * M, 10 * M, 1024 * M);
    while (action == CONVERGE_WAIT && passes++ < 100) {
        action = converge_step(&c, &m.now);
        next_pass(&m);
    }
    assert_int_equal(action, CONVERGE_SET_LIMIT);
    assert_in_range(passes, 4, 40);
    assert_in_range(c.limit_ms, 100, 110);
}

static void never_exceeds_the_bound(void **state)
{
    struct converge c;
    struct model m;

    (void)state;
    converge_init(&c, &usual);
    model_init(&m, 100 * M, 150 * M, 500 * M, 1024 * M);
    for (int i = 0; i < 40; i++) {
        converge_step(&c, &m.now);
        next_pass(&m);
    }
    assert_int_equal(c.limit_ms, 300);
    assert_int_equal(c.left_ms, -2);
    assert_int_equal(converge_step(&c, &m.now), CONVERGE_WAIT);
}

static void predicts_the_rest(void **state)
{
    struct converge c;
    struct converge_sample s = {
        .at_ms = 1, .pass = 1, .total = 1000 * M, .remaining = 1000 * M
    };

    (void)state;
    converge_init(&c, &usual);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    assert_int_equal(c.left_ms, -1);
    s.at_ms += 1000;
    s.transferred = 100 * M;
    s.remaining = 900 * M;
    converge_step(&c, &s);
    assert_int_equal(c.bps, 100 * M);
    /* 898 MiB at 100 MiB/s, as 20 ms are 2 MiB */
    assert_in_range(c.left_ms, 8900, 9000);
}

static void acts_on_the_timeout(void **state)
{
    struct converge_rules rules = { .max_downtime_ms = 300,
                                    .timeout_ms = 5000 };
    struct converge_sample s = {
        .at_ms = 4999, .pass = 1, .total = M, .remaining = M
    };
    struct converge c;

    (void)state;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    s.at_ms = 5000;
    assert_int_equal(converge_step(&c, &s), CONVERGE_ABORT);
    rules.pause_on_timeout = true;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_PAUSE);
    s.at_ms = 6000;
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT); /* once */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_strict),
        cmocka_unit_test(stays_strict_while_passes_shrink),
        cmocka_unit_test(rises_to_what_is_enough),
        cmocka_unit_test(never_exceeds_the_bound),
        cmocka_unit_test(predicts_the_rest),
        cmocka_unit_test(acts_on_the_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
