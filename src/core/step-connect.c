/*
 * The rows that change nothing: connect to both QEMUs, learn who they are,
 * find out whether the guest can move; then remember what must be put back.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/disk-make.h"
#include "core/journal-read.h"
#include "core/migration-private.h"
#include "core/steer.h"

#define CONNECT_LIMIT_MS 20000
/* Round trips of the engine between the guest's stop and its start, each side:
 * four with a disk in all, three without (tests/live/HANDOVER.md) */
#define HANDOVER_ROUND_TRIPS 2
/* One answer may be slow by chance, and what it says is kept for all of the
 * migration: the quickest of so many counts. */
#define OWN_PART_TRIES 3

static int find_host(struct migration *m, enum side_id i, struct qm_error *err)
{
    struct side *s = &m->side[i];

    if (m->plan->host[i]) {
        s->host = host_new(m->loop, m->plan->host[i], err);
        return s->host ? 0 : error_wrap(err, "%s host", s->name);
    }
    s->host = host_of_address(m->loop, &m->plan->peer[i]);
    return 0;
}

static int refuse_same_qemu(struct qm_error *err)
{
    error_set(err, QM_ERR_REFUSED, "source and destination are the same QEMU");
    error_hint(err, "give the monitor of a second QEMU, started with "
                    "`-S -incoming defer`, as DESTINATION");
    return -1;
}

/* One socket under two names: its second client would wait for the first. */
static bool is_same_socket(const struct qmp_address *a,
                           const struct qmp_address *b)
{
    struct stat x, y;

    return a->type == QMP_ADDRESS_UNIX && b->type == QMP_ADDRESS_UNIX &&
           stat(a->path, &x) == 0 && stat(b->path, &y) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A socket that cannot be connected to: what is there? */
static void explain_socket(const struct side *s, const struct qmp_address *a,
                           struct qm_error *err)
{
    const char *where = a->text;
    enum host_socket kind;

    if (!s->host || !a->path ||
        (err->code != QM_ERR_CONNECT && err->code != QM_ERR_LINK))
        return;
    kind = host_look_at_socket(s->host, a->path);
    switch (kind) {
    case HOST_SOCKET_CLOSED:
        error_clear(err);
        error_set(err, QM_ERR_CONNECT,
                  "%s: the user who connects to %s may not open that socket",
                  s->name, where);
        error_hint(err, "connect as root or as the user that QEMU runs as%s",
                   a->type == QMP_ADDRESS_SSH ? ": ssh://USER@HOST/PATH" : "");
        break;
    case HOST_SOCKET_FOLDER:
    case HOST_SOCKET_OTHER:
        error_clear(err);
        error_set(err, QM_ERR_CONNECT, "%s: %s is a %s, not a QMP socket",
                  s->name, where,
                  kind == HOST_SOCKET_FOLDER ? "folder" : "file");
        error_hint(err, "give the path of the socket: -qmp "
                        "unix:/PATH,server=on,wait=off");
        break;
    case HOST_SOCKET_MISSING:
        error_hint(err, "start QEMU with -qmp unix:/PATH,server=on,wait=off, "
                        "or give the path of its socket");
        break;
    case HOST_SOCKET_THERE:
    case HOST_SOCKET_UNKNOWN:
        break;
    }
}

static int connect_side(struct migration *m, enum side_id i,
                        struct qm_error *err)
{
    struct side *s = &m->side[i];

    if (find_host(m, i, err) < 0)
        return -1;
    if (side_connect(s, m->plan, m->dir, deadline_in_ms(CONNECT_LIMIT_MS),
                     err) < 0) {
        explain_socket(s, &m->plan->peer[i], err);
        return -1;
    }
    side_identify(s, &m->plan->peer[i]);
    if (!s->process.known)
        return 0;
    /* two monitors of it: its lock would be found held, by ourselves */
    if (i == DESTINATION &&
        process_is_same(&s->process, &source_of(m)->process))
        return refuse_same_qemu(err);
    s->lock = rundir_lock_process(s->name, &s->process, err);
    return s->lock < 0 ? -1 : journal_check_free(s->name, &s->process, err);
}

int step_connect(struct migration *m, struct qm_error *err)
{
    m->dir = rundir_make_private(&m->dir_lock, err);
    if (!m->dir)
        return -1;
    if (is_same_socket(&m->plan->peer[SOURCE], &m->plan->peer[DESTINATION]))
        return refuse_same_qemu(err);
    for (int i = 0; i < SIDES; i++)
        if (connect_side(m, (enum side_id)i, err) < 0)
            return -1;
    return 0;
}

/* --- preflight -------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

static int choose_name(struct migration *m, struct qm_error *err)
{
    const char *name = m->plan->name;

    if (!name)
        name = m->facts.side[SOURCE].machine.name;
    if (!name || !*name)
        name = base_name(m->plan->peer[SOURCE].path);
    if (!name || !plan_name_is_valid(name)) {
        CLEANUP_FREE char *shown = str_printable(name ? name : "");

        error_set(err, QM_ERR_REFUSED,
                  "source: the guest's name '%s' cannot name a migration",
                  shown);
        error_hint(err, "give one with --name: letters, digits, '.', '_' "
                        "and '-', at most 48");
        return -1;
    }
    m->name = xstrdup(name);
    return steer_open(m, err);
}

/* How long one command takes at least. */
static int measure_round_trip(struct side *s, int64_t *ret_us,
                              struct qm_error *err)
{
    int64_t least_us = INT64_MAX;

    for (int i = 0; i < OWN_PART_TRIES; i++) {
        struct qmp_run_state run = { 0 };
        int64_t took_us = -clock_now_us();

        if (qmp_query_status(s->qmp, &run, err) < 0)
            return -1;
        took_us += clock_now_us();
        qmp_run_state_done(&run);
        if (took_us < least_us)
            least_us = took_us;
    }
    *ret_us = least_us;
    return 0;
}

/* What the engine itself adds to a handover. */
static int measure_own_part(struct migration *m, struct qm_error *err)
{
    int64_t most_ms = m->limits.value[LIMIT_MAX_DOWNTIME];
    int64_t sum_us = 0;

    for (int i = 0; i < SIDES; i++) {
        int64_t trip_us;

        if (measure_round_trip(&m->side[i], &trip_us, err) < 0)
            return -1;
        sum_us += trip_us;
    }
    m->own_part_ms = sum_us * HANDOVER_ROUND_TRIPS / 1000 + 1;
    if (m->own_part_ms * 2 > most_ms)
        migration_warn(m,
                       "the engine's own commands take about %lld ms of the "
                       "handover, more than half of max-downtime-ms %lld: the "
                       "monitors are far away, or slow",
                       (long long)m->own_part_ms, (long long)most_ms);
    return 0;
}

static void prepare_writer(struct migration *m, size_t index,
                           const struct qmp_disk *d)
{
    struct disk_copy *copy = &m->disk[index];
    CLEANUP_FREE char *writer = xasprintf("writer%zu", index);

    copy->writer_node = migration_own_id(m, writer);
    copy->destination_format =
        xstrdup(copy->make ? copy->make->format : d->driver);
    copy->destination_protocol = xstrdup(copy->make ? "file" : d->protocol);
}

static void prepare_disk(struct migration *m, size_t index,
                         const struct disk_choice *c)
{
    const struct qmp_disk *s = &m->facts.side[SOURCE].disks.item[c->source];
    const struct qmp_disk *d =
        &m->facts.side[DESTINATION].disks.item[c->destination];
    struct disk_copy *copy = &m->disk[index];
    CLEANUP_FREE char *what = xasprintf("disk%zu", index);
    CLEANUP_FREE char *job = xasprintf("mirror%zu", index);
    CLEANUP_FREE char *export = xasprintf("export%zu", index);
    CLEANUP_FREE char *made =
        xasprintf(c->making == MAKE_SLICE ? "slice%zu" : "blank%zu", index);

    copy->label = xstrdup(disk_label(s));
    copy->source_node = xstrdup(s->node_name);
    copy->make = disk_make_new(&m->facts, c, migration_own_id(m, made));
    copy->destination_node =
        xstrdup(copy->make ? disk_make_node(copy->make) : d->node_name);
    copy->source_file =
        xstrdup(s->protocol_filename ? s->protocol_filename : s->filename);
    copy->destination_file =
        xstrdup(copy->make && copy->make->path ? copy->make->path
                : d->protocol_filename         ? d->protocol_filename
                                               : d->filename);
    copy->snapshots = disk_choice_snapshots(&m->facts, c);
    copy->encryption = xstrdup(disk_choice_encryption(&m->facts, c));
    disk_choice_old_bitmaps(&m->facts, c, &copy->old_bitmaps);
    if (d->read_only)
        prepare_writer(m, index, d);
    copy->size_bytes = s->virtual_size;
    copy->total_bytes = s->virtual_size;
    copy->top = c->top;
    copy->backing_shared =
        c->top && m->facts.backing_shared && m->facts.backing_shared[c->source];
    copy->backing_node = xstrdup(s->backing_node);
    copy->discard = preflight_may_discard(&m->facts.side[SOURCE], s) ||
                    failpoint_discards();
    copy->was_inactive = d->is_inactive && !copy->writer_node;
    copy->node_name = migration_own_id(m, what);
    copy->job_id = migration_own_id(m, job);
    copy->export_id = migration_own_id(m, export);
    copy->export_name = xstrdup(copy->export_id);
}

static void prepare_disks(struct migration *m)
{
    const struct disk_choices *c = &m->choices;
    size_t n = 0;

    m->disk = xcalloc(c->count + 1, sizeof(*m->disk));
    for (size_t i = 0; i < c->count; i++)
        if (c->item[i].copy)
            prepare_disk(m, n++, &c->item[i]);
    m->disk_count = n;
    source_of(m)->disk = m->disk;
    source_of(m)->disk_count = n;
}

static int collect(struct migration *m, struct qm_error *err)
{
    struct facts_input in = {
        .loop = m->loop,
        .plan = m->plan,
        .qmp = { m->side[SOURCE].qmp, m->side[DESTINATION].qmp },
        .host = { m->side[SOURCE].host, m->side[DESTINATION].host },
        .process = { &m->side[SOURCE].process, &m->side[DESTINATION].process },
        .process_problem = { m->side[SOURCE].process_problem,
                             m->side[DESTINATION].process_problem },
        .now_s = clock_wall_us() / 1000000,
    };

    if (facts_collect(&in, &m->facts, err) < 0)
        return -1;
    m->facts_known = true;
    for (int i = 0; i < SIDES; i++)
        m->side[i].features = m->facts.side[i].features;
    return 0;
}

int step_preflight(struct migration *m, struct qm_error *err)
{
    if (collect(m, err) < 0)
        return -1;
    /* what was not asked any more is not to be judged */
    if (m->cancel_requested)
        return error_set(err, QM_ERR_CANCELLED, "cancelled by the operator");
    preflight_judge(&m->facts, &m->verdicts);
    preflight_choose_disks(&m->facts, &m->choices, NULL);
    migration_tell(m, &(struct narration){
                          .kind = NARRATE_PREFLIGHT,
                          .verdicts = &m->verdicts,
                      });
    if (verdicts_to_error(&m->verdicts, err) < 0 || choose_name(m, err) < 0 ||
        measure_own_part(m, err) < 0)
        return -1;
    m->channels = preflight_channels(&m->facts).count; /* for good */
    prepare_disks(m);
    return 0;
}

/* --- remember --------------------------------------------------------------- */

int step_remember(struct migration *m, struct qm_error *err)
{
    const struct facts *f = &m->facts;

    m->was_running = f->side[SOURCE].run_state.running;
    m->journal = journal_begin(m->name, m->id, journal_story(m), err);
    if (!m->journal)
        return -1;
    m->remembered = true;
    for (int i = 0; i < SIDES; i++)
        if (side_refresh(&m->side[i], err) < 0)
            return -1;
    return 0;
}
