/*
 * What somebody left in the migration parameters and capabilities.
 */
#include "core/known-settings.h"
#include "core/preflight-private.h"

static void judge_parameters(const struct side_facts *s, enum side_id side,
                             struct verdicts *v)
{
    for (size_t i = 0; i < s->parameters.count; i++) {
        const struct qmp_setting *p = &s->parameters.item[i];
        const struct known_setting *k = known_parameter(p->name);
        struct verdict *w;

        if (k && k->care == CARE_DEFAULT && !str_equal(p->value, k->normal)) {
            verdict_ok(v, verdict_about(side),
                       "the %s's migration parameter %s is '%s', and '%s' for "
                       "this move: %s",
                       side_name(side), p->name, p->value, k->normal, k->why);
        }
        if (k) {
            continue;
        }
        w = verdict_warn(v, verdict_about(side),
                         "the %s has a migration parameter that is not known: "
                         "%s is '%s'",
                         side_name(side), p->name, p->value);
        verdict_why(w, "it stays as it is, and what it does to the move cannot "
                       "be told");
    }
}

static void judge_capabilities(const struct side_facts *s, enum side_id side,
                               struct verdicts *v)
{
    for (size_t i = 0; i < s->capabilities.count; i++) {
        const struct qmp_setting *c = &s->capabilities.item[i];
        struct verdict *w;

        if (known_capability(c->name) || str_equal(c->value, "off")) {
            continue;
        }
        w = verdict_warn(v, verdict_about(side),
                         "the %s has a migration capability that is not known: "
                         "%s is '%s'",
                         side_name(side), c->name, c->value);
        verdict_why(w, "it is off for this move, and put back if the move "
                       "fails");
    }
}

void preflight_settings(const struct facts *f, struct verdicts *v)
{
    size_t before = v->count;

    for (int side = 0; side < SIDES; side++) {
        judge_parameters(&f->side[side], (enum side_id)side, v);
        judge_capabilities(&f->side[side], (enum side_id)side, v);
    }
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH,
                   "no earlier migration left a setting that "
                   "matters");
    }
}
