/*
 * What a host has left: memory for a guest, room for its disks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/host-private.h"

/* First the lines of /proc, then one a path: its file system's number, what
 * it occupies, what is free there, in pairs of blocks and their size; or "-".
 */
static const char room_script[] = HOST_FIND
    "lines() { "
    "  while read -r key n rest; do "
    "    case $key in "
    "      MemTotal:|MemAvailable:|SwapTotal:|SwapFree:|VmRSS:) "
    "        echo $key $n ;; "
    "    esac; "
    "  done <$1; "
    "}; "
    "lines /proc/meminfo; "
    "[ $pid -gt 0 ] && [ -r /proc/$pid/status ] && lines /proc/$pid/status; "
    "echo paths; "
    "while IFS= read -r path; do "
    "  if real && [ -f \"$p\" ] "
    "    && a=$(stat -c \"%d %b %B\" -- \"$p\" 2>/dev/null) "
    "    && b=$(stat -f -c \"%a %S\" -- \"$p\" 2>/dev/null); "
    "  then echo $a $b; else echo -; fi; "
    "done";

static void parse_memory(const char *line, struct host_memory *m)
{
    const struct {
        const char *key;
        uint64_t *bytes;
    } keys[] = {
        { "MemTotal: ", &m->total },       { "MemAvailable: ", &m->available },
        { "SwapTotal: ", &m->swap_total }, { "SwapFree: ", &m->swap_free },
        { "VmRSS: ", &m->resident },
    };
    uint64_t kib;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_starts(line, keys[i].key) &&
            sscanf(line + strlen(keys[i].key), "%" SCNu64, &kib) == 1) {
            *keys[i].bytes = kib * KIB;
        }
    }
}

static void parse_room(const char *line, struct disk_room *r)
{
    uint64_t number, blocks, block, available, size;

    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &number, &blocks, &block, &available, &size) == 5) {
        *r = (struct disk_room){ .known = true,
                                 .file_system = number,
                                 .occupied = blocks * block,
                                 .free = available * size };
    }
}

static const char *line_after(const char *line)
{
    const char *end = line ? strchr(line, '\n') : NULL;

    return end ? end + 1 : NULL;
}

void room_parse(const char *text, const char *const *paths, size_t count,
                struct host_memory *ret_memory, struct disk_room *ret)
{
    const char *line = text;

    for (; line && *line && !str_starts(line, "paths\n");
         line = line_after(line)) {
        parse_memory(line, ret_memory);
    }
    line = line_after(line);
    for (size_t i = 0; i < count && line && *line; i++) {
        if (host_path_can_be_asked(paths[i])) {
            parse_room(line, &ret[i]);
            line = line_after(line);
        }
    }
}

int host_look_for_room(struct host *h, int pid, const char *const *paths,
                       size_t count, struct host_memory *ret_memory,
                       struct disk_room *ret, deadline_t by,
                       struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    int status;

    *ret_memory = (struct host_memory){ .total = 0 };
    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct disk_room){ .known = false };
    }
    (void)host_put_paths(&in, pid, paths, count);
    status = host_run(h, room_script, in.data, by, &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "look for room", status, err);
    }
    buffer_append(&out, "", 0);
    room_parse(out.data ? out.data : "", paths, count, ret_memory, ret);
    return 0;
}
