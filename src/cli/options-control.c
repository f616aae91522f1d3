/*
 * The options of the commands that speak with a migration that runs.
 */
#include "cli/options-values.h"

#include <assert.h>

#define JSON                                                                   \
    {                                                                          \
        "json", NULL, parse_flag, offsetof(struct options, json),              \
            "one JSON object a line on stdout, and nothing else there", NULL   \
    }
#define HELP                                                                   \
    {                                                                          \
        "help", NULL, parse_flag, offsetof(struct options, help), "this text", \
            NULL                                                               \
    }

static const struct option_row json_rows[] = {
    { .help = "Options" },
    JSON,
    HELP,
};

static const struct option_row status_rows[] = {
    { .help = "Options" },
    { "all", NULL, parse_flag, offsetof(struct options, all),
      "those that have ended, too", NULL },
    JSON,
    HELP,
};

static const struct option_row help_rows[] = {
    { .help = "Options" },
    HELP,
};

static const struct option_row complete_rows[] = {
    { .help = "Options" },
    { "mode", "MODE", parse_mode, 0,
      "pause: stop the guest until its RAM is across; postcopy: let it run "
      "at the destination before that",
      "pause" },
    HELP,
};

static const struct option_row recover_rows[] = {
    { .help = "Options" },
    { "all", NULL, parse_flag, offsetof(struct options, all),
      "every migration of this machine that died", NULL },
    { "dry-run", NULL, parse_flag, offsetof(struct options, dry_run),
      "say what would be done, and why", NULL },
    { "fence", "COMMAND", parse_string, offsetof(struct options, fence),
      "for sh: succeeds once the host of the side $1, at the address $2, is "
      "certainly off",
      NULL },
    { "i-have-checked", "WHAT", parse_checked, 0,
      "source-is-down or destination-is-down: a person has made sure", NULL },
    { "metrics", "FILE", parse_string, offsetof(struct options, metrics),
      "go on with the figures for Prometheus that the engine kept", NULL },
    JSON,
    HELP,
};

#define ROWS(r) .rows = (r), .count = ARRAY_LEN(r)

static const struct option_table tables[] = {
    { .command = "status",
      .words = "NAME, or nothing for all of this machine",
      ROWS(status_rows) },
    { .command = "watch", .words = "NAME", ROWS(json_rows) },
    { .command = "cancel", .words = "NAME", ROWS(help_rows) },
    { .command = "complete", .words = "NAME", ROWS(complete_rows) },
    { .command = "set", .words = "NAME key=value...", ROWS(help_rows) },
    { .command = "recover",
      .words = "NAME, or nothing if there is but one, or --all",
      ROWS(recover_rows) },
    { .command = NULL },
};

const struct option_table *control_options_of(const char *command)
{
    const struct option_table *t = tables;

    while (t->command && !str_equal(t->command, command))
        t++;
    return t->command ? t : NULL;
}

/* A name is looked at here, so that it never becomes a path by itself. */
static int check_words(const struct option_table *t, const struct strv *words,
                       size_t min, size_t max, struct qm_error *err)
{
    CLEANUP_FREE char *shown = NULL;

    if (words->count < min || words->count > max) {
        error_set(err, QM_ERR_USAGE, "qmigrate %s takes %s", t->command,
                  t->words);
        error_hint(err, "`qmigrate status` lists the migrations under way");
        return -1;
    }
    if (words->count == 0 || plan_name_is_valid(words->item[0]))
        return 0;
    shown = str_printable(words->item[0]);
    return error_set(err, QM_ERR_USAGE,
                     "'%s' is not a valid name of a migration", shown);
}

int options_parse_control(struct options *ret, struct strv *ret_words,
                          size_t min, size_t max, int argc, char **argv,
                          struct qm_error *err)
{
    const struct option_table *t = control_options_of(argv[0]);

    *ret = (struct options){ .mode = "pause" };
    assert(t);
    plan_init(&ret->plan);
    if (options_take(ret, t, argc, argv, ret_words, err) < 0)
        return -1;
    return ret->help ? 0 : check_words(t, ret_words, min, max, err);
}
