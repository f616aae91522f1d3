/*
 * The one way in which a step waits: until a recorded fact holds.
 *
 * A wait names what it waits for, has a limit, and says which other facts end
 * it.  A link that is down ends nothing by itself: QEMU works on without us,
 * and once the link is back the state is asked again.  A process whose link
 * broke is looked at, here or through ssh, since a dead one never comes back.
 */
#include "core/migration-private.h"
#include "core/mirror.h"
#include "core/steer.h"

/* How often the process behind a broken link is looked at, and how long that
 * may take. */
#define LOOK_INTERVAL_MS 3000
#define LOOK_LIMIT_MS 5000
/* For the last events of a dead process to be read. */
#define LAST_WORDS_MS 500
/* QEMU's main loop may be busy for longer than a query's 10 s (PEERS.md,
 * hazard 21): so often in a row it is forgiven. */
#define SILENCES_ALLOWED 6
/* A mirror whose peer is silent freezes QEMU in the drain that stops the guest,
 * before the STOP event: it may be stopped, and only the undo's yank helps. */
#define SILENCES_WITH_MIRRORS 2
/* A guest that shuts down in the moment in which the stream starts can hang
 * 10.0.2 for ever.  Nothing is lost by not waiting for a QEMU without guest. */
#define GUEST_ENDED_LIMIT_MS 5000

enum end {
    END_NOT,
    END_SOURCE_DEAD,
    END_GUEST,
    END_HALT,
    END_CHANGE,
    END_DESTINATION_DEAD,
    END_MIRROR,
    END_STREAM,
    END_LOAD,
    END_CANCEL,
};

static bool stream_has_failed(const struct side *source)
{
    return source->status == MIGRATION_FAILED ||
           source->status == MIGRATION_CANCELLED;
}

/* Once the destination has it, or may have, there is no way back. */
static bool guest_has_halted(const struct migration *m)
{
    return m->side[SOURCE].halted && !m->destination_owns && !m->postcopy_asked;
}

/* Once the stream runs QEMU unplugs nothing. */
static bool machine_has_changed(const struct migration *m)
{
    return !m->stream_started && !m->rolling_back &&
           (m->side[SOURCE].unplugged || m->side[DESTINATION].unplugged);
}

static enum end find_end(struct migration *m, unsigned ends_on)
{
    const struct {
        unsigned flag;
        bool is_so;
        enum end end;
    } table[] = {
        /* A QEMU usually ends with its guest: that is then why. */
        { ENDS_ON_GUEST_END, source_of(m)->guest_ended, END_GUEST },
        { ENDS_ON_HALT, guest_has_halted(m), END_HALT },
        { ENDS_ON_GUEST_END, machine_has_changed(m), END_CHANGE },
        { ENDS_ON_SOURCE_DEATH, side_is_gone(source_of(m)), END_SOURCE_DEAD },
        { ENDS_ON_DESTINATION_DEATH, side_is_gone(destination_of(m)),
          END_DESTINATION_DEAD },
        { ENDS_ON_MIRROR_FAILURE, some_mirror_has_failed(m), END_MIRROR },
        { ENDS_ON_STREAM_FAILURE, stream_has_failed(source_of(m)), END_STREAM },
        { ENDS_ON_LOAD_FAILURE, destination_of(m)->status == MIGRATION_FAILED,
          END_LOAD },
        { ENDS_ON_CANCEL, m->cancel_requested && !m->hold_interrupts,
          END_CANCEL },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if ((table[i].flag & ends_on) && table[i].is_so)
            return table[i].end;
    return END_NOT;
}

static int load_error(struct side *d, struct qm_error *err)
{
    struct qm_error ignored = QM_ERROR_INIT;

    side_refresh(d, &ignored); /* the reason is not in the event */
    error_clear(&ignored);
    return error_set(err, QM_ERR_MIGRATION,
                     "destination: it could not load the guest: %s",
                     d->error_desc ? d->error_desc : "no reason given");
}

static int halt_error(struct migration *m, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv disks = { 0 };
    CLEANUP_FREE char *names = NULL;
    struct qm_error ignored = QM_ERROR_INIT;
    struct side *s = source_of(m);

    if (!str_equal(s->halted, "io-error")) {
        error_set(err, QM_ERR_GUEST, "source: the guest %s",
                  halt_in_words(s->halted));
        error_hint(err, "it stays there as it is: reset it "
                        "(system_reset), or look into it");
        return -1;
    }
    qmp_query_failed_disks(s->qmp, &disks, &ignored);
    error_clear(&ignored);
    names = strv_join_words(&disks);
    error_set(err, QM_ERR_DISK, "source: the guest %s%s%s%s%s%s",
              halt_in_words(s->halted), disks.count > 0 ? " " : "",
              disks.count > 0 ? names : "", s->io_error ? " (" : "",
              s->io_error ? s->io_error : "", s->io_error ? ")" : "");
    error_hint(err, "it stays there, stopped; make room for that disk or mend "
                    "it, and `cont` the guest: QEMU tries the request again");
    return -1;
}

int halt_check(struct migration *m, struct qm_error *err)
{
    return guest_has_halted(m) ? halt_error(m, err) : 0;
}

static int end_error(struct migration *m, enum end end, struct qm_error *err)
{
    switch (end) {
    case END_SOURCE_DEAD:
        return side_gone_error(source_of(m), err);
    case END_DESTINATION_DEAD:
        return side_gone_error(destination_of(m), err);
    case END_GUEST:
        return error_set(err, QM_ERR_GUEST,
                         "source: the guest shut down or crashed");
    case END_HALT:
        return halt_error(m, err);
    case END_CHANGE:
        return machines_unchanged(m, true, err);
    case END_MIRROR:
        return mirror_failure(m, err);
    case END_STREAM:
        return stream_failure(m, err);
    case END_LOAD:
        return load_error(destination_of(m), err);
    case END_CANCEL:
        return error_set(err, QM_ERR_CANCELLED, "cancelled by the operator");
    case END_NOT:
        break;
    }
    return error_set(err, QM_ERR_INTERNAL, "a wait ended for no reason");
}

int stream_failure(struct migration *m, struct qm_error *err)
{
    struct side *s = source_of(m), *d = destination_of(m);
    struct qm_error ignored = QM_ERROR_INIT;

    /* The reason is not in the event; the destination's own is the better
     * one, where it can still be asked (exit-on-error:false). */
    if (qmp_is_up(s->qmp))
        side_refresh(s, &ignored);
    if (qmp_is_up(d->qmp) && !d->process_dead)
        side_refresh(d, &ignored);
    error_clear(&ignored);
    error_set(err, QM_ERR_MIGRATION, "the migration %s; source: %s%s%s",
              migration_status_name(s->status),
              s->error_desc ? s->error_desc : "no reason given",
              d->error_desc ? "; destination: " : "",
              d->error_desc ? d->error_desc : "");
    if (!d->error_desc)
        error_hint(err, "the destination's own reason is on its stderr");
    return -1;
}

struct look {
    struct migration *m;
    const struct wait *w;
};

static bool worth_a_look(void *arg)
{
    struct look *look = arg;
    struct migration *m = look->m;

    return look->w->holds(m) || find_end(m, look->w->ends_on) != END_NOT ||
           side_is_stale(source_of(m)) || side_is_stale(destination_of(m)) ||
           source_of(m)->sample_due || steer_is_due(m);
}

/*
 * A side whose link came back is asked what happened meanwhile, once it is
 * known to be the same process: another one may listen at that address now.
 */
static void catch_up(struct side *s)
{
    struct qm_error ignored = QM_ERROR_INIT;

    if (!side_is_stale(s) || side_is_gone(s))
        return;
    if (s->pidfd < 0 && side_check_dead(s, deadline_in_ms(LOOK_LIMIT_MS)))
        return;
    side_refresh(s, &ignored);
    error_clear(&ignored);
}

static void look_at_processes(struct migration *m, int64_t *next_ms)
{
    if (clock_now_ms() < *next_ms)
        return;
    for (int i = 0; i < SIDES; i++)
        if (!qmp_is_up(m->side[i].qmp) && !side_is_gone(&m->side[i]))
            side_check_dead(&m->side[i], deadline_in_ms(LOOK_LIMIT_MS));
    *next_ms = clock_now_ms() + LOOK_INTERVAL_MS;
}

static bool is_forgiven(struct migration *m, const struct qm_error *failed)
{
    int allowed = m->stream_started && m->disk_count > 0 ? SILENCES_WITH_MIRRORS
                                                         : SILENCES_ALLOWED;

    /* Its main loop may wait for a page: for as long as the network is away. */
    if (failed->code == QM_ERR_SILENT && in_postcopy(m))
        return true;
    if (failed->code == QM_ERR_SILENT)
        return ++m->silences < allowed;
    return failed->code == QM_ERR_LINK;
}

/*
 * Ask what has no event.  A link that broke meanwhile is no failure, and a
 * QEMU that is too busy to answer becomes one only when it stays so.
 */
static int ask_now(struct migration *m, const struct wait *w, int64_t *next_ms,
                   struct qm_error *err)
{
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;

    source_of(m)->sample_due = false;
    *next_ms = clock_now_ms() + w->interval_ms;
    if (w->ask(m, &failed) == 0) {
        m->silences = 0;
        return 0;
    }
    if (is_forgiven(m, &failed))
        return 0;
    return error_move(err, &failed);
}

static bool link_is_down(void *arg)
{
    struct side *s = arg;

    return !qmp_is_up(s->qmp);
}

void let_it_speak(struct side *s)
{
    loop_wait(s->loop, link_is_down, s, deadline_in_ms(LAST_WORDS_MS));
}

void undo_hurry(struct migration *m)
{
    struct side *s = source_of(m);

    if (m->rolling_back && s->guest_ended && s->hurry_by == DEADLINE_NEVER)
        side_hurry(s, deadline_in_ms(GUEST_ENDED_LIMIT_MS));
}

/* The guest may end while it is waited. */
static deadline_t limit_of(struct migration *m, const struct wait *w,
                           deadline_t by, deadline_t at_most)
{
    undo_hurry(m);
    if (w->may_take_longer && w->may_take_longer(m))
        by = deadline_earlier(deadline_in_ms(w->limit_ms), at_most);
    return m->rolling_back ? deadline_earlier(by, source_of(m)->hurry_by) : by;
}

static int is_over(struct migration *m, const struct wait *w,
                   struct qm_error *err)
{
    if (m->rolling_back && source_of(m)->guest_ended)
        return error_set(err, QM_ERR_TIMEOUT,
                         "timed out waiting for %s; a QEMU whose guest has "
                         "ended is given %d s",
                         w->what, GUEST_ENDED_LIMIT_MS / 1000);
    return error_set(err, QM_ERR_TIMEOUT, "waited %.1f s for %s",
                     (double)w->limit_ms / 1000.0, w->what);
}

int migration_wait(struct migration *m, const struct wait *w,
                   struct qm_error *err)
{
    const deadline_t at_most = deadline_in_ms(AS_LONG_AS_IT_TAKES_MS);
    deadline_t by = deadline_in_ms(w->limit_ms);
    int64_t next_ask_ms = w->ask ? clock_now_ms() : DEADLINE_NEVER;
    int64_t next_look_ms = 0;
    struct look look = { m, w };

    for (;;) {
        deadline_t until;
        enum end end;

        by = limit_of(m, w, by, at_most);
        until = deadline_earlier(by, next_ask_ms);
        catch_up(source_of(m));
        catch_up(destination_of(m));
        look_at_processes(m, &next_look_ms);
        steer_serve(m);
        if (w->holds(m))
            return 0;
        end = find_end(m, w->ends_on);
        if (end == END_SOURCE_DEAD) {
            let_it_speak(source_of(m));
            end = find_end(m, w->ends_on);
        }
        if (end != END_NOT)
            return end_error(m, end, err);
        if (deadline_is_over(by))
            return is_over(m, w, err);
        if (w->ask &&
            (deadline_is_over(next_ask_ms) || source_of(m)->sample_due)) {
            if (ask_now(m, w, &next_ask_ms, err) < 0)
                return -1;
            continue;
        }
        source_of(m)->sample_due = false;
        loop_wait(m->loop, worth_a_look, &look,
                  deadline_earlier(until, clock_now_ms() + LOOK_INTERVAL_MS));
    }
}
