/*
 * A migration that another process runs.
 */
#include "cli/remote.h"

#include <signal.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cli/supervise.h"
#include "core/journal.h"
#include "qmp/json.h"

enum { INDENT = 4 };

int remote_begin(struct remote *r, size_t min, size_t max, int argc,
                 char **argv, int *ret_exit)
{
    *r = (struct remote){ .loop = NULL };
    signal(SIGPIPE, SIG_IGN);
    if (options_parse_control(&r->options, &r->words, min, max, argc, argv,
                              &r->err) < 0) {
        *ret_exit = remote_refuse(r);
        return -1;
    }
    if (r->options.help) {
        *ret_exit = command_help(argv[0]);
        return -1;
    }
    r->loop = loop_new();
    return 0;
}

/* Not those of engines that were killed. */
static void list_running(struct remote *r, struct strv *ret)
{
    CLEANUP(strv_done) struct strv all = { 0 };

    if (control_names(&all, NULL) < 0)
        return;
    for (size_t i = 0; i < all.count; i++) {
        CLEANUP(control_link_free)
        struct control_link *l = control_link_open(
            r->loop, all.item[i], deadline_in_ms(REMOTE_GREETING_MS), NULL);

        if (l)
            strv_add(ret, all.item[i]);
    }
}

/* Who mistypes a name wants to see those that there are. */
static void name_the_others(struct remote *r)
{
    CLEANUP(strv_done) struct strv open = { 0 };
    CLEANUP(strv_done) struct strv names = { 0 };
    CLEANUP_FREE char *list = NULL;

    if (journal_list(&open, NULL) == 0 &&
        strv_contains(&open, r->words.item[0])) {
        error_hint(&r->err,
                   supervise_is_marked(r->words.item[0])
                       ? "it is being recovered by its supervisor, which will "
                         "try again"
                       : "it did not finish: `qmigrate recover %s`",
                   r->words.item[0]);
        return;
    }
    list_running(r, &names);
    if (names.count == 0) {
        error_hint(&r->err, "no migration is under way on this machine");
        return;
    }
    list = strv_join_words(&names);
    error_hint(&r->err, "there %s: %s",
               names.count == 1 ? "is one" : "are these", list);
}

int remote_connect(struct remote *r)
{
    r->link = control_link_open(r->loop, r->words.item[0],
                                deadline_in_ms(REMOTE_GREETING_MS), &r->err);
    if (r->link)
        return 0;
    if (r->err.code == QM_ERR_CONNECT)
        name_the_others(r);
    return -1;
}

int remote_ask(struct remote *r, const char *command, struct json_object *args,
               int64_t limit_ms, struct json_object **ret)
{
    if (control_link_ask(r->link, command, args, deadline_in_ms(limit_ms), ret,
                         &r->err) == 0)
        return 0;
    return error_wrap(&r->err, "%s", r->words.item[0]);
}

int remote_refuse(struct remote *r)
{
    CLEANUP(output_free) struct output *o = output_new(STDERR_FILENO);

    show_error(o, &r->err);
    return r->err.code == QM_ERR_USAGE ? QM_EXIT_USAGE : QM_EXIT_REFUSED;
}

void remote_say(const char *format, ...)
{
    CLEANUP(output_free) struct output *o = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    buffer_printf(&b, "%s\n", text);
    show_text(o, INDENT, &b);
}

void remote_done(struct remote *r)
{
    control_link_free(r->link);
    loop_free(r->loop);
    strv_done(&r->words);
    options_done(&r->options);
    error_clear(&r->err);
}
