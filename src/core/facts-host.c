/*
 * What a QEMU's host tells of it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/facts-private.h"

#define ROOM_LIMIT_MS 15000

#define CAP_SYS_PTRACE_BIT 19
#define STATUS_MAX 65536

static const char *text_of(const struct host_file *f)
{
    return f->state == HOST_FILE_READ && f->bytes.len > 0 ? f->bytes.data : "";
}

/* The number behind KEY in /proc/PID/status, written to the BASE. */
static bool status_number(const char *status, const char *key, int base,
                          unsigned long long *ret)
{
    const char *at = strstr(status, key);
    char *end;

    if (!at)
        return false;
    at += strlen(key);
    *ret = strtoull(at, &end, base);
    return end != at;
}

static enum host_has judge_userfaultfd(struct host *h, const char *status,
                                       const char *unprivileged)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    enum host_file_state device = HOST_FILE_UNREADABLE;
    unsigned long long capabilities;
    unsigned mode = 0;

    if (!status_number(status, "\nCapEff:", 16, &capabilities))
        return HOST_HAS_UNKNOWN;
    if (unprivileged[0] == '1' || (capabilities >> CAP_SYS_PTRACE_BIT & 1))
        return HOST_HAS;
    if (host_look_at_file(h, "/dev/userfaultfd", &device, &mode, &ignored) < 0)
        return HOST_HAS_UNKNOWN;
    if (device == HOST_FILE_MISSING)
        return HOST_HAS_NOT;
    return (mode & 06) == 06 ? HOST_HAS : HOST_HAS_UNKNOWN;
}

static enum host_has has_userfaultfd(struct host *h, int pid)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    struct host_file files[] = {
        { .path = xasprintf("/proc/%d/status", pid) },
        { .path = xstrdup("/proc/sys/vm/unprivileged_userfaultfd") },
    };
    enum host_has has = HOST_HAS_UNKNOWN;

    if (host_read_files(h, files, ARRAY_LEN(files), STATUS_MAX, &ignored) ==
        0) {
        buffer_append(&files[0].bytes, "", 1);
        buffer_append(&files[1].bytes, "", 1);
        has = judge_userfaultfd(h, text_of(&files[0]), text_of(&files[1]));
    }
    host_files_done(files, ARRAY_LEN(files));
    return has;
}

void facts_collect_host(const struct facts_input *in, enum side_id side,
                        struct side_facts *s)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct host *h = in->host[side];

    if (!h) {
        s->host_problem = xstrdup("it is not known how to reach it");
        return;
    }
    s->host_is_local = host_is_local(h);
    s->process = *in->process[side];
    if (!s->process.known) {
        s->host_problem = xstrdup(in->process_problem[side]);
    } else if (host_unit_facts(h, &s->process, &s->unit, &err) < 0) {
        s->host_problem = xstrdup(err.message);
        error_clear(&err);
    } else {
        s->host_known = true;
    }
    if (side == DESTINATION && in->plan->postcopy && s->process.known)
        s->userfaultfd = has_userfaultfd(h, s->process.pid);
    /* also without the process: the same disk on both sides is fatal */
    if (facts_identify_disks(h, s, &err) < 0 && !s->host_problem) {
        s->host_problem = xstrdup(err.message);
        s->host_known = false;
    }
}

void facts_collect_room(const struct facts_input *in, struct facts *f)
{
    for (int side = 0; side < SIDES; side++) {
        struct side_facts *s = &f->side[side];
        CLEANUP(strv_done) struct strv paths = { .count = 0 };
        CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;

        if (!in->host[side] || !s->process.known)
            continue;
        for (size_t i = 0; side == DESTINATION && i < s->disks.count; i++)
            strv_add(&paths, facts_disk_path(s, i));
        s->disk_room = xcalloc(paths.count + 1, sizeof(*s->disk_room));
        host_look_for_room(in->host[side], s->process.pid,
                           (const char *const *)paths.item, paths.count,
                           &s->memory, s->disk_room,
                           deadline_in_ms(ROOM_LIMIT_MS), &ignored);
    }
}
