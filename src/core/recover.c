/*
 * Settling what an engine that died has left.
 *
 * happy path   The journal is locked and read; both sides are reached, and are
 *              asked what is true; the decision is written down, told, and
 *              carried out with the recipe's own rows: upwards while the
 *              source owns the guest, on to the end once the destination does.
 * what fails   Recover itself dies: the journal is still there, and doing it
 *              all again does no harm.  A side that cannot be reached is not
 *              taken for dead without a proof.  What cannot be decided is left
 *              exactly as it is.
 * on close     Once nothing is left that a later recover could do, the journal
 *              becomes history.
 */
#include "core/recover.h"

#include <stdlib.h>
#include <string.h>

#include "core/recover-private.h"
#include "core/steer.h"

/* --- what is said ------------------------------------------------------------ */

static void describe(struct buffer *b, const struct recover *r,
                     enum side_id side)
{
    const struct side *s = &r->m->side[side];

    if (s->process_dead)
        buffer_printf(b, "%s: dead", s->name);
    else if (!s->qmp)
        buffer_printf(b, "%s: cannot be reached (%s)", s->name,
                      r->silent_because[side] ? r->silent_because[side]
                                              : "the reason is not known");
    else
        buffer_printf(b, "%s: %s, migration %s", s->name, s->run_state,
                      migration_status_name(s->status));
}

static char *sentence(const struct recover *r)
{
    static const char *const deeds[] = {
        [RECOVER_UNDO] = "what was done is undone",
        [RECOVER_RETURN] = "it ends, and the guest goes on at the source",
        [RECOVER_RESUME] = "post-copy goes on until its last page is across",
        [RECOVER_START] = "it is started there, and the source is retired",
        [RECOVER_FINISH] = "what is left is cleaned up",
        [RECOVER_LOST] = "no guest is started, what is left is cleaned up",
        [RECOVER_UNDECIDED] = "nothing is touched",
    };
    struct buffer b = { .data = NULL };
    char *text;

    buffer_printf(&b, "%s: %s: %s (", r->m->name,
                  recovery_action_name(r->decision.action), r->decision.why);
    describe(&b, r, SOURCE);
    buffer_printf(&b, "; ");
    describe(&b, r, DESTINATION);
    buffer_printf(&b, "): %s", deeds[r->decision.action]);
    text = xstrndup(b.data, b.len);
    buffer_done(&b);
    return text;
}

/* The row in which its engine died. */
static const char *last_row(const struct recover *r)
{
    const char *last = "remember the source";

    for (size_t i = 0; i < recipe_count; i++)
        if (journal_began(&r->journal, recipe[i].name))
            last = recipe[i].name;
    return last;
}

static void hint_silent(const struct recover *r, enum side_id side,
                        struct qm_error *err)
{
    const char *who = side_name(side);

    error_hint(err,
               "%s the %s reachable again, at %s, or prove that it is "
               "down: --fence COMMAND, or --i-have-checked %s-is-down",
               r->is_elsewhere[side]
                   ? "run this on the machine, and in the PID namespace, where "
                     "the migration ran; or make"
                   : "make",
               who, r->plan.peer[side].text, who);
}

static void hint_undecided(const struct recover *r, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++) {
        if (r->decision.seen[i] != SEEN_SILENT)
            continue;
        hint_silent(r, (enum side_id)i, err);
    }
    error_hint(err, "look at both: only one may run, and the other one is to "
                    "be ended with `quit`; qmigrate-recovery(7) says more");
}

/* --- what is done ------------------------------------------------------------ */

/* The last row to undo: a destination that has to end is ended by that of the
 * door, also if it was never opened. */
static size_t first_undone(const struct recover *r)
{
    size_t last = 0;

    for (size_t i = 0; i < recipe_count; i++)
        if (journal_began(&r->journal, recipe[i].name) ||
            (r->m->door_open && recipe[i].undo == undo_open_door))
            last = i;
    return last;
}

static void undo(struct recover *r, struct result *ret)
{
    struct migration *m = r->m;
    struct side *d = destination_of(m);

    /* What cannot be told to undo it item by item has to end. */
    if (!d->qmp && !d->process_dead)
        d->given_up = m->door_open = true;
    error_set(&ret->error,
              r->decision.action == RECOVER_LOST ? QM_ERR_GUEST
                                                 : QM_ERR_MIGRATION,
              "the engine died in '%s'; %s", last_row(r), r->decision.why);
    recipe_undo(m, first_undone(r));
    migration_conclude(m, false, ret);
}

/* The destination first: the source goes on only once it is proved dead. */
static void return_guest(struct recover *r, struct result *ret)
{
    struct migration *m = r->m;
    struct qm_error failed = QM_ERROR_INIT;

    error_set(&ret->error, QM_ERR_MIGRATION, "the engine died in '%s'; %s",
              last_row(r), r->decision.why);
    if (give_back(m, &failed) < 0)
        migration_left(m, "the guest is stopped: %s", failed.message);
    else
        recipe_undo(m, first_undone(r));
    error_clear(&failed);
    migration_conclude(m, false, ret);
}

static void finish(struct recover *r, struct result *ret)
{
    struct migration *m = r->m;
    bool done;

    if (r->decision.action == RECOVER_START) {
        if (start_destination(m, &ret->error) < 0) {
            migration_conclude(m, false, ret);
            return;
        }
        if (journal_fact(m->journal, "started", true, &ret->error) < 0) {
            migration_warn(m, "%s", ret->error.message);
            error_clear(&ret->error);
        }
    }
    m->guest_started = true;
    m->running_us = clock_now_us();
    done = recipe_go_on(m, step_announce, &ret->error) == 0;
    migration_conclude(m, done, ret);
}

/* With the rows in which the engine would have gone on. */
static void resume(struct recover *r, struct result *ret)
{
    struct migration *m = r->m;
    bool done;

    owner_be_patient(m);
    done = recipe_go_on(
               m, m->source_gave_up ? step_run_destination : step_switch_over,
               &ret->error) == 0;
    migration_conclude(m, done, ret);
}

static void lose(struct recover *r, struct result *ret)
{
    if (!r->m->destination_owns) {
        undo(r, ret);
        return;
    }
    error_set(&ret->error, QM_ERR_GUEST, "the engine died in '%s'; %s",
              last_row(r), r->decision.why);
    migration_conclude(r->m, false, ret);
}

static void leave_undecided(struct recover *r, struct result *ret)
{
    ret->outcome = OUTCOME_UNDECIDED;
    ret->guest = GUEST_UNKNOWN;
    ret->name = xstrdup(r->m->name);
    error_set(&ret->error, QM_ERR_MIGRATION, "undecided: %s", r->decision.why);
    hint_undecided(r, &ret->error);
}

/* What would come of it. */
static void foresee(const struct recover *r, struct result *ret)
{
    static const enum guest_place places[] = {
        [RECOVER_UNDO] = GUEST_SOURCE,
        [RECOVER_RETURN] = GUEST_SOURCE,
        [RECOVER_RESUME] = GUEST_DESTINATION,
        [RECOVER_START] = GUEST_DESTINATION,
        [RECOVER_FINISH] = GUEST_DESTINATION,
        [RECOVER_LOST] = GUEST_NOWHERE,
        [RECOVER_UNDECIDED] = GUEST_UNKNOWN,
    };

    ret->outcome = OUTCOME_COMPLETED;
    ret->guest = places[r->decision.action];
    ret->name = xstrdup(r->m->name);
}

static void act(struct recover *r, struct result *ret)
{
    ret->tls = !r->m->plan->insecure;
    if (r->decision.action == RECOVER_UNDECIDED) {
        leave_undecided(r, ret);
        return;
    }
    if (r->wish->dry_run) {
        foresee(r, ret);
        return;
    }
    if (recover_take_over(r, &ret->error) < 0) {
        ret->outcome = OUTCOME_UNDECIDED;
        ret->guest = GUEST_UNKNOWN;
        return;
    }
    switch (r->decision.action) {
    case RECOVER_UNDO:
        undo(r, ret);
        break;
    case RECOVER_RETURN:
        return_guest(r, ret);
        break;
    case RECOVER_RESUME:
        resume(r, ret);
        break;
    case RECOVER_START:
    case RECOVER_FINISH:
        finish(r, ret);
        break;
    case RECOVER_LOST:
        lose(r, ret);
        break;
    case RECOVER_UNDECIDED:
        break;
    }
}

/* --- from top to bottom ------------------------------------------------------ */

static void decide(struct recover *r)
{
    struct migration *m = r->m;

    /* when it was is not known any more */
    if (m->postcopy_asked && (m->source_gave_up || source_has_given_up(m)))
        m->completed_us = clock_now_us();
    recover_decide(r);
    for (int i = 0; i < SIDES; i++)
        if (r->decision.seen[i] == SEEN_SILENT)
            recover_prove_dead(r, (enum side_id)i);
    recover_decide(r);
}

/* 1: there is nothing to decide, it had ended. */
static int prepare(struct recover *r, const struct narrator *narrator,
                   struct qm_error *err)
{
    if (recover_open_journal(r, err) < 0)
        return -1;
    /* what it says cannot be understood: nobody knows */
    if (recover_read_journal(r, err) < 0)
        return -2;
    if (r->journal.ended)
        return 1;
    if (recover_plan(r, err) < 0)
        return -2;
    r->m = migration_new(r->loop, &r->plan, narrator);
    recover_rebuild(r);
    r->m->dir = rundir_make_private(&r->m->dir_lock, err);
    if (!r->m->dir || steer_open(r->m, err) < 0)
        return -1;
    return recover_meet(r, err);
}

void recover_run(struct loop *loop, const struct recover_wish *wish,
                 const struct narrator *narrator,
                 void (*decided)(void *arg, const char *sentence), void *arg,
                 struct result *ret)
{
    struct recover r = { .loop = loop, .wish = wish, .fd = -1 };
    CLEANUP_FREE char *text = NULL;
    int prepared;

    plan_init(&r.plan);
    result_init(ret);
    ret->guest = GUEST_UNKNOWN; /* what is refused says nothing of it */
    prepared = prepare(&r, narrator, &ret->error);
    if (prepared == 0) {
        decide(&r);
        text = sentence(&r);
        decided(arg, text);
        act(&r, ret);
    } else if (prepared == 1) {
        text = recover_sentence_of_end(&r);
        decided(arg, text);
        recover_retire(&r, ret);
    } else if (prepared == -2) {
        ret->outcome = OUTCOME_UNDECIDED;
        ret->guest = GUEST_UNKNOWN;
    }
    if (r.m)
        steer_close(r.m, ret);
    migration_free(r.m);
    for (int i = 0; i < SIDES; i++)
        free(r.silent_because[i]);
    journal_content_done(&r.journal);
    plan_done(&r.plan);
    close_fd(r.fd);
    free(r.path);
}
