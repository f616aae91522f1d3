/*
 * --metrics: Prometheus' text format.  Times are seconds and sizes bytes, as
 * is the custom there.
 */
#include "cli/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { INTERVAL_MS = 5000 };

struct metrics {
    char *file;
    char *name;
    const char *step;
    struct progress progress;
    int64_t started_ms, written_ms;
    bool has_failed; /* and it was said */
};

/* --- the text --------------------------------------------------------------- */

static void put(struct buffer *b, const struct metrics_facts *f,
                const char *metric, const char *help, double value)
{
    buffer_printf(b,
                  "# HELP qmigrate_%s %s\n# TYPE qmigrate_%s gauge\n"
                  "qmigrate_%s{name=\"%s\"} %.15g\n",
                  metric, help, metric, metric, f->name, value);
}

/* A fact in words: 1 of a label. */
static void put_word(struct buffer *b, const struct metrics_facts *f,
                     const char *metric, const char *help, const char *word)
{
    buffer_printf(b,
                  "# HELP qmigrate_%s %s\n# TYPE qmigrate_%s gauge\n"
                  "qmigrate_%s{name=\"%s\",%s=\"%s\"} 1\n",
                  metric, help, metric, metric, f->name, metric, word);
}

static void put_ram(struct buffer *b, const struct metrics_facts *f)
{
    const struct progress *p = f->progress;

    put(b, f, "ram_bytes", "RAM of the guest.", (double)p->ram_total);
    put(b, f, "ram_remaining_bytes", "RAM that is still to be sent.",
        (double)p->ram_remaining);
    put(b, f, "ram_transferred_bytes", "Bytes on the wire for RAM.",
        (double)p->ram_transferred);
    put(b, f, "ram_bytes_per_second", "Rate at which RAM is sent.",
        (double)p->ram_bps);
    put(b, f, "ram_dirty_bytes_per_second", "Rate at which the guest writes.",
        (double)p->dirty_bps);
    put(b, f, "ram_passes", "Passes over the RAM, this one too.",
        (double)p->pass);
    put(b, f, "throttle_ratio", "How much the guest is slowed down, 0 to 1.",
        p->throttle_percent / 100.0);
    put(b, f, "downtime_limit_seconds", "Limit of QEMU for the last pass.",
        (double)p->downtime_limit_ms / 1000);
}

static void put_disks(struct buffer *b, const struct metrics_facts *f)
{
    const struct progress *p = f->progress;

    put(b, f, "disks", "Disks that are copied.", (double)p->disk_count);
    put(b, f, "disk_bytes", "Size of the disks, and what was written since.",
        (double)p->disk_total);
    put(b, f, "disk_copied_bytes", "Bytes of the disks that were copied.",
        (double)p->disk_copied);
    put(b, f, "disk_bytes_per_second", "Rate at which disks are copied.",
        (double)p->disk_bps);
}

static void put_result(struct buffer *b, const struct metrics_facts *f)
{
    const struct result *r = f->result;

    put_word(b, f, "outcome", "How it ended.", outcome_name(r->outcome));
    put_word(b, f, "guest", "Where the guest is.", guest_place_name(r->guest));
    put(b, f, "exit_status", "Exit status of qmigrate.", result_exit(r));
    if (r->blackout_ms >= 0)
        put(b, f, "handover_seconds", "How long the guest stood still.",
            (double)r->blackout_ms / 1000);
}

void metrics_in_text(struct buffer *b, const struct metrics_facts *f)
{
    put(b, f, "running", "1 while the migration runs.", f->result ? 0 : 1);
    put(b, f, "elapsed_seconds", "Since qmigrate was started.",
        (double)f->elapsed_ms / 1000);
    put_word(b, f, "step", "What it is doing, or did last.", f->step);
    if (f->progress->ram)
        put_ram(b, f);
    if (f->progress->disk_count > 0)
        put_disks(b, f);
    if (f->result)
        put_result(b, f);
}

/* --- the file --------------------------------------------------------------- */

static int write_all(int fd, const struct buffer *b)
{
    size_t done = 0;

    while (done < b->len) {
        ssize_t n = write(fd, b->data + done, b->len - done);

        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Beside it, under a name that no collector reads, then in its place. */
static int replace_file(const char *file, const struct buffer *b,
                        struct qm_error *err)
{
    CLEANUP_FREE char *beside = xasprintf("%s.%d.tmp", file, (int)getpid());
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                  0644);
    bool written = fd >= 0 && write_all(fd, b) == 0;

    if (written && rename(beside, file) == 0) {
        close_fd(fd);
        return 0;
    }
    error_set_errno(err, QM_ERR_SYSTEM, errno, "write --metrics %s", file);
    if (fd >= 0)
        unlink(beside);
    close_fd(fd);
    return -1;
}

static int write_now(struct metrics *m, const struct result *r,
                     struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    const char *name = r && r->name ? r->name : m->name;

    m->written_ms = clock_now_ms();
    if (name || r) /* a figure without a name would be another one's */
        metrics_in_text(&b, &(struct metrics_facts){
                                .name = name ? name : "",
                                .step = m->step,
                                .elapsed_ms = m->written_ms - m->started_ms,
                                .progress = &m->progress,
                                .result = r,
                            });
    return replace_file(m->file, &b, err);
}

struct metrics *metrics_new(const char *file, struct qm_error *err)
{
    CLEANUP(metrics_free) struct metrics *m = XNEW(struct metrics);

    m->file = xstrdup(file);
    m->step = "";
    m->started_ms = clock_now_ms();
    return write_now(m, NULL, err) < 0 ? NULL : STEAL(m);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    free(m->file);
    free(m->name);
    free(m);
}

void metrics_record(struct metrics *m, const struct narration *n,
                    const char *name)
{
    if (name && !m->name) {
        m->name = xstrdup(name);
        m->written_ms -= INTERVAL_MS; /* now there is something to say */
    }
    if (n->kind == NARRATE_STEP && n->step != STEP_DONE)
        m->step = n->text;
    if (n->kind == NARRATE_PROGRESS)
        m->progress = *n->progress;
}

int metrics_tick(struct metrics *m, struct qm_error *err)
{
    CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;

    if (clock_now_ms() - m->written_ms < INTERVAL_MS ||
        write_now(m, NULL, &failed) == 0)
        return 0;
    if (m->has_failed)
        return 0;
    m->has_failed = true;
    return error_move(err, &failed);
}

int metrics_end(struct metrics *m, const struct result *r, struct qm_error *err)
{
    return write_now(m, r, err);
}
