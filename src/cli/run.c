/*
 * A run of `migrate` or `check`.
 *
 * Signals: the first SIGINT or SIGTERM cancels, another one changes nothing.
 * SIGHUP and a terminal that goes away do not matter, and neither Ctrl-Z nor a
 * write from the background may stop the engine: a guest could be between two
 * hosts just then.
 */
#include "cli/run.h"

#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/show-parts.h"
#include "core/migration.h"
#include "core/record.h"

enum { TICK_MS = 500 };

struct run {
    struct show *show;
    struct migration *migration;
    struct loop_timer *tick;
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

static void tick(void *arg)
{
    struct run *run = arg;

    show_tick(run->show);
    loop_timer_start(run->tick, TICK_MS);
}

static void ignore_signals(void)
{
    static const int ignored[] = { SIGHUP, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN };

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
}

int run_plan(const struct options *options, enum show_what what)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    CLEANUP(show_free) struct show *show = show_new(options, what);
    struct narrator narrator = { .tell = show_narration, .arg = show };
    struct run run = { .show = show };
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
    show_result(show, &result);
    status = (int)result_exit(&result);

    result_done(&result);
    migration_free(run.migration);
    loop_timer_free(run.tick);
    loop_signal_free(terminate);
    loop_signal_free(interrupt);
    return status;
}

/* Programs that read --json get a RESULT for a wrong command line too. */
static void tell_usage(const struct options *o, const struct qm_error *err)
{
    CLEANUP(output_free) struct output *stderr_ = output_new(STDERR_FILENO);
    CLEANUP(output_free) struct output *stdout_ = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct result r;

    show_error(stderr_, err);
    if (!o->json) {
        return;
    }
    result_init(&r);
    error_set(&r.error, err->code, "%s", err->message);
    if (err->hint) {
        error_hint(&r.error, "%s", err->hint);
    }
    record_result(&b, &r, clock_wall_us());
    output_buffer(stdout_, &b);
    result_done(&r);
}

int run_command(int argc, char **argv, enum show_what what)
{
    CLEANUP(options_done) struct options options;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    signal(SIGPIPE, SIG_IGN);
    if (options_parse(&options, argc, argv, &err) < 0) {
        tell_usage(&options, &err);
        return QM_EXIT_USAGE;
    }
    if (options.help) {
        return command_help(argv[0]);
    }
    return run_plan(&options, what);
}
