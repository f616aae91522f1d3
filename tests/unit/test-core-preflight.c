/*
 * Every check of preflight: good facts with one thing spoilt, and the words
 * that must come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "good-facts.h"

static char *judge(const struct good_facts *g, enum verdict_level level)
{
    struct verdicts v = { .count = 0 };
    char *text;

    preflight_judge(&g->f, &v);
    text = verdicts_as_text(&v, level);
    verdicts_done(&v);
    return text;
}

#include "preflight-spoil.h"
#include "restart-spoil.h"

/* it names what the other defines */
#include "preflight-cases.h"

static void words_are_as_expected(void **state)
{
    const struct preflight_case *c = *state;
    struct good_facts g;
    char *text;

    good_facts_init(&g);
    c->spoil(&g);
    text = judge(&g, VERDICT_WARNING);
    assert_string_equal(text, c->expected);
    free(text);
    plan_done(&g.plan);
}

/* Each check that applies says something, in the table's order. */
static void good_facts_are_told_whole(void **state)
{
    struct good_facts g;
    char *text;

    (void)state;
    good_facts_init(&g);
    use_unit(&g, "no");
    text = judge(&g, VERDICT_OK);
    assert_string_equal(text, all_good);
    free(text);
    plan_done(&g.plan);
}

static void mirror_fault_is_told(void **state)
{
    static const struct {
        int major, minor, micro;
        const char *driver;
        bool told;
    } rows[] = {
        { 7, 2, 22, "qcow2", false },  { 8, 1, 5, "qcow2", false },
        { 8, 2, 0, "qcow2", true },    { 10, 0, 2, "qcow2", true },
        { 10, 0, 2, "raw", false },    { 10, 0, 12, "qcow2", true },
        { 10, 0, 13, "qcow2", false }, { 10, 1, 0, "qcow2", true },
        { 10, 2, 1, "qcow2", true },   { 10, 2, 2, "qcow2", false },
        { 11, 1, 3, "qcow2", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct good_facts g;
        char *text;

        good_facts_init(&g);
        g.f.side[SOURCE].version =
            (struct qmp_version){ .major = rows[i].major,
                                  .minor = rows[i].minor,
                                  .micro = rows[i].micro };
        g.disk[SOURCE][0].driver = T(rows[i].driver);
        text = judge(&g, VERDICT_OK);
        assert_int_equal(strstr(text, "vd0 is copied without discard") != NULL,
                         rows[i].told);
        free(text);
        plan_done(&g.plan);
    }
}

static void failed_disk_is_named(void **state)
{
    struct good_facts g;
    char *text;

    (void)state;
    good_facts_init(&g);
    g.f.side[SOURCE].run_state =
        (struct qmp_run_state){ .status = T("io-error") };
    g.disk[SOURCE][0].has_failed = true;
    text = judge(&g, VERDICT_WARNING);
    assert_string_equal(
        text, "blocker source run-state: the source's guest was stopped by an "
              "I/O error of its disk vd0 | only a running, paused or not yet "
              "started guest can be moved; QEMU says 'io-error' | make room "
              "for that disk or mend it, and `cont` the guest: QEMU tries the "
              "request again\n");
    free(text);
    plan_done(&g.plan);
}

static void blockers_become_an_error(void **state)
{
    struct verdicts v = { .count = 0 };
    struct qm_error err = QM_ERROR_INIT;
    struct good_facts g;

    (void)state;
    good_facts_init(&g);
    preflight_judge(&g.f, &v);
    assert_int_equal(verdicts_to_error(&v, &err), 0);
    assert_null(err.message);
    verdicts_done(&v);

    machine_type_differs(&g);
    preflight_judge(&g.f, &v);
    assert_int_equal(verdicts_to_error(&v, &err), -1);
    assert_int_equal(err.code, QM_ERR_REFUSED);
    assert_string_equal(err.message,
                        "the machine type is pc-q35-7.2 at the source and "
                        "pc-q35-7.1 at the destination");
    assert_string_equal(err.hint,
                        "start the destination with -machine pc-q35-7.2");
    verdicts_done(&v);
    error_clear(&err);

    uuid_differs(&g);
    ram_differs(&g);
    preflight_judge(&g.f, &v);
    assert_int_equal(verdicts_count(&v, VERDICT_BLOCKER), 4);
    verdicts_to_error(&v, &err);
    assert_true(
        str_ends(err.message, "at the destination (and 3 more reasons)"));
    verdicts_done(&v);
    error_clear(&err);
    plan_done(&g.plan);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases) + 3] = {
        cmocka_unit_test(good_facts_are_told_whole),
        cmocka_unit_test(mirror_fault_is_told),
        cmocka_unit_test(failed_disk_is_named),
        cmocka_unit_test(blockers_become_an_error),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = words_are_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
