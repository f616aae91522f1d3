/*
 * Asking both QEMUs and their hosts, before anything is changed.
 */
#include "core/facts.h"

#include <stdlib.h>

#include "core/facts-private.h"

/* qmp_version()'s strings live as long as the client. */
static int collect_side(const struct facts_input *in, enum side_id side,
                        struct side_facts *s, struct qm_error *err)
{
    struct qmp *q = in->qmp[side];

    s->version = *qmp_version(q);
    if (qmp_query_features(q, &s->features, err) < 0 ||
        qmp_query_machine(q, &s->machine, err) < 0 ||
        qmp_query_status(q, &s->run_state, err) < 0 ||
        qmp_query_migrate(q, &s->migration, err) < 0 ||
        qmp_query_disks(q, &s->features, &s->disks, err) < 0 ||
        qmp_query_jobs(q, &s->jobs, err) < 0 ||
        qmp_query_exports(q, &s->exports, err) < 0 ||
        qmp_query_capabilities(q, &s->capabilities, err) < 0 ||
        qmp_query_parameters(q, &s->parameters, err) < 0) {
        return -1;
    }
    if (side == SOURCE && !s->features.has[QMP_FEATURE_NODE_ACTIVE] &&
        !s->run_state.running && s->disks.count > 0 &&
        qmp_query_waiting(q, &s->disks, &s->disks_wait, err) < 0) {
        return -1;
    }
    facts_add_memory(s);
    s->disk_file = xcalloc(s->disks.count + 1, sizeof(*s->disk_file));
    s->disk_digest = xcalloc(s->disks.count + 1, sizeof(*s->disk_digest));
    return 0;
}

static int collect_machine_type(const struct facts_input *in, struct facts *f,
                                struct qm_error *err)
{
    const char *type = f->side[SOURCE].machine.type;
    int has;

    if (!type) {
        return 0;
    }
    has = qmp_has_machine_type(in->qmp[DESTINATION], type, err);
    if (has < 0) {
        return -1;
    }
    f->side[DESTINATION].has_machine_type = has > 0;
    return 0;
}

int facts_collect(const struct facts_input *in, struct facts *ret,
                  struct qm_error *err)
{
    struct facts f = { .plan = in->plan };

    for (int side = 0; side < SIDES; side++) {
        if (collect_side(in, (enum side_id)side, &f.side[side], err) < 0) {
            facts_done(&f);
            return -1;
        }
    }
    if (collect_machine_type(in, &f, err) < 0) {
        facts_done(&f);
        return -1;
    }
    for (int side = 0; side < SIDES; side++) {
        facts_collect_host(in, (enum side_id)side, &f.side[side]);
    }
    facts_collect_memory(in, &f);
    facts_collect_marks(in, &f);
    facts_collect_backing(&f);
    facts_collect_digests(in, &f);
    facts_collect_sites(in, &f);
    facts_collect_room(in, &f);
    facts_collect_network(in, &f);
    facts_collect_tls(in, &f);
    *ret = f;
    return 0;
}

static void side_done(struct side_facts *s)
{
    qmp_machine_done(&s->machine);
    qmp_run_state_done(&s->run_state);
    qmp_migration_done(&s->migration);
    qmp_disks_done(&s->disks);
    free(s->disk_file);
    free(s->part_file);
    free(s->disk_digest);
    free(s->disk_room);
    qmp_jobs_done(&s->jobs);
    strv_done(&s->exports);
    qmp_settings_done(&s->capabilities);
    qmp_settings_done(&s->parameters);
    free(s->host_problem);
    unit_facts_done(&s->unit);
    tls_findings_done(&s->tls);
    buffer_done(&s->tls_ca);
}

static void sites_done(struct facts *f)
{
    for (size_t i = 0; f->site && i < f->side[SOURCE].disks.count; i++) {
        free(f->site[i].path);
    }
    free(f->site);
    free(f->site_problem);
}

void facts_done(struct facts *f)
{
    sites_done(f);
    for (int side = 0; side < SIDES; side++) {
        side_done(&f->side[side]);
    }
    free(f->mark);
    free(f->memory_pair);
    free(f->mark_left);
    free(f->backing_shared);
    tls_findings_done(&f->tls_pair);
    free(f->source_subject);
    free(f->destination_subject);
    free(f->authz_dn);
    free(f->address);
    free(f->address_problem);
    free(f->address_passed_over);
    free(f->bind);
    free(f->bind_problem);
    free(f->tls_hostname);
    *f = (struct facts){ .plan = NULL };
}
