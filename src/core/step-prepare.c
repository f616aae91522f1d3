/*
 * Hold the destination, agree on capabilities and parameters.
 *
 * happy path   `stop` at the destination while it waits: it clears QEMU's
 *              autostart, so that it cannot start by itself.  Once the TLS
 *              objects are there (step-credentials.c), capabilities and
 *              parameters, the destination first (10.x refuses some once it
 *              listens), each read back and compared.
 * what fails   Everything that was changed is put back, on each side that can
 *              still be reached; a QEMU that ended took its settings along.
 */
#include "core/known-settings.h"
#include "core/migration-private.h"

int step_hold(struct migration *m, struct qm_error *err)
{
    return side_stop(destination_of(m), err);
}

/* --- capabilities ----------------------------------------------------------- */

enum { AT_SOURCE = 1, AT_DESTINATION = 2, AT_BOTH = 3 };

static bool wanted_always(const struct migration *m)
{
    (void)m;
    return true;
}

static bool wanted_multifd(const struct migration *m)
{
    return m->channels > 0;
}

static bool wanted_auto_converge(const struct migration *m)
{
    return m->plan->max_throttle > 0;
}

static bool has_capability(const struct migration *m, const char *name)
{
    for (int i = 0; i < SIDES; i++)
        if (!qmp_settings_get(&m->facts.side[i].capabilities, name))
            return false;
    return true;
}

static bool wanted_postcopy(const struct migration *m)
{
    return m->plan->postcopy;
}

/* Pages that the guest waits for have a connection of their own. */
static bool wanted_preempt(const struct migration *m)
{
    return m->plan->postcopy && has_capability(m, "postcopy-preempt");
}

/*
 * Off where the guest stands still and the destination's QEMU is older than
 * 10.0: its disks would be inactive there, and to move it on would abort that
 * QEMU.  The source has given them up before the destination takes them, and
 * its guest does not run if the move fails then.
 */
static bool wanted_late_activation(const struct migration *m)
{
    return m->was_running ||
           m->facts.side[DESTINATION].features.has[QMP_FEATURE_NODE_ACTIVE];
}

static bool wanted_uuid(const struct migration *m)
{
    return m->facts.side[SOURCE].machine.uuid &&
           m->facts.side[DESTINATION].machine.uuid;
}

static bool wanted_bitmaps(const struct migration *m)
{
    CLEANUP_FREE char *mapping = preflight_bitmap_mapping(&m->facts, SOURCE);

    return mapping != NULL;
}

/* What is not in this table is switched off for the migration: a capability
 * that an earlier one left on must not change this one. */
static const struct {
    const char *name;
    unsigned sides;
    bool (*wanted)(const struct migration *m);
} capability_table[] = {
    { "events", AT_BOTH, wanted_always },
    { "return-path", AT_BOTH, wanted_always },
    { "pause-before-switchover", AT_SOURCE, wanted_always },
    { "late-block-activate", AT_DESTINATION, wanted_late_activation },
    { "multifd", AT_BOTH, wanted_multifd },
    { "auto-converge", AT_SOURCE, wanted_auto_converge },
    { "validate-uuid", AT_SOURCE, wanted_uuid },
    { "dirty-bitmaps", AT_BOTH, wanted_bitmaps },
    { "postcopy-ram", AT_BOTH, wanted_postcopy },
    { "postcopy-preempt", AT_BOTH, wanted_preempt },
};

static bool capability_wanted(const struct migration *m, enum side_id side,
                              const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(capability_table); i++)
        if (str_equal(capability_table[i].name, name))
            return (capability_table[i].sides & (1U << side)) &&
                   capability_table[i].wanted(m);
    return false;
}

#define TAILSLOW "cpu-throttle-tailslow"
#define BITMAP_MAPPING "block-bitmap-mapping"

/* --- what to set, as the difference from what is there ---------------------- */

static void want_capabilities(struct migration *m, enum side_id side,
                              const struct qmp_settings *now,
                              struct qmp_settings *changes)
{
    for (size_t i = 0; i < now->count; i++) {
        bool on = capability_wanted(m, side, now->item[i].name);

        if (!str_equal(now->item[i].value, on ? "on" : "off"))
            qmp_settings_add_bool(changes, now->item[i].name, on);
    }
}

/* Prepared, and not yet felt: the capability cannot be had later. */
static void list_throttle(const struct migration *m, struct qmp_settings *ret)
{
    if (!wanted_auto_converge(m))
        return;
    qmp_settings_add_int(ret, "cpu-throttle-initial", 1);
    qmp_settings_add_int(ret, "cpu-throttle-increment", 1);
    qmp_settings_add_int(ret, "max-cpu-throttle", 1);
    qmp_settings_add_int(ret, "throttle-trigger-threshold", 100);
    if (qmp_settings_get(&m->facts.side[SOURCE].parameters, TAILSLOW))
        qmp_settings_add_bool(ret, TAILSLOW, m->plan->tailslow);
}

static void list_channels(const struct migration *m, struct qmp_settings *ret)
{
    static const char *const levels[] = {
        [COMPRESS_ZLIB] = "multifd-zlib-level",
        [COMPRESS_ZSTD] = "multifd-zstd-level",
    };
    const struct plan *p = m->plan;

    if (m->channels == 0)
        return;
    qmp_settings_add_int(ret, "multifd-channels", m->channels);
    qmp_settings_add_string(ret, "multifd-compression",
                            compress_name(p->compress));
    if (p->compress != COMPRESS_NONE && p->compress_level >= 0)
        qmp_settings_add_int(ret, levels[p->compress], p->compress_level);
}

static void list_parameters(struct migration *m, enum side_id side,
                            struct qmp_settings *ret)
{
    CLEANUP_FREE char *mapping = preflight_bitmap_mapping(&m->facts, side);
    CLEANUP_FREE char *tls = credentials_id(m);

    qmp_settings_add_string(ret, "tls-creds", tls ? tls : "");
    list_channels(m, ret);
    if (mapping)
        qmp_settings_add(ret, BITMAP_MAPPING, QMP_SETTING_COMPLEX, mapping);
    known_list_defaults(&m->facts.side[side].parameters, ret);
    if (side == DESTINATION)
        return;
    qmp_settings_add_string(ret, "tls-hostname",
                            secure_hostname(m) ? secure_hostname(m) : "");
    qmp_settings_add_int(ret, "max-bandwidth",
                         m->limits.value[LIMIT_BANDWIDTH]);
    qmp_settings_add_int(ret, "downtime-limit", m->converge.limit_ms);
    if (m->plan->postcopy)
        qmp_settings_add_int(ret, "max-postcopy-bandwidth",
                             m->limits.value[LIMIT_POSTCOPY_BANDWIDTH]);
    list_throttle(m, ret);
}

static void want_parameters(struct migration *m, enum side_id side,
                            const struct qmp_settings *now,
                            struct qmp_settings *changes)
{
    struct qmp_settings wanted = { 0 };

    list_parameters(m, side, &wanted);
    for (size_t i = 0; i < wanted.count; i++) {
        const struct qmp_setting *w = &wanted.item[i];

        if (!qmp_setting_holds(w, qmp_settings_get(now, w->name)))
            qmp_settings_add(changes, w->name, w->type, w->value);
    }
    qmp_settings_done(&wanted);
}

static const struct setting_kind {
    const char *what;
    int (*query)(struct qmp *q, struct qmp_settings *ret, struct qm_error *err);
    int (*set)(struct qmp *q, const struct qmp_settings *s,
               struct qm_error *err);
    void (*want)(struct migration *m, enum side_id side,
                 const struct qmp_settings *now, struct qmp_settings *changes);
} capabilities_kind = { "capability", qmp_query_capabilities,
                        qmp_set_capabilities, want_capabilities },
  parameters_kind = { "parameter", qmp_query_parameters, qmp_set_parameters,
                      want_parameters };

struct apply {
    const struct setting_kind *kind;
    const struct qmp_settings *changes;
};

static int run_apply(struct side *s, void *arg, struct qm_error *err)
{
    const struct apply *a = arg;

    return a->changes->count == 0 ? 0 : a->kind->set(s->qmp, a->changes, err);
}

static int compare(struct side *s, const struct setting_kind *kind,
                   const struct qmp_settings *wanted, struct qm_error *err)
{
    struct qmp_settings now = { 0 };
    int ret = 0;

    if (kind->query(s->qmp, &now, err) < 0)
        return -1;
    for (size_t i = 0; i < wanted->count && ret == 0; i++) {
        const char *value = qmp_settings_get(&now, wanted->item[i].name);

        if (!qmp_setting_holds(&wanted->item[i], value))
            ret = error_set(err, QM_ERR_QEMU,
                            "%s: the %s %s was set to '%s' but reads '%s'",
                            s->name, kind->what, wanted->item[i].name,
                            wanted->item[i].value, value ? value : "nothing");
    }
    qmp_settings_done(&now);
    return ret;
}

static int agree(struct migration *m, enum side_id side,
                 const struct setting_kind *kind,
                 const struct qmp_settings *before,
                 struct qmp_settings *changes, struct qm_error *err)
{
    struct apply a = { kind, changes };

    kind->want(m, side, before, changes);
    if (side_do(&m->side[side], run_apply, NULL, &a, err) < 0)
        return -1;
    return compare(&m->side[side], kind, changes, err);
}

int compare_parameters(struct side *s, const struct qmp_settings *wanted,
                       struct qm_error *err)
{
    return compare(s, &parameters_kind, wanted, err);
}

int set_parameters(struct migration *m, enum side_id side,
                   const struct qmp_settings *wanted, struct qm_error *err)
{
    struct apply a = { &parameters_kind, wanted };
    struct qmp_settings *set = &m->parameters_set[side];

    for (size_t i = 0; i < wanted->count; i++) {
        const struct qmp_setting *w = &wanted->item[i];

        if (!qmp_settings_get(set, w->name))
            qmp_settings_add(set, w->name, w->type, w->value);
    }
    if (side_do(&m->side[side], run_apply, NULL, &a, err) < 0)
        return -1;
    return compare(&m->side[side], &parameters_kind, wanted, err);
}

static void init_converge(struct migration *m)
{
    const int64_t *limit = m->limits.value;

    converge_init(
        &m->converge,
        &(struct converge_rules){
            .max_downtime_ms = converge_part_of_qemu(limit[LIMIT_MAX_DOWNTIME],
                                                     m->own_part_ms),
            .own_part_ms = m->own_part_ms,
            .bandwidth_bps = (uint64_t)limit[LIMIT_BANDWIDTH],
            .timeout_ms = limit[LIMIT_TIMEOUT] * 1000,
            .timeout_per_gib_ms = m->limits.timeout_per_gib_s * 1000,
            .pause_on_timeout = limit[LIMIT_ON_TIMEOUT] == ON_TIMEOUT_PAUSE,
            .postcopy_on_timeout =
                limit[LIMIT_ON_TIMEOUT] == ON_TIMEOUT_POSTCOPY,
            .postcopy = m->plan->postcopy,
            .patience = (int)m->plan->patience,
            .first_throttle = (int)m->plan->first_throttle,
            .max_throttle = (int)m->plan->max_throttle,
            .pause_when_stuck = m->plan->pause_when_stuck,
        });
}

int step_agree(struct migration *m, struct qm_error *err)
{
    static const enum side_id order[] = { DESTINATION, SOURCE };

    init_converge(m);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        enum side_id side = order[i];
        const struct side_facts *f = &m->facts.side[side];

        if (agree(m, side, &capabilities_kind, &f->capabilities,
                  &m->capabilities_set[side], err) < 0 ||
            agree(m, side, &parameters_kind, &f->parameters,
                  &m->parameters_set[side], err) < 0)
            return -1;
    }
    m->agreed = true;
    return 0;
}

int set_source_parameter(struct migration *m, const char *name, int64_t value,
                         struct qm_error *err)
{
    struct qmp_settings one = { 0 };
    int ret;

    qmp_settings_add_int(&one, name, value);
    ret = set_parameters(m, SOURCE, &one, err);
    qmp_settings_done(&one);
    return ret;
}

/* --- putting them back ------------------------------------------------------ */

static void restore(struct migration *m, enum side_id side,
                    const struct setting_kind *kind,
                    const struct qmp_settings *before,
                    struct qmp_settings *changed)
{
    struct side *s = &m->side[side];
    struct qmp_settings old = { 0 };
    struct apply a = { kind, &old };
    struct qm_error err = QM_ERROR_INIT;

    for (size_t i = 0; i < changed->count; i++) {
        const char *value = qmp_settings_get(before, changed->item[i].name);

        if (!value && str_equal(changed->item[i].name, BITMAP_MAPPING))
            value = "[]"; /* QEMU cannot forget one */
        if (value)
            qmp_settings_add(&old, changed->item[i].name, changed->item[i].type,
                             value);
    }
    if (side_do(s, run_apply, NULL, &a, &err) < 0 && !s->process_dead)
        migration_left(m, "changed %s settings at the %s: %s", kind->what,
                       s->name, err.message);
    qmp_settings_done(&old);
    qmp_settings_done(changed);
    error_clear(&err);
}

void restore_settings(struct migration *m, enum side_id side)
{
    const struct side_facts *f = &m->facts.side[side];

    if (!side_needs_cleaning(&m->side[side]))
        return;
    restore(m, side, &parameters_kind, &f->parameters,
            &m->parameters_set[side]);
    restore(m, side, &capabilities_kind, &f->capabilities,
            &m->capabilities_set[side]);
}

void undo_agree(struct migration *m)
{
    restore_settings(m, SOURCE);
    restore_settings(m, DESTINATION);
}
