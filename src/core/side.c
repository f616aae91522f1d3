/*
 * One of the two QEMUs: recording what it tells, asking what is true.
 */
#include "core/side.h"

#include "core/disk-make.h"
#include "core/failpoint.h"
#include "core/rundir.h"

#include <sys/syscall.h>
#include <unistd.h>

/* How long a broken link is given to come back (DESIGN.md). */
#define LINK_PATIENCE_MS 30000

void side_init(struct side *s, enum side_id id, struct loop *loop,
               const struct narrator *narrator)
{
    *s = (struct side){
        .id = id,
        .name = side_name(id),
        .loop = loop,
        .narrator = narrator,
        .pidfd = -1,
        .lock = -1,
        .hurry_by = DEADLINE_NEVER,
        .run_state = xstrdup(""),
    };
}

void side_done(struct side *s)
{
    qmp_close(s->qmp);
    free_string(s->unplugged);
    loop_watch_free(s->pidfd_watch);
    close_fd(s->pidfd);
    rundir_unlock_process(s->lock);
    host_free(s->host);
    free_string(s->error_desc);
    free_string(s->run_state);
    free_string(s->io_error);
    free_string(s->process_problem);
}

void disk_copy_done(struct disk_copy *d)
{
    free_string(d->label);
    free_string(d->source_node);
    free_string(d->destination_node);
    free_string(d->writer_node);
    free_string(d->destination_format);
    free_string(d->destination_protocol);
    free_string(d->source_file);
    free_string(d->snapshots);
    free_string(d->encryption);
    strv_done(&d->old_bitmaps);
    free_string(d->backing_node);
    free_string(d->destination_file);
    free_string(d->export_id);
    free_string(d->export_name);
    free_string(d->node_name);
    free_string(d->job_id);
    disk_make_free(d->make);
    free_string(d->error);
}

/* --- recording ------------------------------------------------------------ */

static void record_status(struct side *s, enum migration_status status)
{
    if (s->status == status)
        return;
    s->status = status;
    s->pauses += status == MIGRATION_POSTCOPY_PAUSED;
    s->narrator->tell(s->narrator->arg,
                      &(struct narration){
                          .kind = NARRATE_STATE,
                          .side = s->id,
                          .text = migration_status_name(status),
                      });
}

static struct disk_copy *find_disk(struct side *s, const char *job_id)
{
    for (size_t i = 0; i < s->disk_count; i++)
        if (str_equal(s->disk[i].job_id, job_id))
            return &s->disk[i];
    return NULL;
}

static void record_failed_mirror(struct disk_copy *d, const char *why)
{
    d->state = MIRROR_FAILED;
    if (!d->error)
        d->error = xstrdup(why);
}

static void on_job_event(struct side *s, const struct qmp_event *e,
                         const struct qmp_job_event *job)
{
    struct disk_copy *d = find_disk(s, job->id);

    if (!d || d->ending || d->state == MIRROR_FAILED)
        return;
    if (job->error) {
        record_failed_mirror(d, job->error);
    } else if (str_equal(e->name, "BLOCK_JOB_READY")) {
        d->state = MIRROR_READY;
    } else if (str_equal(e->name, "BLOCK_JOB_COMPLETED")) {
        d->state = MIRROR_CONCLUDED;
    } else if (str_equal(e->name, "BLOCK_JOB_CANCELLED")) {
        record_failed_mirror(d, "it ended before it was in sync");
    } else if (str_equal(e->name, "BLOCK_JOB_ERROR")) {
        /* on-error=report: BLOCK_JOB_COMPLETED with the reason follows */
        d->write_failed = job->write_failed;
    }
}

static void on_stop(struct side *s, const struct qmp_event *e)
{
    s->running = false;
    s->stopped_us = e->seen_us;
    if (s->halting)
        s->halted = s->halting;
}

static void on_resume(struct side *s, const struct qmp_event *e)
{
    s->running = true;
    s->resumed_us = e->seen_us;
    s->halted = s->halting = NULL;
    str_replace(&s->io_error, NULL);
}

/* STOP follows, unless the guest stands still already: then it wakes up with
 * that request, and QEMU tries it again. */
static void on_io_error(struct side *s, const struct qmp_event *e)
{
    struct qmp_io_error io;

    if (!qmp_event_is_io_error(e, &io) || !io.stops)
        return;
    s->halting = halt_word("io-error");
    if (!s->io_error)
        s->io_error = xasprintf("%s: %s", io.operation ? io.operation : "?",
                                io.reason ? io.reason : "no reason given");
}

static void on_watchdog(struct side *s, const struct qmp_event *e)
{
    if (qmp_event_pauses(e))
        s->halting = halt_word("watchdog");
}

static void on_migration(struct side *s, const struct qmp_event *e)
{
    record_status(s, qmp_event_migration_status(e));
}

static void on_pass(struct side *s, const struct qmp_event *e)
{
    s->pass = qmp_event_pass(e);
    s->sample_due = true;
    s->narrator->tell(s->narrator->arg, &(struct narration){
                                            .kind = NARRATE_PASS,
                                            .side = s->id,
                                            .pass = s->pass,
                                        });
}

/* Also by a `quit` or a signal: what ran here then is nowhere else. */
static void on_guest_ended(struct side *s, const struct qmp_event *e)
{
    s->guest_ended = true;
    s->guest_is_over |= s->running || qmp_event_is_guest_shutdown(e);
}

static void on_panic(struct side *s, const struct qmp_event *e)
{
    if (qmp_event_pauses(e))
        s->halting = halt_word("guest-panicked");
    else if (!qmp_event_panic_goes_on(e))
        s->guest_ended = s->guest_is_over = true;
}

/* The last event of one that has parts is that of itself. */
static void on_unplug(struct side *s, const struct qmp_event *e)
{
    const char *device = qmp_event_device(e);

    free_string(s->unplugged);
    s->unplugged = str_printable(device ? device : "");
}

static const struct {
    const char *name;
    void (*record)(struct side *s, const struct qmp_event *e);
} event_table[] = {
    { "DEVICE_DELETED", on_unplug }, { "STOP", on_stop },
    { "RESUME", on_resume },         { "MIGRATION", on_migration },
    { "MIGRATION_PASS", on_pass },   { "SHUTDOWN", on_guest_ended },
    { "GUEST_PANICKED", on_panic },  { "BLOCK_IO_ERROR", on_io_error },
    { "WATCHDOG", on_watchdog },
};

static void on_event(void *arg, const struct qmp_event *e)
{
    struct side *s = arg;
    struct qmp_job_event job;

    for (size_t i = 0; i < ARRAY_LEN(event_table); i++)
        if (str_equal(event_table[i].name, e->name))
            event_table[i].record(s, e);
    if (qmp_event_is_job(e, &job))
        on_job_event(s, e, &job);
}

static void on_link(void *arg, bool up)
{
    /* the generation tells; nothing to record */
    (void)arg;
    (void)up;
}

static void on_answer(void *arg, const char *command)
{
    struct side *s = arg;

    failpoint_answer(s->name, command);
}

static void on_process_end(void *arg, unsigned ready)
{
    struct side *s = arg;

    (void)ready;
    s->process_dead = true;
    s->running = false;
    loop_watch_set(s->pidfd_watch, 0);
}

/* --- connecting ------------------------------------------------------------ */

int side_connect(struct side *s, const struct plan *p, const char *dir,
                 deadline_t by, struct qm_error *err)
{
    struct qmp_options options = {
        .who = s->name,
        .dir = dir,
        .tls_dir = p->qmp_tls_dir,
        .callbacks = { on_event, on_link, on_answer, s },
    };

    s->qmp = qmp_open(s->loop, &p->peer[s->id], &options, by, err);
    if (!s->qmp)
        return -1;
    side_be_patient(s, LINK_PATIENCE_MS);
    s->seen_generation = qmp_generation(s->qmp);
    return 0;
}

void side_be_patient(struct side *s, int64_t ms)
{
    s->patience_ms = ms;
    qmp_give_up_after(s->qmp, ms);
}

void side_hurry(struct side *s, deadline_t by)
{
    s->hurry_by = by;
    if (s->qmp)
        qmp_hurry(s->qmp, by);
}

int64_t side_trips_ms(const struct side *s, int count)
{
    return s->qmp ? qmp_round_trip_ms(s->qmp) * count : 0;
}

static void watch_process(struct side *s)
{
    s->pidfd = (int)syscall(SYS_pidfd_open, s->process.pid, 0);
    if (s->pidfd >= 0)
        s->pidfd_watch =
            loop_watch_fd(s->loop, s->pidfd, LOOP_READ, on_process_end, s);
}

/*
 * The process at the other end of the socket may be a relay: ssh, socat, a
 * proxy.  Only the one that has QEMU's own threads may be watched, and ended.
 */
static bool is_qemu_itself(struct side *s)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    int thread = qmp_query_cpu_thread(s->qmp, &ignored);

    return thread > 0 && host_process_is_qemu(s->host, s->process.pid, thread);
}

static int identify(struct side *s, const struct qmp_address *a,
                    struct qm_error *err)
{
    int pid = qmp_peer_pid(s->qmp);

    if (!s->host)
        return error_set(err, QM_ERR_SYSTEM,
                         "it is not known how to reach its "
                         "host");
    if (!a->path)
        return host_identify_tcp_listener(s->host, a->port, &s->process, err);
    if (a->type == QMP_ADDRESS_UNIX && pid > 0)
        return host_identify_pid(s->host, pid, &s->process, err);
    return host_identify_listener(s->host, a->path, &s->process, err);
}

void side_identify(struct side *s, const struct qmp_address *a)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (identify(s, a, &err) == 0 && !is_qemu_itself(s))
        error_set(&err, QM_ERR_SYSTEM,
                  "process %d holds the socket but is not that QEMU",
                  s->process.pid);
    if (error_is_set(&err)) {
        s->process = (struct process_identity){ .known = false };
        str_replace(&s->process_problem, err.message);
    } else if (host_is_local(s->host)) {
        watch_process(s);
    }
}

/* --- asking ---------------------------------------------------------------- */

const char *mirror_state_name(enum mirror_state state)
{
    static const char *const names[] = {
        [MIRROR_NONE] = "waiting",  [MIRROR_RUNNING] = "copying",
        [MIRROR_READY] = "ready",   [MIRROR_CONCLUDED] = "done",
        [MIRROR_FAILED] = "failed",
    };

    return names[state];
}

static enum mirror_state mirror_state_of(const struct qmp_job *job)
{
    if (job->error)
        return MIRROR_FAILED;
    if (str_equal(job->status, "concluded") || str_equal(job->status, "null"))
        return MIRROR_CONCLUDED;
    if (str_equal(job->status, "ready") || str_equal(job->status, "standby"))
        return MIRROR_READY;
    return MIRROR_RUNNING;
}

static void record_job(struct disk_copy *d, const struct qmp_job *job)
{
    if (d->ending)
        return;
    if (!job) {
        /* We alone dismiss our jobs: one that vanished is a failure. */
        if (d->mirror_started && d->state != MIRROR_CONCLUDED)
            record_failed_mirror(d, "the job is gone");
        return;
    }
    d->current_bytes = job->current;
    d->total_bytes = job->total;
    d->actively_synced = job->actively_synced;
    d->rests =
        str_equal(job->status, "paused") || str_equal(job->status, "standby");
    if (d->state == MIRROR_FAILED)
        return;
    if (mirror_state_of(job) == MIRROR_FAILED)
        record_failed_mirror(d, job->error);
    else if (mirror_state_of(job) > d->state)
        d->state = mirror_state_of(job);
}

static const struct {
    const char *word, *meaning;
} halts[] = {
    { "io-error", "was stopped by an I/O error of its disk" },
    { "watchdog", "was stopped by its watchdog" },
    { "guest-panicked", "has panicked, and was stopped" },
    { "internal-error", "was stopped by an error inside QEMU" },
};

const char *halt_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(halts); i++)
        if (str_equal(halts[i].word, word))
            return halts[i].word;
    return NULL;
}

const char *halt_in_words(const char *halted)
{
    for (size_t i = 0; i < ARRAY_LEN(halts); i++)
        if (str_equal(halts[i].word, halted))
            return halts[i].meaning;
    return "was stopped by QEMU";
}

int side_refresh_jobs(struct side *s, struct qm_error *err)
{
    struct qmp_jobs jobs = { 0 };

    if (s->disk_count == 0)
        return 0;
    if (qmp_query_jobs(s->qmp, &jobs, err) < 0)
        return -1;
    for (size_t i = 0; i < s->disk_count; i++)
        record_job(&s->disk[i], qmp_jobs_find(&jobs, s->disk[i].job_id));
    qmp_jobs_done(&jobs);
    return 0;
}

int side_refresh_run_state(struct side *s, struct qm_error *err)
{
    return side_finish_run_state(s, qmp_send_query_status(s->qmp), err);
}

int side_finish_run_state(struct side *s, struct qmp_request *r,
                          struct qm_error *err)
{
    struct qmp_run_state run = { 0 };

    if (qmp_finish_query_status(s->qmp, r, &run, err) < 0)
        return -1;
    s->running = run.running;
    str_replace(&s->run_state, run.status);
    if (str_equal(run.status, "shutdown"))
        s->guest_ended = true;
    /* what stopped it is covered by finish-migrate, and by 7.2's postmigrate */
    if (halt_word(run.status))
        s->halted = halt_word(run.status);
    else if (run.running || str_equal(run.status, "paused"))
        s->halted = NULL;
    qmp_run_state_done(&run);
    return 0;
}

void side_record_migration(struct side *s, const struct qmp_migration *q)
{
    record_status(s, q->status);
    str_replace(&s->error_desc, q->error_desc);
    s->listen_port = (unsigned)q->socket_port;
}

int side_refresh(struct side *s, struct qm_error *err)
{
    unsigned generation = qmp_generation(s->qmp);
    struct qmp_migration migration = { 0 };

    if (side_refresh_run_state(s, err) < 0 ||
        qmp_query_migrate(s->qmp, &migration, err) < 0)
        return -1;
    side_record_migration(s, &migration);
    qmp_migration_done(&migration);
    if (s->id == SOURCE && side_refresh_jobs(s, err) < 0)
        return -1;
    s->seen_generation = generation;
    return 0;
}

bool side_is_stale(const struct side *s)
{
    return qmp_is_up(s->qmp) && s->seen_generation != qmp_generation(s->qmp);
}

bool side_is_gone(const struct side *s)
{
    return s->process_dead || qmp_is_gone(s->qmp);
}

bool side_has_ended(const struct side *s)
{
    return s->process_dead ||
           (!s->process.known && s->quit_answered && !qmp_is_up(s->qmp));
}

bool side_needs_cleaning(const struct side *s)
{
    return !side_has_ended(s) && !s->given_up;
}

bool side_check_dead(struct side *s, deadline_t by)
{
    if (!s->process_dead && s->host && s->process.known &&
        host_process_state(s->host, &s->process, by) == PROCESS_DEAD)
        s->process_dead = true;
    return s->process_dead;
}
