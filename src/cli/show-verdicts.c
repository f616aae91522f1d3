/*
 * The verdicts of preflight: what is, why it matters, what to do.
 */
#include <string.h>

#include "cli/show-parts.h"

enum { TEXT_INDENT = 10 };

static const struct {
    const char *mark, *color;
} levels[] = {
    [VERDICT_OK] = { "ok", GREEN },
    [VERDICT_WARNING] = { "warning", YELLOW },
    [VERDICT_BLOCKER] = { "BLOCKER", RED },
};

/* What it says, and about whom unless it says that itself. */
static char *with_side(const struct verdict *v)
{
    static const char *const sides[] = {
        [ABOUT_SOURCE] = "source",
        [ABOUT_DESTINATION] = "destination",
        [ABOUT_BOTH] = "",
    };

    if (strstr(v->what, sides[v->side])) { /* "" is in every text */
        return xstrdup(v->what);
    }
    return xasprintf("%s: %s", sides[v->side], v->what);
}

static void write_verdict(struct buffer *b, const struct verdict *v,
                          const struct style *style)
{
    CLEANUP_FREE char *what = with_side(v);
    CLEANUP_FREE char *shown = str_printable(what);
    CLEANUP_FREE char *line =
        xasprintf("%s%7s%s   %s\n", dress(style, levels[v->level].color),
                  levels[v->level].mark, dress(style, PLAIN), shown);

    fold_text(b, line, TEXT_INDENT, style->columns);
    if (v->level != VERDICT_OK && v->why) {
        write_paragraph(b, TEXT_INDENT, style->columns, v->why);
    }
    if (v->level != VERDICT_OK && v->fix) {
        CLEANUP_FREE char *fix = xasprintf("-> %s", v->fix);

        write_paragraph(b, TEXT_INDENT, style->columns, fix);
    }
}

static void write_counts(struct buffer *b, const struct verdicts *v)
{
    size_t warnings = verdicts_count(v, VERDICT_WARNING);
    size_t blockers = verdicts_count(v, VERDICT_BLOCKER);

    buffer_printf(b, "\n%zu ok, %zu warning%s, %zu blocker%s\n",
                  verdicts_count(v, VERDICT_OK), warnings,
                  warnings == 1 ? "" : "s", blockers, blockers == 1 ? "" : "s");
}

void verdicts_in_words(struct buffer *b, const struct verdicts *v, bool all,
                       const struct style *style)
{
    for (size_t i = 0; i < v->count; i++) {
        if (all || v->item[i].level != VERDICT_OK) {
            write_verdict(b, &v->item[i], style);
        }
    }
    if (all) {
        write_counts(b, v);
    }
}
