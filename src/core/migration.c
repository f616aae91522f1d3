/*
 * One migration: made, run, told of, and its end judged.
 */
#include "core/migration-private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/blackout.h"
#include "core/steer.h"

static void tell_all(void *arg, const struct narration *n)
{
    struct migration *m = arg;

    m->listener.tell(m->listener.arg, n);
    steer_tell(m, n);
}

struct migration *migration_new(struct loop *loop, const struct plan *plan,
                                const struct narrator *narrator)
{
    struct migration *m = XNEW(struct migration);
    uint32_t random;

    m->loop = loop;
    m->plan = plan;
    m->listener = *narrator;
    m->narrator = (struct narrator){ tell_all, m };
    limits_of_plan(plan, &m->limits);
    m->started_us = clock_now_us();
    m->channels = plan->channels;
    m->step = "connect";
    m->dir_lock = -1;
    m->source_is_back = true; /* until a stream starts */
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = (uint32_t)m->started_us;
    snprintf(m->id, sizeof(m->id), "qm-%08x", random);
    for (int i = 0; i < SIDES; i++)
        side_init(&m->side[i], (enum side_id)i, loop, &m->narrator);
    return m;
}

void migration_free(struct migration *m)
{
    if (!m)
        return;
    for (int i = 0; i < SIDES; i++) {
        side_done(&m->side[i]);
        qmp_settings_done(&m->capabilities_set[i]);
        qmp_settings_done(&m->parameters_set[i]);
    }
    secret_free(m->psk);
    journal_close(m->journal);
    if (m->facts_known)
        facts_done(&m->facts);
    verdicts_done(&m->verdicts);
    disk_choices_done(&m->choices);
    for (size_t i = 0; i < m->disk_count; i++)
        disk_copy_done(&m->disk[i]);
    free(m->disk);
    free(m->progress_disk);
    qmp_migration_done(&m->final);
    rundir_remove_private(m->dir, m->dir_lock);
    strv_done(&m->left);
    free_string(m->name);
    free(m);
}

const char *migration_under_way(const struct migration *m)
{
    return m->remembered ? m->name : NULL;
}

const char *migration_name(const struct migration *m)
{
    return m->name;
}

const char *migration_id(const struct migration *m)
{
    return m->id;
}

void migration_cancel(struct migration *m)
{
    m->cancel_requested = true;
}

void migration_tell(struct migration *m, const struct narration *n)
{
    m->narrator.tell(m->narrator.arg, n);
}

static void warn_text(struct migration *m, const char *text)
{
    migration_tell(
        m, &(struct narration){ .kind = NARRATE_WARNING, .text = text });
}

void migration_warn(struct migration *m, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    warn_text(m, text);
}

void migration_left(struct migration *m, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    strv_add(&m->left, text);
    warn_text(m, text);
}

char *migration_own_id(const struct migration *m, const char *what)
{
    return xasprintf("%s-%s", m->id, what);
}

/* --- the end, judged -------------------------------------------------------- */

static int64_t ms_between(int64_t from_us, int64_t to_us)
{
    return from_us > 0 && to_us >= from_us ? (to_us - from_us + 500) / 1000
                                           : -1;
}

static void measure_blackout(struct migration *m, struct result *r)
{
    blackout_split(
        &(struct blackout_times){
            .stopped_us = source_of(m)->stopped_us,
            .switchover_us = m->switchover_us,
            .settled_us = m->settled_us,
            .verified_us = m->verified_us,
            .completed_us = m->completed_us,
            .running_us = m->running_us,
            .announced_us = m->announced_us,
            .qemu_downtime_ms = m->final.downtime_ms,
            .we_paused = m->we_paused,
        },
        r);
}

static void measure(struct migration *m, struct result *r)
{
    r->wall_ms = ms_between(m->started_us, clock_now_us());
    r->wall_to_guest_ms = ms_between(m->started_us, m->running_us);
    r->passes = m->progress.pass;
    r->throttle_percent = m->max_throttle;
    r->channels = m->channels;
    r->compress = m->channels > 0 ? m->plan->compress : COMPRESS_NONE;
    r->bandwidth_bps = m->limits.value[LIMIT_BANDWIDTH];
    r->disk_bandwidth_bps = m->limits.value[LIMIT_DISK_BANDWIDTH];
    r->tls = !m->plan->insecure;
    r->verified = m->verified_us > 0;
    r->compared_bytes = m->compared_bytes;
    r->compared_stopped_bytes = m->compared_stopped_bytes;
    if (m->postcopy_asked)
        r->postcopy_ms = ms_between(m->completed_us, m->last_page_us);
    r->recoveries = m->postcopy.recoveries;
    if (m->final.status != MIGRATION_COMPLETED)
        return;
    r->ram_total_ms = m->final.total_time_ms;
    r->ram_setup_ms = m->final.setup_time_ms;
    r->qemu_downtime_ms = m->final.downtime_ms;
    r->ram_bytes = m->final.ram_transferred;
    r->passes = (int64_t)m->final.ram_dirty_sync_count;
    if (m->was_running)
        measure_blackout(m, r);
}

static void list_disks(struct migration *m, struct result *r)
{
    r->disk_count = m->disk_count;
    r->disk = xcalloc(m->disk_count + 1, sizeof(*r->disk));
    for (size_t i = 0; i < m->disk_count; i++) {
        const struct disk_copy *d = &m->disk[i];

        r->disk[i] = (struct result_disk){
            .label = xstrdup(d->label),
            .source_file = xstrdup(d->source_file),
            .destination_file = xstrdup(d->destination_file),
            .snapshots = xstrdup(d->snapshots),
            .encryption = xstrdup(d->encryption),
            .size_bytes = d->size_bytes,
            .copied_bytes = d->current_bytes,
            .tls_proved = d->tls_proved,
            .write_blocking = d->write_blocking,
            .discard = d->discard,
        };
    }
}

/* Once the source gave it up, RAM that is not across exists nowhere else. */
bool postcopy_is_lost(const struct migration *m)
{
    const struct side *s = &m->side[SOURCE], *d = &m->side[DESTINATION];

    return m->postcopy_asked && m->completed_us > 0 &&
           d->status != MIGRATION_COMPLETED &&
           (s->process_dead || d->process_dead ||
            d->status == MIGRATION_FAILED);
}

/* Where is the guest after a failure?  Facts as they were last recorded. */
static enum guest_place place_after_failure(const struct migration *m)
{
    const struct side *s = &m->side[SOURCE], *d = &m->side[DESTINATION];

    if (m->owner_unknown)
        return GUEST_UNKNOWN;
    if (m->destination_owns && !m->returned_to_source) {
        if (m->postcopy_asked && m->completed_us == 0 && !s->process_dead)
            return GUEST_UNKNOWN; /* the source did not say who has it */
        if (d->process_dead || postcopy_is_lost(m))
            return GUEST_NOWHERE;
        if (m->postcopy_asked && m->last_page_us == 0)
            return GUEST_UNKNOWN; /* a part of it is at the source */
        return m->guest_started ? GUEST_DESTINATION : GUEST_UNKNOWN;
    }
    if (s->process_dead || s->guest_ended)
        return GUEST_NOWHERE;
    if (!m->source_is_back ||
        (m->stream_started && s->running != m->was_running && !s->halted))
        return GUEST_UNKNOWN;
    return GUEST_SOURCE;
}

static enum outcome outcome_after_failure(const struct migration *m,
                                          const struct result *r)
{
    if (r->guest == GUEST_UNKNOWN)
        return OUTCOME_UNDECIDED;
    if (!m->remembered)
        return r->error.code == QM_ERR_CANCELLED ? OUTCOME_CANCELLED
                                                 : OUTCOME_REFUSED;
    return r->error.code == QM_ERR_CANCELLED ? OUTCOME_CANCELLED
                                             : OUTCOME_FAILED;
}

/* Stopped where it is?  What is not known yet is no. */
static bool is_paused(const struct migration *m, enum guest_place place)
{
    if (place == GUEST_DESTINATION)
        return !m->was_running || m->plan->paused;
    if (m->remembered)
        return !m->was_running || m->side[SOURCE].halted;
    return m->facts_known && !m->facts.side[SOURCE].run_state.running;
}

/* Whatever else is to be done. */
static void hint_fresh_destination(struct qm_error *err)
{
    const char *hint = "start a fresh destination before trying again";
    CLEANUP_FREE char *both =
        err->hint ? xasprintf("%s; %s", err->hint, hint) : xstrdup(hint);

    str_replace(&err->hint, both);
}

/* What a person has to do now, if that is known. */
static void hint_after_failure(struct migration *m, struct result *r)
{
    const struct side *s = source_of(m);

    if (r->guest == GUEST_SOURCE && m->door_open)
        hint_fresh_destination(&r->error);
    else if (s->given_up)
        error_hint(&r->error, "the guest has ended, but its QEMU hangs: end "
                              "that one by force (kill -9)");
    else if (r->guest == GUEST_NOWHERE && m->postcopy_asked &&
             m->completed_us > 0)
        error_hint(&r->error, "its memory was on both sides, and cannot be put "
                              "together any more: end the QEMU that is left by "
                              "`quit`, and boot the guest again from the "
                              "destination's disks, which have every write");
    else if (r->guest == GUEST_NOWHERE && m->destination_owns &&
             !s->process_dead)
        error_hint(&r->error, "the source is stopped, with the guest's memory "
                              "and disks as they were at the switch; `quit` "
                              "ends it, `cont` would start that older guest");
    else if (r->guest == GUEST_NOWHERE && !m->destination_owns &&
             !s->guest_ended)
        error_hint(&r->error, "boot the guest again from the source's disks, "
                              "which have every write; a destination that is "
                              "left must be ended, never continued");
    else if (r->guest == GUEST_UNKNOWN && in_postcopy(m))
        error_hint(&r->error,
                   "%s: end neither QEMU; `qmigrate recover %s` goes on",
                   m->source_gave_up
                       ? "each side has a part of the guest, nothing is lost"
                       : "each side may have a part of the guest",
                   m->name);
}

/* The undo may be over before anybody heard of a death.  Where looking costs
 * nothing. */
static void look_for_the_dead(struct migration *m)
{
    for (int i = 0; i < SIDES; i++)
        if (m->side[i].pidfd >= 0)
            side_check_dead(&m->side[i], clock_now_ms());
}

static void judge(struct migration *m, bool succeeded, struct result *r)
{
    r->name = xstrdup(m->name);
    r->left = m->left;
    m->left = (struct strv){ 0 };
    r->source_kept = m->plan->keep_source;
    if (succeeded) {
        r->outcome = OUTCOME_COMPLETED;
        r->guest = GUEST_DESTINATION;
    } else {
        look_for_the_dead(m);
        r->guest = place_after_failure(m);
        r->outcome = outcome_after_failure(m, r);
        r->retryable =
            r->guest == GUEST_SOURCE &&
            (r->error.code == QM_ERR_LINK || r->error.code == QM_ERR_TIMEOUT ||
             r->error.code == QM_ERR_SILENT || r->error.code == QM_ERR_BUSY ||
             r->error.code == QM_ERR_MIGRATION ||
             r->error.code == QM_ERR_CANCELLED);
        hint_after_failure(m, r);
    }
    r->paused = is_paused(m, r->guest);
    measure(m, r);
    list_disks(m, r);
    evidence_list(m, r);
}

/* What was found is said; that it could not be written down is something left
 * to do. */
static void close_journal(struct migration *m, struct result *r)
{
    struct qm_error err = QM_ERROR_INIT;

    /* It is not over while it is undecided, or while a QEMU waits that must
     * never be started: then the journal stays as it is. */
    if (!m->journal || r->outcome == OUTCOME_UNDECIDED ||
        m->side[DESTINATION].given_up ||
        (m->destination_owns && m->side[SOURCE].given_up)) {
        if (m->journal)
            migration_warn(m,
                           "the journal stays open, for `qmigrate recover %s`",
                           m->name);
        return;
    }
    if (journal_end(m->journal, outcome_name(r->outcome),
                    guest_place_name(r->guest), &err) < 0)
        strv_addf(&r->left,
                  "the journal is still open (%s): once that is mended, "
                  "`qmigrate recover %s` closes it",
                  err.message, m->name);
    error_clear(&err);
}

void migration_conclude(struct migration *m, bool succeeded, struct result *ret)
{
    judge(m, succeeded, ret);
    close_journal(m, ret);
    steer_close(m, ret);
}

void migration_run(struct migration *m, struct result *ret)
{
    bool succeeded;

    result_init(ret);
    succeeded = recipe_run(m, recipe_count, &ret->error) == 0;
    migration_conclude(m, succeeded, ret);
}

static void tell_plan(struct migration *m)
{
    const char *names[32] = { NULL };

    assert(recipe_count < ARRAY_LEN(names));
    for (size_t i = 0; i < recipe_count; i++)
        names[i] = recipe[i].name;
    migration_tell(m, &(struct narration){
                          .kind = NARRATE_PLAN,
                          .facts = &m->facts,
                          .disks = &m->choices,
                          .steps = names,
                          .name = m->name,
                      });
}

void migration_check(struct migration *m, bool plan_too, struct result *ret)
{
    result_init(ret);
    if (recipe_run(m, recipe_first_change, &ret->error) == 0) {
        if (plan_too)
            tell_plan(m);
        ret->outcome = OUTCOME_COMPLETED;
    } else if (ret->error.code == QM_ERR_CANCELLED) {
        ret->outcome = OUTCOME_CANCELLED;
    }
    ret->name = xstrdup(m->name);
    ret->wall_ms = ms_between(m->started_us, clock_now_us());
    steer_close(m, ret);
}
