/*
 * From a journal back to a migration in the middle: all that may have been
 * done is taken for done.  Each undo asks before it acts, so that what was
 * never done costs a question.
 */
#include <stdlib.h>
#include <string.h>

#include "core/disk-make.h"
#include "core/recover-private.h"

/* What may be done to the guest; what an older journal does not say is as by
 * default. */
static void plan_rules(const struct journal_content *c, struct plan *p)
{
    if (c->policy)
        p->policy = c->policy;
    p->postcopy = c->postcopy_allowed;
    p->announce_rounds = c->announce_rounds;
    p->max_throttle = c->max_throttle;
    if (c->abort_handover_ms > 0)
        p->abort_handover_ms = c->abort_handover_ms;
    limits_to_plan(&c->limits, p);
}

int recover_plan(struct recover *r, struct qm_error *err)
{
    const struct journal_content *c = &r->journal;
    struct plan *p = &r->plan;

    for (int i = 0; i < SIDES; i++) {
        if (qmp_address_parse(c->side[i].address, &p->peer[i], err) < 0)
            return error_wrap(err, "%s", side_name((enum side_id)i));
        p->host[i] = xstrdup(c->side[i].host);
    }
    p->name = xstrdup(c->name);
    p->insecure = c->insecure;
    p->tls_psk = c->tls_psk;
    p->verify = c->verify;
    p->keep_source = c->keep_source;
    p->paused = c->paused;
    if (c->port_low) {
        p->port_low = c->port_low;
        p->port_high = c->port_high;
    }
    str_replace(&p->qmp_tls_dir, c->qmp_tls_dir);
    plan_rules(c, p);
    plan_settle(p);
    if (c->postcopy)
        p->postcopy = true; /* an older journal does not say */
    return 0;
}

static bool makes_something(const struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].make)
            return true;
    return false;
}

static void rebuild_disks(struct migration *m, const struct journal_content *c)
{
    bool exported = journal_began(c, "export disks");
    bool mirrored = journal_began(c, "mirror disks");
    size_t tops = 0;

    for (size_t i = 0; i < m->disk_count; i++) {
        struct disk_copy *d = &m->disk[i];

        d->exported = exported;
        d->writer_added = exported && d->writer_node;
        d->node_added = d->mirror_started = mirrored;
        tops += d->top;
    }
    /* without a disk it is up for a look at the way */
    m->nbd_server_up =
        (m->disk_count > 0 ? exported && !journal_did(c, "close exports")
                           : journal_began(c, "probe exports") &&
                                 !journal_did(c, "probe exports"));
    if (tops > 0 && journal_began(c, "prove backing files") &&
        !journal_did(c, "prove backing files"))
        proof_adopt(m);
    if (c->verify && m->disk_count > 0 && journal_began(c, "compare disks") &&
        !journal_did(c, "verify disks"))
        verify_adopt(m);
}

/* Owner=destination came only once the source had given the guest up. */
static void rebuild_progress(struct migration *m,
                             const struct journal_content *c)
{
    bool added = !c->insecure && journal_began(c, "install credentials");

    for (int i = 0; i < SIDES; i++)
        m->credentials_added[i] = added;
    /* One whose devices have other nodes by now is not put together again. */
    m->door_open = journal_began(c, "open the door") ||
                   (makes_something(m) && journal_began(c, "make disks"));
    m->stream_started = journal_began(c, "start migration");
    m->destination_owns = c->owner == DESTINATION && !c->returned;
    m->guest_started = c->started;
    m->postcopy_asked = c->postcopy;
    m->source_gave_up = c->gave_up;
    m->nbd_port = m->disk_count > 0 ? c->nbd_port : 0;
    /* an older journal does not say: the first is tried first */
    m->ram_port = c->ram_port ? c->ram_port : m->plan->port_high;
}

void recover_rebuild(struct recover *r)
{
    struct migration *m = r->m;
    struct journal_content *c = &r->journal;

    memcpy(m->id, c->id, sizeof(m->id));
    m->name = xstrdup(c->name);
    m->channels = 0;
    m->was_running = c->was_running;
    m->remembered = m->hold_interrupts = m->recovering = true;
    m->facts_known = true;
    m->facts.plan = &r->plan;
    m->facts.authz_dn = xstrdup(c->authz_dn);
    m->facts.address = STEAL(c->address);
    m->facts.bind = STEAL(c->bind);
    for (int i = 0; i < SIDES; i++) {
        m->facts.side[i].capabilities = c->side[i].capabilities;
        m->facts.side[i].parameters = c->side[i].parameters;
        c->side[i].capabilities = c->side[i].parameters =
            (struct qmp_settings){ 0 };
        m->side[i].process = c->side[i].process;
    }
    m->disk = STEAL(c->disk);
    m->disk_count = c->disk_count;
    c->disk_count = 0;
    source_of(m)->guest_ended = source_of(m)->guest_is_over = c->guest_over;
    source_of(m)->disk = m->disk;
    source_of(m)->disk_count = m->disk_count;
    rebuild_progress(m, c);
    rebuild_disks(m, c);
}

/* --- what was changed ------------------------------------------------------ */

static void find_changes(const struct qmp_settings *before,
                         const struct qmp_settings *now,
                         struct qmp_settings *changed)
{
    for (size_t i = 0; i < now->count; i++) {
        const struct qmp_setting *s = &now->item[i];

        if (!qmp_setting_holds(s, qmp_settings_get(before, s->name)))
            qmp_settings_add(changed, s->name, s->type, s->value);
    }
}

/* There is one NBD server to a process: one with other exports is not ours. */
static int check_server(struct migration *m, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv exports = { 0 };

    if (qmp_query_exports(destination_of(m)->qmp, &exports, err) < 0)
        return -1;
    for (size_t i = 0; i < exports.count; i++)
        if (!str_starts(exports.item[i], m->id))
            m->nbd_server_up = false;
    return 0;
}

/* What the operator may set anew is as the source has it. */
static void read_limits(struct migration *m, const struct qmp_settings *now)
{
    static const struct {
        enum limit limit;
        const char *name;
    } table[] = {
        { LIMIT_BANDWIDTH, "max-bandwidth" },
        { LIMIT_POSTCOPY_BANDWIDTH, "max-postcopy-bandwidth" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *text = qmp_settings_get(now, table[i].name);
        uint64_t value;

        if (text && str_to_u64(text, 0, INT64_MAX, &value))
            m->limits.value[table[i].limit] = (int64_t)value;
    }
    m->agreed = true;
}

int recover_compare(struct recover *r, enum side_id side, struct qm_error *err)
{
    CLEANUP(qmp_settings_done) struct qmp_settings c = { 0 }, p = { 0 };
    struct migration *m = r->m;
    struct qmp *q = m->side[side].qmp;
    const struct side_facts *before = &m->facts.side[side];

    if (side == DESTINATION && m->nbd_server_up && check_server(m, err) < 0)
        return -1;
    if (!journal_began(&r->journal, "agree capabilities"))
        return 0;
    if (qmp_query_capabilities(q, &c, err) < 0 ||
        qmp_query_parameters(q, &p, err) < 0)
        return -1;
    find_changes(&before->capabilities, &c, &m->capabilities_set[side]);
    find_changes(&before->parameters, &p, &m->parameters_set[side]);
    if (side == SOURCE)
        read_limits(m, &p);
    return 0;
}
