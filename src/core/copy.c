/*
 * Happy path: both exports are opened, looked at and found fit; then
 * nbd/copy.h does the work.
 *
 * What can fail: whatever is found out before the first write is a refusal;
 * from then on the destination has a part, and must be copied to again.
 */
#include "core/copy.h"

#include <stdlib.h>

#include "base/stream.h"
#include "nbd/copy.h"
#include "tls/check.h"

enum {
    OPEN_LIMIT_MS = 15000,
    STALL_LIMIT_MS = 60000, /* nothing was answered for so long */
    TELL_INTERVAL_MS = 250,
};

struct copy_run {
    struct loop *loop;
    const struct copy_plan *plan;
    const bool *stop;
    const struct narrator *narrator;
    struct copy_result *result;
    char *address[SIDES]; /* numeric; NULL: a unix socket */
    struct nbd_disk *disk[SIDES];
    struct nbd_copy copy;
    bool began; /* the destination may have been written to */

    /* Of the progress */
    int64_t started_ms, told_ms;
    uint64_t told_bytes;
};

/* --- what is known from the words alone ---------------------------------- */

static int refuse_clear(const struct copy_run *r, enum side_id side,
                        struct qm_error *err)
{
    const struct nbd_uri *uri = &r->plan->uri[side];

    if (uri->tls || r->plan->insecure || !r->address[side] ||
        address_is_loopback(r->address[side]))
        return 0;
    error_set(err, QM_ERR_REFUSED,
              "%s: %s is not encrypted: whoever is on that network could read "
              "the disk, or change it",
              side_name(side), uri->text);
    error_hint(err, "use nbds://; if that network is as good as a cable, "
                    "--insecure");
    return -1;
}

static bool is_one_server(const struct copy_run *r)
{
    const struct nbd_uri *a = &r->plan->uri[SOURCE];
    const struct nbd_uri *b = &r->plan->uri[DESTINATION];
    CLEANUP_FREE char *path_a = a->path ? realpath(a->path, NULL) : NULL;
    CLEANUP_FREE char *path_b = b->path ? realpath(b->path, NULL) : NULL;

    if (a->path || b->path)
        return str_equal(a->path, b->path) ||
               (path_a && str_equal(path_a, path_b));
    return a->port == b->port &&
           str_equal(r->address[SOURCE], r->address[DESTINATION]);
}

static int find_addresses(struct copy_run *r, struct qm_error *err)
{
    for (int side = 0; side < SIDES; side++) {
        const struct nbd_uri *uri = &r->plan->uri[side];

        if (!uri->host)
            continue;
        r->address[side] = resolve_host(uri->host, err);
        if (!r->address[side])
            return error_wrap(err, "%s", side_name((enum side_id)side));
        if (refuse_clear(r, (enum side_id)side, err) < 0)
            return -1;
    }
    if (is_one_server(r) && str_equal(r->plan->uri[SOURCE].export_name,
                                      r->plan->uri[DESTINATION].export_name))
        return error_set(err, QM_ERR_REFUSED,
                         "SOURCE and DESTINATION are one export: a disk is "
                         "never copied onto itself");
    return 0;
}

/* --- what the servers say -------------------------------------------------- */

static bool has_client_key(const char *dir)
{
    struct tls_files files;
    bool has;

    tls_files_read(dir, TLS_CLIENT, &files);
    has = files.file[TLS_KEY].state == TLS_FILE_READ;
    tls_files_done(&files);
    return has;
}

static int open_side(struct copy_run *r, enum side_id side,
                     struct qm_error *err)
{
    const struct copy_plan *plan = r->plan;
    const struct nbd_uri *uri = &plan->uri[side];
    const struct nbd_probe where = {
        .path = uri->path,
        .host = r->address[side],
        .port = uri->port,
        .fd = -1,
        .export_name = uri->export_name,
        .tls_dir = uri->tls ? plan->tls_dir : NULL,
        .tls_hostname = plan->tls_hostname ? plan->tls_hostname : uri->host,
        .has_client_key = uri->tls && has_client_key(plan->tls_dir),
    };
    struct nbd_disk *disk =
        nbd_disk_open(r->loop, &where, NBD_MAP_DATA, plan->connections,
                      deadline_in_ms(OPEN_LIMIT_MS), err);

    if (!disk)
        return error_wrap(err, "%s", side_name(side));
    r->disk[side] = disk;
    r->result->connections[side] = nbd_disk_connections(disk);
    r->result->tls[side] = nbd_disk_export(disk)->tls;
    return 0;
}

static int check_disks(struct copy_run *r, struct qm_error *err)
{
    uint64_t from = nbd_disk_size(r->disk[SOURCE]);
    uint64_t to = nbd_disk_size(r->disk[DESTINATION]);

    r->result->size = from;
    if (nbd_disk_export(r->disk[DESTINATION])->read_only)
        return error_set(err, QM_ERR_REFUSED,
                         "destination: %s is read-only there",
                         r->plan->uri[DESTINATION].text);
    if (to < from)
        return error_set(err, QM_ERR_REFUSED,
                         "destination: the export has %llu bytes, the source's "
                         "has %llu: %llu are missing",
                         (unsigned long long)to, (unsigned long long)from,
                         (unsigned long long)(from - to));
    return 0;
}

/* --- the work ---------------------------------------------------------------- */

static int wait_until(void *arg, bool (*holds)(void *what), void *what,
                      struct qm_error *err)
{
    const struct copy_run *r = arg;

    if (loop_wait(r->loop, holds, what, deadline_in_ms(STALL_LIMIT_MS)) &&
        !*r->stop)
        return 0;
    if (*r->stop)
        return error_set(err, QM_ERR_CANCELLED, "cancelled");
    return error_set(err, QM_ERR_TIMEOUT,
                     "neither server has answered anything for %d s",
                     STALL_LIMIT_MS / 1000);
}

static void tell_progress(void *arg, uint64_t done_bytes)
{
    struct copy_run *r = arg;
    int64_t now = clock_now_ms();
    struct progress progress = {
        .step = "copy",
        .elapsed_ms = now - r->started_ms,
        .disk_count = 1,
        .disk_total = r->result->size,
        .disk_copied = done_bytes,
    };
    const struct narration n = { .kind = NARRATE_PROGRESS,
                                 .progress = &progress };

    if (now - r->told_ms < TELL_INTERVAL_MS)
        return;
    progress.disk_bps =
        (done_bytes - r->told_bytes) * 1000 / (uint64_t)(now - r->told_ms);
    r->told_ms = now;
    r->told_bytes = done_bytes;
    r->narrator->tell(r->narrator->arg, &n);
}

static int copy_disk(struct copy_run *r, struct qm_error *err)
{
    struct nbd_waiter waiter = { .until = wait_until, .arg = r };
    struct copy_result *result = r->result;
    const struct narration begins = { .kind = NARRATE_STEP, .text = "copy" };
    struct nbd_copy copy = {
        .source = r->disk[SOURCE],
        .destination = r->disk[DESTINATION],
        .waiter = &waiter,
        .progress = tell_progress,
        .progress_arg = r,
    };
    int rc;

    r->began = true;
    r->narrator->tell(r->narrator->arg, &begins);
    rc = nbd_copy(&copy, err);
    result->written = copy.written_bytes;
    result->zeroed = copy.zeroed_bytes;
    result->skipped = copy.skipped_bytes;
    return rc;
}

static int run(struct copy_run *r, struct qm_error *err)
{
    if (find_addresses(r, err) < 0 || open_side(r, SOURCE, err) < 0 ||
        open_side(r, DESTINATION, err) < 0 || check_disks(r, err) < 0)
        return -1;
    return copy_disk(r, err);
}

/* --- the end ------------------------------------------------------------------ */

static enum outcome judge(const struct copy_run *r, struct qm_error *err)
{
    if (*r->stop) {
        error_clear(err); /* what a stopped wait was told to say */
        error_set(err, QM_ERR_CANCELLED, "cancelled");
    }
    if (r->began)
        error_hint(err, "the destination has a part of the disk: copy again "
                        "before it is used");
    if (*r->stop)
        return OUTCOME_CANCELLED;
    return r->began ? OUTCOME_FAILED : OUTCOME_REFUSED;
}

void copy_run(struct loop *loop, const struct copy_plan *plan, const bool *stop,
              const struct narrator *narrator, struct copy_result *ret)
{
    struct copy_run r = {
        .loop = loop,
        .plan = plan,
        .stop = stop,
        .narrator = narrator,
        .result = ret,
        .started_ms = clock_now_ms(),
    };

    *ret = (struct copy_result){ .outcome = OUTCOME_COMPLETED };
    r.told_ms = r.started_ms;
    loop_stop_waits_on(loop, stop);
    if (run(&r, &ret->error) < 0)
        ret->outcome = judge(&r, &ret->error);
    loop_stop_waits_on(loop, NULL);
    ret->retryable = ret->outcome == OUTCOME_CANCELLED ||
                     ret->error.code == QM_ERR_CONNECT ||
                     ret->error.code == QM_ERR_LINK ||
                     ret->error.code == QM_ERR_TIMEOUT;
    ret->wall_ms = clock_now_ms() - r.started_ms;
    for (int side = 0; side < SIDES; side++) {
        nbd_disk_free(r.disk[side]);
        free(r.address[side]);
    }
}

void copy_result_done(struct copy_result *r)
{
    error_clear(&r->error);
}

enum qm_exit copy_result_exit(const struct copy_result *r)
{
    static const enum qm_exit exits[] = {
        [OUTCOME_COMPLETED] = QM_EXIT_DONE,
        [OUTCOME_FAILED] = QM_EXIT_FAILED,
        [OUTCOME_CANCELLED] = QM_EXIT_CANCELLED,
        [OUTCOME_REFUSED] = QM_EXIT_REFUSED,
    };

    if (r->error.message && r->error.code == QM_ERR_USAGE)
        return QM_EXIT_USAGE;
    return exits[r->outcome];
}
