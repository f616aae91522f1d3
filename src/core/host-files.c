/*
 * Files of a host: which file is it, what is in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

/* --- which one -------------------------------------------------------------------- */

/* A line each: device, inode, rdev's major and minor in hex, what it is. */
static const char identify_script[] =
    "while read -r path; do "
    "  LC_ALL=C stat -L -c \"%d %i %t %T %F\" -- \"$path\" 2>/dev/null || "
    "  echo -; "
    "done";

static void parse_identity(const char *line, struct file_identity *ret)
{
    uint64_t device, inode;
    unsigned major, minor;
    int used = 0;

    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %x %x %n", &device, &inode,
               &major, &minor, &used) != 4) {
        return;
    }
    ret->known = true;
    ret->is_block_device = str_starts(line + used, "block special");
    ret->device = device;
    ret->inode = inode;
    if (ret->is_block_device) { /* the node in /dev says nothing */
        ret->device = (uint64_t)major << 32 | minor;
        ret->inode = 0;
    }
}

static bool can_be_asked(const char *path)
{
    return path && *path && !strchr(path, '\n');
}

int host_identify_files(struct host *h, const char *const *paths, size_t count,
                        struct file_identity *ret, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *line;
    int status;

    memset(ret, 0, count * sizeof(*ret));
    for (size_t i = 0; i < count; i++) {
        if (can_be_asked(paths[i])) {
            buffer_printf(&in, "%s\n", paths[i]);
        }
    }
    if (in.len == 0) {
        return 0;
    }
    status = host_run(h, identify_script, in.data,
                      deadline_in_ms(HOST_LIMIT_MS), &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "stat files", status, err);
    }
    line = out.data;
    for (size_t i = 0; i < count && line; i++) {
        if (!can_be_asked(paths[i])) {
            continue;
        }
        parse_identity(line, &ret[i]);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return 0;
}

/* --- what is in it ------------------------------------------------------------------ */

/* For each path "missing" or "unreadable", or "read SIZE" and then as many
 * bytes.  The size is that of the copy that is sent. */
static const char read_script[] =
    "read -r max; "
    "while read -r path; do "
    "  if [ ! -e \"$path\" ]; then "
    "    if [ -x \"${path%/*}/\" ] || [ ! -e \"${path%/*}/\" ]; "
    "    then echo missing; else echo unreadable; fi; "
    "  elif text=$(head -c $max -- \"$path\" 2>/dev/null && echo .); then "
    "    text=${text%.}; "
    "    size=$(printf %s \"$text\" | wc -c); "
    "    echo read $size; printf %s \"$text\"; "
    "  else echo unreadable; fi; "
    "done";

/* One answer at *POS; false if there is none. */
static bool parse_file(const char **pos, const char *end, struct host_file *f)
{
    const char *line = *pos;
    const char *eol = memchr(line, '\n', (size_t)(end - line));
    unsigned long long size;

    if (!eol) {
        return false;
    }
    *pos = eol + 1;
    if (str_starts(line, "missing\n")) {
        f->state = HOST_FILE_MISSING;
        return true;
    }
    if (sscanf(line, "read %llu", &size) != 1) {
        f->state = HOST_FILE_UNREADABLE;
        return str_starts(line, "unreadable\n");
    }
    if (size > (unsigned long long)(end - *pos)) {
        return false;
    }
    f->state = HOST_FILE_READ;
    buffer_append(&f->bytes, *pos, (size_t)size);
    *pos += size;
    return true;
}

int host_read_files(struct host *h, struct host_file *files, size_t count,
                    size_t max, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *pos;
    int status;

    buffer_printf(&in, "%zu\n", max);
    for (size_t i = 0; i < count; i++) {
        if (!can_be_asked(files[i].path)) {
            return error_set(err, QM_ERR_USAGE, "a path has a line break");
        }
        buffer_printf(&in, "%s\n", files[i].path);
    }
    status = host_run(h, read_script, in.data, deadline_in_ms(HOST_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "read files", status, err);
    }
    buffer_append(&out, "", 0);
    pos = out.data;
    for (size_t i = 0; i < count; i++) {
        if (!pos || !parse_file(&pos, out.data + out.len, &files[i])) {
            return host_complain(h, "understand what it sent", status, err);
        }
    }
    return 0;
}

void host_files_done(struct host_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(files[i].path);
        buffer_done(&files[i].bytes);
    }
}

int host_read_file(struct host *h, const char *path, size_t max,
                   struct buffer *ret, struct qm_error *err)
{
    struct host_file f = { .path = xstrdup(path) };
    int rc = host_read_files(h, &f, 1, max, err);

    if (rc == 0 && f.state != HOST_FILE_READ) {
        rc = error_set(err, QM_ERR_SYSTEM, "%s: %s: %s", h->text, path,
                       f.state == HOST_FILE_MISSING ? "no such file"
                                                    : "cannot be read");
    }
    if (rc == 0) {
        buffer_append(ret, f.bytes.data, f.bytes.len);
    }
    host_files_done(&f, 1);
    return rc;
}
