/*
 * Files of a host: what is in them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

bool host_path_can_be_asked(const char *path)
{
    return path && *path && !strchr(path, '\n');
}

bool host_put_paths(struct buffer *in, int pid, const char *const *paths,
                    size_t count)
{
    bool any = false;

    buffer_printf(in, "%d\n", pid);
    for (size_t i = 0; i < count; i++) {
        if (host_path_can_be_asked(paths[i])) {
            buffer_printf(in, "%s\n", paths[i]);
            any = true;
        }
    }
    return any;
}

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
        if (!host_path_can_be_asked(files[i].path)) {
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

/* --- not read --------------------------------------------------------------- */

static const char look_script[] =
    "read -r path; "
    "if [ -e \"$path\" ]; then ls -ldnL -- \"$path\"; "
    "elif [ -x \"${path%/*}/\" ] || [ ! -e \"${path%/*}/\" ]; "
    "then echo missing; else echo unreadable; fi";

/* "-rw-r-----" as bits; -1 if it is something else. */
static int parse_mode(const char *text, unsigned *ret)
{
    static const char letters[] = "rwxrwxrwx";
    unsigned mode = 0;

    for (int i = 0; i < 9; i++) {
        char c = text[0];

        if (c != 0) {
            c = text[i + 1];
        }
        if (c == 0) {
            return -1;
        }
        /* s and t stand for x, and S and T where there is none */
        if (c == letters[i] || (i % 3 == 2 && (c == 's' || c == 't'))) {
            mode |= 0400u >> i;
        } else if (c != '-' && c != 'S' && c != 'T') {
            return -1;
        }
    }
    *ret = mode;
    return 0;
}

int host_look_at_file(struct host *h, const char *path,
                      enum host_file_state *ret, unsigned *ret_mode,
                      struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP_FREE char *input = NULL;
    int status;

    if (!host_path_can_be_asked(path)) {
        return error_set(err, QM_ERR_USAGE, "a path has a line break");
    }
    input = xasprintf("%s\n", path);
    status = host_run(h, look_script, input, deadline_in_ms(HOST_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        return status < 0 ? -1
                          : host_complain(h, "look at a file", status, err);
    }
    buffer_append(&out, "", 0);
    if (out.data && parse_mode(out.data, ret_mode) == 0) {
        *ret = HOST_FILE_READ;
    } else {
        *ret = out.data && str_starts(out.data, "missing\n")
                   ? HOST_FILE_MISSING
                   : HOST_FILE_UNREADABLE;
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
