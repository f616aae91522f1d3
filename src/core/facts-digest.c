/*
 * Are read-only disks, which each side has for itself, equal?
 *
 * Each host reads its own: no byte of them crosses the network.  Where a host
 * cannot be asked nothing is compared, since to compare through the engine
 * would move more than the copy that it might spare.
 */
#include <stdlib.h>

#include "core/facts-private.h"
#include "core/preflight-private.h"

#define DIGEST_LIMIT_MS 15000
#define DIGEST_SLOWEST_BPS (20 * MIB)

/* What is to be read of one side, and of which of its disks it tells. */
struct reading {
    struct strv paths;
    size_t *disk;
    uint64_t bytes;
};

static void reading_init(struct reading *r, size_t count)
{
    *r = (struct reading){ .disk = xcalloc(count + 1, sizeof(*r->disk)) };
}

static void reading_done(struct reading *r)
{
    strv_done(&r->paths);
    free(r->disk);
}
DEFINE_CLEANUP_DONE(struct reading, reading_done)

static void reading_add(struct reading *r, const struct side_facts *s, size_t i)
{
    r->disk[r->paths.count] = i;
    r->bytes += s->disks.item[i].virtual_size;
    strv_add(&r->paths, facts_disk_path(s, i));
}

static int read_side(const struct facts_input *in, enum side_id side,
                     struct side_facts *s, const struct reading *r)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct file_digest *digest = xcalloc(r->paths.count, sizeof(*digest));
    int64_t limit_ms =
        DIGEST_LIMIT_MS + (int64_t)(r->bytes / DIGEST_SLOWEST_BPS) * 1000;
    int ret =
        host_digest_files(in->host[side], s->process.known ? s->process.pid : 0,
                          (const char *const *)r->paths.item, r->paths.count,
                          limit_ms, digest, &err);

    for (size_t n = 0; n < r->paths.count && ret == 0; n++) {
        s->disk_digest[r->disk[n]] = digest[n];
    }
    free(digest);
    return ret;
}

void facts_collect_digests(const struct facts_input *in, struct facts *f)
{
    CLEANUP(reading_done) struct reading here = { .disk = NULL };
    CLEANUP(reading_done) struct reading there = { .disk = NULL };
    struct side_facts *s = &f->side[SOURCE], *d = &f->side[DESTINATION];
    size_t *counterpart = facts_counterparts(f);

    reading_init(&here, s->disks.count);
    reading_init(&there, s->disks.count);
    for (size_t i = 0; i < s->disks.count; i++) {
        size_t j = counterpart[i] - 1;

        if (counterpart[i] && facts_need_digest(f, i, j) &&
            *facts_disk_path(s, i) && *facts_disk_path(d, j)) {
            reading_add(&here, s, i);
            reading_add(&there, d, j);
        }
    }
    free(counterpart);
    if (here.paths.count > 0 && in->host[SOURCE] && in->host[DESTINATION] &&
        read_side(in, DESTINATION, d, &there) == 0) {
        read_side(in, SOURCE, s, &here);
    }
}
