/*
 * The verdicts of preflight: what is, why it matters, what to do.
 */
#include <string.h>

#include "cli/show-parts.h"

enum { TEXT_INDENT = 10, MIN_COLUMNS = 40, MAX_COLUMNS = 100 };

static const struct {
    const char *mark, *color;
} levels[] = {
    [VERDICT_OK] = { "ok", GREEN },
    [VERDICT_WARNING] = { "warning", YELLOW },
    [VERDICT_BLOCKER] = { "BLOCKER", RED },
};

/* How many bytes of TEXT go on a line of ROOM columns: whole words, at least
 * one.  A character is what is not a continuation byte of UTF-8. */
static size_t line_of(const char *text, size_t room)
{
    size_t columns = 0, last_blank = 0, i;

    for (i = 0; text[i]; i++) {
        if (text[i] == ' ') {
            last_blank = i;
        }
        if (((unsigned char)text[i] & 0xc0) != 0x80 && columns++ == room &&
            last_blank > 0) {
            return last_blank;
        }
    }
    if (columns > room && last_blank > 0) {
        return last_blank;
    }
    return i;
}

static size_t room_of(unsigned indent, unsigned columns)
{
    if (columns == 0) {
        return SIZE_MAX;
    }
    if (columns > MAX_COLUMNS) {
        columns = MAX_COLUMNS;
    }
    if (columns < MIN_COLUMNS) {
        columns = MIN_COLUMNS;
    }
    return columns - indent - 1;
}

/* As write_paragraph(), the first line going on where B's stands. */
static void write_hanging(struct buffer *b, unsigned indent, unsigned columns,
                          const char *text)
{
    CLEANUP_FREE char *shown = str_printable(text);
    const char *rest = shown;
    size_t room;

    room = room_of(indent, columns);
    for (;;) {
        size_t len = line_of(rest, room);

        buffer_printf(b, "%.*s\n", (int)len, rest);
        rest += len;
        rest += strspn(rest, " ");
        if (!*rest) {
            return;
        }
        buffer_printf(b, "%*s", (int)indent, "");
    }
}

void write_paragraph(struct buffer *b, unsigned indent, unsigned columns,
                     const char *text)
{
    buffer_printf(b, "%*s", (int)indent, "");
    write_hanging(b, indent, columns, text);
}

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

    buffer_printf(b, "%s%7s%s   ", dress(style, levels[v->level].color),
                  levels[v->level].mark, dress(style, PLAIN));
    write_hanging(b, TEXT_INDENT, style->columns, what);
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
