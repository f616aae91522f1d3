/*
 * What a hot set of H bytes has dirty after t of writing at D goes round it:
 * min(D * t, H).  A pass sends what was dirty when it began; at its end, and
 * each look_ms, QEMU looks again.  It stops the guest when what remains then
 * fits the limit, and throttles it when more was dirtied than a threshold for
 * the second time (ram.c, migration_trigger_throttle).
 */
#include "converge-model.h"

#include <string.h>

#define SAMPLE_MS 250 /* and with each pass */
#define RECKON_MS 100 /* QEMU's BUFFER_DELAY */
#define RATE_PERIOD_MS 1000
#define SLICE_MS 10 /* CPU_THROTTLE_TIMESLICE_NS */

struct qemu {
    const struct converge_guest *g;
    int64_t now_ms, looked_ms, rated_ms;
    double to_send, pass_left, dirty, dirty_since_rate;
    double processed, rate;
    int64_t pass, downtime_ms, told_downtime_ms;
    int throttle, high;
    double owed;    /* of what it means to write */
    int64_t ran_ms; /* of its slice */
    int64_t sleeps_until_ms;
    bool paused, stopped;
    int postcopied;
};

static void look(struct qemu *q, const struct converge *c)
{
    double per_ms = (double)q->g->send_bps / 1000;
    int64_t span = q->now_ms - q->rated_ms;
    double threshold = per_ms * (double)span * (c->throttle > 0 ? 0.01 : 1);

    q->pass++;
    q->looked_ms = q->now_ms;
    q->to_send += q->dirty;
    if (q->to_send > (double)q->g->total)
        q->to_send = (double)q->g->total;
    q->dirty_since_rate += q->dirty;
    q->dirty = 0;
    if (span >= RATE_PERIOD_MS) {
        q->rate = q->dirty_since_rate * 1000 / (double)span;
        if (q->dirty_since_rate > threshold && ++q->high >= 2) {
            q->high = 0;
            if (c->throttle > q->throttle)
                q->throttle = c->throttle;
        }
        q->dirty_since_rate = 0;
        q->rated_ms = q->now_ms;
    }
    q->downtime_ms = (int64_t)(q->to_send / per_ms);
}

/* A vCPU runs for SLICE_MS and then sleeps for as long as the throttle takes
 * (cpu-throttle.c). */
static bool vcpu_runs(struct qemu *q)
{
    if (q->paused || q->now_ms < q->sleeps_until_ms)
        return false;
    if (++q->ran_ms >= SLICE_MS) {
        q->ran_ms = 0;
        q->sleeps_until_ms =
            q->now_ms + 1 + SLICE_MS * q->throttle / (100 - q->throttle);
    }
    return true;
}

/* What it writes in a millisecond: all the time it runs, or as it gets to do
 * what is owed. */
static double written(struct qemu *q)
{
    double per_ms = (double)q->g->dirty_bps / 1000;
    double top = (double)q->g->top_bps / 1000, some;
    bool runs = vcpu_runs(q);

    if (q->g->top_bps == 0)
        return runs ? per_ms : 0;
    q->owed += per_ms;
    if (q->owed > per_ms * (double)q->g->owed_ms)
        q->owed = per_ms * (double)q->g->owed_ms;
    some = !runs ? 0 : q->owed > top ? top : q->owed;
    q->owed -= some;
    return some;
}

static void pass_a_millisecond(struct qemu *q, const struct converge *c)
{
    double sent = (double)q->g->send_bps / 1000;

    q->dirty += written(q);
    if (q->dirty > (double)q->g->hot_set)
        q->dirty = (double)q->g->hot_set;
    if (sent > q->to_send)
        sent = q->to_send;
    q->to_send -= sent;
    q->pass_left -= sent;
    q->processed += sent;
    q->now_ms++;
    if (q->g->look_ms && q->now_ms - q->looked_ms >= q->g->look_ms &&
        q->pass_left > 0)
        look(q, c);
    if (q->pass_left > 0)
        return;
    look(q, c);
    q->pass_left = q->to_send;
    q->stopped = q->downtime_ms <= c->limit_ms;
}

static void take_sample(struct qemu *q, struct converge *c)
{
    unsigned actions;
    struct converge_sample s = {
        .at_ms = q->now_ms,
        .pass = q->pass,
        .total = q->g->total,
        .remaining = (uint64_t)q->to_send,
        .transferred = (uint64_t)q->processed,
        .processed = (uint64_t)q->processed,
        .dirty_bps = (uint64_t)q->rate,
        .throttle_percent = q->throttle,
        .expected_downtime_ms = q->pass > 1 ? q->told_downtime_ms : c->limit_ms,
    };

    actions = converge_step(c, &s);
    if (actions & CONVERGE_PAUSE)
        q->paused = true;
    q->postcopied += (actions & CONVERGE_POSTCOPY) != 0;
}

struct foretold {
    enum converge_outlook outlook;
    int64_t at_ms, left_ms, ram_stop_ms;
};

struct converge_run converge_model_run(const struct converge_guest *g,
                                       const struct converge_rules *rules,
                                       int64_t limit_ms)
{
    static struct foretold said[4096];
    struct qemu q = { .g = g,
                      .pass = 1,
                      .to_send = (double)g->total,
                      .pass_left = (double)g->total };
    struct converge_run r;
    struct converge c;
    size_t count = 0;

    memset(&r, 0, sizeof(r));
    converge_init(&c, rules);
    while (!q.stopped && q.now_ms < limit_ms) {
        int64_t pass = q.pass;

        pass_a_millisecond(&q, &c);
        if (q.now_ms % RECKON_MS == 0)
            q.told_downtime_ms = q.downtime_ms;
        if ((q.now_ms % SAMPLE_MS != 0 && q.pass == pass) || count == 4096)
            continue;
        take_sample(&q, &c);
        said[count++] =
            (struct foretold){ c.outlook, q.now_ms, c.left_ms, c.ram_stop_ms };
    }
    r.ended = q.stopped;
    r.paused = c.paused;
    r.postcopied = q.postcopied;
    r.ended_at_ms = q.now_ms;
    r.blackout_ms = q.downtime_ms;
    r.limit_ms = c.limit_ms;
    r.throttle = c.throttle;
    r.outlook = c.outlook;
    r.hot_bytes = c.hot_bytes;
    for (size_t i = 0; i < count; i++) {
        if (said[i].outlook != OUTLOOK_ENDS || said[i].at_ms < q.now_ms / 2 ||
            r.foretold++ > 0)
            continue;
        r.foretold_at_ms = said[i].at_ms;
        r.foretold_ms = said[i].left_ms;
        r.foretold_ram_stop_ms = said[i].ram_stop_ms;
    }
    return r;
}
