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

static bool in_postcopy(const struct recovery_facts *f)
{
    return f->owner == OWNER_SWITCHING || f->owner == OWNER_POSTCOPY;
}

static bool kept(const struct recovery_side *s)
{
    return s->status == MIGRATION_FAILED || s->status == MIGRATION_CANCELLED;
}

/* Each half goes its way alone. */
static void check_way(const struct recovery_facts *f, enum recovery_action a)
{
    static const unsigned ways[] = {
        [OWNER_SOURCE] = 1U << RECOVER_UNDO,
        [OWNER_RETURNED] = 1U << RECOVER_RETURN,
        [OWNER_DESTINATION] = 1U << RECOVER_START | 1U << RECOVER_FINISH,
        [OWNER_SWITCHING] = 1U << RECOVER_RETURN | 1U << RECOVER_RESUME,
        [OWNER_POSTCOPY] = 1U << RECOVER_RESUME,
    };
    unsigned allowed =
        ways[f->owner] | 1U << RECOVER_LOST | 1U << RECOVER_UNDECIDED;

    assert_true(allowed & 1U << a);
}

/* Only the one who has the guest can be asked for it, or have lost it. */
static void check_postcopy(const struct recovery_facts *f,
                           enum recovery_action action)
{
    const struct recovery_side *s = &f->side[SOURCE];
    const struct recovery_side *d = &f->side[DESTINATION];
    bool whole = d->reached && d->status == MIGRATION_COMPLETED;

    if (action == RECOVER_RETURN)
        assert_true(s->reached && kept(s) && !(d->reached && d->running));
    if (action == RECOVER_RESUME) {
        assert_false(s->reached && (s->running || kept(s)));
        assert_false(is_silent(d));
        assert_true(whole || s->reached);
        assert_false(d->dead && f->owner == OWNER_POSTCOPY);
    }
    if (action == RECOVER_LOST) {
        assert_false(whole || is_silent(d));
        assert_true(d->dead || s->dead || d->status == MIGRATION_FAILED);
    }
}

/* What must never be, whatever the table says. */
static void check(const struct recovery_facts *f, const struct recovery *r)
{
    const struct recovery_side *s = &f->side[SOURCE];
    const struct recovery_side *d = &f->side[DESTINATION];
    bool back = f->owner == OWNER_SOURCE || f->owner == OWNER_RETURNED;
    const struct recovery_side *owner = back ? s : d;

    assert_non_null(r->why);
    check_way(f, r->action);
    if (s->running && d->running && !(in_postcopy(f) && kept(s)))
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (in_postcopy(f)) {
        check_postcopy(f, r->action);
        return;
    }
    /* never both, and never against what is not known */
    if (r->action == RECOVER_START) {
        assert_true(is(d, "paused") && !f->stays);
        assert_true(!s->running);
        if (s->reached)
            assert_int_equal(s->status, MIGRATION_COMPLETED);
    }
    if (is_silent(owner))
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (back ? d->running : s->running)
        assert_int_equal(r->action, RECOVER_UNDECIDED);
    if (owner->dead && r->action != RECOVER_UNDECIDED)
        assert_int_equal(r->action, RECOVER_LOST);
    assert_true((r->action == RECOVER_LOST) <= owner->dead);
}

static void every_combination_is_decided_safely(void **state)
{
    size_t seen[RECOVER_UNDECIDED + 1] = { 0 };

    (void)state;
    for (size_t i = 0; i < side_count() * side_count() * 10; i++) {
        size_t pair = i / 10;
        struct recovery_facts f = {
            .owner = (enum recovery_owner)(i % 10 / 2),
            .stays = i % 2,
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
    enum recovery_owner owner;
    bool stays;
    const char *source, *destination;
    enum migration_status status[SIDES];
    enum recovery_action action;
} told[] = {
    { OWNER_SOURCE,
      false,
      "running",
      "inmigrate",
      { MIGRATION_NONE, MIGRATION_NONE },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      true,
      "paused",
      "inmigrate",
      { MIGRATION_ACTIVE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      true,
      "prelaunch",
      "inmigrate",
      { MIGRATION_NONE, MIGRATION_NONE },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "finish-migrate",
      "inmigrate",
      { MIGRATION_PRE_SWITCHOVER, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "finish-migrate",
      "inmigrate",
      { MIGRATION_DEVICE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "finish-migrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "running",
      "paused",
      { MIGRATION_FAILED, MIGRATION_COMPLETED },
      RECOVER_UNDO },
    { OWNER_SOURCE,
      false,
      "shutdown",
      "inmigrate",
      { MIGRATION_ACTIVE, MIGRATION_ACTIVE },
      RECOVER_UNDO },
    { OWNER_RETURNED,
      false,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_RETURN },
    { OWNER_RETURNED,
      false,
      "running",
      "inmigrate",
      { MIGRATION_FAILED, MIGRATION_ACTIVE },
      RECOVER_RETURN },
    { OWNER_DESTINATION,
      false,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_START },
    { OWNER_DESTINATION,
      true,
      "postmigrate",
      "paused",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { OWNER_DESTINATION,
      true,
      "postmigrate",
      "prelaunch",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { OWNER_DESTINATION,
      false,
      "postmigrate",
      "running",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
    { OWNER_DESTINATION,
      false,
      "postmigrate",
      "io-error",
      { MIGRATION_COMPLETED, MIGRATION_COMPLETED },
      RECOVER_FINISH },
#define ROW(owner, source, s, destination, d, action)                          \
    {                                                                          \
        OWNER_##owner, false, source, destination,                             \
            { MIGRATION_##s, MIGRATION_##d }, RECOVER_##action                 \
    }
    ROW(DESTINATION, "finish-migrate", COMPLETED, "paused", COMPLETED, START),
    ROW(SWITCHING, "finish-migrate", PRE_SWITCHOVER, "inmigrate", ACTIVE,
        RESUME),
    ROW(SWITCHING, "finish-migrate", DEVICE, "inmigrate", ACTIVE, RESUME),
    ROW(SWITCHING, "postmigrate", POSTCOPY_ACTIVE, "inmigrate", ACTIVE, RESUME),
    ROW(SWITCHING, "postmigrate", POSTCOPY_ACTIVE, "paused", POSTCOPY_ACTIVE,
        RESUME),
    ROW(SWITCHING, "postmigrate", POSTCOPY_PAUSED, "paused", POSTCOPY_PAUSED,
        RESUME),
    ROW(SWITCHING, "postmigrate", COMPLETED, "paused", COMPLETED, RESUME),
    ROW(SWITCHING, "running", FAILED, "inmigrate", ACTIVE, RETURN),
    ROW(SWITCHING, "running", FAILED, "paused", COMPLETED, RETURN),
    ROW(SWITCHING, "paused", CANCELLED, "inmigrate", FAILED, RETURN),
    ROW(SWITCHING, "postmigrate", POSTCOPY_ACTIVE, "inmigrate", FAILED, LOST),
    ROW(POSTCOPY, "postmigrate", POSTCOPY_ACTIVE, "running", POSTCOPY_ACTIVE,
        RESUME),
    ROW(POSTCOPY, "postmigrate", POSTCOPY_PAUSED, "running", POSTCOPY_PAUSED,
        RESUME),
    ROW(POSTCOPY, "postmigrate", POSTCOPY_RECOVER, "paused", POSTCOPY_RECOVER,
        RESUME),
    ROW(POSTCOPY, "postmigrate", POSTCOPY_PAUSED, "running", COMPLETED, RESUME),
    ROW(POSTCOPY, "postmigrate", COMPLETED, "running", COMPLETED, RESUME),
    ROW(POSTCOPY, "running", FAILED, "running", POSTCOPY_ACTIVE, UNDECIDED),
#undef ROW
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
        cmocka_unit_test(manual_has_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
