/*
 * What is done with any table of options: parsing, and the help.
 *
 * Names are taken whole: an abbreviation that works today is another option's
 * tomorrow, and "--in" should not mean --insecure.  An option that is given
 * twice is refused, since one of the two would be silently ignored.
 */
#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#include "cli/options-values.h"

/* --- the nearest name ------------------------------------------------------- */

enum { WORD_MAX = 40, FAR = WORD_MAX };

/* How many letters to change, add or drop to make one of the other. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t len = strlen(word), best = FAR;

    for (; *names; names++) {
        size_t distance = edit_distance(word, *names);

        /* what was cut short is near, whatever is missing */
        if (len >= 2 && str_starts(*names, word)) {
            distance = 1;
        }
        if (distance < best) {
            best = distance;
            nearest = *names;
        }
    }
    return best <= 1 + len / 4 ? nearest : NULL;
}

/* --- parsing ---------------------------------------------------------------- */

static int arguments_of(const struct option_row *row)
{
    return !row->value            ? no_argument
           : row->value[0] == '[' ? optional_argument
                                  : required_argument;
}

enum { ROWS_MAX = 64 };

static void make_long_options(const struct option_table *t,
                              struct option *longs)
{
    size_t n = 0;

    assert(t->count < ROWS_MAX);
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name) {
            longs[n++] = (struct option){
                .name = t->rows[i].name,
                .has_arg = arguments_of(&t->rows[i]),
                .val = FIRST_ROW + (int)i,
            };
        }
    }
    longs[n] = (struct option){ .name = NULL };
}

static int refuse_unknown(const struct option_table *t, const char *given,
                          struct qm_error *err)
{
    const char *names[ROWS_MAX] = { NULL };
    CLEANUP_FREE char *shown = str_printable(given);
    CLEANUP_FREE char *word = NULL;
    const char *near;
    size_t n = 0;

    shown[strcspn(shown, "=")] = '\0';
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name) {
            names[n++] = t->rows[i].name;
        }
    }
    word = xstrdup(shown + strspn(shown, "-"));
    near = nearest_name(word, names);
    error_set(err, QM_ERR_USAGE, "there is no option %s", shown);
    if (near) {
        error_hint(err, "did you mean --%s?", near);
    } else {
        error_hint(err, "qmigrate %s --help lists them", t->command);
    }
    return -1;
}

/* Was the option GIVEN written out in full? */
static bool is_whole(const char *given, const char *name)
{
    size_t len = strlen(name);

    return str_starts(given, "--") && strncmp(given + 2, name, len) == 0 &&
           (given[2 + len] == '\0' || given[2 + len] == '=');
}

static const struct option_row *row_named(const struct option_table *t,
                                          const char *given)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name && is_whole(given, t->rows[i].name)) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static int take_option(struct options *o, const struct option_table *t,
                       int code, const char *given, bool *seen,
                       struct qm_error *err)
{
    const struct option_row *row = row_named(t, given);

    if (code == ':' && row) {
        return error_set(err, QM_ERR_USAGE, "--%s needs a value: --%s %s",
                         row->name, row->name, row->value);
    }
    if (code == '?' && row) {
        return error_set(err, QM_ERR_USAGE, "--%s takes no value", row->name);
    }
    if (code < FIRST_ROW || !row) {
        return refuse_unknown(t, given, err);
    }
    if (seen[row - t->rows]) {
        return error_set(err, QM_ERR_USAGE, "--%s was given twice", row->name);
    }
    seen[row - t->rows] = true;
    return row->parse(o, row, optarg, err);
}

int options_need_sides(const struct option_table *t, const struct strv *words,
                       struct qm_error *err)
{
    if (words->count == SIDES) {
        return 0;
    }
    error_set(err, QM_ERR_USAGE,
              words->count < SIDES ? "SOURCE and DESTINATION are needed"
                                   : "there is more than SOURCE and "
                                     "DESTINATION");
    error_hint(err, "qmigrate %s [options] %s", t->command, t->words);
    return -1;
}

int options_take(struct options *o, const struct option_table *t, int argc,
                 char **argv, struct strv *words, struct qm_error *err)
{
    struct option longs[ROWS_MAX];
    bool seen[ROWS_MAX] = { false };

    make_long_options(t, longs);
    optind = 0; /* begin anew */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int code = getopt_long(argc, argv, "-:h", longs, NULL);

        if (code == -1) {
            break;
        }
        if (code == 1) {
            strv_add(words, optarg);
        } else if (code == 'h') {
            o->help = true;
        } else if (take_option(o, t, code, argv[at], seen, err) < 0) {
            return -1;
        }
    }
    for (int i = optind; i < argc; i++) {
        strv_add(words, argv[i]);
    }
    return 0;
}

/* --- help ------------------------------------------------------------------- */

enum { HELP_INDENT = 27, HELP_COLUMNS = 79 };

/* TEXT in lines, the first one beginning at COLUMN. */
static void write_wrapped(struct buffer *b, size_t column, const char *text)
{
    while (*text) {
        size_t room = HELP_COLUMNS - HELP_INDENT, len = strlen(text);

        if (len > room) {
            for (len = room; len > 0 && text[len] != ' '; len--) {
                continue;
            }
        }
        buffer_printf(b, "%*s%.*s\n", (int)(HELP_INDENT - column), "", (int)len,
                      text);
        text += len + strspn(text + len, " ");
        column = 0;
    }
}

void option_table_help(struct buffer *b, const struct option_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        CLEANUP_FREE char *help = NULL;
        size_t start = b->len;

        if (!row->name) {
            buffer_printf(b, "\n%s\n", row->help);
            continue;
        }
        buffer_printf(b, "  --%s%s%s", row->name,
                      arguments_of(row) == required_argument ? " " : "",
                      row->value ? row->value : "");
        if (b->len - start >= HELP_INDENT) {
            buffer_printf(b, "\n");
            start = b->len;
        }
        help = row->standard
                   ? xasprintf("%s (default: %s)", row->help, row->standard)
                   : xstrdup(row->help);
        write_wrapped(b, b->len - start, help);
    }
}
