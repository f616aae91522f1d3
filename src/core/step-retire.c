/*
 * After the guest has arrived: take away what was ours, end the source; and
 * how a QEMU is ended for good.
 *
 * Nothing here can fail the migration: the guest is where it should be.  What
 * does not succeed is said as something left to clean up.
 */
#include "core/migration-private.h"

#define QUIT_ATTEMPTS 3
#define QUIT_LIMIT_MS 10000
/* The kernel needs about a second for 4 GiB of small pages. */
#define END_LIMIT_MS 60000
#define LOOK_INTERVAL_MS 200

/* --- ending a process -------------------------------------------------------- */

static bool source_has_ended(struct migration *m)
{
    return side_has_ended(source_of(m));
}

static bool destination_has_ended(struct migration *m)
{
    return side_has_ended(destination_of(m));
}

/* A remote process has no pidfd here: it is looked at. */
static int look(struct side *s)
{
    if (!s->process_dead && s->pidfd < 0 && !qmp_is_up(s->qmp))
        side_check_dead(s, deadline_in_ms(QUIT_LIMIT_MS));
    return 0;
}

static int look_at_source(struct migration *m, struct qm_error *err)
{
    (void)err;
    return look(source_of(m));
}

static int look_at_destination(struct migration *m, struct qm_error *err)
{
    (void)err;
    return look(destination_of(m));
}

static struct wait wait_for_end_of(const struct side *s)
{
    bool source = s->id == SOURCE;

    return (struct wait){
        .what =
            source ? "the source QEMU to end" : "the destination QEMU to end",
        .holds = source ? source_has_ended : destination_has_ended,
        .limit_ms = source ? END_LIMIT_MS : QUIT_LIMIT_MS,
        .ask = source ? look_at_source : look_at_destination,
        .interval_ms = LOOK_INTERVAL_MS,
    };
}

/* Looked at only without a link: that is a trip to the host. */
static bool is_dead_if_down(struct side *s)
{
    return s->process_dead ||
           (!qmp_is_up(s->qmp) &&
            side_check_dead(s, deadline_in_ms(QUIT_LIMIT_MS)));
}

static bool dead_or_up(void *arg)
{
    struct side *s = arg;

    return s->process_dead || qmp_is_up(s->qmp);
}

/* Say `quit` until it is answered, or the process is dead: a QEMU that ends
 * may take its answer along, and a link that broke may have lost the command.
 * 1: dead; 0: answered. */
static int say_quit(struct side *s, struct qm_error *err)
{
    for (int i = 0; i < QUIT_ATTEMPTS; i++) {
        if (is_dead_if_down(s))
            return 1;
        loop_wait(s->loop, dead_or_up, s, deadline_in_ms(QUIT_LIMIT_MS));
        if (is_dead_if_down(s))
            return 1;
        error_clear(err);
        if (qmp_quit(s->qmp, err) == 0)
            return 0;
        if (err->code != QM_ERR_LINK)
            return -1;
    }
    return -1;
}

/* `quit`, and wait.  What could not be told to quit is not waited for. */
static int quit(struct migration *m, struct side *s, struct qm_error *err)
{
    struct wait wait = wait_for_end_of(s);
    struct qm_error failed = QM_ERROR_INIT;
    int said = say_quit(s, &failed);

    if (said < 0)
        return error_move(err, &failed);
    error_clear(&failed);
    if (said == 1)
        return 0;
    s->quit_answered = true;
    return migration_wait(m, &wait, err);
}

int destination_discard(struct migration *m, struct qm_error *err)
{
    struct side *d = destination_of(m);
    struct qm_error ignored = QM_ERROR_INIT;
    bool yanked;

    if (side_has_ended(d) || (d->qmp && quit(m, d, &ignored) == 0))
        return 0;
    error_clear(&ignored);
    yanked = d->qmp && qmp_yank_migration(d->qmp, &ignored) == 0;
    error_clear(&ignored);
    /* One that answers nothing at all is killed where that is possible. */
    if (!d->qmp)
        error_set(&ignored, QM_ERR_LINK, "it cannot be reached");
    else if ((yanked || !d->process.known) && quit(m, d, &ignored) == 0)
        return 0;
    if (!d->process.known || !d->host)
        return error_move(err, &ignored);
    error_clear(&ignored);
    if (host_kill_process(d->host, &d->process, deadline_in_ms(END_LIMIT_MS),
                          err) < 0)
        return -1;
    d->process_dead = true;
    return 0;
}

/* --- the survivor ------------------------------------------------------------ */

static void clean_survivor(struct migration *m, enum side_id side)
{
    /* tls-creds before the object that it names */
    restore_settings(m, side);
    remove_credentials(m, side);
}

static void read_final_figures(struct migration *m)
{
    struct qm_error ignored = QM_ERROR_INIT;

    if (!source_of(m)->qmp)
        return;
    qmp_query_migrate(source_of(m)->qmp, &m->final, &ignored);
    error_clear(&ignored);
    if (m->disk_count > 0)
        side_refresh_jobs(source_of(m), &ignored);
    error_clear(&ignored);
}

static void end_source(struct migration *m)
{
    struct qm_error err = QM_ERROR_INIT;
    struct side *s = source_of(m);

    if (quit(m, s, &err) < 0)
        migration_left(m,
                       "the source QEMU, stopped for good: %s; end it with "
                       "`quit`, never `cont`",
                       err.message);
    error_clear(&err);
}

/* Only recover comes so far without it. */
static void leave_unreached(struct migration *m)
{
    struct side *s = source_of(m);

    if (s->process_dead)
        return;
    s->given_up = true;
    migration_left(m, "the source QEMU, stopped for good, which cannot be "
                      "reached; end it with `quit`, never `cont`");
}

/* The guest that was started there may be dead already.  What the source still
 * has is then all that is left of it: it is neither started, since its disks
 * and memory are of the past, nor ended. */
static int check_survivor(struct migration *m, struct qm_error *err)
{
    struct side *d = destination_of(m);

    /* Here that costs nothing, and a link may be up for a moment longer. */
    if ((qmp_is_up(d->qmp) && d->pidfd < 0) ||
        !side_check_dead(d, deadline_in_ms(QUIT_LIMIT_MS)))
        return 0;
    error_set(err, QM_ERR_GUEST,
              "the destination QEMU (pid %d) has ended, after the guest was "
              "started there",
              d->process.pid);
    return -1;
}

int step_retire(struct migration *m, struct qm_error *err)
{
    read_final_figures(m);
    clean_survivor(m, DESTINATION);
    if (check_survivor(m, err) < 0)
        return -1;
    if (!source_of(m)->qmp) {
        leave_unreached(m);
    } else if (m->plan->keep_source) {
        undo_mirror(m);
        clean_survivor(m, SOURCE);
    } else {
        end_source(m);
    }
    return 0;
}
