/*
 * Running a child to its end.
 */
#include "base/child.h"

#include "base/child-private.h"

static bool is_over(void *arg)
{
    const struct child *c = arg;

    return child_has_exited(c) || child_wrote_too_much(c);
}

/* What it said, as a tail for an error sentence. */
static void add_complaint(struct qm_error *err, struct child *c)
{
    const char *said = child_complaint(c);

    if (error_is_set(err) && *said) {
        CLEANUP_FREE char *before = err->message;

        err->message = xasprintf("%s; it said: %s", before, said);
    }
}

int child_run(struct loop *loop, const struct child_options *o, deadline_t by,
              struct buffer *out, char **complaint, struct qm_error *err)
{
    int64_t began_ms = clock_now_ms();
    CLEANUP(child_free) struct child *c = child_spawn(loop, o, err);
    struct qm_error failure = QM_ERROR_INIT;

    if (!c) {
        return -1;
    }
    if (!loop_wait(loop, is_over, c, by)) {
        error_set(&failure, QM_ERR_TIMEOUT,
                  "%s had not ended after %lld ms and was stopped", o->argv[0],
                  (long long)(clock_now_ms() - began_ms));
    } else if (child_wrote_too_much(c)) {
        error_set(&failure, QM_ERR_SYSTEM, "%s wrote more than %zu bytes",
                  o->argv[0], o->output_max);
    }
    if (error_is_set(&failure)) {
        add_complaint(&failure, c);
        return error_move(err, &failure);
    }
    if (out) {
        buffer_append(out, child_output(c)->data, child_output(c)->len);
    }
    if (complaint) {
        *complaint = xstrdup(child_complaint(c));
    }
    return child_status(c);
}
