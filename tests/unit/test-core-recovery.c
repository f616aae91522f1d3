/*
 * What recover decides, for every combination of what both sides can say; and
 * its table, which is the manual's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/recovery.h"

/* qapi RunState, as of 11.1 */
static const char *const run_states[] = {
    "debug",      "inmigrate",   "internal-error", "io-error",
    "paused",     "postmigrate", "prelaunch",      "finish-migrate",
    "restore-vm", "running",     "save-vm",        "shutdown",
    "suspended",  "watchdog",    "guest-panicked", "colo",
};

static const enum migration_status statuses[] = {
#define X(name, text) MIGRATION_##name,
    MIGRATION_STATUSES(X)
#undef X
};

enum { SILENT, DEAD, FIRST_STATE };

/* All that one side can be: silent, dead, or each state with each status. */
static size_t side_count(void)
{
    return FIRST_STATE + ARRAY_LEN(run_states) * ARRAY_LEN(statuses);
}

static struct recovery_side side_number(size_t n)
{
    const char *state;

    if (n < FIRST_STATE)
        return (struct recovery_side){ .dead = n == DEAD };
    n -= FIRST_STATE;
    state = run_states[n / ARRAY_LEN(statuses)];
    return (struct recovery_side){
        .reached = true,
        .run_state = state,
        .running = strcmp(state, "running") == 0,
        .status = statuses[n % ARRAY_LEN(statuses)],
    };
}

static bool is(const struct recovery_side *s, const char *state)
{
    return s->reached && strcmp(s->run_state, state) == 0;
}

static bool is_silent(const struct recovery_side *s)
{
    return !s->reached && !s->dead;
}

/* What must never be, whatever the table says. */
static void check(const struct recovery_facts *f, const struct recovery *r)
{
    const struct recovery_side *s = &f->side[SOURCE];
    const struct recovery_side *d = &f->side[DESTINATION];
    const struct recovery_side *owner = &f->side[f->owner];

    assert_non_null(r->why);
    /* only forward, only back */
    if (f->owner == SOURCE)
        assert_true(r->action != RECOVER_START && r->action != RECOVER_FINISH);
    else
        assert_int_not_equal(r->action, RECOVER_UNDO);
    /* never both, and never against what is not known */
    if (r->action == RECOVER_START) {
        assert_true(is(d, "paused") && !f->stays);
        assert_true(!s->running);
        if (s->reached)
            assert_int_equal(s->status, MIGRATION_COMPLETED);
    }
    if (is_silent(owner))
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (s->running && d->running)
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (f->side[!f->owner].running)
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (owner->dead && r->action != RECOVER_UNDECIDED)
        assert_int_equal(r->action, RECOVER_LOST);
    assert_true((r->action == RECOVER_LOST) <= owner->dead);
}

static void every_combination_is_decided_safely(void **state)
{
    size_t seen[RECOVER_UNDECIDED + 1] = { 0 };

    (void)state;
    for (size_t i = 0; i < side_count() * side_count() * 4; i++) {
        size_t pair = i / 4;
        struct recovery_facts f = {
            .owner = (enum side_id)(i & 1),
            .stays = i & 2,
            .side = { side_number(pair % side_count()),
                      side_number(pair / side_count()) },
        };
        struct recovery r = recovery_decide(&f);

        check(&f, &r);
        seen[r.action]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        assert_true(seen[i] > 0);
}

/* Where both live and can be reached after an engine that died anywhere, it is
 * never undecided: what the two can be then. */
static const struct {
    enum side_id owner;
    bool stays;
    const char *source, *destination;
    enum migration_status status[SIDES];
    enum recovery_action action;
} told[] = {
    { SOURCE,
      false,
      "running",
      "inmigrate",
      { MIGRATION_NONE, MIGRATION_NONE },
      RECOVER_UNDO },
    { SOURCE,
      true,
      "paused",
      "inmigrate",
      { MIGRATION_ACTIVE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { SOURCE,
      true,
      "prelaunch",
      "inmigrate",
      { MIGRATION_NONE, MIGRATION_NONE },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "finish-migrate",
      "inmigrate",
      { MIGRATION_PRE_SWITCHOVER, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "finish-migrate",
      "inmigrate",
      { MIGRATION_DEVICE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "finish-migrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "running",
      "paused",
      { MIGRATION_FAILED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { SOURCE,
      false,
      "shutdown",
      "inmigrate",
      { MIGRATION_ACTIVE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { DESTINATION,
      false,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_START },
    { DESTINATION,
      false,
      "finish-migrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_START },
    { DESTINATION,
      true,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { DESTINATION,
      true,
      "postmigrate",
      "prelaunch",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { DESTINATION,
      false,
      "postmigrate",
      "running",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { DESTINATION,
      false,
      "postmigrate",
      "io-error",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
};

static void what_is_usual_is_settled(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        const char *const words[] = { told[i].source, told[i].destination };
        struct recovery_facts f = { .owner = told[i].owner,
                                    .stays = told[i].stays };

        for (int side = 0; side < SIDES; side++)
            f.side[side] = (struct recovery_side){
                .reached = true,
                .run_state = words[side],
                .running = strcmp(words[side], "running") == 0,
                .status = told[i].status[side],
            };
        assert_string_equal(recovery_action_name(recovery_decide(&f).action),
                            recovery_action_name(told[i].action));
    }
}

/* --- the manual ------------------------------------------------------------ */

/* Each side may have a part of the guest, until both have completed. */
static void postcopy_is_left_to_a_person(void **state)
{
    (void)state;
    for (size_t i = 0; i < side_count(); i++)
        for (size_t j = 0; j < side_count(); j++) {
            struct recovery_facts f = {
                .owner = DESTINATION,
                .postcopy = true,
                .side = { side_number(i), side_number(j) },
            };
            bool whole = f.side[SOURCE].status == MIGRATION_COMPLETED &&
                         f.side[DESTINATION].status == MIGRATION_COMPLETED;
            struct recovery r = recovery_decide(&f);

            if (!whole)
                assert_int_equal(r.action, RECOVER_UNDECIDED);
            f.stays = true;
            r = recovery_decide(&f);
            if (!whole)
                assert_int_equal(r.action, RECOVER_UNDECIDED);
        }
}

/* What refused the guest ends before the source has it again. */
static void refused_guest_is_taken_back(void **state)
{
    struct recovery_facts f = {
        .owner = SOURCE,
        .returned = true,
        .side = { { .reached = true,
                    .run_state = "postmigrate",
                    .status = MIGRATION_COMPLETED } },
    };

    (void)state;
    assert_int_equal(recovery_decide(&f).action, RECOVER_UNDECIDED);
    f.side[DESTINATION].dead = true;
    assert_int_equal(recovery_decide(&f).action, RECOVER_UNDO);
    f.side[DESTINATION] =
        (struct recovery_side){ .reached = true, .run_state = "paused" };
    assert_int_equal(recovery_decide(&f).action, RECOVER_UNDO);
    f.side[DESTINATION].running = true;
    assert_int_equal(recovery_decide(&f).action, RECOVER_UNDECIDED);
}

static void manual_has_the_table(void **state)
{
    const char *source = getenv("QM_SOURCE");
    CLEANUP_FREE char *path =
        xasprintf("%s/doc/qmigrate-recovery.7", source ? source : ".");
    CLEANUP(buffer_done) struct buffer table = { .data = NULL };
    static char page[1 << 18];
    FILE *file = fopen(path, "r");

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    fclose(file);
    recovery_print_table(&table);
    buffer_append(&table, "", 1);
    if (!strstr(page, table.data))
        print_error("%s should have:\n%s", path, table.data);
    assert_non_null(strstr(page, table.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_is_decided_safely),
        cmocka_unit_test(what_is_usual_is_settled),
        cmocka_unit_test(postcopy_is_left_to_a_person),
        cmocka_unit_test(refused_guest_is_taken_back),
        cmocka_unit_test(manual_has_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
