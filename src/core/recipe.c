/*
 * The story from top to bottom: read the table downwards to migrate, upwards
 * to roll back.
 *
 * Who owns the guest decides what a failure means.  Until the record
 * owner=destination is durable the source owns it: every row that began is
 * undone, the last first.  From then on nothing is undone; what remains is
 * finished, or said.  Only a destination that refused `cont`, and is proved
 * dead, has given the guest back, and then all the rest is undone too; and so
 * it is where the source, told to switch to post-copy, failed to.
 */
#include <string.h>

#include "core/migration-private.h"
#include "core/steer.h"

const struct step recipe[] = {
    { "connect", step_connect, NULL },
    { "preflight", step_preflight, NULL },
    { "remember the source", step_remember, NULL },
    { "hold the destination", step_hold, NULL }, /* cannot be taken back */
    { "install credentials", step_credentials, undo_credentials },
    { "agree capabilities", step_agree, undo_agree },
    { "make disks", step_make_disks, undo_make_disks },
    { "export disks", step_export_disks, undo_export_disks },
    { "probe exports", step_probe, NULL },
    { "prove backing files", step_prove_backing, undo_prove_backing },
    { "mirror disks", step_mirror, undo_mirror },
    { "compare disks", step_compare, undo_compare },
    { "open the door", step_open_door, undo_open_door },
    { "start migration", step_start, undo_start },
    { "converge", step_converge, NULL }, /* ended by undo_start */
    { "settle disks", step_settle, NULL },
    { "verify disks", step_verify, NULL }, /* ended by undo_compare */
    { "switch over", step_switch_over, NULL },
    { "close exports", step_close_exports, NULL },
    { "run the destination", step_run_destination, NULL },
    { "announce", step_announce, NULL },
    { "last page", step_last_page, NULL }, /* post-copy: cannot be undone */
    { "retire the source", step_retire, NULL },
};
const size_t recipe_count = ARRAY_LEN(recipe);
const size_t recipe_first_change = 2;

static void tell_step(struct migration *m, const struct step *step,
                      enum step_event event)
{
    migration_tell(m, &(struct narration){
                          .kind = NARRATE_STEP,
                          .text = step->name,
                          .step = event,
                      });
}

/*
 * Before anything is changed the journal says so, on the disk; but not between
 * the guest's stop and its start, where nothing but the owner may take time.
 */
static int note_begin(struct migration *m, const struct step *step,
                      struct qm_error *err)
{
    bool hurry = m->stream_started && !m->guest_started;
    struct qm_error failed = QM_ERROR_INIT;

    if (!m->journal ||
        journal_step(m->journal, step->name, "begins", !hurry, &failed) == 0)
        return 0;
    if (!m->destination_owns)
        return error_move(err, &failed);
    migration_warn(m, "%s", failed.message); /* there is no way but on */
    error_clear(&failed);
    return 0;
}

/* How it ended is only for who reads it. */
static void note(struct migration *m, const struct step *step, const char *how)
{
    struct qm_error ignored = QM_ERROR_INIT;

    if (m->journal)
        journal_step(m->journal, step->name, how, false, &ignored);
    error_clear(&ignored);
}

static void undo_row(struct migration *m, const struct step *step)
{
    CLEANUP_FREE char *name = xasprintf("undo %s", step->name);

    m->step = step->name;
    note(m, step, "undoing");
    failpoint_undo(name, "before");
    step->undo(m);
    failpoint_undo(name, "after");
    note(m, step, "undone");
    tell_step(m, step, STEP_UNDONE);
}

void recipe_undo(struct migration *m, size_t from)
{
    m->hold_interrupts = true;
    m->rolling_back = true;
    sides_hurry(m, DEADLINE_NEVER);
    undo_hurry(m);
    for (size_t i = from + 1; i-- > 0;) {
        if (recipe[i].undo)
            undo_row(m, &recipe[i]);
    }
}

/* A side that died is why the other one complained.  Only where looking costs
 * nothing: the guest may be stopped. */
static void name_the_dead(struct migration *m, struct qm_error *err)
{
    if (m->returned_to_source)
        return; /* it was ended by us */
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &m->side[i];

        if (s->pidfd >= 0 && side_check_dead(s, clock_now_ms()) &&
            !strstr(err->message, "has ended"))
            error_wrap(err, "the %s QEMU (pid %d) has ended", s->name,
                       s->process.pid);
    }
}

/* Where nothing is changed yet, a cancel ends every wait, whatever then says
 * that it waited in vain. */
static int run_row(struct migration *m, const struct step *step,
                   struct qm_error *err)
{
    bool changes = step >= recipe + recipe_first_change;
    int ret;

    loop_stop_waits_on(m->loop, changes ? NULL : &m->cancel_requested);
    ret = step->run(m, err);
    loop_stop_waits_on(m->loop, NULL);
    if (changes || !m->cancel_requested)
        return ret;
    error_clear(err);
    return error_set(err, QM_ERR_CANCELLED, "cancelled by the operator");
}

static int run_step(struct migration *m, const struct step *step,
                    struct qm_error *err)
{
    m->step = step->name;
    if (m->cancel_requested && !m->hold_interrupts)
        return error_set(err, QM_ERR_CANCELLED, "cancelled by the operator");
    tell_step(m, step, STEP_BEGINS);
    steer_serve(m);
    if (note_begin(m, step, err) < 0 ||
        failpoint(step->name, "before", err) < 0 || run_row(m, step, err) < 0 ||
        failpoint(step->name, "after", err) < 0) {
        note(m, step, "failed");
        tell_step(m, step,
                  err->code == QM_ERR_CANCELLED ? STEP_CANCELLED : STEP_FAILED);
        name_the_dead(m, err);
        if (err->code != QM_ERR_CANCELLED)
            error_wrap(err, "%s", step->name);
        return -1;
    }
    note(m, step, "done");
    tell_step(m, step, STEP_DONE);
    return 0;
}

int recipe_run(struct migration *m, size_t count, struct qm_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (run_step(m, &recipe[i], err) == 0)
            continue;
        if (m->returned_to_source ||
            (!m->destination_owns && !m->owner_unknown))
            recipe_undo(m, i);
        return -1;
    }
    return 0;
}

int recipe_go_on(struct migration *m,
                 int (*run)(struct migration *m, struct qm_error *err),
                 struct qm_error *err)
{
    size_t i = 0;

    while (recipe[i].run != run)
        i++;
    for (; i < recipe_count; i++) {
        if (run_step(m, &recipe[i], err) == 0)
            continue;
        if (m->returned_to_source)
            recipe_undo(m, i);
        return -1;
    }
    return 0;
}
