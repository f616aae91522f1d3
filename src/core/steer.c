/*
 * What the operator asks of a migration while it runs.
 *
 * happy path   Questions and `cancel` are answered at once.  `set` and
 *              `complete` are put in a queue; a wait that notices them, or the
 *              next row, serves them and answers with what is in force.
 * what fails   What QEMU refuses stays as it was, and the answer says who
 *              refused what.  While the source's link is down they wait.
 * on close     What was not served is answered: the migration has ended.
 */
#include "core/steer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/control.h"
#include "core/migration-private.h"
#include "core/record.h"
#include "qmp/json.h"

#define QUEUE_MAX 64
#define SET_LIMIT_MS 10000 /* in post-copy */

struct asked {
    uint64_t ticket;
    struct control_request request;
};

struct steer {
    struct control *control;
    size_t count;
    struct asked queue[QUEUE_MAX];
};

/* --- answers ---------------------------------------------------------------- */

static struct json_object *status_data(struct migration *m)
{
    struct json_object *data = json_object_new_object();

    json_add_string(data, "name", m->name);
    json_add_int(data, "pid", getpid());
    json_add_string(data, "source", m->plan->peer[SOURCE].text);
    json_add_string(data, "destination", m->plan->peer[DESTINATION].text);
    json_add_bool(data, "insecure", m->plan->insecure);
    json_add_bool(data, "cancelling", m->cancel_requested);
    json_add_bool(data, "undoing", m->rolling_back);
    json_add_bool(data, "recovering", m->recovering);
    json_add_bool(data, "pausing", m->pause_asked || m->we_paused);
    json_add(data, "progress", record_progress_data(progress_now(m)));
    json_add(data, "limits", record_limits_data(&m->limits));
    return data;
}

/* --- what is asked ---------------------------------------------------------- */

static struct control_facts facts_now(const struct migration *m)
{
    return (struct control_facts){
        .undoing = m->rolling_back,
        .handing_over = m->switchover_us > 0,
        .too_late = m->hold_interrupts,
        .postcopy = in_postcopy(m),
    };
}

static int on_request(void *arg, const struct control_request *r,
                      uint64_t ticket, struct json_object **ret,
                      struct qm_error *err)
{
    struct migration *m = arg;
    struct control_facts facts = facts_now(m);
    const char *refusal = control_refusal(r->command, &facts);
    struct steer *s = m->steer;

    if (refusal)
        return error_set(err, QM_ERR_REFUSED, "%s", refusal);
    if (r->command == CONTROL_QUERY_STATUS) {
        *ret = status_data(m);
        return 0;
    }
    if (r->command == CONTROL_CANCEL) {
        migration_cancel(m);
        return 0;
    }
    if (s->count == QUEUE_MAX)
        return error_set(err, QM_ERR_BUSY, "too much is being asked");
    s->queue[s->count++] = (struct asked){ ticket, *r };
    return CONTROL_LATER;
}

/* --- set -------------------------------------------------------------------- */

static int set_bandwidth(struct migration *m, int64_t value,
                         struct qm_error *err)
{
    if (m->agreed && set_source_parameter(m, "max-bandwidth", value, err) < 0)
        return -1;
    m->converge.rules.bandwidth_bps = (uint64_t)value;
    return 0;
}

static int set_disk_bandwidth(struct migration *m, int64_t value,
                              struct qm_error *err)
{
    for (size_t i = 0; i < m->disk_count; i++) {
        const struct disk_copy *d = &m->disk[i];

        if (d->mirror_started &&
            (d->state == MIRROR_RUNNING || d->state == MIRROR_READY) &&
            qmp_block_job_set_speed(source_of(m)->qmp, d->job_id, value, err) <
                0)
            return error_wrap(err, "disk %s", d->label);
    }
    return 0;
}

/* The limit in force never exceeds what is allowed now; a higher one comes
 * when the policy finds that it is needed. */
static int set_max_downtime(struct migration *m, int64_t value,
                            struct qm_error *err)
{
    int64_t most = converge_part_of_qemu(value, m->own_part_ms);

    if (!m->agreed)
        return 0;
    if (m->converge.limit_ms > most) {
        if (set_source_parameter(m, "downtime-limit", most, err) < 0)
            return -1;
        m->converge.limit_ms = most;
    }
    m->converge.rules.max_downtime_ms = most;
    return 0;
}

/* It replaces the one for each GiB too: the operator means this one. */
static int set_timeout(struct migration *m, int64_t value, struct qm_error *err)
{
    (void)err;
    m->converge.rules.timeout_ms = m->limits.timeout_ms = value * 1000;
    m->converge.rules.timeout_per_gib_ms = m->limits.timeout_per_gib_s = 0;
    return 0;
}

static int refuse_postcopy(struct qm_error *err)
{
    error_set(err, QM_ERR_REFUSED,
              "post-copy was not prepared when this migration began");
    error_hint(err, "it needs --postcopy from the start; mode pause is "
                    "always possible");
    return -1;
}

static int set_postcopy_bandwidth(struct migration *m, int64_t value,
                                  struct qm_error *err)
{
    return m->agreed && m->plan->postcopy
               ? set_source_parameter(m, "max-postcopy-bandwidth", value, err)
               : 0;
}

static int set_on_timeout(struct migration *m, int64_t value,
                          struct qm_error *err)
{
    if (value == ON_TIMEOUT_POSTCOPY && !m->plan->postcopy)
        return refuse_postcopy(err);
    m->converge.rules.pause_on_timeout = value == ON_TIMEOUT_PAUSE;
    m->converge.rules.postcopy_on_timeout = value == ON_TIMEOUT_POSTCOPY;
    return 0;
}

static int (*const setters[LIMITS])(struct migration *m, int64_t value,
                                    struct qm_error *err) = {
    [LIMIT_BANDWIDTH] = set_bandwidth,
    [LIMIT_DISK_BANDWIDTH] = set_disk_bandwidth,
    [LIMIT_MAX_DOWNTIME] = set_max_downtime,
    [LIMIT_TIMEOUT] = set_timeout,
    [LIMIT_ON_TIMEOUT] = set_on_timeout,
    [LIMIT_POSTCOPY_BANDWIDTH] = set_postcopy_bandwidth,
};

/* Whoever recovers this migration goes by them too. */
static void tell_limits(struct migration *m)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (m->journal &&
        journal_limits(m->journal, journal_limits_data(&m->limits), &err) < 0)
        migration_warn(m, "%s", err.message);
    migration_tell(
        m, &(struct narration){ .kind = NARRATE_LIMITS, .limits = &m->limits });
}

/* The guest is on its way, or there: only how fast its RAM follows can be set,
 * and the rest has no effect any more. */
static int refuse_late(const struct migration *m, enum limit limit,
                       struct qm_error *err)
{
    if ((!in_postcopy(m) && !m->recovering) || limit == LIMIT_BANDWIDTH ||
        limit == LIMIT_POSTCOPY_BANDWIDTH)
        return 0;
    return error_set(err, QM_ERR_REFUSED,
                     "in post-copy bandwidth and postcopy-bandwidth alone can "
                     "be set");
}

/* What is refused keeps nothing else from being set. */
static int serve_set(struct migration *m, const struct limit_changes *c,
                     struct json_object **ret, struct qm_error *err)
{
    struct limits before = m->limits;

    if (m->journal && journal_check_room(m->journal, err) < 0)
        return -1;
    if (in_postcopy(m))
        side_hurry(source_of(m), deadline_in_ms(SET_LIMIT_MS));
    for (int i = 0; i < LIMITS; i++) {
        CLEANUP(error_clear) struct qm_error refused = QM_ERROR_INIT;

        if (!c->is_set[i])
            continue;
        if (refuse_late(m, (enum limit)i, &refused) == 0 &&
            setters[i](m, c->to.value[i], &refused) == 0) {
            m->limits.value[i] = c->to.value[i];
            continue;
        }
        error_wrap(&refused, "%s", limit_name((enum limit)i));
        error_move(err, &refused);
    }
    if (in_postcopy(m))
        side_hurry(source_of(m), DEADLINE_NEVER);
    if (memcmp(&before, &m->limits, sizeof(before)) != 0)
        tell_limits(m);
    if (error_is_set(err))
        return -1;
    *ret = record_limits_data(&m->limits);
    return 0;
}

/* --- complete --------------------------------------------------------------- */

/* Before its RAM moves there is nothing to be gained for it: then it is
 * remembered. */
static int serve_postcopy(struct migration *m, struct json_object **ret,
                          struct qm_error *err)
{
    if (!m->plan->postcopy)
        return refuse_postcopy(err);
    m->postcopy_wanted = true;
    if (m->stream_started && postcopy_start(m, NULL, err) < 0)
        return -1;
    *ret = json_object_new_object();
    json_add_bool(*ret, "switching", m->postcopy_asked);
    return 0;
}

/* A `stop` that comes while the stream is set up can hang 10.0.2 for ever, its
 * STOP event already sent: until then it is remembered, too. */
static int serve_pause(struct migration *m, struct json_object **ret,
                       struct qm_error *err)
{
    m->pause_asked = true;
    if (stream_is_active(m) && pause_guest(m, PAUSE_ASKED, err) < 0)
        return -1;
    *ret = json_object_new_object();
    json_add_bool(*ret, "stopped", !source_of(m)->running);
    return 0;
}

/* --- serving ---------------------------------------------------------------- */

/* In post-copy a link is awaited for as long as it takes: not here. */
static bool wants_the_source(const struct migration *m)
{
    return m->steer->queue[0].request.command == CONTROL_SET && in_postcopy(m);
}

bool steer_is_due(const struct migration *m)
{
    return m->steer && m->steer->count > 0 && m->side[SOURCE].qmp &&
           (qmp_is_up(m->side[SOURCE].qmp) || !m->agreed ||
            (m->hold_interrupts && !wants_the_source(m)));
}

static int serve(struct migration *m, const struct control_request *r,
                 struct json_object **ret, struct qm_error *err)
{
    struct control_facts facts = facts_now(m);
    const char *refusal = control_refusal(r->command, &facts);

    if (refusal)
        return error_set(err, QM_ERR_REFUSED, "%s", refusal);
    if (r->command == CONTROL_SET)
        return serve_set(m, &r->changes, ret, err);
    return r->postcopy ? serve_postcopy(m, ret, err) : serve_pause(m, ret, err);
}

void steer_serve(struct migration *m)
{
    while (steer_is_due(m)) {
        struct steer *s = m->steer;
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        struct asked a = s->queue[0];
        struct json_object *ret = NULL;

        if (serve(m, &a.request, &ret, &err) < 0 && err.code == QM_ERR_LINK)
            return; /* again, once the link is back */
        s->count--;
        memmove(&s->queue[0], &s->queue[1], s->count * sizeof(s->queue[0]));
        control_answer(s->control, a.ticket, ret, &err);
    }
}

/* --- telling ---------------------------------------------------------------- */

void steer_tell(struct migration *m, const struct narration *n)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (!m->steer)
        return;
    record_narration(&b, n, clock_wall_us());
    control_tell(m->steer->control, b.data, b.len, n->kind == NARRATE_PROGRESS);
}

int steer_open(struct migration *m, struct qm_error *err)
{
    struct steer *s = XNEW(struct steer);

    s->control = control_open(m->loop, m->name, on_request, m, err);
    if (!s->control) {
        free(s);
        return -1;
    }
    m->steer = s;
    return 0;
}

void steer_close(struct migration *m, const struct result *r)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP(error_clear) struct qm_error over = QM_ERROR_INIT;
    struct steer *s = m->steer;

    if (!s)
        return;
    error_set(&over, QM_ERR_REFUSED, "the migration has ended");
    for (size_t i = 0; i < s->count; i++)
        control_answer(s->control, s->queue[i].ticket, NULL, &over);
    s->count = 0;
    record_result(&b, r, clock_wall_us());
    control_tell(s->control, b.data, b.len, false);
    m->hold_interrupts = true; /* whatever is asked from now on comes late */
    control_close(s->control);
    free(s);
    m->steer = NULL;
}
