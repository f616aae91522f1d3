/*
 * Telling and asking one of the two QEMUs, over a link that may break.
 *
 * happy path   the command is run, and answered.
 * what fails   the link breaks before the reply: it is awaited, and what
 *              became of the command is asked before it is run again.  A
 *              process that has ended, or whose link stays away, ends it.
 */
#include "core/side.h"

/* How long a look at a remote process may take. */
#define LOOK_LIMIT_MS 5000
/* How often it is looked at while its link is awaited. */
#define LOOK_INTERVAL_MS 3000
#define HURRIED_MIN_MS 1000
/* Of a link that is made: greeting and negotiation, and a command. */
#define LINK_TRIPS 3

int side_gone_error(const struct side *s, struct qm_error *err)
{
    if (!s->process_dead)
        return error_set(err, QM_ERR_LINK, "the %s cannot be reached any more",
                         s->name);
    if (!s->process.known)
        return error_set(err, QM_ERR_LINK, "the %s QEMU has ended", s->name);
    return error_set(err, QM_ERR_LINK, "the %s QEMU (pid %d) has ended",
                     s->name, s->process.pid);
}

static bool link_back_or_gone(void *arg)
{
    struct side *s = arg;

    return qmp_is_up(s->qmp) || side_is_gone(s);
}

static deadline_t link_deadline(const struct side *s)
{
    deadline_t by = deadline_in_ms(s->patience_ms);
    deadline_t soon =
        deadline_in_ms(HURRIED_MIN_MS + side_trips_ms(s, LINK_TRIPS));

    return s->hurry_by > soon ? deadline_earlier(by, s->hurry_by) : soon;
}

/* One without a pidfd is looked at: now and then, since a dead one never comes
 * back, and before it is told anything, since another QEMU may listen there. */
static int await_link(struct side *s, struct qm_error *err)
{
    deadline_t by = link_deadline(s);
    bool back;

    do {
        back =
            loop_wait(s->loop, link_back_or_gone, s,
                      deadline_earlier(by, deadline_in_ms(LOOK_INTERVAL_MS)));
        if (s->pidfd < 0)
            side_check_dead(s, deadline_in_ms(LOOK_LIMIT_MS));
    } while (!back && !s->process_dead && !deadline_is_over(by));
    return !back || side_is_gone(s) ? side_gone_error(s, err) : 0;
}

int side_do(struct side *s, side_run_fn *run, side_asked_fn *happened,
            void *arg, struct qm_error *err)
{
    const int attempts = 3;

    for (int i = 0;; i++) {
        struct qm_error lost = QM_ERROR_INIT;
        int done;

        s->attempts = i + 1;
        if (run(s, arg, &lost) == 0)
            return 0;
        if (lost.code != QM_ERR_LINK || i + 1 == attempts || s->process_dead)
            return error_move(err, &lost);
        error_clear(&lost);
        if (await_link(s, err) < 0)
            return -1;
        done = happened ? happened(s, arg, err) : 0;
        if (done != 0)
            return done < 0 ? -1 : 0;
    }
}

static int run_refresh(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return side_refresh(s, err);
}

int side_ask(struct side *s, struct qm_error *err)
{
    return side_do(s, run_refresh, NULL, NULL, err);
}

static int run_refresh_run_state(struct side *s, void *arg,
                                 struct qm_error *err)
{
    (void)arg;
    return side_refresh_run_state(s, err);
}

int side_ask_run_state(struct side *s, struct qm_error *err)
{
    return side_do(s, run_refresh_run_state, NULL, NULL, err);
}

static int run_stop(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return qmp_stop(s->qmp, err);
}

int side_stop(struct side *s, struct qm_error *err)
{
    return side_do(s, run_stop, NULL, NULL, err);
}

static int run_cont(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    return qmp_cont(s->qmp, err);
}

static int asked_running(struct side *s, void *arg, struct qm_error *err)
{
    (void)arg;
    if (side_refresh_run_state(s, err) < 0)
        return -1;
    return s->running;
}

int side_cont(struct side *s, struct qm_error *err)
{
    return side_do(s, run_cont, asked_running, NULL, err);
}
