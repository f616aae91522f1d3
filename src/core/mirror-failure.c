/*
 * Why a mirror failed, in words that name the disk, the host and what is
 * missing there.  QEMU's own are an errno: "No space left on device".
 */
#include <string.h>

#include "core/migration-private.h"
#include "core/mirror.h"

#define SPACE_LIMIT_MS 5000

/* While the guest stands still nobody asks a host. */
static bool there_is_time(struct migration *m)
{
    return !m->stream_started || source_of(m)->running;
}

static bool find_free_space(struct migration *m, const struct disk_copy *d,
                            uint64_t *ret_bytes)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    const struct side *s = destination_of(m);
    const char *const paths[] = { d->destination_file };
    struct host_memory memory;
    struct disk_room room;

    if (!s->host || !s->process.known || !d->destination_file ||
        d->destination_file[0] != '/' || !there_is_time(m) ||
        host_look_for_room(s->host, s->process.pid, paths, ARRAY_LEN(paths),
                           &memory, &room, deadline_in_ms(SPACE_LIMIT_MS),
                           &ignored) < 0 ||
        !room.known)
        return false;
    *ret_bytes = room.free;
    return true;
}

static double in_mib(uint64_t bytes)
{
    return (double)bytes / (double)MIB;
}

char *mirror_room_hint(uint64_t left, const uint64_t *room)
{
    const uint64_t little = MIB / 10;

    if (!room)
        return xasprintf("the guest was not disturbed; make room there: at "
                         "most %.1f MiB were still to be copied, beside what "
                         "the guest writes meanwhile",
                         in_mib(left));
    if (left < *room + little)
        return xasprintf("the guest was not disturbed; %.1f MiB are free there "
                         "now, and at most %.1f MiB were still to be copied: "
                         "see whether a quota or a reserve ends earlier, or "
                         "somebody else filled it meanwhile",
                         in_mib(*room), in_mib(left));
    return xasprintf("the guest was not disturbed; %.1f MiB are free there, "
                     "and at most %.1f MiB were still to be copied: make room "
                     "for %.1f MiB more",
                     in_mib(*room), in_mib(left), in_mib(left - *room));
}

static void explain_full(struct migration *m, const struct disk_copy *d,
                         struct qm_error *err)
{
    CLEANUP_FREE char *hint = NULL;
    uint64_t left = d->total_bytes > d->current_bytes
                        ? d->total_bytes - d->current_bytes
                        : 0;
    uint64_t room;

    hint = mirror_room_hint(left, find_free_space(m, d, &room) ? &room : NULL);
    error_hint(err, "%s", hint);
}

bool some_mirror_has_failed(const struct migration *m)
{
    for (size_t i = 0; i < m->disk_count; i++)
        if (m->disk[i].state == MIRROR_FAILED)
            return true;
    return false;
}

int mirror_failure(struct migration *m, struct qm_error *err)
{
    const struct disk_copy *d = m->disk;
    const struct host *host = destination_of(m)->host;

    while (d->state != MIRROR_FAILED)
        d++; /* one has: that is why we are asked */
    if (!d->write_failed) {
        error_set(err, QM_ERR_DISK, "source: mirror of disk %s failed: %s",
                  d->label, d->error);
        error_hint(err, "the guest was not disturbed; see whether the "
                        "destination has room for the disk and stays "
                        "reachable");
        return -1;
    }
    error_set(err, QM_ERR_DISK,
              "destination: disk %s could not be written to %s%s%s: %s",
              d->label,
              d->destination_file ? d->destination_file : d->destination_node,
              host ? " on " : "", host ? host_text(host) : "", d->error);
    if (strstr(d->error, "No space left"))
        explain_full(m, d, err);
    else
        error_hint(err,
                   "the guest was not disturbed; see whether the disk "
                   "there is sound and the network to %s stays up",
                   m->facts.address);
    return -1;
}
