/*
 * The RAM gets across: samples feed the convergence policy, and what it says
 * is done, until the guest stops at pre-switchover.
 *
 * happy path   A sample each 250 ms; now and then a parameter of the source is
 *              changed; QEMU stops the guest when what remains fits the limit.
 * what fails   The network: no byte has moved for 30 s; or none of a disk's,
 *              while the guest's writes wait for it (mirror-watch.c).  The
 *              guest writes too fast for all that is allowed, and --timeout-s
 *              has passed.
 * undo         that of "start migration"; parameters are put back by that of
 *              "agree capabilities".
 */
#include "core/migration-private.h"
#include "core/mirror.h"

#define STREAM_STALL_MS 30000
/* TCP's own pauses double: after a cut of 30 s it may try after 60 s. */
#define POSTCOPY_STALL_MS 120000
#define CONVERGE_LIMIT_MS (30LL * 24 * 3600 * 1000) /* the stall governs */
#define SAMPLE_INTERVAL_MS 250

static int was_running_now(struct migration *m, bool running,
                           struct qm_error *err)
{
    if (m->was_running == running)
        return 0;
    m->was_running = running;
    return journal_fact(m->journal, "was-running", running, err);
}

static int record_run_state(struct migration *m, struct qm_error *err)
{
    const struct side *s = source_of(m);

    if (m->we_paused)
        return 0;
    if (str_equal(s->run_state, "paused"))
        return was_running_now(m, false, err);
    return s->running ? was_running_now(m, true, err) : 0;
}

int follow_run_state(struct migration *m, struct qm_error *err)
{
    if (side_refresh_run_state(source_of(m), err) < 0)
        return -1;
    return record_run_state(m, err);
}

static bool guest_has_stopped(struct migration *m)
{
    enum migration_status status = source_of(m)->status;

    return status == MIGRATION_PRE_SWITCHOVER || status == MIGRATION_DEVICE ||
           status == MIGRATION_COMPLETED;
}

/* --- what the policy asks for ----------------------------------------------- */

int pause_guest(struct migration *m, const char *why, struct qm_error *err)
{
    /* Asked once: an operator who starts it again is not overruled.  Asked
     * again where it is not known whether the first `stop` arrived. */
    if (source_of(m)->running) {
        if (!m->we_paused)
            migration_warn(m, "%s", why);
        m->we_paused = m->converge.paused = true;
        if (side_stop(source_of(m), err) < 0)
            return -1;
    }
    m->pause_asked = false;
    return 0;
}

static int pause_for_policy(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *why = NULL;

    if (m->converge.timed_out)
        why = xasprintf("timeout-s has passed: the guest is stopped so that "
                        "its RAM gets across");
    else
        why = xasprintf("the policy '%s' has no milder means left: the guest "
                        "is stopped so that its RAM gets across",
                        m->plan->policy->name);
    return pause_guest(m, why, err);
}

static int set_limit(struct migration *m, struct qm_error *err)
{
    return set_source_parameter(m, "downtime-limit", m->converge.limit_ms, err);
}

/*
 * QEMU throttles by itself once more is dirtied than the threshold, by the
 * initial value first, then by increments up to the most.  All of them are the
 * same here, so that it goes at once where we want it; the threshold is low,
 * since that it is needed was our decision.
 */
static int set_throttle(struct migration *m, struct qm_error *err)
{
    const struct converge *c = &m->converge;
    struct qmp_settings wanted = { 0 };
    int ret;

    qmp_settings_add_int(&wanted, "max-cpu-throttle", c->throttle);
    qmp_settings_add_int(&wanted, "cpu-throttle-initial", c->throttle);
    qmp_settings_add_int(&wanted, "cpu-throttle-increment", c->throttle);
    qmp_settings_add_int(&wanted, "throttle-trigger-threshold", 1);
    ret = set_parameters(m, SOURCE, &wanted, err);
    qmp_settings_done(&wanted);
    if (ret == 0)
        migration_warn(m,
                       "the guest dirties %.0f MiB/s and %.0f MiB/s leave: it "
                       "is slowed down by up to %d %%",
                       (double)m->progress.dirty_bps / (double)MIB,
                       (double)c->bps / (double)MIB, c->throttle);
    return ret;
}

static int postcopy_for_policy(struct migration *m, struct qm_error *err)
{
    CLEANUP_FREE char *why = NULL;

    if (m->converge.timed_out)
        why = xstrdup("timeout-s has passed");
    else
        why = xasprintf("the policy '%s' has no milder means left",
                        m->plan->policy->name);
    m->postcopy_wanted = true;
    return postcopy_start(m, why, err);
}

static int give_up(const struct migration *m, struct qm_error *err)
{
    const struct limits *l = &m->limits;

    if (l->timeout_ms > l->value[LIMIT_TIMEOUT] * 1000)
        error_set(err, QM_ERR_TIMEOUT,
                  "the RAM did not get across within %.1f s, which are "
                  "timeout-s-per-gib %lld",
                  (double)l->timeout_ms / 1000,
                  (long long)l->timeout_per_gib_s);
    else
        error_set(err, QM_ERR_TIMEOUT,
                  "the RAM did not get across within timeout-s %lld",
                  (long long)l->value[LIMIT_TIMEOUT]);
    error_hint(err, "allow more time, --policy urgent, a longer "
                    "--max-downtime-ms, --postcopy, or --on-timeout pause");
    return -1;
}

/* The policy takes for done what it asked for, and a link may break before it
 * is: what is not done stays, for the next sample. */
static int act(struct migration *m, struct qm_error *err)
{
    static const struct {
        enum converge_action action;
        int (*run)(struct migration *m, struct qm_error *err);
    } acts[] = {
        { CONVERGE_SET_LIMIT, set_limit },
        { CONVERGE_THROTTLE, set_throttle },
        { CONVERGE_POSTCOPY, postcopy_for_policy },
        { CONVERGE_PAUSE, pause_for_policy },
    };

    if (m->todo & CONVERGE_ABORT)
        return give_up(m, err);
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        if (!(m->todo & acts[i].action))
            continue;
        if (acts[i].run(m, err) < 0)
            return -1;
        m->todo &= ~(unsigned)acts[i].action;
    }
    return 0;
}

/* --- watching --------------------------------------------------------------- */

/* A network that is lost is waited for once the guest is in post-copy; so is
 * it on the way there, from the moment on in which the source was told to
 * switch, while the guest runs.  Before that nothing is lost by ending it, and
 * the writes of a mirrored guest hang. */
static int64_t stall_limit_ms(const struct migration *m)
{
    return m->postcopy_asked && !m->we_paused ? POSTCOPY_STALL_MS
                                              : STREAM_STALL_MS;
}

/* No byte in all that time: that is the network's fault, not the guest's. */
static int check_stall(struct migration *m, struct qm_error *err)
{
    uint64_t moved = m->progress.ram_transferred;

    if (moved != m->ram_window_bytes || m->ram_window_ms == 0) {
        m->ram_window_bytes = moved;
        m->ram_window_ms = clock_now_ms();
        return 0;
    }
    if (clock_now_ms() - m->ram_window_ms < stall_limit_ms(m))
        return 0;
    error_set(err, QM_ERR_TIMEOUT,
              "source: no byte of the RAM has moved for %d s",
              (int)(stall_limit_ms(m) / 1000));
    error_hint(err, "is the network to %s port %u cut?", m->facts.address,
               m->ram_port);
    return -1;
}

static int ask_stream(struct migration *m, struct qm_error *err)
{
    struct converge_sample sample;
    /* asked in one go: the guest may stop in the meantime, and then waits */
    struct qmp_request *run_state = qmp_send_query_status(source_of(m)->qmp);
    int sampled = progress_sample(m, &sample, err);
    struct qm_error lost = QM_ERROR_INIT;
    int asked = side_finish_run_state(source_of(m), run_state, &lost);

    if (sampled < 0) {
        error_clear(&lost);
        return -1;
    }
    if (asked < 0)
        return error_move(err, &lost);
    if (record_run_state(m, err) < 0)
        return -1;
    if (guest_has_stopped(m))
        return 0;
    sample.at_ms = (clock_now_us() - m->migrate_us) / 1000;
    if ((m->pause_asked && pause_guest(m, PAUSE_ASKED, err) < 0) ||
        (m->postcopy_wanted && postcopy_start(m, NULL, err) < 0))
        return -1;
    m->todo |= converge_step(&m->converge, &sample);
    if (act(m, err) < 0)
        return -1;
    return check_stall(m, err) < 0 ? -1 : mirrors_watch(m, err);
}

static const struct wait wait_for_stop = {
    .what = "the RAM to get across",
    .holds = guest_has_stopped,
    .limit_ms = CONVERGE_LIMIT_MS,
    .ends_on = ENDS_ON_ANYTHING,
    .ask = ask_stream,
    .interval_ms = SAMPLE_INTERVAL_MS,
};

int step_converge(struct migration *m, struct qm_error *err)
{
    if (machines_unchanged(m, true, err) < 0 ||
        migration_wait(m, &wait_for_stop, err) < 0)
        return -1;
    return halt_check(m, err); /* a guest that stands still is soon across */
}
