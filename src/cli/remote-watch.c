/*
 * What another process's migration tells, shown like one's own: its events
 * become the narrations that they were made of.
 */
#include <signal.h>
#include <unistd.h>

#include "cli/read-record.h"
#include "cli/remote.h"
#include "cli/show.h"
#include "qmp/json.h"

enum { TICK_MS = 500 };

struct watcher {
    struct remote *remote;
    struct show *show; /* NULL: as JSON, to OUT */
    struct output *out;
    struct loop_timer *tick;
    struct strv steps;            /* names, for as long as they are shown */
    struct json_object *progress; /* of the last PROGRESS, which is shown */
    bool stop;                    /* the operator has seen enough */
};

static const char *keep_step(struct watcher *w, const char *step)
{
    if (!strv_contains(&w->steps, step))
        strv_add(&w->steps, step);
    for (size_t i = 0; i < w->steps.count; i++)
        if (str_equal(w->steps.item[i], step))
            return w->steps.item[i];
    return "?";
}

/* --- one function an event -------------------------------------------------- */

static void tell_step(struct watcher *w, struct json_object *data)
{
    static const char *const words[] = {
        [STEP_BEGINS] = "begins", [STEP_DONE] = "done",
        [STEP_FAILED] = "failed", [STEP_CANCELLED] = "cancelled",
        [STEP_UNDONE] = "undone",
    };
    const char *state = json_get_string(data, "state");
    const char *step = json_get_string(data, "step");

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (step && str_equal(words[i], state))
            show_narration(w->show, &(struct narration){
                                        .kind = NARRATE_STEP,
                                        .text = keep_step(w, step),
                                        .step = (enum step_event)i,
                                    });
}

static void tell_progress(struct watcher *w, struct json_object *data)
{
    struct progress p;

    json_object_put(w->progress);
    w->progress = json_object_get(data);
    read_progress(data, &p);
    show_narration(w->show, &(struct narration){ .kind = NARRATE_PROGRESS,
                                                 .progress = &p });
}

static void tell_warning(struct watcher *w, struct json_object *data)
{
    const char *text = json_get_string(data, "message");

    if (text)
        show_narration(w->show, &(struct narration){ .kind = NARRATE_WARNING,
                                                     .text = text });
}

static void tell_limits(struct watcher *w, struct json_object *data)
{
    struct limits limits;

    read_limits(data, &limits);
    show_narration(w->show, &(struct narration){ .kind = NARRATE_LIMITS,
                                                 .limits = &limits });
}

static const struct {
    const char *event;
    void (*tell)(struct watcher *w, struct json_object *data);
} events[] = {
    { "STEP", tell_step },
    { "PROGRESS", tell_progress },
    { "WARNING", tell_warning },
    { "LIMITS", tell_limits },
};

static void tell(struct watcher *w, struct json_object *event)
{
    const char *name = json_get_string(event, "event");
    struct json_object *data = json_get_object(event, "data");

    if (w->out)
        output_printf(w->out, "%s\n",
                      json_object_to_json_string_ext(
                          event, JSON_C_TO_STRING_PLAIN |
                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    for (size_t i = 0; w->show && i < ARRAY_LEN(events); i++)
        if (str_equal(events[i].event, name))
            events[i].tell(w, data);
}

/* --- from the first to the last --------------------------------------------- */

static void tick(void *arg)
{
    struct watcher *w = arg;

    if (w->show)
        show_tick(w->show);
    loop_timer_start(w->tick, TICK_MS);
}

static void enough(void *arg)
{
    struct watcher *w = arg;

    w->stop = true;
}

/* Where it is now: what was told before is not told again. */
static void begin(struct watcher *w, struct json_object *status)
{
    struct options *o = &w->remote->options;
    struct json_object *progress = json_get_object(status, "progress");
    const char *step = json_get_string(progress, "step");

    o->plan.insecure = json_get_bool(status, "insecure");
    if (o->json) {
        w->out = output_new(STDOUT_FILENO);
        return;
    }
    w->show = show_new(o, SHOW_MIGRATION);
    show_began(w->show, json_get_int(progress, "elapsed-ms", 0));
    if (step)
        show_narration(w->show, &(struct narration){
                                    .kind = NARRATE_STEP,
                                    .text = keep_step(w, step),
                                    .step = json_get_bool(status, "undoing")
                                                ? STEP_UNDONE
                                                : STEP_BEGINS,
                                });
    tell_progress(w, progress);
}

/* 1: it has ended, RET is the caller's; 0: it was watched enough; -1. */
static int hear_all(struct watcher *w, struct result *ret)
{
    struct remote *r = w->remote;
    int more;

    for (;;) {
        CLEANUP_JSON struct json_object *event = NULL;

        more = control_link_hear(r->link, &w->stop, &event, &r->err);
        if (more <= 0)
            break;
        tell(w, event);
        if (!str_equal(json_get_string(event, "event"), "RESULT"))
            continue;
        read_result(json_get_object(event, "data"), ret);
        if (w->show)
            show_result(w->show, ret);
        return 1;
    }
    if (more < 0 || w->stop)
        return more;
    error_set(&r->err, QM_ERR_LINK, "the engine of %s has ended without a word",
              r->words.item[0]);
    error_hint(&r->err,
               "if it was killed, its supervisor recovers it at once, as "
               "`qmigrate watch %s` shows; without one do it by `qmigrate "
               "recover %s`",
               r->words.item[0], r->words.item[0]);
    return -1;
}

bool remote_watch(struct remote *r, struct json_object *status,
                  struct result *ret, int *ret_exit)
{
    struct watcher w = { .remote = r };
    struct loop_signal *interrupt =
        loop_signal_new(r->loop, SIGINT, enough, &w);
    int ended;

    w.tick = loop_timer_new(r->loop, tick, &w);
    loop_timer_start(w.tick, TICK_MS);
    begin(&w, status);
    ended = hear_all(&w, ret);
    show_free(w.show);
    output_free(w.out);
    strv_done(&w.steps);
    json_object_put(w.progress);
    loop_timer_free(w.tick);
    loop_signal_free(interrupt);
    if (ended < 0)
        (void)remote_refuse(r);
    if (ended <= 0)
        *ret_exit = ended < 0 ? QM_EXIT_UNDECIDED : QM_EXIT_DONE;
    return ended > 0;
}
