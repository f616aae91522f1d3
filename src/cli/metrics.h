/*
 * --metrics: what a monitoring system reads, in Prometheus' text format, in a
 * file that is whole at every moment: for node_exporter's textfile collector.
 */
#ifndef QM_CLI_METRICS_H
#define QM_CLI_METRICS_H

#include "base/buffer.h"
#include "core/narration.h"
#include "core/result.h"

struct metrics;

/* Write FILE for the first time; NULL with a SYSTEM error. */
struct metrics *metrics_new(const char *file, struct qm_error *err);
void metrics_free(struct metrics *m); /* NULL is allowed */
DEFINE_CLEANUP(struct metrics *, metrics_free)

/* Remember what is told, under the migration's NAME (NULL: it has none yet);
 * writes nothing. */
void metrics_record(struct metrics *m, const struct narration *n,
                    const char *name);
/* To be called twice a second: writes every few seconds.  -1 with ERR once,
 * when that fails for the first time. */
int metrics_tick(struct metrics *m, struct qm_error *err);
/* The end. */
int metrics_end(struct metrics *m, const struct result *r,
                struct qm_error *err);

/* What stands in the file. */
struct metrics_facts {
    const char *name, *step; /* "" if they are not known */
    int64_t elapsed_ms;
    const struct progress *progress;
    const struct result *result; /* NULL: not yet */
};
void metrics_in_text(struct buffer *b, const struct metrics_facts *f);

#endif
