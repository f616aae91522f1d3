/*
 * --disks-sync top: is what lies below a disk's overlay the same on both sides?
 *
 * happy path   The source exports the node below the overlay, for reading, on
 *              a unix socket beside its monitor; the destination's overlay is
 *              read through the export that the mirror will write to, and must
 *              show just that.  So the destination's backing file is the same,
 *              and its overlay hides nothing of it: what the mirror does not
 *              write reads as it does at the source.  Where the overlay is
 *              larger, the rest of it must read as zeroes.
 *              Where both sides use one chain, nothing is read: it is enough
 *              that the destination's overlay is empty.
 * what fails   A difference: nothing was copied yet.
 * undo         The source's NBD server ends, and its exports with it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "core/migration-private.h"
#include "core/verify-source.h"
#include "nbd/compare.h"

#define OPEN_LIMIT_MS 10000
#define READ_LIMIT_MS 30000 /* of one request */

struct proof {
    struct migration *m;
    char *socket; /* the source's NBD server */
    bool server_up;
    struct nbd_disk *source, *destination; /* of the disk at hand */

    /* What is waited for now */
    bool (*holds)(void *what);
    void *what;
};

static bool proof_has_news(struct migration *m)
{
    return m->proof->holds(m->proof->what);
}

static int wait_until(void *arg, bool (*holds)(void *what), void *what,
                      struct qm_error *err)
{
    static const struct wait wait = {
        .what = "the backing files to be read",
        .holds = proof_has_news,
        .limit_ms = READ_LIMIT_MS,
        .ends_on = ENDS_ON_ANYTHING & ~(unsigned)ENDS_ON_STREAM_FAILURE,
    };
    struct proof *p = arg;

    p->holds = holds;
    p->what = what;
    return migration_wait(p->m, &wait, err);
}

static void close_disks(struct proof *p)
{
    nbd_disk_free(STEAL(p->source));
    nbd_disk_free(STEAL(p->destination));
}

static int open_disks(struct proof *p, const struct disk_copy *d,
                      struct qm_error *err)
{
    const struct source_export below = { .id = d->export_id,
                                         .node_name = d->backing_node };

    if (!p->server_up &&
        verify_server_start(source_of(p->m), p->socket, &p->server_up, err) < 0)
        return -1;
    p->source = verify_open(source_of(p->m), p->socket, &below, NBD_MAP_DATA,
                            OPEN_LIMIT_MS, err);
    if (!p->source)
        return -1;
    p->destination =
        destination_open(p->m, d, NBD_MAP_DATA, OPEN_LIMIT_MS, err);
    return p->destination ? 0 : -1;
}

static int differs(const struct disk_copy *d, uint64_t offset,
                   struct qm_error *err)
{
    error_set(err, QM_ERR_DISK,
              "the destination's overlay %s does not show what the source's "
              "backing file has: the first byte that differs is at offset %llu",
              d->destination_file, (unsigned long long)offset);
    error_hint(err, "give it the source's backing file, and make the overlay "
                    "anew if it was used before; or copy the whole disk, with "
                    "--disks-sync full");
    return -1;
}

/* What an overlay has beyond its backing file. */
static int check_rest(struct proof *p, const struct disk_copy *d,
                      const struct nbd_waiter *w, struct qm_error *err)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges data = { 0 };
    uint64_t from = nbd_disk_size(p->source);
    uint64_t size = nbd_disk_size(p->destination);

    if (from >= size)
        return 0;
    if (nbd_disk_map(p->destination, from, size - from, w, &data, err) < 0)
        return -1;
    return data.count > 0 ? differs(d, data.item[0].offset, err) : 0;
}

static int compare(struct proof *p, const struct disk_copy *d,
                   struct qm_error *err)
{
    const struct nbd_waiter waiter = { .until = wait_until, .arg = p };
    struct nbd_comparison c = { .side = { p->source, p->destination },
                                .waiter = &waiter };
    bool differ;

    if (nbd_compare(&c, NULL, err) < 0)
        return -1;
    differ = c.different.count > 0;
    nbd_ranges_done(&c.different);
    if (differ)
        return differs(d, c.first_different, err);
    return check_rest(p, d, &waiter, err);
}

/* 1 if the destination's overlay has nothing of its own. */
static int is_empty(struct proof *p, const struct disk_copy *d,
                    struct qm_error *err)
{
    const struct nbd_waiter waiter = { .until = wait_until, .arg = p };
    CLEANUP(nbd_ranges_done) struct nbd_ranges own = { 0 };

    p->destination = destination_open(p->m, d, NBD_MAP_TOP, OPEN_LIMIT_MS, err);
    if (!p->destination ||
        nbd_disk_map(p->destination, 0, nbd_disk_size(p->destination), &waiter,
                     &own, err) < 0)
        return -1;
    close_disks(p);
    return own.count == 0;
}

static int prove_disk(struct proof *p, const struct disk_copy *d,
                      struct qm_error *err)
{
    int proved = d->backing_shared ? is_empty(p, d, err) : 0;

    if (proved == 1)
        return 0;
    if (proved < 0 || open_disks(p, d, err) < 0 || compare(p, d, err) < 0)
        return error_wrap(err, "disk %s", d->label);
    close_disks(p); /* the server would wait for them */
    return 0;
}

static int end_server(struct proof *p, struct qm_error *err)
{
    if (p->server_up && verify_server_stop(source_of(p->m), err) < 0)
        return error_wrap(err, "the NBD server of the source, at %s",
                          p->socket);
    p->server_up = false;
    return 0;
}

static struct proof *proof_new(struct migration *m)
{
    struct proof *p = XNEW(struct proof);

    *p = (struct proof){
        .m = m,
        .socket = verify_socket_beside(m->plan->peer[SOURCE].path, m->id),
    };
    return p;
}

static void proof_free(struct proof *p)
{
    close_disks(p);
    free(p->socket);
    free(p);
}

int step_prove_backing(struct migration *m, struct qm_error *err)
{
    struct proof *p;
    size_t tops = 0;

    for (size_t i = 0; i < m->disk_count; i++)
        tops += m->disk[i].top;
    if (tops == 0)
        return 0;
    p = m->proof = proof_new(m);
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].top && prove_disk(p, &m->disk[i], err) < 0)
            return -1;
    if (end_server(p, err) < 0)
        return -1;
    proof_free(STEAL(m->proof));
    return 0;
}

void proof_adopt(struct migration *m)
{
    m->proof = proof_new(m);
    m->proof->server_up = true;
}

void undo_prove_backing(struct migration *m)
{
    struct proof *p = STEAL(m->proof);
    struct qm_error err = QM_ERROR_INIT;

    if (!p)
        return;
    close_disks(p);
    if (!side_has_ended(source_of(m)) && end_server(p, &err) < 0 &&
        !side_has_ended(source_of(m)))
        migration_left(m, "%s", err.message);
    (void)unlink(p->socket); /* of a source that died */
    error_clear(&err);
    proof_free(p);
}
