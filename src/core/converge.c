/*
 * The convergence policy in its first form.
 *
 * What a pass leaves behind is what the guest dirtied while it ran:
 * R(n+1) = min(D * R(n) / B, hot set), with B the rate at which pages leave
 * and D the rate at which they are dirtied (QEMU.md 4.3).  While R shrinks
 * from pass to pass, patience is right.  When it shrinks by less than a tenth
 * in two passes running, the strict limit will never be met, and it rises to
 * what the model says is enough, at least doubling, at most to the operator's
 * bound.
 */
#include "core/converge.h"

#include <string.h>

/* The rate is measured over at least so long: QEMU's own figure is that of its
 * last 100 ms slot (migration-stats.h, BUFFER_DELAY). */
#define WINDOW_MS 1000
#define STALLS_BEFORE_RELAXING 2

void converge_init(struct converge *c, const struct converge_rules *rules)
{
    memset(c, 0, sizeof(*c));
    c->rules = *rules;
    c->limit_ms = CONVERGE_FIRST_LIMIT_MS;
    if (c->limit_ms > rules->max_downtime_ms)
        c->limit_ms = rules->max_downtime_ms;
    c->left_ms = -1;
}

static void measure_rate(struct converge *c, const struct converge_sample *s)
{
    int64_t span = s->at_ms - c->window_at_ms;

    if (c->window_at_ms == 0 || s->transferred < c->window_transferred) {
        c->window_at_ms = s->at_ms;
        c->window_transferred = s->transferred;
    } else if (span >= WINDOW_MS) {
        c->bps =
            (s->transferred - c->window_transferred) * 1000 / (uint64_t)span;
        c->window_at_ms = s->at_ms;
        c->window_transferred = s->transferred;
    }
}

/* How long what is left would take, in ms, if the present went on. */
static int64_t predict_left(const struct converge *c,
                            const struct converge_sample *s)
{
    double rate = (double)c->bps, dirty = (double)s->dirty_bps;
    double fits = rate * (double)c->limit_ms / 1000.0;

    if (c->bps == 0)
        return -1;
    if (c->paused)
        dirty = 0;
    if ((double)s->remaining <= fits)
        return 0;
    if (dirty >= rate)
        return -2;
    return (int64_t)(((double)s->remaining - fits) / (rate - dirty) * 1000.0);
}

static bool pass_has_stalled(struct converge *c,
                             const struct converge_sample *s)
{
    bool stalled;

    if (s->pass <= c->pass)
        return false;
    /* The first pass sends everything: what it leaves is the first measure. */
    stalled = c->pass_remaining > 0 &&
              s->remaining > c->pass_remaining - c->pass_remaining / 10;
    c->pass = s->pass;
    if (s->pass >= 2)
        c->pass_remaining = s->remaining;
    c->stalls = stalled ? c->stalls + 1 : 0;
    return c->stalls >= STALLS_BEFORE_RELAXING;
}

static int64_t relaxed_limit(const struct converge *c,
                             const struct converge_sample *s)
{
    int64_t limit = c->limit_ms * 2;

    if (c->bps > 0) {
        int64_t enough = (int64_t)(s->remaining * 1000 / c->bps) + 1;

        if (enough > limit)
            limit = enough;
    }
    return limit < c->rules.max_downtime_ms ? limit : c->rules.max_downtime_ms;
}

enum converge_action converge_step(struct converge *c,
                                   const struct converge_sample *s)
{
    bool stalled;

    measure_rate(c, s);
    stalled = pass_has_stalled(c, s);
    c->left_ms = predict_left(c, s);
    if (c->rules.timeout_ms > 0 && s->at_ms >= c->rules.timeout_ms &&
        !c->paused) {
        c->paused = c->rules.pause_on_timeout;
        return c->paused ? CONVERGE_PAUSE : CONVERGE_ABORT;
    }
    if (stalled && c->limit_ms < c->rules.max_downtime_ms) {
        c->limit_ms = relaxed_limit(c, s);
        c->stalls = 0;
        return CONVERGE_SET_LIMIT;
    }
    return CONVERGE_WAIT;
}
