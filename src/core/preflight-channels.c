/*
 * Over how many connections does the RAM go, compressed or not, and can both
 * QEMUs do that?
 */
#include <stdio.h>

#include "core/preflight-private.h"

static struct channels_facts channels_facts(const struct facts *f)
{
    struct channels_facts c = {
        .tls = !f->plan->insecure,
        .postcopy = f->plan->postcopy,
        .has_multifd = true,
        .compressed = f->plan->compress != COMPRESS_NONE,
    };

    for (int i = 0; i < SIDES; i++) {
        const struct side_facts *s = &f->side[i];

        c.has_multifd =
            c.has_multifd && s->features.has[QMP_FEATURE_CAP_MULTIFD];
        c.version[i] = version_number(&s->version);
        c.cores[i] = s->capacity.cores;
        c.link_mbit[i] = s->capacity.link_mbit;
    }
    return c;
}

bool channels_are_chosen(const struct facts *f)
{
    struct channels_facts c = channels_facts(f);

    return f->plan->channels == PLAN_CHANNELS_CHOSEN && c.has_multifd &&
           !c.postcopy && !channels_fault(&c);
}

struct channels preflight_channels(const struct facts *f)
{
    struct channels_facts facts = channels_facts(f);
    struct channels c = { .count = f->plan->channels };

    if (c.count == PLAN_CHANNELS_CHOSEN)
        return channels_choose(&facts);
    snprintf(c.why, sizeof(c.why), "as asked for");
    return c;
}

/* Nothing is silently left uncompressed, nor sent to who cannot read it. */
static bool judge_compression(const struct facts *f, struct verdicts *v)
{
    static const struct {
        enum qmp_feature method, level;
    } features[] = {
        [COMPRESS_ZLIB] = { QMP_FEATURE_COMPRESS_ZLIB,
                            QMP_FEATURE_PARAM_ZLIB_LEVEL },
        [COMPRESS_ZSTD] = { QMP_FEATURE_COMPRESS_ZSTD,
                            QMP_FEATURE_PARAM_ZSTD_LEVEL },
    };
    enum plan_compress how = f->plan->compress;

    for (int side = 0; side < SIDES && how != COMPRESS_NONE; side++) {
        const struct qmp_features *has = &f->side[side].features;
        struct verdict *b;

        if (has->has[features[how].method] &&
            (f->plan->compress_level == PLAN_LEVEL_THEIRS ||
             has->has[features[how].level]))
            continue;
        b = verdict_block(v, verdict_about((enum side_id)side),
                          "the %s's QEMU cannot compress RAM with %s",
                          side_name((enum side_id)side), compress_name(how));
        verdict_why(b, "both have to be built with it");
        verdict_fix(b, "leave --compress out");
        return false;
    }
    return true;
}

/* Before 9.0 QEMU accepts a level, and forgets it (seen with 7.2.22; "migration:
 * Properly apply migration compression level parameters"). */
#define LEVELS_SINCE 9000000L

static void judge_level(const struct facts *f, struct verdicts *v)
{
    const char *name = compress_name(f->plan->compress);
    CLEANUP_FREE char *parameter = xasprintf("multifd-%s-level", name);
    CLEANUP_FREE char *level =
        xasprintf("%lld", (long long)f->plan->compress_level);

    if (f->plan->compress == COMPRESS_NONE ||
        f->plan->compress_level == PLAN_LEVEL_THEIRS)
        return;
    for (int i = 0; i < SIDES; i++) {
        const struct side_facts *s = &f->side[i];
        struct verdict *b;

        if (version_number(&s->version) >= LEVELS_SINCE ||
            str_equal(qmp_settings_get(&s->parameters, parameter), level))
            continue;
        b = verdict_block(v, verdict_about((enum side_id)i),
                          "the %s's QEMU cannot be told a level of %s",
                          side_name((enum side_id)i), name);
        verdict_why(b, "before 9.0 it forgets %s", parameter);
        verdict_fix(b, "use --compress %s, without a level", name);
        return;
    }
}

static bool knows_multifd(const struct facts *f, struct verdicts *v)
{
    for (int side = 0; side < SIDES; side++) {
        struct verdict *b;

        if (f->side[side].features.has[QMP_FEATURE_CAP_MULTIFD])
            continue;
        b = verdict_block(v, verdict_about((enum side_id)side),
                          "the %s's QEMU knows no multifd",
                          side_name((enum side_id)side));
        verdict_fix(b, f->plan->compress == COMPRESS_NONE
                           ? "use --channels 0"
                           : "leave --compress out");
        return false;
    }
    return true;
}

/* A stream that the other one cannot read is refused, what may go wrong is
 * told: who asks for several channels shall have them. */
static void judge_fault(const struct channels_facts *c, struct verdicts *v)
{
    const char *fault = channels_fault(c);
    struct verdict *b;

    if (channels_are_unreadable(c)) {
        b = verdict_block(v, ABOUT_BOTH,
                          "QEMU 9.2.0 at the destination does not understand "
                          "several channels of a source before 9.0");
        verdict_fix(b, "use --channels 0, or QEMU 9.2.1 at the destination");
    } else if (fault) {
        b = verdict_warn(v, ABOUT_BOTH, "the RAM goes by channels");
        verdict_why(b, "%s", fault);
        verdict_fix(b, c->compressed ? "leave --compress out"
                                     : "leave --channels out");
    }
}

void preflight_multifd(const struct facts *f, struct verdicts *v)
{
    struct channels_facts facts = channels_facts(f);
    struct channels c = preflight_channels(f);

    if (!judge_compression(f, v))
        return;
    if (c.count == 0) {
        verdict_ok(v, ABOUT_BOTH, "one stream for the RAM: %s", c.why);
        return;
    }
    if (!knows_multifd(f, v))
        return;
    verdict_ok(v, ABOUT_BOTH, "%d channel%s for the RAM: %s", c.count,
               c.count == 1 ? "" : "s", c.why);
    judge_fault(&facts, v);
    judge_level(f, v);
}
