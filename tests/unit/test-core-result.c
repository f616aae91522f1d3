/*
 * Exit codes: where the guest is, as scripts see it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/result.h"

static const struct {
    enum outcome outcome;
    enum guest_place guest;
    bool left;
    int code;
} table[] = {
    { OUTCOME_COMPLETED, GUEST_DESTINATION, false, 0 },
    { OUTCOME_COMPLETED, GUEST_SOURCE, false, 0 }, /* check */
    { OUTCOME_REFUSED, GUEST_SOURCE, false, 3 },
    { OUTCOME_FAILED, GUEST_SOURCE, false, 4 },
    { OUTCOME_CANCELLED, GUEST_SOURCE, false, 5 },
    { OUTCOME_COMPLETED, GUEST_DESTINATION, true, 6 },
    { OUTCOME_FAILED, GUEST_DESTINATION, false, 6 },
    { OUTCOME_UNDECIDED, GUEST_UNKNOWN, true, 7 },
    { OUTCOME_FAILED, GUEST_UNKNOWN, false, 7 },
    { OUTCOME_FAILED, GUEST_SOURCE, true, 8 },
    { OUTCOME_CANCELLED, GUEST_SOURCE, true, 8 },
    { OUTCOME_FAILED, GUEST_NOWHERE, false, 9 },
};

static void exit_code_says_where_the_guest_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct result r;

        result_init(&r);
        r.outcome = table[i].outcome;
        r.guest = table[i].guest;
        if (table[i].left)
            strv_add(&r.left, "something");
        assert_int_equal(result_exit(&r), table[i].code);
        result_done(&r);
    }
}

static void usage_is_two(void **state)
{
    struct result r;

    (void)state;
    result_init(&r);
    error_set(&r.error, QM_ERR_USAGE, "no");
    assert_int_equal(result_exit(&r), 2);
    result_done(&r);
}

/* Each asks for more attention than those before it. */
static void worst_of_many(void **state)
{
    static const enum qm_exit order[] = {
        QM_EXIT_DONE,      QM_EXIT_CANCELLED, QM_EXIT_FAILED,
        QM_EXIT_REFUSED,   QM_EXIT_USAGE,     QM_EXIT_LEFT_THERE,
        QM_EXIT_LEFT_HERE, QM_EXIT_NOWHERE,   QM_EXIT_UNDECIDED,
        QM_EXIT_BUG,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        for (size_t j = i; j < ARRAY_LEN(order); j++) {
            assert_int_equal(result_worse_exit(order[i], order[j]), order[j]);
            assert_int_equal(result_worse_exit(order[j], order[i]), order[j]);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_code_says_where_the_guest_is),
        cmocka_unit_test(usage_is_two),
        cmocka_unit_test(worst_of_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
