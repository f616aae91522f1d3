/*
 * What both QEMUs are doing at this moment.
 */
#include <string.h>

#include "core/preflight-private.h"

static bool is_under_way(enum migration_status status)
{
    switch (status) {
    case MIGRATION_NONE:
    case MIGRATION_COMPLETED:
    case MIGRATION_FAILED:
    case MIGRATION_CANCELLED:
        return false;
    default:
        return true;
    }
}

void preflight_migration_running(const struct facts *f, struct verdicts *v)
{
    enum migration_status status = f->side[SOURCE].migration.status;
    struct verdict *b;

    if (!is_under_way(status)) {
        verdict_ok(v, ABOUT_SOURCE, "no migration is under way at the source");
        return;
    }
    b = verdict_block(v, ABOUT_SOURCE,
                      "a migration of the source is already under way (%s)",
                      migration_status_name(status));
    verdict_fix(b, "wait for it; qmigrate(1) says under AFTER A CRASH how to "
                   "settle one whose engine died");
}

/* --- run states ---------------------------------------------------------------- */

/* QEMU's word (qapi RunState), whether such a guest can be moved, ours. */
static const struct {
    const char *word;
    bool accepted;
    const char *meaning;
    const char *fix; /* or NULL */
} run_states[] = {
    { "running", true, "runs", NULL },
    { "paused", true, "is paused, and stays so", NULL },
    { "prelaunch", true, "was never started, and stays so", NULL },
    { "suspended", false, "sleeps", "wake it up first (system_wakeup)" },
    { "guest-panicked", false, "has panicked", NULL },
    { "shutdown", false, "has shut down", NULL },
    { "io-error", false, "was stopped by an I/O error of its disk",
      "make room for that disk or mend it, and `cont` the guest: QEMU tries "
      "the request again" },
    { "internal-error", false, "was stopped by an error inside QEMU", NULL },
    { "watchdog", false, "was stopped by its watchdog", NULL },
    { "inmigrate", false,
      "has not arrived yet; SOURCE and DESTINATION may be exchanged", NULL },
    { "finish-migrate", false, "is at the end of another migration", NULL },
    { "save-vm", false, "is being saved", NULL },
    { "restore-vm", false, "is being restored", NULL },
    { "debug", false, "is under a debugger", NULL },
    { "preconfig", false, "is still being configured", NULL },
    { "colo", false, "is under COLO replication", NULL },
};

/* The disks whose requests stopped it, if it is so; the caller frees it. */
static char *failed_disks(const struct facts *f)
{
    const struct qmp_disks *disks = &f->side[SOURCE].disks;
    CLEANUP(strv_done) struct strv names = { .count = 0 };

    for (size_t i = 0; i < disks->count; i++) {
        if (disks->item[i].has_failed) {
            strv_add(&names, disk_label(&disks->item[i]));
        }
    }
    return str_equal(f->side[SOURCE].run_state.status, "io-error")
               ? strv_join_words(&names)
               : xstrdup("");
}

/*
 * Stopped at the end of a migration.  QEMU before 10.0 leaves a guest so that
 * was stopped before, also where the migration failed, and refuses to migrate
 * it again until it has run.  What became of the guest is the status's to say.
 */
static void judge_postmigrate(const struct facts *f, struct verdicts *v)
{
    static const char again[] =
        "`cont` at the source and, if it is to stay stopped, `stop` at once "
        "(it runs for a moment in between); then try again";
    enum migration_status status = f->side[SOURCE].migration.status;
    bool failed = status == MIGRATION_FAILED || status == MIGRATION_CANCELLED;
    struct verdict *b;

    if (failed) {
        b = verdict_block(v, ABOUT_SOURCE,
                          "the source's guest is stopped, and still there: a "
                          "migration of it %s",
                          status == MIGRATION_FAILED ? "failed"
                                                     : "was cancelled");
        verdict_why(b, "QEMU calls that 'postmigrate', and refuses to migrate "
                       "such a guest until it has run");
        verdict_fix(b, "%s", again);
        return;
    }
    b = verdict_block(v, ABOUT_SOURCE,
                      status == MIGRATION_COMPLETED
                          ? "the source's guest was moved elsewhere, or saved: "
                            "its last migration completed"
                          : "the source's guest is stopped after a migration, "
                            "and it cannot be determined what became of that");
    verdict_why(b, "QEMU says 'postmigrate'");
    verdict_fix(b,
                "use the QEMU that has it now; only if that is proved to have "
                "ended, or never to have started it: %s",
                again);
}

/* bdrv_inactivate_recurse() asserts that they are active, up to 9.2. */
static bool refuse_waiting_disks(const struct side_facts *s, struct verdicts *v)
{
    bool came = s->migration.status == MIGRATION_COMPLETED;
    struct verdict *b;

    if (s->disks_wait == QMP_WAITS_NOT ||
        (s->disks_wait == QMP_WAITS_UNKNOWN && !came)) {
        return false;
    }
    b = verdict_block(v, ABOUT_SOURCE,
                      s->disks_wait == QMP_WAITS
                          ? "the source's guest came by a migration and was "
                            "never continued: its disks are inactive"
                          : "cannot determine whether the source's guest, "
                            "which came by a migration, was ever continued");
    verdict_why(b, "a QEMU before 10.0 aborts when such a guest is moved on, "
                   "and the guest is lost");
    verdict_fix(b, "continue it for a moment (cont, and stop again), or move "
                   "it while it runs");
    return true;
}

void preflight_run_state(const struct facts *f, struct verdicts *v)
{
    const char *word = f->side[SOURCE].run_state.status;
    CLEANUP_FREE char *failed = failed_disks(f);
    struct verdict *b;

    if (str_equal(word, "postmigrate")) {
        judge_postmigrate(f, v);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(run_states); i++) {
        if (!str_equal(run_states[i].word, word)) {
            continue;
        }
        if (run_states[i].accepted &&
            refuse_waiting_disks(&f->side[SOURCE], v)) {
            return;
        }
        if (run_states[i].accepted) {
            verdict_ok(v, ABOUT_SOURCE, "the guest %s", run_states[i].meaning);
            return;
        }
        b = verdict_block(v, ABOUT_SOURCE, "the source's guest %s%s%s",
                          run_states[i].meaning, *failed ? " " : "", failed);
        verdict_why(b,
                    "only a running, paused or not yet started guest can "
                    "be moved; QEMU says '%s'",
                    word);
        if (run_states[i].fix) {
            verdict_fix(b, "%s", run_states[i].fix);
        }
        return;
    }
    b = verdict_block(v, ABOUT_SOURCE,
                      "the source is in a state that is not known: '%s'",
                      word ? word : "");
    verdict_why(b, "only a running, paused or not yet started guest can be "
                   "moved");
}

static const char fresh[] =
    "start a fresh destination, with the source's command line and "
    "`-S -incoming defer`";

/* 'setup' is how QEMU calls it that nobody has connected yet. */
static bool is_listening(const struct qmp_migration *m)
{
    return m->status == MIGRATION_SETUP ||
           (m->status == MIGRATION_NONE && m->socket_port != 0);
}

void preflight_waiting(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *d = &f->side[DESTINATION];
    struct verdict *b;

    if (!str_equal(d->run_state.status, "inmigrate")) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "the destination does not wait for a guest (it is "
                          "'%s')",
                          d->run_state.status ? d->run_state.status : "");
    } else if (is_listening(&d->migration)) {
        CLEANUP_FREE char *port =
            d->migration.socket_port
                ? xasprintf(", on port %llu",
                            (unsigned long long)d->migration.socket_port)
                : xstrdup("");

        b = verdict_block(v, ABOUT_DESTINATION,
                          "the destination already listens%s", port);
        verdict_why(b, "TLS and channels must be agreed before it listens");
    } else if (d->migration.status != MIGRATION_NONE) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "the destination was already used (its migration is "
                          "'%s')",
                          migration_status_name(d->migration.status));
        verdict_why(b, "QEMU takes one incoming guest in its life");
    } else {
        verdict_ok(v, ABOUT_DESTINATION, "the destination waits for a guest");
        return;
    }
    verdict_fix(b, "%s", fresh);
}

/* --- blockers, jobs, exports ------------------------------------------------------ */

void preflight_blocked(const struct facts *f, struct verdicts *v)
{
    size_t before = v->count;

    for (int side = 0; side < SIDES; side++) {
        const struct strv *r = &f->side[side].migration.blocked_reasons;

        for (size_t i = 0; i < r->count; i++) {
            struct verdict *b =
                verdict_block(v, verdict_about((enum side_id)side),
                              "the %s's QEMU cannot be migrated: %s",
                              side_name((enum side_id)side), r->item[i]);

            verdict_fix(b, "remove what it names (device_del), or move the "
                           "guest while it is shut down");
        }
    }
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH, "nothing in either QEMU forbids migration");
    }
}

static void judge_job(enum side_id side, const struct qmp_job *job,
                      struct verdicts *v)
{
    const char *who = side_name(side);
    struct verdict *b =
        verdict_block(v, verdict_about(side), "the %s has a job: %s %s (%s)",
                      who, job->type, job->id, job->status);

    if (str_equal(job->status, "concluded")) {
        verdict_why(b, "it has ended and waits to be dismissed");
        verdict_fix(b,
                    "job-dismiss %s at the %s; what else an interrupted "
                    "migration left stands in qmigrate(1) under AFTER A "
                    "CRASH",
                    job->id, who);
    } else {
        verdict_why(b, "a job on a disk would not survive the move");
        verdict_fix(b, "wait for its end or cancel it (job-cancel %s)",
                    job->id);
    }
}

void preflight_jobs(const struct facts *f, struct verdicts *v)
{
    size_t before = v->count;

    for (int side = 0; side < SIDES; side++) {
        const struct qmp_jobs *jobs = &f->side[side].jobs;

        for (size_t i = 0; i < jobs->count; i++) {
            judge_job((enum side_id)side, &jobs->item[i], v);
        }
    }
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH, "no job is under way on either side");
    }
}

static void judge_destination_exports(const struct facts *f, struct verdicts *v)
{
    const struct strv *exports = &f->side[DESTINATION].exports;
    CLEANUP_FREE char *names = strv_join_words(exports);
    bool copy = facts_copy_disks(f);
    struct verdict *x;

    x = verdict_add(v, ABOUT_DESTINATION,
                    copy ? VERDICT_BLOCKER : VERDICT_WARNING,
                    "the destination already exports disks: %s", names);
    if (copy) {
        verdict_why(x, "QEMU has one NBD server, and the disks need it");
    } else {
        verdict_why(x, "whoever uses them could write to the guest's disks");
    }
    verdict_fix(x, "stop it: nbd-server-stop at the destination");
}

static void judge_source_exports(const struct facts *f, struct verdicts *v)
{
    CLEANUP_FREE char *names = strv_join_words(&f->side[SOURCE].exports);
    bool needed = f->plan->verify && facts_copy_disks(f);
    struct verdict *x;

    x = verdict_add(v, ABOUT_SOURCE, needed ? VERDICT_BLOCKER : VERDICT_WARNING,
                    "the source exports disks: %s", names);
    if (needed) {
        verdict_why(x, "QEMU has one NBD server, and --verify needs it");
        verdict_fix(x, "stop it: nbd-server-stop at the source");
    } else {
        verdict_why(x, "their clients are cut off when the source ends");
    }
}

void preflight_exports(const struct facts *f, struct verdicts *v)
{
    if (f->side[SOURCE].exports.count > 0) {
        judge_source_exports(f, v);
    }
    if (f->side[DESTINATION].exports.count > 0) {
        judge_destination_exports(f, v);
    } else {
        verdict_ok(v, ABOUT_DESTINATION, "the destination exports nothing yet");
    }
}
