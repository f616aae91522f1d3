/*
 * Post-copy: the guest goes on at the destination, and what is missing of its
 * RAM follows, or is fetched when it is touched.
 *
 * happy path   The source is told to switch, and stops at pre-switchover as
 *              always.  The owner is written before migrate-continue: from
 *              there on a cancel can lose the guest.  The source gives it up
 *              (post-copy, or `completed` if all was across), the destination
 *              has loaded all but RAM, and is started.  Last of all both sides
 *              are awaited at `completed`.
 * what fails   The source says `failed`: it never gave the guest up, which goes
 *              on there, and the rest is undone.  Later only the network may
 *              fail: postcopy-stream.c; and the way to a monitor, which is
 *              opened again for as long as its process is not proved dead.
 *              Without the one QEMU or the other the guest is lost.
 */
#include "core/migration-private.h"
#include "core/recovery.h"

/* The source sends devices, over a network that may be away: TCP gives up after
 * a quarter of an hour or more, and the source then says so. */
#define GIVE_UP_LIMIT_MS 1800000
/* Once nothing can come from the source any more. */
#define LOAD_LIMIT_MS 300000
#define WORD_LIMIT_MS 10000
#define LOAD_INTERVAL_MS 20
#define RUN_INTERVAL_MS 500
#define LINK_INTERVAL_MS 1000
#define SAMPLE_INTERVAL_MS 250

/* --- before it ---------------------------------------------------------------- */

static bool mirrors_are_ready(const struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].state != MIRROR_READY)
            return false;
    return true;
}

static int run_start_postcopy(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return qmp_migrate_start_postcopy(s->qmp, err);
}

int postcopy_start(struct migration *m, const char *why, struct qm_error *err)
{
    struct side *s = source_of(m);

    if (m->postcopy_heard || m->progress.pass < CONVERGE_WHOLE_PASS ||
        s->status != MIGRATION_ACTIVE || !mirrors_are_ready(m))
        return 0;
    /* Asked again where no answer came: twice is no harm. */
    if (!m->postcopy_asked)
        migration_warn(m,
                       "%s: the guest goes on at the destination, and the "
                       "rest of its RAM follows",
                       why ? why : "the operator wants it");
    m->postcopy_asked = m->converge.postcopied = true;
    if (side_do(s, run_start_postcopy, NULL, NULL, err) < 0)
        return -1;
    m->postcopy_heard = true;
    return 0;
}

/* --- the switch ----------------------------------------------------------------- */

bool source_has_given_up(struct migration *m)
{
    return recovery_gave_up(source_of(m)->status);
}

static bool source_has_decided(struct migration *m)
{
    enum migration_status status = source_of(m)->status;

    return source_has_given_up(m) || status == MIGRATION_FAILED ||
           status == MIGRATION_CANCELLED;
}

static const struct wait wait_for_word = {
    .what = "the source to say who has the guest",
    .holds = source_has_decided,
    .limit_ms = WORD_LIMIT_MS,
    .ends_on = ENDS_ON_SOURCE_DEATH,
};

/* The switch failed: who has the guest is for the source to say.  10.0.2 may
 * say nothing, and stay in `device` for ever, if the stream breaks right before
 * it gives the guest up ("Unknown ending state"). */
static void ask_who_has_it(struct migration *m)
{
    struct side *s = source_of(m);
    struct qm_error err = QM_ERROR_INIT;

    if (side_is_gone(s) || migration_wait(m, &wait_for_word, &err) < 0 ||
        side_ask(s, &err) < 0 ||
        (s->status != MIGRATION_FAILED && s->status != MIGRATION_CANCELLED)) {
        error_clear(&err);
        if (source_has_given_up(m))
            m->completed_us = clock_now_us();
        else
            migration_left(m, "the guest, stopped at the source: %s",
                           migration_status_name(s->status));
        return;
    }
    owner_be_patient(m);
    if (give_back(m, &err) < 0)
        migration_left(m, "the guest at the source: %s", err.message);
    error_clear(&err);
}

static bool has_loaded(struct migration *m)
{
    const char *state = destination_of(m)->run_state;

    return *state && !str_equal(state, "inmigrate");
}

static int ask_loaded(struct migration *m, struct qm_error *err)
{
    postcopy_watch_links(m);
    if (side_refresh_run_state(destination_of(m), err) < 0 || has_loaded(m))
        return error_is_set(err) ? -1 : 0;
    postcopy_tend(m);
    return 0;
}

/* It may have given the guest up meanwhile. */
static bool source_is_away(struct migration *m)
{
    return !qmp_is_up(source_of(m)->qmp);
}

/* What it has sent is on its way, however long; one that paused has closed the
 * stream. */
static bool source_may_deliver(struct migration *m)
{
    const struct side *s = source_of(m);

    return !s->process_dead &&
           (!qmp_is_up(s->qmp) || s->status != MIGRATION_POSTCOPY_PAUSED);
}

static int only_watch_links(struct migration *m, struct qm_error *err)
{
    (void)err;
    postcopy_watch_links(m);
    return 0;
}

static const struct wait wait_for_source = {
    .what = "the source to give the guest up",
    .holds = source_has_given_up,
    .limit_ms = GIVE_UP_LIMIT_MS,
    .ends_on = ENDS_ON_STREAM_FAILURE | ENDS_ON_SOURCE_DEATH |
               ENDS_ON_DESTINATION_DEATH,
    .ask = only_watch_links,
    .interval_ms = LINK_INTERVAL_MS,
    .may_take_longer = source_is_away,
};

static const struct wait wait_for_load = {
    .what = "the destination to load the guest's devices",
    .holds = has_loaded,
    .limit_ms = LOAD_LIMIT_MS,
    .ends_on = ENDS_ON_DESTINATION_DEATH | ENDS_ON_LOAD_FAILURE,
    .ask = ask_loaded,
    .interval_ms = LOAD_INTERVAL_MS,
    .may_take_longer = source_may_deliver,
};

/* The last moment in which a dead destination costs nothing, and in which it is
 * known that the guest went with a dead source.  Only where to look costs
 * nothing either: the guest is stopped. */
static int refuse_the_dead(struct migration *m, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &m->side[i];

        if (s->pidfd >= 0)
            side_check_dead(s, clock_now_ms());
        if (side_is_gone(s))
            return side_gone_error(s, err);
    }
    return 0;
}

int postcopy_switch(struct migration *m, struct qm_error *err)
{
    /* recover comes here again */
    if (!m->destination_owns &&
        (refuse_the_dead(m, err) < 0 || owner_write(m, false, err) < 0))
        return -1;
    str_replace(&destination_of(m)->run_state, "");
    /* foretold of the guest at the source */
    m->progress.outlook = OUTLOOK_UNKNOWN;
    m->progress.ram_bps = 0;
    m->progress.timeout_left_ms = 0;
    sides_hurry(m, DEADLINE_NEVER);
    if ((source_of(m)->status == MIGRATION_PRE_SWITCHOVER &&
         source_continue(m, err) < 0) ||
        migration_wait(m, &wait_for_source, err) < 0) {
        ask_who_has_it(m);
        return -1;
    }
    m->completed_us = clock_now_us();
    return migration_wait(m, &wait_for_load, err);
}

/* --- the destination runs ---------------------------------------------------------- */

static int ask_running(struct migration *m, struct qm_error *err)
{
    struct side *d = destination_of(m);

    postcopy_tend(m);
    if (side_is_stale(d))
        return 0; /* another QEMU may listen there: it is looked at first */
    if (side_refresh_run_state(d, err) < 0)
        return -1;
    return d->running ? 0 : qmp_cont(d->qmp, err);
}

/* Its main loop may wait for a page, for as long as the network is away. */
static bool source_is_alive(struct migration *m)
{
    return !source_of(m)->process_dead;
}

int postcopy_run(struct migration *m, struct qm_error *err)
{
    const struct wait wait = {
        .what = "the guest to run at the destination",
        .holds = destination_runs,
        .limit_ms = LOAD_LIMIT_MS,
        .ends_on = ENDS_ON_DESTINATION_DEATH,
        .ask = ask_running,
        .interval_ms = RUN_INTERVAL_MS,
        .may_take_longer = source_is_alive,
    };

    /* What is not answered is asked below, and told again if need be. */
    if (qmp_cont(destination_of(m)->qmp, err) < 0) {
        if (err->code != QM_ERR_SILENT && err->code != QM_ERR_LINK)
            return -1;
        error_clear(err);
    }
    return migration_wait(m, &wait, err);
}

/* --- the last page ---------------------------------------------------------------- */

/* `completed` at the destination says that nothing is missing there; the
 * source's may be lost on the way. */
static bool all_is_across(struct migration *m)
{
    const struct side *s = source_of(m);
    int64_t *whole_ms = &m->postcopy.whole_ms;

    if (destination_of(m)->status != MIGRATION_COMPLETED)
        return false;
    if (*whole_ms == 0)
        *whole_ms = clock_now_ms();
    return s->status == MIGRATION_COMPLETED ||
           s->status == MIGRATION_POSTCOPY_PAUSED || side_is_gone(s) ||
           (!qmp_is_up(s->qmp) &&
            clock_now_ms() - *whole_ms >= failpoint_ms(OWNER_PATIENCE_MS));
}

static int ask_last_page(struct migration *m, struct qm_error *err)
{
    (void)err;
    postcopy_tend(m);
    return 0;
}

static const struct wait wait_for_last_page = {
    .what = "the last page",
    .holds = all_is_across,
    .limit_ms = AS_LONG_AS_IT_TAKES_MS,
    .ends_on =
        ENDS_ON_SOURCE_DEATH | ENDS_ON_DESTINATION_DEATH | ENDS_ON_LOAD_FAILURE,
    .ask = ask_last_page,
    .interval_ms = SAMPLE_INTERVAL_MS,
};

/* The source may have ended right after it sent the last page. */
static bool was_across(struct migration *m)
{
    struct side *d = destination_of(m);
    struct qm_error ignored = QM_ERROR_INIT;

    if (!side_is_gone(d))
        side_refresh(d, &ignored);
    error_clear(&ignored);
    return all_is_across(m);
}

int step_last_page(struct migration *m, struct qm_error *err)
{
    if (!m->postcopy_asked)
        return 0;
    if (migration_wait(m, &wait_for_last_page, err) < 0) {
        if (!was_across(m))
            return postcopy_is_lost(m)
                       ? error_wrap(err, "a part of the guest's RAM is lost")
                       : -1;
        error_clear(err);
    }
    postcopy_watch_links(m); /* one may have come back with the last word */
    m->last_page_us = clock_now_us();
    owner_be_patient(m);
    forget_key(m);
    return 0;
}
