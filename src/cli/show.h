/*
 * Everything a migration says, in the way that was asked for: a bar or lines
 * for people on stderr, JSON for programs on stdout, and the end of it.
 */
#ifndef QM_CLI_SHOW_H
#define QM_CLI_SHOW_H

#include "cli/options.h"
#include "cli/output.h"
#include "core/copy.h"
#include "core/narration.h"
#include "core/result.h"

enum show_what { SHOW_MIGRATION, SHOW_CHECK, SHOW_RECOVER, SHOW_COPY };

/* How text for people is dressed. */
struct style {
    bool color;
    unsigned columns; /* 0: lines may be as long as they like */
};

/* How O's reader can be written to. */
struct style show_style(const struct output *o);
/* TEXT, whole lines.  On a terminal those that are too wide for it are folded,
 * what follows after INDENT blanks. */
void show_text(struct output *o, unsigned indent, const struct buffer *text);

struct show;

/* OPTIONS must outlive it. */
struct show *show_new(const struct options *options, enum show_what what);
void show_free(struct show *s);
DEFINE_CLEANUP(struct show *, show_free)

/* ARG is the struct show: a narrator's function. */
void show_narration(void *arg, const struct narration *n);
/* The migration began so long before S was made. */
void show_began(struct show *s, int64_t elapsed_ms);
/* Nobody reads it any more, unless it goes to a file. */
void show_leave(struct show *s);
/* To be called about twice a second, so that the clock is seen to run. */
void show_tick(struct show *s);
/* A sentence about what the operator just did. */
void show_note(struct show *s, const char *sentence);
/* What failed beside the migration, which goes on. */
void show_warning(struct show *s, const struct qm_error *err);
/* The end.  With --json the RESULT, else a summary; and the error. */
void show_result(struct show *s, const struct result *r);
void show_copy_result(struct show *s, const struct copy_result *r);

/* "qmigrate: SENTENCE", and the hint on a second line. */
void show_error(struct output *o, const struct qm_error *err);
/* The end of what never began: ERR on stderr, with --json a RESULT as well. */
void show_refusal(const struct options *options, const struct qm_error *err);

#endif
