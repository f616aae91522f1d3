/*
 * What the guest sees of its processor.  CPUID does not travel in the stream:
 * the destination's -cpu defines it, and what a running guest relies on would
 * be gone without a word (QEMU.md 8).
 */
#include <stdlib.h>
#include <string.h>

#include "core/preflight-private.h"

enum { NAMES_SHOWN = 12, TSC_TOLERANCE_PPM = 250 /* KVM's own, x86.c */ };

static const struct qmp_feature_word *find_word(
    const struct qmp_machine *m, const struct qmp_feature_word *like)
{
    for (size_t i = 0; i < m->word_count; i++) {
        const struct qmp_feature_word *w = &m->word[i];

        if (w->eax == like->eax && w->has_ecx == like->has_ecx &&
            (!w->has_ecx || w->ecx == like->ecx) &&
            str_equal(w->reg, like->reg)) {
            return w;
        }
    }
    return NULL;
}

/* The features that ONE has and OTHER lacks. */
static void missing_features(const struct qmp_machine *one,
                             const struct qmp_machine *other, struct strv *ret)
{
    for (size_t i = 0; i < one->word_count; i++) {
        const struct qmp_feature_word *a = &one->word[i];
        const struct qmp_feature_word *b = find_word(other, a);
        uint32_t lost = a->bits & ~(b ? b->bits : 0);

        for (unsigned bit = 0; bit < 32; bit++) {
            if (lost & (UINT32_C(1) << bit)) {
                CLEANUP_FREE char *name = qmp_feature_bit_name(a, bit);

                strv_add(ret, name);
            }
        }
    }
}

/* "a, b and c", or the first twelve "and 7 more"; the caller frees it. */
static char *list_in_words(const struct strv *names)
{
    CLEANUP(strv_done) struct strv shown = { .count = 0 };

    if (names->count <= NAMES_SHOWN) {
        return strv_join_words(names);
    }
    for (size_t i = 0; i < NAMES_SHOWN; i++) {
        strv_add(&shown, names->item[i]);
    }
    strv_addf(&shown, "%zu more", names->count - NAMES_SHOWN);
    return strv_join_words(&shown);
}

/* host and max are whatever the machine below has. */
static bool is_host_model(const struct qmp_machine *m)
{
    return m->cpu_count > 0 && m->cpu[0].type &&
           (str_starts(m->cpu[0].type, "host-") ||
            str_starts(m->cpu[0].type, "max-"));
}

static void judge_words(const struct qmp_machine *s,
                        const struct qmp_machine *d, struct verdicts *v)
{
    CLEANUP(strv_done)
    struct strv lost = { .count = 0 }, extra = { .count = 0 };
    CLEANUP_FREE char *names = NULL;
    bool host_model = is_host_model(s) || is_host_model(d);
    struct verdict *x;

    missing_features(s, d, &lost);
    missing_features(d, s, &extra);
    if (lost.count > 0) {
        names = list_in_words(&lost);
        x = verdict_block(v, ABOUT_DESTINATION,
                          "the guest's CPU has %s at the source, which the "
                          "destination does not have",
                          names);
        verdict_why(x, "programs that use them would crash");
        verdict_fix(x, "give both sides the same -cpu, a named model that "
                       "both hosts can run, with ,enforce at the destination");
    } else if (extra.count > 0) {
        names = list_in_words(&extra);
        x = verdict_add(v, ABOUT_DESTINATION,
                        host_model ? VERDICT_BLOCKER : VERDICT_WARNING,
                        "the guest's CPU would gain %s at the destination",
                        names);
        verdict_why(x, host_model
                           ? "a CPU model that is the host's moves only "
                             "between equal hosts"
                           : "the guest did not find them when it booted");
        verdict_fix(x, "give both sides the same -cpu, a named model");
    } else if (host_model) {
        x = verdict_warn(v, ABOUT_BOTH,
                         "the guest's CPU model is the host's own (host, max), "
                         "and the hosts' look equal");
        verdict_why(x, "what is not in CPUID (microcode, MSRs) may still "
                       "differ");
    }
}

/* --- properties ------------------------------------------------------------------ */

/* "KEY=VALUE" of the same KEY in LIST, its value; NULL if it is not there. */
static const char *find_property(const struct strv *list, const char *item)
{
    const char *equals = strchr(item, '=');
    size_t len = equals ? (size_t)(equals - item) + 1 : 0;

    for (size_t i = 0; i < list->count && len > 0; i++) {
        if (strncmp(list->item[i], item, len) == 0) {
            return list->item[i] + len;
        }
    }
    return NULL;
}

/* Frequencies that KVM takes for equal; 0 is "not set". */
static bool tsc_is_close(const char *a, const char *b)
{
    uint64_t x, y, difference;

    if (!str_to_u64(a, 0, INT64_MAX, &x) || !str_to_u64(b, 0, INT64_MAX, &y)) {
        return false;
    }
    difference = x > y ? x - y : y - x;
    return x == 0 || y == 0 || difference <= x / 1000000 * TSC_TOLERANCE_PPM;
}

static void judge_properties(const struct qmp_machine *s,
                             const struct qmp_machine *d, struct verdicts *v)
{
    CLEANUP(strv_done) struct strv differing = { .count = 0 };
    CLEANUP_FREE char *names = NULL;
    struct verdict *b;

    for (size_t i = 0; i < s->cpu_properties.count; i++) {
        const char *item = s->cpu_properties.item[i];
        const char *equals = strchr(item, '=');
        const char *other = find_property(&d->cpu_properties, item);

        if (equals && other && !str_equal(equals + 1, other) &&
            !(str_starts(item, "tsc-frequency=") &&
              tsc_is_close(equals + 1, other))) {
            strv_addf(&differing, "%.*s (%s, %s)", (int)(equals - item), item,
                      equals + 1, other);
        }
    }
    if (differing.count == 0) {
        return;
    }
    names = strv_join_words(&differing);
    b = verdict_block(v, ABOUT_BOTH,
                      "the guest's CPU differs (at the source, at the "
                      "destination): %s",
                      names);
    verdict_fix(b, "give both sides the same -cpu");
}

static void judge_models(const struct qmp_machine *s,
                         const struct qmp_machine *d, size_t blockers,
                         struct verdicts *v)
{
    const char *a = s->cpu_count > 0 ? s->cpu[0].type : NULL;
    const char *b = d->cpu_count > 0 ? d->cpu[0].type : NULL;
    struct verdict *w;

    if (str_equal(a, b) || verdicts_count(v, VERDICT_BLOCKER) > blockers) {
        return; /* equal, or what differs was said already */
    }
    w = verdict_warn(v, ABOUT_BOTH,
                     "the CPU model is %s at the source and %s at the "
                     "destination",
                     a ? a : "unknown", b ? b : "unknown");
    verdict_why(w, "what they show of themselves was compared, but not "
                   "everything can be");
    verdict_fix(w, "give both sides the same -cpu");
}

void preflight_cpu_features(const struct facts *f, struct verdicts *v)
{
    const struct qmp_machine *s = &f->side[SOURCE].machine;
    const struct qmp_machine *d = &f->side[DESTINATION].machine;
    size_t before = v->count;
    size_t blockers = verdicts_count(v, VERDICT_BLOCKER);

    judge_words(s, d, v);
    judge_properties(s, d, v);
    judge_models(s, d, blockers, v);
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH,
                   "CPU model, features and properties are the same on both "
                   "sides");
    }
}
