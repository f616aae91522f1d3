/*
 * Who still answers, and is it the QEMU of the journal?
 *
 * happy path   The process that the journal names is alive, and is the one
 *              that listens at its address.
 * what fails   It is gone: looked for, here or through ssh, on the machine
 *              and in the PID namespace that the journal names.  It cannot be
 *              asked: then it is silent, which proves nothing.  Another one
 *              listens there: it is left alone.  One that never had an identity
 *              (TCP) is known by its guest's UUID, and otherwise taken for what
 *              it says.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cut.h"
#include "core/recover-private.h"

#define CONNECT_LIMIT_MS 10000
#define LOOK_LIMIT_MS 10000
#define FENCE_LIMIT_MS 120000
#define ENDING_LIMIT_MS 10000
#define ENDING_INTERVAL_MS 500

static void be_silent(struct recover *r, enum side_id side, const char *why)
{
    struct side *s = &r->m->side[side];

    qmp_close(STEAL(s->qmp));
    str_replace(&r->silent_because[side], why);
}

/* What is left to know a QEMU by whose process is not known; or why not. */
static char *why_not_by_uuid(struct recover *r, enum side_id side,
                             bool *ret_other)
{
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;
    CLEANUP_FREE char *uuid = NULL;

    if (qmp_query_uuid(r->m->side[side].qmp, &uuid, &failed) < 0)
        return xstrdup(failed.message);
    *ret_other = !str_equal(uuid, r->journal.uuid);
    return *ret_other ? xstrdup("the QEMU of another guest listens there now")
                      : NULL;
}

/* Another number is another process only where numbers count alike. */
static char *why_not_by_process(const struct side *s,
                                const struct process_identity *expected,
                                bool *ret_other)
{
    if (process_is_same(&s->process, expected))
        return NULL;
    *ret_other =
        s->process.known && process_is_comparable(&s->process, expected);
    return xstrdup(s->process.known     ? "another process listens there now"
                   : s->process_problem ? s->process_problem
                                        : "it is not known which process "
                                          "answers");
}

/* A link that was made leads to the QEMU of the journal, or is closed, and
 * nothing is known of that process. */
static void check_identity(struct recover *r, enum side_id side,
                           const struct process_identity *expected)
{
    struct side *s = &r->m->side[side];
    CLEANUP_FREE char *why = NULL;
    bool is_other = false;

    side_identify(s, &r->plan.peer[side]);
    why = expected->known ? why_not_by_process(s, expected, &is_other)
                          : why_not_by_uuid(r, side, &is_other);
    if (!why)
        return;
    r->may_answer[side] = !is_other;
    be_silent(r, side, why);
    loop_watch_free(STEAL(s->pidfd_watch));
    close_fd(s->pidfd);
    s->pidfd = -1;
    s->process_dead = false;
    s->process = *expected;
}

static int lock_side(struct recover *r, enum side_id side, struct qm_error *err)
{
    struct side *s = &r->m->side[side];

    if (!s->process.known)
        return 0;
    s->lock = rundir_lock_process(s->name, &s->process, err);
    return s->lock < 0 ? -1 : 0;
}

/* A source that has said its last word, but has not left finish-migrate yet, is
 * not what it will be: it may start by itself. */
static bool is_settling(const struct side *s)
{
    return s->id == SOURCE && str_equal(s->run_state, "finish-migrate") &&
           (s->status == MIGRATION_COMPLETED || s->status == MIGRATION_FAILED ||
            s->status == MIGRATION_CANCELLED);
}

static int ask(struct recover *r, enum side_id side, struct qm_error *err)
{
    struct side *s = &r->m->side[side];

    if (side_ask(s, err) < 0)
        return -1;
    if (is_settling(s) &&
        (source_settle(r->m, err) < 0 || side_ask(s, err) < 0))
        return -1;
    return recover_compare(r, side, err);
}

/*
 * A guest that is stopped while its network is cut hangs the source's QEMU,
 * which waits for its mirrors and answers nobody.  While it owns the guest a
 * mirror is nothing to lose: on this machine its connections can be cut from
 * outside.  Whether any was.
 */
static bool free_source(struct recover *r)
{
    const struct migration *m = r->m;
    const struct side *s = &m->side[SOURCE];
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;
    CLEANUP(close_fd) int fd = -1;
    int count;

    if (r->wish->dry_run || m->destination_owns || m->nbd_port == 0 ||
        !s->process.known || !host_is_local(s->host))
        return false;
    fd = (int)syscall(SYS_pidfd_open, s->process.pid, 0);
    /* Only now does the look tell of the same process. */
    if (fd < 0 ||
        host_process_state(s->host, &s->process,
                           deadline_in_ms(LOOK_LIMIT_MS)) != PROCESS_ALIVE)
        return false;
    count =
        process_cut(fd, s->process.pid, m->facts.address, m->nbd_port, &failed);
    if (count > 0)
        migration_warn(r->m, "the source does not answer: its connections to "
                             "the destination's disks were cut");
    return count > 0;
}

/* One that says no at once does not hang. */
static int connect_side(struct recover *r, enum side_id side,
                        struct qm_error *err)
{
    struct side *s = &r->m->side[side];
    deadline_t by = deadline_in_ms(CONNECT_LIMIT_MS);

    if (side_connect(s, &r->plan, r->m->dir, by, err) == 0)
        return 0;
    if (side != SOURCE || (err->code != QM_ERR_BUSY && !deadline_is_over(by)) ||
        !free_source(r))
        return -1;
    error_clear(err);
    qmp_close(STEAL(s->qmp));
    return side_connect(s, &r->plan, r->m->dir,
                        deadline_in_ms(CONNECT_LIMIT_MS), err);
}

/* Why nothing that is seen from here can prove that it is dead. */
static void note_elsewhere(struct recover *r, enum side_id side)
{
    struct side *s = &r->m->side[side];
    CLEANUP_FREE char *doubt =
        host_process_doubt(s->host, &s->process, deadline_in_ms(LOOK_LIMIT_MS));
    CLEANUP_FREE char *both = NULL;

    if (!doubt || s->qmp || s->process_dead)
        return;
    both = xasprintf("%s; its process cannot be looked for: %s",
                     r->silent_because[side], doubt);
    str_replace(&r->silent_because[side], both);
    r->is_elsewhere[side] = true;
}

static int meet(struct recover *r, enum side_id side, struct qm_error *err)
{
    struct side *s = &r->m->side[side];
    const struct process_identity expected = s->process;
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;

    s->host = r->plan.host[side]
                  ? host_new(r->loop, r->plan.host[side], &failed)
                  : host_of_address(r->loop, &r->plan.peer[side]);
    if (lock_side(r, side, err) < 0)
        return -1;
    if (side_check_dead(s, deadline_in_ms(LOOK_LIMIT_MS)))
        return 0;
    error_clear(&failed);
    if (connect_side(r, side, &failed) < 0) {
        be_silent(r, side, failed.message);
        side_check_dead(s, deadline_in_ms(LOOK_LIMIT_MS));
        note_elsewhere(r, side);
        return 0;
    }
    check_identity(r, side, &expected);
    if (s->qmp && ask(r, side, &failed) < 0)
        be_silent(r, side, failed.message);
    if (!s->qmp)
        note_elsewhere(r, side);
    return 0;
}

int recover_meet(struct recover *r, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++)
        if (meet(r, (enum side_id)i, err) < 0)
            return -1;
    return 0;
}

/* --- proofs ---------------------------------------------------------------- */

static bool fence(struct recover *r, enum side_id side)
{
    const char *argv[] = { "sh",
                           "-c",
                           r->wish->fence,
                           "qmigrate-fence",
                           side_name(side),
                           r->plan.peer[side].text,
                           NULL };
    const struct child_options options = { .argv = argv,
                                           .output_max = 4096,
                                           .own_session = true };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *complaint = NULL;
    int status = child_run(r->loop, &options, deadline_in_ms(FENCE_LIMIT_MS),
                           NULL, &complaint, &err);

    if (status == 0)
        return true;
    if (status < 0)
        migration_warn(r->m, "--fence for the %s: %s", side_name(side),
                       err.message);
    else
        migration_warn(r->m, "--fence for the %s ended with %d: %s",
                       side_name(side), status,
                       complaint && *complaint ? complaint : "no word");
    return false;
}

static bool is_alive(const struct side *s)
{
    return s->host && s->process.known &&
           host_process_state(s->host, &s->process,
                              deadline_in_ms(LOOK_LIMIT_MS)) == PROCESS_ALIVE;
}

static bool is_time_over(void *arg)
{
    return deadline_is_over(*(deadline_t *)arg);
}

/* What its own host says against it: the claim is then none.  Who was just
 * fenced may take a while to end. */
static bool is_seen_alive(struct recover *r, enum side_id side, int64_t ms)
{
    struct side *s = &r->m->side[side];
    deadline_t by = deadline_in_ms(ms);
    CLEANUP_FREE char *why = NULL;

    while (is_alive(s)) {
        deadline_t next = deadline_in_ms(ENDING_INTERVAL_MS);

        if (!deadline_is_over(by)) {
            loop_wait(r->loop, is_time_over, &next, next);
            continue;
        }
        why = xasprintf("its process %d lives, though it was said to be down",
                        s->process.pid);
        str_replace(&r->silent_because[side], why);
        return true;
    }
    return false;
}

/* What answers at its address, and may be it, is not dead whatever is said. */
static bool still_answers(struct recover *r, enum side_id side)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    struct side *s = &r->m->side[side];

    if (!r->may_answer[side] ||
        side_connect(s, &r->plan, r->m->dir, deadline_in_ms(CONNECT_LIMIT_MS),
                     &ignored) < 0) {
        qmp_close(STEAL(s->qmp));
        return false;
    }
    be_silent(r, side,
              "a QEMU answers at its address, though it was said to be down");
    return true;
}

void recover_prove_dead(struct recover *r, enum side_id side)
{
    struct side *s = &r->m->side[side];
    int64_t ms = r->wish->is_down[side] ? 0 : ENDING_LIMIT_MS;

    if (!r->wish->is_down[side] &&
        (!r->wish->fence || r->wish->dry_run || !fence(r, side)))
        return;
    s->process_dead = !is_seen_alive(r, side, ms) && !still_answers(r, side);
}

/* --- deciding ---------------------------------------------------------------- */

static enum recovery_owner owner_of(const struct recover *r)
{
    const struct journal_content *c = &r->journal;

    if (c->returned)
        return OWNER_RETURNED;
    if (!r->m->destination_owns)
        return OWNER_SOURCE;
    if (!c->postcopy)
        return OWNER_DESTINATION;
    return c->gave_up ? OWNER_POSTCOPY : OWNER_SWITCHING;
}

void recover_decide(struct recover *r)
{
    const struct migration *m = r->m;
    struct recovery_facts f = {
        .owner = owner_of(r),
        .stays = !m->was_running || r->plan.paused || m->guest_started,
    };

    for (int i = 0; i < SIDES; i++) {
        const struct side *s = &m->side[i];

        f.side[i] = (struct recovery_side){
            .reached = s->qmp != NULL,
            .dead = s->process_dead,
            .running = s->running,
            .run_state = s->run_state,
            .status = s->status,
        };
    }
    r->decision = recovery_decide(&f);
}
