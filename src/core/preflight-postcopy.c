/*
 * May the guest go on at the destination before its RAM is across?
 */
#include "core/preflight-private.h"

#define POSTCOPY "postcopy-ram"
/* Before 10.1 the destination of both aborts at the end (7.2), or they refuse
 * each other (10.0): QEMU commit e2741886. */
#define WITH_CHANNELS_SINCE 10001000L

static bool knows(const struct facts *f, int side)
{
    return qmp_settings_get(&f->side[side].capabilities, POSTCOPY) != NULL;
}

static bool wants_channels(const struct plan *p)
{
    return p->channels > 0 || p->compress != COMPRESS_NONE;
}

static void judge_channels(const struct facts *f, struct verdicts *v)
{
    for (int side = 0; side < SIDES && wants_channels(f->plan); side++) {
        const struct qmp_version *q = &f->side[side].version;
        struct verdict *b;

        if (version_number(q) >= WITH_CHANNELS_SINCE)
            continue;
        b = verdict_block(v, verdict_about((enum side_id)side),
                          "the %s's QEMU %d.%d.%d cannot do post-copy with "
                          "several channels",
                          side_name((enum side_id)side), q->major, q->minor,
                          q->micro);
        verdict_why(b, "before 10.1 one excludes the other");
        verdict_fix(b, f->plan->channels > 0
                           ? "leave --channels or --postcopy out"
                           : "leave --compress or --postcopy out");
        return;
    }
}

/* It fetches pages that its guest touches, by userfaultfd. */
static void judge_faults(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *d = &f->side[DESTINATION];
    struct verdict *b;

    if (d->userfaultfd == HOST_HAS_UNKNOWN) {
        verdict_ok(v, ABOUT_DESTINATION,
                   "post-copy is prepared; whether the destination's host "
                   "allows it is known once QEMU is told to");
        return;
    }
    if (d->userfaultfd == HOST_HAS) {
        verdict_ok(v, ABOUT_BOTH, "post-copy is possible");
        return;
    }
    b = verdict_block(v, ABOUT_DESTINATION,
                      "the destination's QEMU may not fetch pages that its "
                      "guest touches");
    verdict_why(b, "it is not root, and its host's kernel does not let it use "
                   "userfaultfd");
    verdict_fix(b, "there: sysctl vm.unprivileged_userfaultfd=1");
}

void preflight_postcopy(const struct facts *f, struct verdicts *v)
{
    if (!f->plan->postcopy)
        return;
    for (int side = 0; side < SIDES; side++) {
        struct verdict *b;

        if (knows(f, side))
            continue;
        b = verdict_block(v, verdict_about((enum side_id)side),
                          "the %s's QEMU knows no post-copy",
                          side_name((enum side_id)side));
        verdict_fix(b, "leave --postcopy out");
        return;
    }
    judge_channels(f, v);
    judge_faults(f, v);
}
