/*
 * A run of `migrate` or `check`.
 *
 * Signals: the first SIGINT or SIGTERM cancels, another one changes nothing.
 * SIGHUP and a terminal that goes away do not matter, and neither Ctrl-Z nor a
 * write from the background may stop the engine: a guest could be between two
 * hosts just then.  A supervisor hands on what is sent to it (supervise.c).
 */
#include "cli/run.h"

#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/detach.h"
#include "cli/metrics.h"
#include "cli/show-parts.h"
#include "cli/supervise.h"
#include "core/migration.h"

enum { TICK_MS = 500 };

struct run {
    struct show *show;
    struct migration *migration;
    struct loop_timer *tick;
    struct metrics *metrics; /* NULL: none are wanted */
    int detach_fd;           /* -1: stays in the foreground, or left it */
    int supervisor_fd;       /* -1: there is none */
    bool named;              /* the supervisor knows the journal */
    bool cancelled;
};

static void cancel(void *arg)
{
    struct run *run = arg;

    if (run->cancelled) {
        show_note(run->show, "already cancelling: what was done is being "
                             "undone, which must not be interrupted");
        return;
    }
    run->cancelled = true;
    show_note(run->show, "cancelling");
    migration_cancel(run->migration);
}

/* Preflight ends with a narration, and only then a journal is made. */
static void tell_supervisor(struct run *run)
{
    const char *name = migration_name(run->migration);

    if (run->named || !name)
        return;
    supervise_name(run->supervisor_fd, name, migration_id(run->migration));
    run->named = true;
}

static void narrate(void *arg, const struct narration *n)
{
    struct run *run = arg;
    const char *name = migration_under_way(run->migration);

    show_narration(run->show, n);
    tell_supervisor(run);
    if (run->metrics)
        metrics_record(run->metrics, n, name);
    if (run->detach_fd >= 0 && name) {
        show_leave(run->show);
        supervise_leave(run->supervisor_fd);
        detach_finish(run->detach_fd, name);
        run->detach_fd = -1;
    }
}

static void tick(void *arg)
{
    struct run *run = arg;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    show_tick(run->show);
    if (run->metrics && metrics_tick(run->metrics, &err) < 0)
        show_warning(run->show, &err);
    loop_timer_start(run->tick, TICK_MS);
}

static void ignore_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN };

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
}

static void end(struct run *run, const struct result *r)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (run->metrics && metrics_end(run->metrics, r, &err) < 0)
        show_warning(run->show, &err);
    show_result(run->show, r);
}

/* What leads to the processes that wait for this one; -1: there is none. */
struct waiting {
    int detach_fd, supervisor_fd;
};

static int run_plan(const struct options *options, enum show_what what,
                    struct metrics *metrics, const struct waiting *waiting)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    CLEANUP(show_free) struct show *show = show_new(options, what);
    struct run run = { .show = show,
                       .metrics = metrics,
                       .detach_fd = waiting->detach_fd,
                       .supervisor_fd = waiting->supervisor_fd };
    struct narrator narrator = { .tell = narrate, .arg = &run };
    struct loop_signal *interrupt, *terminate;
    struct result result;
    int status;

    ignore_signals();
    run.migration = migration_new(loop, &options->plan, &narrator);
    run.tick = loop_timer_new(loop, tick, &run);
    interrupt = loop_signal_new(loop, SIGINT, cancel, &run);
    terminate = loop_signal_new(loop, SIGTERM, cancel, &run);
    loop_timer_start(run.tick, TICK_MS);

    if (what == SHOW_CHECK || options->dry_run) {
        migration_check(run.migration, options->dry_run, &result);
    } else {
        migration_run(run.migration, &result);
    }
    end(&run, &result);
    status = (int)result_exit(&result);

    result_done(&result);
    migration_free(run.migration);
    loop_timer_free(run.tick);
    loop_signal_free(terminate);
    loop_signal_free(interrupt);
    close_fd(run.detach_fd);
    close_fd(run.supervisor_fd);
    return status;
}

static int check_together(const struct options *o, enum show_what what,
                          struct qm_error *err)
{
    const char *option = o->detach          ? "--detach"
                         : o->metrics       ? "--metrics"
                         : o->no_supervisor ? "--no-supervisor"
                                            : NULL;

    if (!option || (what == SHOW_MIGRATION && !o->dry_run)) {
        return 0;
    }
    return error_set(err, QM_ERR_USAGE, "%s is for a migration, not for %s",
                     option, o->dry_run ? "--dry-run" : "check");
}

/*
 * The processes that are to wait are left behind, each with the next one as
 * its child: 1 in the last one.  0 in the others, once all is over, with the
 * exit code.  -1: SYSTEM.
 */
static int fork_off(const struct options *o, enum show_what what,
                    struct waiting *ret, int *ret_exit, struct qm_error *err)
{
    int child = 1;

    if (o->detach)
        child = detach_begin(o->json, &ret->detach_fd, ret_exit, err);
    if (child <= 0 || what != SHOW_MIGRATION || o->dry_run || o->no_supervisor)
        return child;
    ignore_signals();
    return supervise_begin(o->json, o->metrics, ret->detach_fd,
                           &ret->supervisor_fd, ret_exit, err);
}

/* The file is tried before anything is touched, and by who will write it. */
static int run_options(const struct options *o, enum show_what what)
{
    CLEANUP(metrics_free) struct metrics *metrics = NULL;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct waiting waiting = { -1, -1 };
    int status = 0;

    if (fork_off(o, what, &waiting, &status, &err) == 0) {
        return status;
    }
    if (!error_is_set(&err) && o->metrics) {
        metrics = metrics_new(o->metrics, &err);
    }
    if (error_is_set(&err)) {
        show_refusal(o, &err);
        close_fd(waiting.detach_fd);
        close_fd(waiting.supervisor_fd);
        return QM_EXIT_REFUSED;
    }
    return run_plan(o, what, metrics, &waiting);
}

int run_command(int argc, char **argv, enum show_what what)
{
    CLEANUP(options_done) struct options options;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    signal(SIGPIPE, SIG_IGN);
    if (options_parse(&options, argc, argv, &err) < 0 ||
        (!options.help && check_together(&options, what, &err) < 0)) {
        show_refusal(&options, &err);
        return QM_EXIT_USAGE;
    }
    if (options.help) {
        return command_help(argv[0]);
    }
    return run_options(&options, what);
}
