/*
 * qmigrate recover: finish or undo a migration whose engine died, or all.
 */
#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/metrics.h"
#include "cli/show.h"
#include "core/journal.h"
#include "core/record.h"
#include "core/recover.h"

struct cmd {
    const struct options *options;
    const char *name;
    struct show *show;
    struct metrics *metrics; /* NULL: none are wanted, or they failed */
};

static void ignore_signals(void)
{
    static const int ignored[] = { SIGINT,  SIGTERM, SIGHUP,
                                   SIGTSTP, SIGTTOU, SIGTTIN };

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

/* --- figures ------------------------------------------------------------------ */

/* Not before it is known that no engine is at work, which writes them. */
static void begin_metrics(struct cmd *cmd)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (!cmd->options->metrics)
        return;
    cmd->metrics = metrics_new(cmd->options->metrics, &err);
    if (!cmd->metrics)
        show_warning(cmd->show, &err);
}

static void narrate(void *arg, const struct narration *n)
{
    struct cmd *cmd = arg;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    show_narration(cmd->show, n);
    if (!cmd->metrics)
        return;
    metrics_record(cmd->metrics, n, cmd->name);
    if (metrics_tick(cmd->metrics, &err) < 0)
        show_warning(cmd->show, &err);
}

static void end_metrics(struct cmd *cmd, const struct result *r)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (cmd->metrics && metrics_end(cmd->metrics, r, &err) < 0)
        show_warning(cmd->show, &err);
    metrics_free(cmd->metrics);
}

/* --- one of them -------------------------------------------------------------- */

/* From here on nothing is to be interrupted, though it could be done again. */
static void tell_decision(void *arg, const char *sentence)
{
    struct cmd *cmd = arg;
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct output *out;

    if (!cmd->options->dry_run) {
        ignore_signals();
        begin_metrics(cmd);
    }
    if (!cmd->options->json) {
        show_note(cmd->show, sentence);
        return;
    }
    out = output_new(STDOUT_FILENO);
    record_note(&b, sentence, clock_wall_us());
    output_buffer(out, &b);
    output_free(out);
}

static int refuse(const struct options *o, const struct qm_error *err)
{
    show_refusal(o, err);
    return err->code == QM_ERR_USAGE ? QM_EXIT_USAGE : QM_EXIT_REFUSED;
}

/* Also a program wants to hear that it is over. */
static int say_nothing_is_open(const struct options *o)
{
    CLEANUP(output_free) struct output *out = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct result r;

    result_init(&r);
    r.outcome = OUTCOME_COMPLETED;
    if (o->json)
        record_result(&b, &r, clock_wall_us());
    else
        buffer_printf(&b, "there is nothing to recover\n");
    output_buffer(out, &b);
    result_done(&r);
    return QM_EXIT_DONE;
}

/* The one that there is: 1; 0 if there is none; -1 with ERR. */
static int find_name(struct strv *words, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv open = { 0 };
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (words->count > 0)
        return 1;
    if (journal_list(&open, err) < 0)
        return -1;
    if (open.count == 1)
        strv_add(words, open.item[0]);
    if (open.count <= 1)
        return (int)open.count;
    for (size_t i = 0; i < open.count; i++)
        buffer_printf(&b, " %s", open.item[i]);
    buffer_append(&b, "", 1);
    error_set(err, QM_ERR_USAGE, "which one?  There are%s", b.data);
    return -1;
}

static void recover(const struct options *o, const char *name,
                    struct show *show, struct result *ret)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    struct cmd cmd = { .options = o, .name = name, .show = show };
    struct recover_wish wish = { .name = name,
                                 .dry_run = o->dry_run,
                                 .fence = o->fence };
    struct narrator narrator = { .tell = narrate, .arg = &cmd };

    for (int i = 0; i < SIDES; i++)
        wish.is_down[i] = o->is_down[i];
    recover_run(loop, &wish, &narrator, tell_decision, &cmd, ret);
    end_metrics(&cmd, ret);
}

static int run(const struct options *o, const char *name)
{
    CLEANUP(show_free) struct show *show = show_new(o, SHOW_RECOVER);
    struct result result;
    int code;

    recover(o, name, show, &result);
    show_result(show, &result);
    code = (int)result_exit(&result);
    result_done(&result);
    return code;
}

/* --- all of them -------------------------------------------------------------- */

/* One that another qmigrate works on, the engine that moves it or a recover,
 * is nothing to be recovered. */
static bool is_under_way(const struct result *r)
{
    return r->outcome == OUTCOME_REFUSED && error_is_set(&r->error) &&
           r->error.code == QM_ERR_BUSY;
}

static void say_result(const struct options *o, const char *name,
                       const struct result *r)
{
#define X(name, code, meaning) [QM_EXIT_##name] = (meaning),
    static const char *const places[] = { QM_EXITS(X) };
#undef X
    CLEANUP(output_free) struct output *out = output_new(STDOUT_FILENO);
    CLEANUP(output_free) struct output *err = output_new(STDERR_FILENO);

    if (is_under_way(r)) {
        output_printf(out, "%s: under way\n", name);
        return;
    }
    if (o->dry_run && r->outcome == OUTCOME_COMPLETED) {
        output_printf(out, "%s: nothing was done\n", name);
        return;
    }
    if (error_is_set(&r->error))
        show_error(err, &r->error);
    output_printf(out, "%s: %s\n", name, places[result_exit(r)]);
}

/* As run(), but with a line alone on stdout if people read it. */
static int run_one_of_all(const struct options *o, const char *name)
{
    CLEANUP(show_free) struct show *show = show_new(o, SHOW_RECOVER);
    struct result result;
    int code;

    recover(o, name, show, &result);
    code = is_under_way(&result) ? QM_EXIT_DONE : (int)result_exit(&result);
    if (o->json)
        show_result(show, &result);
    show_free(STEAL(show));
    if (!o->json)
        say_result(o, name, &result);
    result_done(&result);
    return code;
}

static int run_all(const struct options *o, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv open = { 0 };
    enum qm_exit worst = QM_EXIT_DONE;

    if (journal_list(&open, err) < 0)
        return refuse(o, err);
    if (open.count == 0)
        return say_nothing_is_open(o);
    for (size_t i = 0; i < open.count; i++)
        worst = result_worse_exit(
            worst, (enum qm_exit)run_one_of_all(o, open.item[i]));
    return (int)worst;
}

/* What a person has made sure of, or named, is one migration's; and what only
 * looks has no figures. */
static int check_together(const struct options *o, const struct strv *words,
                          struct qm_error *err)
{
    const char *alone = words->count > 0 ? "a name"
                        : o->is_down[SOURCE] || o->is_down[DESTINATION]
                            ? "--i-have-checked"
                        : o->metrics ? "--metrics"
                                     : NULL;

    if (o->all && alone)
        return error_set(err, QM_ERR_USAGE, "--all and %s exclude each other",
                         alone);
    if (o->dry_run && o->metrics)
        return error_set(err, QM_ERR_USAGE,
                         "--metrics is for a recovery, not for --dry-run");
    return 0;
}

int cmd_recover(int argc, char **argv)
{
    CLEANUP(options_done) struct options o;
    CLEANUP(strv_done) struct strv words = { 0 };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    int found;

    signal(SIGPIPE, SIG_IGN);
    if (options_parse_control(&o, &words, 0, 1, argc, argv, &err) < 0 ||
        check_together(&o, &words, &err) < 0)
        return refuse(&o, &err);
    if (o.help)
        return command_help(argv[0]);
    if (o.all)
        return run_all(&o, &err);
    found = find_name(&words, &err);
    if (found < 0)
        return refuse(&o, &err);
    return found == 0 ? say_nothing_is_open(&o) : run(&o, words.item[0]);
}
