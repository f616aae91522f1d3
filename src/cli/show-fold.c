/*
 * Lines that are wider than the terminal, folded between words: what follows
 * stands below the text, not below its label.
 *
 *       security      RAM: TLS, CN=hosta to CN=hostb, which accepts no other;
 *                     both QEMUs say so
 *
 * A word that is wider than a line, a path mostly, stays whole, so that it can
 * be copied. The last column stays free: in it some terminals wrap already.
 */
#include <string.h>

#include "cli/show-parts.h"

enum { MIN_COLUMNS = 40 };

/* How many bytes a colour takes at TEXT, and no columns; 0 for other text. */
static size_t dress_at(const char *text)
{
    return *text == '\033' ? strcspn(text, "m") + 1 : 0;
}

/* Not so the continuation bytes of UTF-8. */
static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* How many bytes of TEXT go on a line of ROOM columns: whole words, at least
 * one behind the first LEAST columns, which are a label or an indent. */
static size_t line_of(const char *text, size_t least, size_t room)
{
    size_t columns = 0, blank = 0, i = 0;

    while (text[i] && text[i] != '\n') {
        size_t dress = dress_at(text + i);

        if (dress > 0) {
            i += dress;
            continue;
        }
        if (text[i] == ' ' && columns > least && text[i - 1] != ' ')
            blank = i;
        if (begins_character(text[i]) && columns++ >= room && blank > 0)
            return blank;
        i++;
    }
    return i;
}

void fold_text(struct buffer *b, const char *text, unsigned indent,
               unsigned columns)
{
    size_t whole = SIZE_MAX, rest = SIZE_MAX;
    bool begins = true;

    if (columns > 0) {
        whole = (columns < MIN_COLUMNS ? MIN_COLUMNS : columns) - 1;
        rest = whole - indent;
    }
    while (*text) {
        size_t len = line_of(text, begins ? indent : 0, begins ? whole : rest);

        buffer_append(b, text, len);
        text += len;
        begins = *text == '\n';
        if (begins) {
            buffer_append(b, text++, 1);
            continue;
        }
        text += strspn(text, " ");
        if (*text && *text != '\n')
            buffer_printf(b, "\n%*s", (int)indent, "");
    }
}

void write_paragraph(struct buffer *b, unsigned indent, unsigned columns,
                     const char *text)
{
    CLEANUP_FREE char *shown = str_printable(text);
    CLEANUP_FREE char *line = xasprintf("%*s%s\n", (int)indent, "", shown);

    fold_text(b, line, indent, columns);
}
