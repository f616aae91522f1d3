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
    { { 0, 0, 0, OVER, false }, { EXIT, 0, 0 } },
    { { 0, 3, 0, OVER, false }, { EXIT, 3, 0 } },
    { { 0, 7, 0, OVER, false }, { EXIT, 7, 0 } },
    { { 0, 7, 0, DAMAGED, false }, { EXIT, 7, 0 } },
    { { 0, 6, 0, OPEN, false }, { EXIT, 6, 0 } },
    { { 0, 1, 0, OVER, false }, { EXIT, 1, 0 } },
    /* it is killed, or ends as it never should */
    { { SIGKILL, 0, 0, OPEN, false }, { RECOVER, 0, 0 } },
    { { SIGSEGV, 0, 0, DAMAGED, false }, { RECOVER, 0, 0 } },
    { { SIGTERM, 0, 0, OPEN, true }, { RECOVER, 0, 0 } },
    { { 0, 1, 0, OPEN, false }, { RECOVER, 0, 0 } },
    /* it gave up, and nobody knows where the guest is: a side may be back */
    { { 0, 7, 0, OPEN, false }, { RECOVER, 0, 1000 } },
    { { 0, 7, 0, OPEN, true }, { EXIT, 7, 0 } },
    /* before there was anything to recover */
    { { SIGKILL, 0, 0, OVER, false }, { DIE, 0, 0 } },
    { { SIGINT, 0, 0, OVER, false }, { DIE, 0, 0 } },

    /* recover says where the guest is */
    { { 0, 0, 1, OVER, false }, { EXIT, 0, 0 } },
    { { 0, 4, 1, OVER, false }, { EXIT, 4, 0 } },
    { { 0, 6, 1, OVER, false }, { EXIT, 6, 0 } },
    { { 0, 9, 1, OPEN, false }, { EXIT, 9, 0 } },
    /* a side was away, or another recover at it: again, ever later */
    { { 0, 7, 1, OPEN, false }, { RECOVER, 0, 1000 } },
    { { 0, 6, 2, OPEN, false }, { RECOVER, 0, 2000 } },
    { { 0, 8, 3, OPEN, false }, { RECOVER, 0, 4000 } },
    { { 0, 3, 4, OPEN, false }, { RECOVER, 0, 8000 } },
    { { SIGKILL, 0, 6, OPEN, false }, { RECOVER, 0, 32000 } },
    /* not for ever, and not against the operator */
    { { 0, 7, 7, OPEN, false }, { RECOVER, 0, 60000 } },
    { { 0, 7, 19, OPEN, false }, { RECOVER, 0, 60000 } },
    { { 0, 7, 20, OPEN, false }, { EXIT, 7, 0 } },
    { { 0, 3, 7, OPEN, false }, { EXIT, 7, 0 } },
    { { 0, 8, 7, OPEN, false }, { EXIT, 8, 0 } },
    { { SIGKILL, 0, 7, OPEN, false }, { EXIT, 7, 0 } },
    { { 0, 6, 1, OPEN, true }, { EXIT, 6, 0 } },
    { { SIGKILL, 0, 1, OPEN, true }, { EXIT, 7, 0 } },
    /* what cannot be read will not become better */
    { { 0, 7, 1, DAMAGED, false }, { EXIT, 7, 0 } },
    /* another one has recovered it: where the guest is, it knows */
    { { 0, 3, 1, OVER, false }, { EXIT, 7, 0 } },
    { { SIGKILL, 0, 1, OVER, false }, { EXIT, 7, 0 } },
};

static void what_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct supervise_verdict v = supervise_decide(&table[i].facts);

        if (v.action != table[i].verdict.action ||
            v.code != table[i].verdict.code ||
            v.wait_ms != table[i].verdict.wait_ms)
            fail_msg("row %zu: %d %d %d", i, (int)v.action, v.code, v.wait_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
