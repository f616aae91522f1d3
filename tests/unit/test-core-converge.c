/*
 * The convergence policy against a model of a guest and of QEMU's passes: what
 * it does, when, and whether what it foretold came true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "converge-model.h"
#include "core/policy.h"

#define M (1024ULL * 1024)

/* A guest of 1 GiB with that hot set, over 100 MiB/s. */
static const struct converge_guest usual_guest = {
    .total = 1024 * M,
    .send_bps = 100 * M,
};

static struct converge_rules rules_of(const char *name)
{
    const struct policy *p = policy_named(name);

    return (struct converge_rules){
        .max_downtime_ms = p->max_downtime_ms,
        .patience = p->patience,
        .max_throttle = p->max_throttle,
        .pause_when_stuck = p->pause_when_stuck,
    };
}

static struct converge_run run(const char *policy, uint64_t dirty_bps,
                               uint64_t hot_set)
{
    struct converge_guest g = usual_guest;
    struct converge_rules rules = rules_of(policy);

    g.dirty_bps = dirty_bps;
    g.hot_set = hot_set;
    return converge_model_run(&g, &rules, 600 * 1000);
}

static void starts_strict(void **state)
{
    struct converge c;

    (void)state;
    converge_init(&c, &(struct converge_rules){ .max_downtime_ms = 300 });
    assert_int_equal(c.limit_ms, CONVERGE_FIRST_LIMIT_MS);
    converge_init(&c, &(struct converge_rules){ .max_downtime_ms = 5 });
    assert_int_equal(c.limit_ms, 5);
}

/* Each pass leaves a fraction of the last, so the limit stays strict until
 * the end fits it. */
static void stays_strict_while_passes_shrink(void **state)
{
    struct converge_run r = run("balanced", 20 * M, 256 * M);

    (void)state;
    assert_true(r.ended);
    assert_int_equal(r.limit_ms, CONVERGE_FIRST_LIMIT_MS);
    assert_int_equal(r.throttle, 0);
    assert_in_range(r.blackout_ms, 0, 20);
    assert_in_range(r.ended_at_ms, 10000, 15000);
}

/* 10 MiB are dirtied again in each pass and take 100 ms: the limit rises to
 * about that, not to the bound, and nobody is throttled. */
static void rises_to_what_is_enough(void **state)
{
    struct converge_run r = run("balanced", 400 * M, 10 * M);

    (void)state;
    assert_true(r.ended);
    assert_in_range(r.limit_ms, 100, 150);
    assert_int_equal(r.throttle, 0);
    assert_false(r.paused);
}

/* 200 MiB take 2 s: no limit that is allowed will do. */
static void throttles_what_no_limit_helps(void **state)
{
    struct converge_run r = run("balanced", 150 * M, 200 * M);

    (void)state;
    assert_true(r.ended);
    assert_int_equal(r.limit_ms, 300);
    assert_in_range(r.throttle, 20, 99);
    assert_in_range(r.blackout_ms, 1, 300);
    assert_in_range(r.ended_at_ms, 10000, 60000);
}

/* The same guest is left as it is, and does not get across. */
static void gentle_never_throttles(void **state)
{
    struct converge_run r = run("gentle", 150 * M, 200 * M);

    (void)state;
    assert_false(r.ended);
    assert_int_equal(r.throttle, 0);
    assert_int_equal(r.limit_ms, 300);
    assert_false(r.paused);
    assert_int_equal(r.outlook, OUTLOOK_NEVER);
}

/* 1000 times the rate: a hundredth of that is still too much. */
static void balanced_stops_at_its_throttle(void **state)
{
    struct converge_run r = run("balanced", 100000 * M, 200 * M);

    (void)state;
    assert_false(r.ended);
    assert_int_equal(r.throttle, 99);
    assert_false(r.paused);
}

static void urgent_pauses_at_last(void **state)
{
    struct converge_run r = run("urgent", 100000 * M, 200 * M);

    (void)state;
    assert_true(r.ended);
    assert_int_equal(r.throttle, 99);
    assert_true(r.paused);
}

/* Post-copy comes after throttling, before the pause, and once. */
static void postcopy_before_the_pause(void **state)
{
    struct converge_guest g = usual_guest;
    struct converge_rules rules = rules_of("urgent");
    struct converge_run r;

    (void)state;
    g.dirty_bps = 100000 * M;
    g.hot_set = 200 * M;
    rules.postcopy = true;
    r = converge_model_run(&g, &rules, 600 * 1000);
    assert_int_equal(r.postcopied, 1);
    assert_int_equal(r.throttle, 99);
    assert_false(r.paused);
    rules.max_throttle = 0;
    r = converge_model_run(&g, &rules, 600 * 1000);
    assert_int_equal(r.postcopied, 1);
    assert_int_equal(r.throttle, 0);
    rules.postcopy = false;
    r = converge_model_run(&g, &rules, 600 * 1000);
    assert_int_equal(r.postcopied, 0);
    assert_true(r.paused);
}

/* A timeout in the first pass waits for its end; then it is kept at once. */
static void postcopy_on_timeout(void **state)
{
    struct converge_rules rules = rules_of("gentle");
    struct converge_sample s = {
        .at_ms = 5000, .pass = 1, .total = 1024 * M, .remaining = 500 * M
    };
    struct converge c;

    (void)state;
    rules.postcopy = rules.postcopy_on_timeout = true;
    rules.timeout_ms = 2000;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    assert_false(c.timed_out);
    s.pass = CONVERGE_WHOLE_PASS;
    s.at_ms += 250;
    assert_int_equal(converge_step(&c, &s), CONVERGE_POSTCOPY);
    assert_true(c.timed_out);
    s.at_ms += 250;
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
}

/* In short passes the rungs come late to the sample, not to QEMU. */
static void passes_shorter_than_a_sample(void **state)
{
    struct converge_guest g = { .total = 1024 * M,
                                .send_bps = 2000 * M,
                                .dirty_bps = 3000 * M,
                                .hot_set = 100 * M };
    struct converge_rules rules = rules_of("balanced");
    struct converge_run r = converge_model_run(&g, &rules, 60000);

    (void)state;
    assert_true(r.ended);
    assert_in_range(r.limit_ms, 50, 80);
    assert_int_equal(r.throttle, 0);
}

/* A guest that writes at half the rate gets across by itself, with whatever
 * policy: seen with each pass, QEMU's figure was that of the pass before, and
 * the second pass seemed to be in vain. */
static void a_shrinking_pass_is_not_in_vain(void **state)
{
    static const char *const names[] = { "gentle", "balanced", "urgent" };
    struct converge_guest g = { .total = 256 * M,
                                .send_bps = 23 * M,
                                .dirty_bps = 12 * M,
                                .hot_set = 64 * M };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct converge_rules rules = rules_of(names[i]);
        struct converge_run r = converge_model_run(&g, &rules, 60000);

        assert_true(r.ended);
        assert_in_range(r.limit_ms, CONVERGE_FIRST_LIMIT_MS, 60);
        assert_int_equal(r.throttle, 0);
    }
}

/* QEMU 10 counts its looks for dirty pages in the middle of the first pass:
 * they are no passes in vain. */
static void looks_are_no_passes(void **state)
{
    struct converge_guest g = { .total = 8192 * M,
                                .send_bps = 100 * M,
                                .dirty_bps = 60 * M,
                                .hot_set = 2048 * M,
                                .look_ms = 2000 };
    struct converge_rules rules = rules_of("urgent");
    struct converge_run r = converge_model_run(&g, &rules, 600 * 1000);

    (void)state;
    assert_true(r.ended);
    assert_int_equal(r.limit_ms, CONVERGE_FIRST_LIMIT_MS);
    assert_int_equal(r.throttle, 0);
}

/* What was said as soon as it could be known, against what happened. */
static void foretells_the_end(void **state)
{
    static const uint64_t dirty[] = { 0, 10 * M, 30 * M, 60 * M, 80 * M };

    (void)state;
    for (size_t i = 0; i < sizeof(dirty) / sizeof(dirty[0]); i++) {
        struct converge_run r = run("balanced", dirty[i], 512 * M);
        int64_t truth;

        assert_true(r.ended);
        if (dirty[i] == 0)
            continue; /* it ends with the first pass */
        assert_in_range(r.foretold_at_ms, r.ended_at_ms / 2, r.ended_at_ms);
        truth = r.ended_at_ms - r.foretold_at_ms;
        assert_in_range(r.foretold_ms, truth * 6 / 10, truth * 14 / 10);
        assert_in_range(r.foretold_blackout_ms, 0, CONVERGE_FIRST_LIMIT_MS);
    }
}

static void foretells_that_there_is_no_end(void **state)
{
    struct converge_run r = run("gentle", 300 * M, 200 * M);

    (void)state;
    assert_int_equal(r.outlook, OUTLOOK_NEVER);
    assert_in_range(r.hot_bytes, 150 * M, 210 * M);
}

static void acts_on_the_timeout(void **state)
{
    struct converge_rules rules = { .max_downtime_ms = 300,
                                    .timeout_ms = 5000,
                                    .patience = 2 };
    struct converge_sample s = {
        .at_ms = 4999, .pass = 1, .total = M, .remaining = M
    };
    struct converge c;

    (void)state;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    s.at_ms = 5000;
    assert_int_equal(converge_step(&c, &s), CONVERGE_ABORT);
    assert_true(c.timed_out);
    rules.pause_on_timeout = true;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_PAUSE);
    s.at_ms = 6000;
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT); /* once */
}

static void timeout_grows_with_the_guest(void **state)
{
    struct converge_rules rules = { .max_downtime_ms = 300,
                                    .timeout_ms = 5000,
                                    .timeout_per_gib_ms = 4000,
                                    .patience = 2 };
    struct converge_sample s = {
        .at_ms = 7999, .pass = 1, .total = 2048 * M, .remaining = M
    };
    struct converge c;

    (void)state;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    s.at_ms = 8000;
    assert_int_equal(converge_step(&c, &s), CONVERGE_ABORT);
}

static void policies_are_found(void **state)
{
    (void)state;
    assert_string_equal(policy_default->name, "balanced");
    assert_ptr_equal(policy_named("gentle"), &policies[0]);
    assert_null(policy_named("brutal"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_strict),
        cmocka_unit_test(stays_strict_while_passes_shrink),
        cmocka_unit_test(rises_to_what_is_enough),
        cmocka_unit_test(throttles_what_no_limit_helps),
        cmocka_unit_test(gentle_never_throttles),
        cmocka_unit_test(balanced_stops_at_its_throttle),
        cmocka_unit_test(urgent_pauses_at_last),
        cmocka_unit_test(postcopy_before_the_pause),
        cmocka_unit_test(postcopy_on_timeout),
        cmocka_unit_test(passes_shorter_than_a_sample),
        cmocka_unit_test(looks_are_no_passes),
        cmocka_unit_test(a_shrinking_pass_is_not_in_vain),
        cmocka_unit_test(foretells_the_end),
        cmocka_unit_test(foretells_that_there_is_no_end),
        cmocka_unit_test(acts_on_the_timeout),
        cmocka_unit_test(timeout_grows_with_the_guest),
        cmocka_unit_test(policies_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
