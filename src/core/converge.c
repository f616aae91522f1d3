/*
 * The convergence policy.
 *
 * What a pass leaves behind is what the guest dirtied while it ran:
 * R(n+1) = min(D * R(n) / B, hot set), with B the rate at which pages leave
 * and D the rate at which they are dirtied (QEMU.md 4.3).  While R shrinks
 * from round to round, patience is right.  When it shrinks by less than a
 * tenth in as many rounds as the policy has patience for, the next rung:
 *
 *   1. the limit rises to what the last round left, over the rate;
 *   2. if that is more than may be, the guest is throttled too: to where the
 *      model has it dirty seven tenths of what leaves, but at least as far as
 *      the policy begins, and at each further rung to a quarter of what it
 *      still ran, without more patience;
 *   3. with nothing left to throttle it goes on at the destination, if
 *      post-copy is allowed;
 *   4. else it is paused, if the policy says so.
 *
 * A round is ours, not QEMU's pass: while it throttles, QEMU 10 looks for
 * dirty pages every few seconds and counts that too (ram.c,
 * cpu_throttle_dirty_sync_timer), in the middle of a long pass.
 *
 * D is QEMU's dirty-pages-rate, which counts a page once between two looks: of
 * a hot set that is dirtied many times in a pass it shows what fits the pass,
 * about B.  So the model may ask for too little, and a guest that writes in
 * little of its time hardly feels the first rungs: hence the quarters.
 */
#include "core/converge.h"

#include <string.h>

#include "base/util.h"

/* The rate is measured over at least so long: QEMU's own figure is that of its
 * last 100 ms slot (migration-stats.h, BUFFER_DELAY). */
#define WINDOW_MS 1000
#define KEEP_PERCENT 70 /* of the rate: what a throttled guest may dirty */
#define UNTHROTTLED_ROUNDS 4
#define ROUNDS_AHEAD 200
/* What QEMU itself does in a stop: 5-60 ms were seen (QEMU.md 10), most of the
 * time about so much. */
#define DEVICES_MS 10
/* What QEMU has given away and the kernel has not: nearly all of what a
 * socket's buffer may grow to (tcp_wmem, 4 MiB) if the network is what is slow.
 * The last of RAM and the devices wait behind it: at 100 Mbit/s for 280 ms. */
#define QUEUED_BYTES (7 * MIB / 2)

int64_t converge_part_of_qemu(int64_t max_downtime_ms, int64_t own_part_ms)
{
    int64_t left = max_downtime_ms - own_part_ms;

    if (left < CONVERGE_FIRST_LIMIT_MS)
        left = CONVERGE_FIRST_LIMIT_MS;
    return left < max_downtime_ms ? left : max_downtime_ms;
}

void converge_init(struct converge *c, const struct converge_rules *rules)
{
    memset(c, 0, sizeof(*c));
    c->rules = *rules;
    c->limit_ms = CONVERGE_FIRST_LIMIT_MS;
    if (c->limit_ms > rules->max_downtime_ms)
        c->limit_ms = rules->max_downtime_ms;
}

/* --- measuring -------------------------------------------------------------- */

static void open_window(struct converge *c, const struct converge_sample *s)
{
    c->window_open = true;
    c->window_at_ms = s->at_ms;
    c->window_transferred = s->transferred;
    c->window_processed = s->processed;
}

static void measure_rate(struct converge *c, const struct converge_sample *s)
{
    int64_t span = s->at_ms - c->window_at_ms;

    if (!c->window_open || s->transferred < c->window_transferred) {
        open_window(c, s);
    } else if (span >= WINDOW_MS) {
        c->bps =
            (s->transferred - c->window_transferred) * 1000 / (uint64_t)span;
        c->processed_bps =
            (s->processed - c->window_processed) * 1000 / (uint64_t)span;
        if (c->bps > c->best_bps)
            c->best_bps = c->bps;
        open_window(c, s);
    }
}

static void open_round(struct converge *c, const struct converge_sample *s,
                       uint64_t bytes)
{
    c->round_open = true;
    c->round_pass = s->pass;
    c->round_bytes = bytes;
    c->round_processed = s->processed;
    c->round_throttle = s->throttle_percent;
}

/* What remained when the last pass began.  The event of a pass brings a sample
 * at once, and nothing of it has left yet; but QEMU reckons its expected
 * downtime each 100 ms, and that is still the figure of the pass before, after
 * which nothing would seem to have shrunk.  A sample that comes later, or
 * several passes later, finds part of it gone: there it is that figure. */
static uint64_t left_at_sync(const struct converge *c,
                             const struct converge_sample *s)
{
    uint64_t told = (uint64_t)s->expected_downtime_ms * c->bps / 1000;

    if (s->pass == c->pass_seen + 1)
        return s->remaining;
    /* It is the limit until there is something to reckon with. */
    if (s->expected_downtime_ms == c->limit_ms || told < s->remaining)
        return s->remaining;
    return told < s->total ? told : s->remaining;
}

/* What was asked for was not in force when the round BEGAN: that tells nothing
 * of it.  Not for ever, should it never come. */
static bool was_unthrottled(struct converge *c, int began)
{
    if (began >= c->throttle)
        c->unthrottled = 0;
    else if (++c->unthrottled <= UNTHROTTLED_ROUNDS)
        return true;
    return false;
}

/* Was a whole round completed?  Then it is known whether it was in vain. */
static bool follow_round(struct converge *c, const struct converge_sample *s)
{
    uint64_t left, before = c->left_behind;
    int began = c->round_throttle;

    if (!c->round_open) {
        open_round(c, s, s->total);
        return false;
    }
    if (s->pass <= c->round_pass ||
        s->processed - c->round_processed < c->round_bytes / 20 * 19)
        return false;
    left = left_at_sync(c, s);
    open_round(c, s, left);
    c->left_behind = left;
    if (was_unthrottled(c, began))
        return false;
    /* The first sends everything: what it leaves is the first measure. */
    c->stuck = before > 0 && left > before - before / 10;
    c->in_vain = c->stuck ? c->in_vain + 1 : 0;
    return before > 0;
}

/* --- predicting ------------------------------------------------------------- */

static double pages_bps(const struct converge *c)
{
    return c->processed_bps > c->bps ? (double)c->processed_bps
                                     : (double)c->bps;
}

/* Of a stop, what is not RAM's.  Who is held back by a limit on QEMU itself has
 * no queue.  The rate of the last second may be lower than what the network
 * carries, as QEMU looks for dirty pages now and then. */
static int64_t beside_ram_ms(const struct converge *c)
{
    int64_t ms = c->rules.own_part_ms + DEVICES_MS;

    if (c->rules.bandwidth_bps == 0 ||
        c->best_bps < c->rules.bandwidth_bps / 10 * 9)
        ms += (int64_t)(QUEUED_BYTES * 1000 / c->best_bps);
    return ms;
}

/* Round by round: how long until what a round leaves fits the limit?  That a
 * little is left of this one means nothing: QEMU then looks for dirty pages. */
static void predict(struct converge *c, const struct converge_sample *s)
{
    double wire = (double)c->bps, rate = pages_bps(c), took = 0;
    double dirty = c->paused ? 0 : (double)s->dirty_bps;
    double most = (double)(c->left_behind ? c->left_behind : s->total);
    double fits = wire * (double)c->limit_ms / 1000;
    double left = (double)s->remaining, round = (double)c->round_bytes;
    bool stuck = c->stuck && !c->paused;

    c->outlook = c->bps == 0    ? OUTLOOK_UNKNOWN
                 : s->pass <= 1 ? OUTLOOK_FIRST_PASS
                                : OUTLOOK_ENDS;
    for (int i = 0; c->bps > 0 && (i == 0 || left > fits); i++) {
        double next = dirty * round / rate;

        took += left / rate;
        if (stuck || next > most)
            next = most; /* it has never left more */
        if (next > fits &&
            (stuck || i == ROUNDS_AHEAD || (i > 0 && next > left * 0.98))) {
            c->outlook = OUTLOOK_NEVER;
            break;
        }
        left = round = next;
    }
    c->left_ms = (int64_t)(took * 1000);
    c->ram_stop_ms = c->bps > 0 ? (int64_t)(left * 1000 / wire) : 0;
    c->blackout_ms = c->bps > 0 ? c->ram_stop_ms + beside_ram_ms(c) : 0;
    c->hot_bytes = (uint64_t)(stuck ? most : left);
}

/* --- the ladder ------------------------------------------------------------- */

/* The limit that the last round would have met, in ms. */
static int64_t enough_ms(const struct converge *c)
{
    if (c->bps == 0)
        return c->limit_ms * 2;
    return (int64_t)(c->left_behind * 1100 / c->bps) + 1;
}

static unsigned raise_limit(struct converge *c)
{
    int64_t limit = enough_ms(c);

    if (c->limit_ms >= c->rules.max_downtime_ms)
        return CONVERGE_WAIT;
    if (limit < c->limit_ms * 3 / 2)
        limit = c->limit_ms * 3 / 2; /* it was not met, whatever was measured */
    if (limit > c->rules.max_downtime_ms)
        limit = c->rules.max_downtime_ms;
    c->limit_ms = limit;
    return CONVERGE_SET_LIMIT;
}

static unsigned raise_throttle(struct converge *c,
                               const struct converge_sample *s)
{
    int wanted = c->rules.first_throttle;

    if (c->throttle >= c->rules.max_throttle)
        return CONVERGE_WAIT;
    if (c->throttle > 0)
        wanted = 100 - (100 - c->throttle) / 4;
    if (s->dirty_bps > 0 && c->bps > 0) {
        double model = (double)(100 - c->throttle) * (double)c->bps *
                       KEEP_PERCENT / 100 / (double)s->dirty_bps;

        if (model < 100 - wanted)
            wanted = 100 - (int)model;
    }
    /* a rung that changes next to nothing is left out */
    if (100 - wanted <= 2 * (100 - c->rules.max_throttle))
        wanted = c->rules.max_throttle;
    c->throttle = wanted;
    return CONVERGE_THROTTLE;
}

static unsigned climb(struct converge *c, const struct converge_sample *s)
{
    unsigned actions = raise_limit(c);

    c->in_vain = 0;
    if (actions && enough_ms(c) <= c->limit_ms)
        return actions; /* that alone will do */
    actions |= raise_throttle(c, s);
    if (actions == CONVERGE_WAIT && c->rules.postcopy) {
        c->postcopied = true;
        actions = CONVERGE_POSTCOPY;
    } else if (actions == CONVERGE_WAIT && c->rules.pause_when_stuck) {
        c->paused = true;
        actions = CONVERGE_PAUSE;
    }
    return actions;
}

int64_t converge_timeout_ms(const struct converge_rules *rules, uint64_t total)
{
    int64_t by_size = (int64_t)((double)rules->timeout_per_gib_ms *
                                (double)total / (double)GIB);

    return by_size > rules->timeout_ms ? by_size : rules->timeout_ms;
}

/* It acts once, and no more when the guest was stopped or switched before. */
static bool time_is_over(struct converge *c, const struct converge_sample *s)
{
    int64_t limit = converge_timeout_ms(&c->rules, s->total);

    c->timeout_left_ms = 0;
    if (limit == 0 || c->paused || c->postcopied)
        return false;
    c->timeout_left_ms = s->at_ms < limit ? limit - s->at_ms : 1;
    return s->at_ms >= limit;
}

static unsigned end_of_time(struct converge *c, const struct converge_sample *s)
{
    if (c->rules.postcopy_on_timeout && s->pass < CONVERGE_WHOLE_PASS)
        return CONVERGE_WAIT; /* it would fetch nearly all of its RAM */
    c->timed_out = true;
    if (c->rules.postcopy_on_timeout) {
        c->postcopied = true;
        return CONVERGE_POSTCOPY;
    }
    c->paused = c->rules.pause_on_timeout;
    return c->paused ? CONVERGE_PAUSE : CONVERGE_ABORT;
}

unsigned converge_step(struct converge *c, const struct converge_sample *s)
{
    unsigned actions = CONVERGE_WAIT;
    bool judged;

    measure_rate(c, s);
    judged = follow_round(c, s);
    c->pass_seen = s->pass;
    if (time_is_over(c, s)) {
        actions = end_of_time(c, s);
    } else if (!c->paused && !c->postcopied && judged && c->bps > 0 &&
               c->in_vain >= (c->throttle > 0 ? 1 : c->rules.patience)) {
        actions = climb(c, s);
    }
    predict(c, s);
    return actions;
}

/* --- post-copy -------------------------------------------------------------- */

void converge_rest(struct converge_rest *r, const struct converge_sample *s,
                   bool lost)
{
    int64_t span = s && r->open ? s->at_ms - r->at_ms : 0;

    if (!s || lost) {
        *r = (struct converge_rest){ .outlook = lost ? OUTLOOK_LOST
                                                     : OUTLOOK_UNKNOWN };
        return;
    }
    if (span >= WINDOW_MS && s->transferred >= r->transferred)
        r->bps = (s->transferred - r->transferred) * 1000 / (uint64_t)span;
    if (!r->open || span >= WINDOW_MS) {
        r->open = true;
        r->at_ms = s->at_ms;
        r->transferred = s->transferred;
    }
    r->outlook = r->bps > 0 ? OUTLOOK_REST : OUTLOOK_UNKNOWN;
    r->left_ms = r->bps > 0
                     ? (int64_t)((double)s->remaining * 1000 / (double)r->bps)
                     : 0;
}
