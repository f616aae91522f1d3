/*
 * Who gets to see what, and where.
 *
 *     stderr   progress (a bar on a terminal, lines elsewhere), warnings,
 *              blockers, errors; with --json the errors alone, and the bar
 *              where stdout is not that terminal
 *     stdout   what was asked for: verdicts, plan, summary; with --json
 *              events, nothing else
 *
 * The bar is taken off before anything else is written, and drawn again with
 * the next thing that is told.
 */
#include "cli/show.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/show-parts.h"
#include "core/record.h"

enum { LINE_INTERVAL_MS = 5000 };
/* Where text stands that does not fit on a line: below what it says. */
enum {
    NOTE_INDENT = 4,
    WARNING_INDENT = 9,  /* "warning: " */
    HINT_INDENT = 8,     /* "  hint: " */
    ERROR_INDENT = 10,   /* "qmigrate: " */
    LINE_INDENT = 13,    /* "[     5.0 s] " */
    SUMMARY_INDENT = 16, /* "  stays behind  " */
};

struct show {
    const struct options *options;
    enum show_what what;
    struct output *out, *err;
    bool is_bar, is_lines; /* neither: --json into a file */
    struct style out_style, err_style;
    int64_t started_ms, line_at_ms;

    /* the bar, and how it was drawn */
    struct bar bar;
    struct progress progress;
    bool drawn;
    unsigned drawn_width[2];
};

/* --- writing ---------------------------------------------------------------- */

static bool terminal_can_draw(void)
{
    const char *term = getenv("TERM");

    return term && *term && !str_equal(term, "dumb");
}

struct style show_style(const struct output *o)
{
    const char *no_color = getenv("NO_COLOR");
    bool terminal = output_is_terminal(o);

    return (struct style){
        .color = terminal && terminal_can_draw() && !(no_color && *no_color),
        .columns = terminal ? output_columns(o) : 0,
    };
}

void show_text(struct output *o, unsigned indent, const struct buffer *text)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (text->len > 0) {
        fold_text(&b, text->data, indent, show_style(o).columns);
        output_buffer(o, &b);
    }
}

static int64_t elapsed_ms(const struct show *s)
{
    return clock_now_ms() - s->started_ms;
}

/* Back to the first line of the bar, and clear from there on: it alone, then
 * what is below, because tmux keeps a screen that is cleared from its very
 * beginning, and each bar would stay among what has scrolled away. */
static void put_take_off(struct show *s, struct buffer *b)
{
    if (s->drawn) {
        buffer_printf(b, "\r\033[%uA\033[K\n\033[J\033[A",
                      bar_rows_up(s->drawn_width, output_columns(s->err)));
        s->drawn = false;
    }
}

/* Before anything else goes to a terminal. */
static void take_off(struct show *s)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    put_take_off(s, &b);
    output_buffer(s->err, &b);
}

static void draw(struct show *s)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (!s->is_bar || output_is_behind(s->err)) {
        return;
    }
    put_take_off(s, &b);
    s->err_style.columns = output_columns(s->err);
    s->bar.elapsed_ms = elapsed_ms(s);
    bar_draw(&b, &s->bar, &s->err_style, s->drawn_width);
    output_buffer(s->err, &b);
    s->drawn = true;
}

/* --- the beginning ----------------------------------------------------------- */

static void warn_insecure(struct show *s)
{
    if (s->options->plan.insecure) {
        output_printf(s->err, "%sINSECURE: %s the network unencrypted%s\n",
                      dress(&s->err_style, RED),
                      s->what == SHOW_COPY ? "the disk may cross"
                                           : "memory and disks cross",
                      dress(&s->err_style, PLAIN));
    }
}

static bool is_only_check(const struct show *s)
{
    return s->what == SHOW_CHECK || s->options->dry_run;
}

struct show *show_new(const struct options *options, enum show_what what)
{
    struct show *s = XNEW(struct show);
    bool draws;

    s->options = options;
    s->what = what;
    s->out = output_new(STDOUT_FILENO);
    s->err = output_new(STDERR_FILENO);
    s->out_style = show_style(s->out);
    s->err_style = show_style(s->err);
    draws = output_is_terminal(s->err) && terminal_can_draw();
    s->is_bar = draws && !(options->json && output_is_terminal(s->out));
    s->is_lines = !draws && !options->json && !is_only_check(s);
    s->started_ms = s->line_at_ms = clock_now_ms();
    s->bar.insecure = options->plan.insecure;
    warn_insecure(s);
    return s;
}

void show_began(struct show *s, int64_t elapsed_ms)
{
    s->started_ms = clock_now_ms() - elapsed_ms;
}

static void leave_bar(struct show *s)
{
    take_off(s);
    s->is_bar = false;
}

void show_leave(struct show *s)
{
    leave_bar(s);
    output_leave(s->err);
    output_leave(s->out);
}

void show_free(struct show *s)
{
    if (!s) {
        return;
    }
    take_off(s);
    output_free(s->err);
    output_free(s->out);
    free(s);
}

/* --- the middle --------------------------------------------------------------- */

static void record(struct show *s, const struct narration *n)
{
    if (n->kind == NARRATE_STEP && n->step != STEP_DONE) {
        s->bar.step = n->text;
        s->bar.undoing = s->bar.undoing || n->step != STEP_BEGINS;
    }
    if (n->kind == NARRATE_PROGRESS) {
        s->progress = *n->progress;
        s->bar.progress = &s->progress;
    }
}

/* What stands on the screen for good, also where there is a bar. */
static void tell_people(struct show *s, const struct narration *n)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    bool asked = is_only_check(s);
    struct output *o = s->err;
    unsigned indent = NOTE_INDENT;

    if (n->kind == NARRATE_PREFLIGHT) {
        o = asked ? s->out : s->err;
        verdicts_in_words(&b, n->verdicts, asked,
                          asked ? &s->out_style : &s->err_style);
    } else if (n->kind == NARRATE_PLAN) {
        o = s->out;
        plan_in_words(&b, n, &s->out_style);
    } else if (n->kind == NARRATE_WARNING && !s->is_lines) {
        CLEANUP_FREE char *text = str_printable(n->text);

        buffer_printf(&b, "%swarning:%s %s\n", dress(&s->err_style, YELLOW),
                      dress(&s->err_style, PLAIN), text);
        indent = WARNING_INDENT;
    }
    if (n->kind == NARRATE_LIMITS && !s->is_lines) {
        buffer_printf(&b, "the limits are now: ");
        limits_in_words(&b, n->limits);
        buffer_printf(&b, "\n");
    }
    if (b.len > 0) {
        take_off(s);
        show_text(o, indent, &b);
    }
}

static void tell_lines(struct show *s, const struct narration *n)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    int64_t now = clock_now_ms();

    if (n->kind == NARRATE_PROGRESS && now - s->line_at_ms < LINE_INTERVAL_MS) {
        return;
    }
    lines_narration(&b, now - s->started_ms, s->bar.insecure, n);
    if (b.len > 0) {
        s->line_at_ms = now;
        show_text(s->err, LINE_INDENT, &b);
    }
}

static void tell_json(struct show *s, const struct narration *n)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    /* A reader that cannot keep up gets what happened, without the figures. */
    if (n->kind == NARRATE_PROGRESS && output_is_behind(s->out)) {
        return;
    }
    record_narration(&b, n, clock_wall_us());
    output_buffer(s->out, &b);
}

void show_narration(void *arg, const struct narration *n)
{
    struct show *s = arg;

    record(s, n);
    if (s->options->json) {
        tell_json(s, n);
    } else {
        tell_people(s, n);
    }
    if (s->is_lines) {
        tell_lines(s, n);
    }
    draw(s);
}

void show_tick(struct show *s)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct progress bare;
    int64_t now = clock_now_ms();

    draw(s);
    /* Progress that is told has its own lines; this is for the other steps, and
     * for the figures of this one that came too soon after another line. */
    if (s->is_lines && s->bar.step && now - s->line_at_ms >= LINE_INTERVAL_MS) {
        lines_progress(&b, now - s->started_ms, s->bar.insecure,
                       progress_of_step(&s->progress, s->bar.step, &bare));
        s->line_at_ms = now;
        show_text(s->err, LINE_INDENT, &b);
    }
}

void show_note(struct show *s, const char *sentence)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    take_off(s);
    if (s->is_lines) {
        lines_sentence(&b, elapsed_ms(s), sentence);
    } else {
        buffer_printf(&b, "%s\n", sentence);
    }
    show_text(s->err, s->is_lines ? LINE_INDENT : NOTE_INDENT, &b);
    draw(s);
}

void show_warning(struct show *s, const struct qm_error *err)
{
    CLEANUP_FREE char *text = xasprintf("warning: %s", err->message);

    show_note(s, text);
}

/* --- the end -------------------------------------------------------------------- */

void show_error(struct output *o, const struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    CLEANUP_FREE char *message = str_printable(err->message);

    buffer_printf(&b, "qmigrate: %s\n", message);
    show_text(o, ERROR_INDENT, &b);
    if (err->hint) {
        CLEANUP_FREE char *hint = str_printable(err->hint);

        buffer_consume(&b, b.len);
        buffer_printf(&b, "  hint: %s\n", hint);
        show_text(o, HINT_INDENT, &b);
    }
}

/* The bar is gone for good; ERR, if it is one. */
static void show_end(struct show *s, const struct qm_error *err)
{
    leave_bar(s);
    if (error_is_set(err)) {
        show_error(s->err, err);
    }
}

void show_result(struct show *s, const struct result *r)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    show_end(s, &r->error);
    if (s->options->json) {
        record_result(&b, r, clock_wall_us());
        output_buffer(s->out, &b);
        return;
    }
    if (!is_only_check(s)) {
        summary_in_words(&b, r, &s->out_style);
    } else if (r->outcome == OUTCOME_COMPLETED && s->what != SHOW_RECOVER) {
        CLEANUP_FREE char *name = str_printable(r->name ? r->name : "it");

        buffer_printf(&b, "\n%s%s can be moved%s\n",
                      dress(&s->out_style, GREEN), name,
                      dress(&s->out_style, PLAIN));
    }
    show_text(s->out, SUMMARY_INDENT, &b);
}

void show_refusal(const struct options *options, const struct qm_error *err)
{
    CLEANUP(output_free) struct output *errors = output_new(STDERR_FILENO);
    CLEANUP(output_free) struct output *out = output_new(STDOUT_FILENO);
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct result r;

    show_error(errors, err);
    if (!options->json) {
        return;
    }
    result_init(&r);
    error_set(&r.error, err->code, "%s", err->message);
    if (err->hint) {
        error_hint(&r.error, "%s", err->hint);
    }
    record_result(&b, &r, clock_wall_us());
    output_buffer(out, &b);
    result_done(&r);
}

void show_copy_result(struct show *s, const struct copy_result *r)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    show_end(s, &r->error);
    if (s->options->json) {
        record_copy_result(&b, r, clock_wall_us());
    } else {
        copy_in_words(&b, r, &s->out_style);
    }
    output_buffer(s->out, &b);
}
