/*
 * qmigrate copy: an offline disk from one NBD server to another.
 */
#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run.h"
#include "core/copy.h"

struct run {
    struct show *show;
    bool stop;
};

static void cancel(void *arg)
{
    struct run *run = arg;

    show_note(run->show, run->stop ? "already cancelling" : "cancelling");
    run->stop = true;
}

static enum qm_exit run_copy(const struct options *o, const struct nbd_uri *uri)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    CLEANUP(show_free) struct show *show = show_new(o, SHOW_COPY);
    CLEANUP(copy_result_done) struct copy_result result = { .wall_ms = 0 };
    struct narrator narrator = { .tell = show_narration, .arg = show };
    struct run run = { .show = show };
    struct copy_plan plan = {
        .uri = { uri[SOURCE], uri[DESTINATION] },
        .tls_dir = o->tls_dir ? o->tls_dir : PLAN_TLS_DIR,
        .tls_hostname = o->plan.tls_hostname,
        .insecure = o->plan.insecure,
        .connections = (size_t)o->connections,
    };
    struct loop_signal *interrupt, *terminate;

    interrupt = loop_signal_new(loop, SIGINT, cancel, &run);
    terminate = loop_signal_new(loop, SIGTERM, cancel, &run);
    copy_run(loop, &plan, &run.stop, &narrator, &result);
    loop_signal_free(terminate);
    loop_signal_free(interrupt);
    show_copy_result(show, &result);
    return copy_result_exit(&result);
}

static int refuse(const struct options *o, struct qm_error *err)
{
    CLEANUP(output_free) struct output *out = output_new(STDOUT_FILENO);
    CLEANUP(output_free) struct output *errors = output_new(STDERR_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct copy_result result = { .outcome = OUTCOME_REFUSED, .wall_ms = -1 };

    show_error(errors, err);
    if (o->json) {
        error_move(&result.error, err);
        record_copy_result(&b, &result, clock_wall_us());
        output_buffer(out, &b);
        copy_result_done(&result);
    }
    return QM_EXIT_USAGE;
}

int cmd_copy(int argc, char **argv)
{
    CLEANUP(options_done) struct options options;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct nbd_uri uri[SIDES] = { 0 };
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (options_parse_copy(&options, uri, argc, argv, &err) < 0)
        status = refuse(&options, &err);
    else if (options.help)
        status = command_help(argv[0]);
    else
        status = (int)run_copy(&options, uri);
    nbd_uri_done(&uri[SOURCE]);
    nbd_uri_done(&uri[DESTINATION]);
    return status;
}
