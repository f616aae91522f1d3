/*
 * Jobs, and the mirror that is one.
 */
#include <stdlib.h>

#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

bool qmp_event_is_io_error(const struct qmp_event *e, struct qmp_io_error *ret)
{
    if (!str_equal(e->name, "BLOCK_IO_ERROR"))
        return false;
    *ret = (struct qmp_io_error){
        .stops = str_equal(json_get_string(e->data, "action"), "stop"),
        .operation = json_get_string(e->data, "operation"),
        .reason = json_get_string(e->data, "reason"),
    };
    return true;
}

/* --- jobs --------------------------------------------------------------- */

static int parse_job(struct json_object *element, struct qmp_job *job,
                     struct qm_error *err)
{
    const char *id = json_get_string(element, "id");
    const char *status = json_get_string(element, "status");
    const char *type = json_get_string(element, "type");

    if (!id) {
        return json_missing("id", err);
    }
    if (!status) {
        return json_missing("status", err);
    }
    job->id = xstrdup(id);
    job->type = xstrdup(type ? type : "");
    job->status = xstrdup(status);
    job->error = xstrdup(json_get_string(element, "error"));
    job->current = json_get_uint(element, "current-progress");
    job->total = json_get_uint(element, "total-progress");
    return 0;
}

int jobs_parse(struct json_object *jobs, struct json_object *block_jobs,
               struct qmp_jobs *ret, struct qm_error *err)
{
    CLEANUP(qmp_jobs_done) struct qmp_jobs all = { 0 };
    size_t count;

    if (json_expect(jobs, json_type_array, err) < 0 ||
        json_expect(block_jobs, json_type_array, err) < 0) {
        return -1;
    }
    count = json_length(jobs);
    all.item = xcalloc(count ? count : 1, sizeof(all.item[0]));
    for (size_t i = 0; i < count; i++) {
        all.count++;
        if (parse_job(json_at(jobs, i), &all.item[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < json_length(block_jobs); i++) {
        struct json_object *element = json_at(block_jobs, i);
        const char *id = json_get_string(element, "device");

        for (size_t j = 0; j < all.count; j++) {
            if (str_equal(all.item[j].id, id)) {
                all.item[j].actively_synced =
                    json_get_bool(element, "actively-synced");
            }
        }
    }
    *ret = all;
    all = (struct qmp_jobs){ 0 };
    return 0;
}

int qmp_query_jobs(struct qmp *q, struct qmp_jobs *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *jobs = NULL, *block_jobs = NULL;
    /* in one go: the guest may stop in the meantime, and then waits */
    struct qmp_request *asked = qmp_send(q, "query-jobs", NULL, QMP_QUERY);
    struct qmp_request *more = qmp_send(q, "query-block-jobs", NULL, QMP_QUERY);
    struct qm_error lost = QM_ERROR_INIT;
    int answered = qmp_finish(asked, &jobs, err);

    if (qmp_finish(more, &block_jobs, &lost) < 0 && answered == 0) {
        return error_move(err, &lost);
    }
    error_clear(&lost);
    if (answered < 0) {
        return -1;
    }
    if (jobs_parse(jobs, block_jobs, ret, err) < 0) {
        return error_wrap(err, "%s: query-jobs", qmp_who(q));
    }
    return 0;
}

const struct qmp_job *qmp_jobs_find(const struct qmp_jobs *j, const char *id)
{
    for (size_t i = 0; i < j->count; i++) {
        if (str_equal(j->item[i].id, id)) {
            return &j->item[i];
        }
    }
    return NULL;
}

void qmp_jobs_done(struct qmp_jobs *j)
{
    for (size_t i = 0; i < j->count; i++) {
        free_string(j->item[i].id);
        free_string(j->item[i].type);
        free_string(j->item[i].status);
        free_string(j->item[i].error);
    }
    free(j->item);
    *j = (struct qmp_jobs){ 0 };
}

/* --- events ------------------------------------------------------------- */

/* Which member of the event's data holds the job's id. */
static const struct {
    const char *event, *id;
} job_events[] = {
    { "JOB_STATUS_CHANGE", "id" },       { "BLOCK_JOB_READY", "device" },
    { "BLOCK_JOB_COMPLETED", "device" }, { "BLOCK_JOB_CANCELLED", "device" },
    { "BLOCK_JOB_ERROR", "device" },
};

bool qmp_event_is_job(const struct qmp_event *e, struct qmp_job_event *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(job_events); i++) {
        const char *id;

        if (!str_equal(e->name, job_events[i].event)) {
            continue;
        }
        id = json_get_string(e->data, job_events[i].id);
        if (!id) {
            return false;
        }
        ret->id = id;
        ret->status = json_get_string(e->data, "status");
        ret->error = json_get_string(e->data, "error");
        ret->write_failed =
            str_equal(json_get_string(e->data, "operation"), "write");
        return true;
    }
    return false;
}

/* --- the mirror --------------------------------------------------------- */

int qmp_blockdev_mirror(struct qmp *q, const struct qmp_mirror *m,
                        struct qm_error *err)
{
    struct json_object *args = json_with_string("job-id", m->job_id);

    json_add_string(args, "device", m->device);
    json_add_string(args, "target", m->target);
    json_add_string(args, "sync", m->sync);
    json_add_string(args, "copy-mode",
                    m->write_blocking ? "write-blocking" : "background");
    /* An error of the copy ends the copy and never stops the guest. */
    json_add_string(args, "on-source-error", "report");
    json_add_string(args, "on-target-error", "report");
    json_add_int(args, "speed", m->speed_bps);
    /* Its end must be readable when the event was missed. */
    json_add_bool(args, "auto-dismiss", false);
    return qmp_command(q, "blockdev-mirror", args, QMP_BLOCKING, NULL, err);
}

int qmp_block_job_cancel(struct qmp *q, const char *job_id,
                         struct qm_error *err)
{
    return qmp_finish(qmp_send_block_job_cancel(q, job_id), NULL, err);
}

struct qmp_request *qmp_send_block_job_cancel(struct qmp *q, const char *job_id)
{
    return qmp_send(q, "block-job-cancel", json_with_string("device", job_id),
                    QMP_BLOCKING);
}

int qmp_block_job_write_blocking(struct qmp *q, const char *job_id,
                                 struct qm_error *err)
{
    struct json_object *args = json_with_string("id", job_id);

    json_add_string(args, "type", "mirror");
    json_add_string(args, "copy-mode", "write-blocking");
    return qmp_command(q, "block-job-change", args, QMP_CONTROL, NULL, err);
}

int qmp_block_job_set_speed(struct qmp *q, const char *job_id,
                            int64_t speed_bps, struct qm_error *err)
{
    struct json_object *args = json_with_string("device", job_id);

    json_add_int(args, "speed", speed_bps);
    return qmp_command(q, "block-job-set-speed", args, QMP_CONTROL, NULL, err);
}

int qmp_block_job_resume(struct qmp *q, const char *job_id,
                         struct qm_error *err)
{
    return qmp_command(q, "block-job-resume",
                       json_with_string("device", job_id), QMP_CONTROL, NULL,
                       err);
}

int qmp_job_dismiss(struct qmp *q, const char *job_id, struct qm_error *err)
{
    return qmp_command(q, "job-dismiss", json_with_string("id", job_id),
                       QMP_CONTROL, NULL, err);
}

/* --- what the guest writes meanwhile ------------------------------------- */

struct qmp_request *qmp_send_query_writes(struct qmp *q)
{
    return qmp_send(q, "query-blockstats", NULL, QMP_QUERY);
}

int qmp_finish_query_writes(struct qmp_request *r, struct qmp_writes_list *ret,
                            struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;
    struct qmp_writes_list all = { 0 };
    size_t count;

    if (qmp_finish(r, &reply, err) < 0) {
        return -1;
    }
    count = json_length(reply);
    all.item = xcalloc(count + 1, sizeof(all.item[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_at(reply, i);
        struct json_object *stats = json_get_object(element, "stats");
        const char *node = json_get_string(element, "node-name");

        if (!node || !stats) {
            continue; /* an empty drive */
        }
        all.item[all.count++] = (struct qmp_writes){
            .node_name = xstrdup(node),
            .writes = json_get_uint(stats, "wr_operations"),
            .total_ns = json_get_uint(stats, "wr_total_time_ns"),
        };
    }
    *ret = all;
    return 0;
}

void qmp_writes_list_done(struct qmp_writes_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free_string(l->item[i].node_name);
    }
    free(l->item);
    *l = (struct qmp_writes_list){ 0 };
}
