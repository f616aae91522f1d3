/*
 * What a supervisor does when its child has ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "base/util.h"
#include "cli/supervise.h"
#include "core/result.h"

#define OVER JOURNAL_OVER
#define OPEN JOURNAL_OPEN
#define DAMAGED JOURNAL_DAMAGED
#define EXIT SUPERVISE_EXIT
#define DIE SUPERVISE_DIE
#define RECOVER SUPERVISE_RECOVER

static const struct {
    struct supervise_facts facts;
    struct supervise_verdict verdict;
} table[] = {
    /* signal, code, tries, journal, told to end: action, code, wait */

    /* the engine exits: so do we, whatever it left */
    { { 0, 0, 0, OVER, false }, { EXIT, 0, 0, false } },
    { { 0, 3, 0, OVER, false }, { EXIT, 3, 0, false } },
    { { 0, 7, 0, OVER, false }, { EXIT, 7, 0, false } },
    { { 0, 7, 0, DAMAGED, false }, { EXIT, 7, 0, false } },
    { { 0, 6, 0, OPEN, false }, { EXIT, 6, 0, false } },
    { { 0, 1, 0, OVER, false }, { EXIT, 1, 0, false } },
    /* it is killed, or ends as it never should */
    { { SIGKILL, 0, 0, OPEN, false }, { RECOVER, 0, 0, false } },
    { { SIGSEGV, 0, 0, DAMAGED, false }, { RECOVER, 0, 0, false } },
    { { SIGTERM, 0, 0, OPEN, true }, { RECOVER, 0, 0, false } },
    { { 0, 1, 0, OPEN, false }, { RECOVER, 0, 0, false } },
    /* it gave up, and it is not known where the guest is: a side may be back */
    { { 0, 7, 0, OPEN, false }, { RECOVER, 0, 1000, false } },
    { { 0, 7, 0, OPEN, true }, { EXIT, 7, 0, false } },
    /* before there was anything to recover */
    { { SIGKILL, 0, 0, OVER, false }, { DIE, 0, 0, false } },
    { { SIGINT, 0, 0, OVER, false }, { DIE, 0, 0, false } },

    /* recover says where the guest is */
    { { 0, 0, 1, OVER, false }, { EXIT, 0, 0, false } },
    { { 0, 4, 1, OVER, false }, { EXIT, 4, 0, false } },
    { { 0, 6, 1, OVER, false }, { EXIT, 6, 0, false } },
    { { 0, 9, 1, OPEN, false }, { EXIT, 9, 0, false } },
    /* a side was away, or another recover at it: again, ever later */
    { { 0, 7, 1, OPEN, false }, { RECOVER, 0, 1000, false } },
    { { 0, 6, 2, OPEN, false }, { RECOVER, 0, 2000, false } },
    { { 0, 8, 3, OPEN, false }, { RECOVER, 0, 4000, false } },
    { { 0, 3, 4, OPEN, false }, { RECOVER, 0, 8000, false } },
    { { SIGKILL, 0, 6, OPEN, false }, { RECOVER, 0, 32000, false } },
    /* not for ever where the guest runs, and not against the operator */
    { { 0, 8, 6, OPEN, false }, { RECOVER, 0, 32000, false } },
    { { 0, 8, 7, OPEN, false }, { EXIT, 8, 0, false } },
    { { 0, 6, 7, OPEN, false }, { EXIT, 6, 0, false } },
    { { 0, 6, 1, OPEN, true }, { EXIT, 6, 0, false } },
    { { 0, 7, 1000, OPEN, true }, { EXIT, 7, 0, false } },
    { { SIGKILL, 0, 1, OPEN, true }, { EXIT, 7, 0, false } },
    /* what cannot be read will not become better */
    { { 0, 7, 1, DAMAGED, false }, { EXIT, 7, 0, false } },
    /* another one has recovered it: where the guest is, it knows */
    { { 0, 3, 1, OVER, false }, { EXIT, 7, 0, false } },
    { { SIGKILL, 0, 1, OVER, false }, { EXIT, 7, 0, false } },
};

static void what_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct supervise_verdict v = supervise_decide(&table[i].facts);

        /* UNTIL_TOLD: the next test */
        if (v.action != table[i].verdict.action ||
            v.code != table[i].verdict.code ||
            v.wait_ms != table[i].verdict.wait_ms)
            fail_msg("row %zu: %d %d %d", i, (int)v.action, v.code, v.wait_ms);
    }
}

/* Where the guest may be stopped: each minute, by a clock that is told; and it
 * says that it does so until it is told. */
static void tries_do_not_end_while_the_guest_may_be_stopped(void **state)
{
    static const struct supervise_facts rows[] = {
        { .code = QM_EXIT_UNDECIDED, .journal = OPEN },
        { .code = QM_EXIT_REFUSED, .journal = OPEN },
        { .code = QM_EXIT_BUG, .journal = OPEN },
        { .signal = SIGKILL, .journal = OPEN },
    };
    const int64_t month_ms = 30LL * 24 * 60 * 60 * 1000;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct supervise_facts f = rows[i];
        int64_t now_ms = 0;

        for (f.tries = 1; now_ms < month_ms; f.tries++) {
            struct supervise_verdict v = supervise_decide(&f);

            assert_int_equal(v.action, RECOVER);
            assert_true(v.until_told);
            assert_in_range(v.wait_ms, 1000, 60000);
            assert_true(f.tries < 7 || v.wait_ms == 60000);
            now_ms += v.wait_ms;
        }
        f.told_to_end = true;
        assert_int_equal(supervise_decide(&f).action, EXIT);
        assert_int_equal(supervise_decide(&f).code, QM_EXIT_UNDECIDED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_do_not_end_while_the_guest_may_be_stopped),
        cmocka_unit_test(what_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
