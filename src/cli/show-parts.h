/*
 * The ways of showing: pure functions from what is known to text.
 */
#ifndef QM_CLI_SHOW_PARTS_H
#define QM_CLI_SHOW_PARTS_H

#include "cli/show.h"
#include "core/journal-past.h"

#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define GREEN "\033[32m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

/* CODE if STYLE has colours, else "". */
static inline const char *dress(const struct style *style, const char *code)
{
    return style->color ? code : "";
}

/* --- show-lines.c: where nothing can be redrawn ---------------------------- */

/* "[   5.0 s] converge: begins"; nothing for what needs no line. */
void lines_narration(struct buffer *b, int64_t elapsed_ms, bool insecure,
                     const struct narration *n);
/* LAST if it is of STEP, else *BARE, which says the step alone. */
const struct progress *progress_of_step(const struct progress *last,
                                        const char *step,
                                        struct progress *bare);
/* INSECURE: say so, as the migration goes on. */
void lines_progress(struct buffer *b, int64_t elapsed_ms, bool insecure,
                    const struct progress *p);
void lines_sentence(struct buffer *b, int64_t elapsed_ms, const char *sentence);
/* The figures of P that are known, without the step: "RAM 52 %, ..." */
void progress_in_words(struct buffer *b, const struct progress *p);
/* "bandwidth 8.0 MiB/s, ..." */
void limits_in_words(struct buffer *b, const struct limits *l);

/* --- show-bar.c: two lines that are redrawn --------------------------------- */

struct bar {
    const char *step; /* the row that runs; NULL: none yet */
    bool undoing;
    bool insecure;
    int64_t elapsed_ms;
    const struct progress *progress; /* the last one; NULL: none yet */
};

/* Two lines, none wider than STYLE's columns less one, and how wide they are;
 * no line end after the second. */
void bar_draw(struct buffer *b, const struct bar *bar,
              const struct style *style, unsigned ret_width[2]);
/* How many rows up the first line of such a bar is, on a terminal that has
 * COLUMNS now: one that became narrower has wrapped it. */
unsigned bar_rows_up(const unsigned width[2], unsigned columns);

/* --- show-verdicts.c --------------------------------------------------------- */

/* ALL: the ok ones too, and how many there are of each. */
void verdicts_in_words(struct buffer *b, const struct verdicts *v, bool all,
                       const struct style *style);

/* --- show-fold.c ------------------------------------------------------------- */

/* TEXT, whole lines; of one that is wider than COLUMNS, unless these are 0, the
 * rest stands after INDENT blanks. */
void fold_text(struct buffer *b, const char *text, unsigned indent,
               unsigned columns);
/* TEXT in lines within the columns, each after INDENT blanks. */
void write_paragraph(struct buffer *b, unsigned indent, unsigned columns,
                     const char *text);

/* --- show-past.c ------------------------------------------------------------- */

/* A migration that has ended, in a line. */
void past_in_words(struct buffer *b, const struct past *p);

/* --- show-plan.c ------------------------------------------------------------- */

void plan_in_words(struct buffer *b, const struct narration *n,
                   const struct style *style);

/* --- show-summary.c ---------------------------------------------------------- */

/* How a migration ended. */
void summary_in_words(struct buffer *b, const struct result *r,
                      const struct style *style);
/* How a copy ended; nothing if it was refused. */
void copy_in_words(struct buffer *b, const struct copy_result *r,
                   const struct style *style);

/* "encrypted at the source, and NOT at the destination", of what becomes of
 * the encryption (disk_choice_encryption()). */
const char *encryption_in_words(const char *encryption);

#endif
