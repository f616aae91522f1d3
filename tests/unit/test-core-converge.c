/*
 * The convergence policy against a model of a guest and of QEMU's passes: what
 * it does, when, and whether what it foretold came true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

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
        .first_throttle = p->first_throttle,
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
    assert_int_equal(r.throttle, 97);
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

/* A guest with work of its own that comes by the clock, and time to spare: it
 * does not feel the first rungs, as it does after each sleep what it owes. */
static struct converge_run run_server(const char *policy, double times)
{
    struct converge_guest g = { .total = 192 * M,
                                .send_bps = 23 * M,
                                .dirty_bps = (uint64_t)(times * 23 * M),
                                .hot_set = 64 * M,
                                .top_bps = 600 * M,
                                .owed_ms = 50 };
    struct converge_rules rules = rules_of(policy);

    return converge_model_run(&g, &rules, 52 * 1000);
}

/* Within their own cap, and one rung lower where that is enough. */
static void time_to_spare_is_no_way_out(void **state)
{
    static const double times[] = { 1.5, 2, 4 };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct converge_run r = run_server("balanced", times[i]);

        assert_true(r.ended);
        assert_in_range(r.throttle, 84, 97);
        r = run_server("urgent", times[i]);
        assert_true(r.ended);
        assert_false(r.paused);
        assert_in_range(r.throttle, 84, times[i] < 4 ? 98 : 99);
    }
}

/* A round that leaves as much as was there, at 20 MiB/s. */
static unsigned round_in_vain(struct converge *c, struct converge_sample *s,
                              int throttle)
{
    s->at_ms += 3000;
    s->pass++;
    s->transferred += 60 * M;
    s->processed += 60 * M;
    s->throttle_percent = throttle;
    return converge_step(c, s);
}

/* QEMU throttles two passes after it is told to, at the end of a pass: the
 * pass that it ends had nothing of it, and the next is the first to judge. */
static void a_rung_is_given_a_whole_round(void **state)
{
    struct converge_rules rules = { .max_downtime_ms = 20,
                                    .patience = 1,
                                    .first_throttle = 20,
                                    .max_throttle = 99 };
    struct converge_sample s = {
        .at_ms = 250, .pass = 1, .total = 60 * M, .remaining = 60 * M
    };
    struct converge c;

    (void)state;
    converge_init(&c, &rules);
    assert_int_equal(converge_step(&c, &s), CONVERGE_WAIT);
    assert_int_equal(round_in_vain(&c, &s, 0), CONVERGE_WAIT); /* the first */
    assert_int_equal(round_in_vain(&c, &s, 0), CONVERGE_THROTTLE);
    assert_int_equal(c.throttle, 20);
    assert_int_equal(round_in_vain(&c, &s, 0), CONVERGE_WAIT);
    assert_int_equal(round_in_vain(&c, &s, 20), CONVERGE_WAIT); /* felt now */
    assert_int_equal(round_in_vain(&c, &s, 20), CONVERGE_THROTTLE);
    assert_int_equal(c.throttle, 80);
    /* never felt: not waited for for ever */
    for (int i = 0; i < 4; i++)
        assert_int_equal(round_in_vain(&c, &s, 20), CONVERGE_WAIT);
    assert_int_equal(round_in_vain(&c, &s, 20), CONVERGE_THROTTLE);
}

/* A rung that would change next to nothing costs two rounds all the same. */
static void the_last_rung_is_no_small_one(void **state)
{
    struct converge_rules rules = { .max_downtime_ms = 20,
                                    .patience = 1,
                                    .first_throttle = 20,
                                    .max_throttle = 97 };
    struct converge_sample s = {
        .at_ms = 250, .pass = 1, .total = 60 * M, .remaining = 60 * M
    };
    static const int rungs[] = { 20, 80, 97 };
    struct converge c;

    (void)state;
    converge_init(&c, &rules);
    converge_step(&c, &s);
    round_in_vain(&c, &s, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(round_in_vain(&c, &s, c.throttle), CONVERGE_THROTTLE);
        assert_int_equal(c.throttle, rungs[i]);
        assert_int_equal(round_in_vain(&c, &s, c.throttle), CONVERGE_WAIT);
    }
    assert_int_equal(round_in_vain(&c, &s, 97), CONVERGE_WAIT);
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
        assert_in_range(r.foretold_ram_stop_ms, 0, CONVERGE_FIRST_LIMIT_MS);
    }
}

static void foretells_that_there_is_no_end(void **state)
{
    struct converge_run r = run("gentle", 300 * M, 200 * M);

    (void)state;
    assert_int_equal(r.outlook, OUTLOOK_NEVER);
    assert_in_range(r.hot_bytes, 150 * M, 210 * M);
    assert_int_equal(r.foretold, 0); /* not for a moment */
}

/* The stop is more than what is left of RAM: the commands of the engine, what
 * QEMU does, and what waits in the socket where the network is what is slow. */
static void foretells_the_whole_stop(void **state)
{
    static const struct {
        uint64_t limit_bps;
        int64_t own_ms, least_ms, most_ms;
    } cases[] = {
        { 0, 0, 175, 195 },
        { 0, 400, 575, 595 },
        { 100 * M, 400, 575, 595 }, /* it is not the limit that it meets */
        { 20 * M, 400, 410, 425 },
    };
    struct converge_sample s = {
        .at_ms = 250, .pass = 1, .total = 60 * M, .remaining = 60 * M
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct converge_rules rules = { .max_downtime_ms = 300,
                                        .own_part_ms = cases[i].own_ms,
                                        .bandwidth_bps = cases[i].limit_bps,
                                        .patience = 2 };
        struct converge_sample next = s;
        struct converge c;

        converge_init(&c, &rules);
        converge_step(&c, &s);
        next.at_ms += 3000;
        next.pass = 2;
        next.transferred = next.processed = 60 * M;
        next.remaining = M / 10; /* 5 ms at 20 MiB/s */
        next.dirty_bps = M;
        converge_step(&c, &next);
        assert_int_equal(c.outlook, OUTLOOK_ENDS);
        assert_in_range(c.ram_stop_ms, 0, CONVERGE_FIRST_LIMIT_MS);
        assert_in_range(c.blackout_ms, cases[i].least_ms, cases[i].most_ms);
    }
}

/* Once a throttle works, and not before. */
static void foretells_the_end_of_a_throttled_guest(void **state)
{
    static const char *const names[] = { "balanced", "urgent" };
    static const double times[] = { 1.1, 1.5, 2, 4 };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(times) / sizeof(times[0]); i++) {
        struct converge_run r = run_server(names[i % 2], times[i / 2]);
        int64_t truth = r.ended_at_ms - r.foretold_at_ms;

        assert_true(r.ended);
        assert_true(llabs(r.foretold_ms - truth) < truth / 2 + 1000);
        assert_in_range(r.foretold_ram_stop_ms, 0, r.limit_ms);
    }
}

/* What the engine's commands take is not QEMU's; but something is. */
static void leaves_qemu_a_part(void **state)
{
    static const struct {
        int64_t most_ms, own_ms, qemu_ms;
    } cases[] = {
        { 300, 1, 299 }, { 300, 280, 20 }, { 300, 281, 20 }, { 300, 400, 20 },
        { 20, 400, 20 }, { 5, 400, 5 },    { 5, 1, 5 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            converge_part_of_qemu(cases[i].most_ms, cases[i].own_ms),
            cases[i].qemu_ms);
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

/* A throttled vCPU sleeps for no longer at a time than about the stop that the
 * policy allows. */
static void sleeps_are_no_longer_than_the_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < policy_count; i++) {
        const struct policy *p = &policies[i];
        int64_t sleep_ms = 10 * p->max_throttle / (100 - p->max_throttle);

        assert_in_range(sleep_ms, 0, p->max_downtime_ms * 11 / 10);
    }
}

static void policies_are_found(void **state)
{
    (void)state;
    assert_string_equal(policy_default->name, "balanced");
    assert_ptr_equal(policy_named("gentle"), &policies[0]);
    assert_null(policy_named("brutal"));
}

/* Over a second, until nothing comes; what is not known is not told. */
static void the_rest_of_a_postcopy(void **state)
{
    static const struct {
        int64_t at_ms;
        uint64_t transferred, remaining;
        bool asked, lost;
        uint64_t bps;
        enum converge_outlook outlook;
        int64_t left_ms;
    } t[] = {
        { 1000, 9000, 8000, true, false, 0, OUTLOOK_UNKNOWN, 0 },
        { 1900, 9900, 7100, true, false, 0, OUTLOOK_UNKNOWN, 0 },
        { 2000, 10000, 7000, true, false, 1000, OUTLOOK_REST, 7000 },
        { 2500, 12000, 5000, true, false, 1000, OUTLOOK_REST, 5000 },
        { 3000, 12000, 5000, true, false, 2000, OUTLOOK_REST, 2500 },
        { 4000, 12000, 5000, true, false, 0, OUTLOOK_UNKNOWN, 0 },
        { 5000, 12500, 4500, true, false, 500, OUTLOOK_REST, 9000 },
        { 5250, 12500, 4500, true, true, 0, OUTLOOK_LOST, 0 },
        { 5500, 0, 0, false, true, 0, OUTLOOK_LOST, 0 },
        { 9000, 12500, 4500, true, false, 0, OUTLOOK_UNKNOWN, 0 },
        { 10000, 13500, 3500, true, false, 1000, OUTLOOK_REST, 3500 },
        { 10500, 0, 0, false, false, 0, OUTLOOK_UNKNOWN, 0 },
        { 11000, 14500, 2500, true, false, 0, OUTLOOK_UNKNOWN, 0 },
    };
    struct converge_rest r = { .open = false };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct converge_sample s = { .at_ms = t[i].at_ms,
                                           .transferred = t[i].transferred,
                                           .remaining = t[i].remaining };

        converge_rest(&r, t[i].asked ? &s : NULL, t[i].lost);
        assert_int_equal(r.bps, t[i].bps);
        assert_int_equal(r.outlook, t[i].outlook);
        assert_int_equal(r.left_ms, t[i].left_ms);
    }
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
        cmocka_unit_test(time_to_spare_is_no_way_out),
        cmocka_unit_test(a_rung_is_given_a_whole_round),
        cmocka_unit_test(the_last_rung_is_no_small_one),
        cmocka_unit_test(foretells_the_end),
        cmocka_unit_test(foretells_the_whole_stop),
        cmocka_unit_test(foretells_the_end_of_a_throttled_guest),
        cmocka_unit_test(foretells_that_there_is_no_end),
        cmocka_unit_test(leaves_qemu_a_part),
        cmocka_unit_test(acts_on_the_timeout),
        cmocka_unit_test(timeout_grows_with_the_guest),
        cmocka_unit_test(sleeps_are_no_longer_than_the_stop),
        cmocka_unit_test(policies_are_found),
        cmocka_unit_test(the_rest_of_a_postcopy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
