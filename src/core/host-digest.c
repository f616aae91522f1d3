/*
 * What is in a host's large files, told in a few bytes.
 */
#include <string.h>

#include "core/host-private.h"

/* A line a path: the digest, or "-".  A pipe or a terminal is not waited
 * for. */
static const char digest_script[] =
    HOST_FIND "while IFS= read -r path; do "
              "  real; d=-; "
              "  if [ -f \"$p\" ] || [ -b \"$p\" ]; then "
              "    d=$(nice sha256sum <\"$p\" 2>/dev/null) || d=-; "
              "  fi; "
              "  echo ${d%% *}; "
              "done";

/* The next line of *POS; what is no digest is not known. */
static bool parse_digest(const char **pos, struct file_digest *ret)
{
    size_t len = sizeof(ret->sha256) - 1;
    const char *line = *pos, *end = line ? strchr(line, '\n') : NULL;

    if (!end) {
        return false;
    }
    *pos = end + 1;
    if ((size_t)(end - line) == len &&
        strspn(line, "0123456789abcdef") == len) {
        memcpy(ret->sha256, line, len);
        ret->sha256[len] = '\0';
        ret->known = true;
    }
    return true;
}

int host_digest_files(struct host *h, int pid, const char *const *paths,
                      size_t count, int64_t limit_ms, struct file_digest *ret,
                      struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *pos;
    int status;

    memset(ret, 0, count * sizeof(*ret));
    host_put_paths(&in, pid, paths, count);
    status = host_run(h, digest_script, in.data, deadline_in_ms(limit_ms), &out,
                      err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "read images", status, err);
    }
    pos = out.data;
    for (size_t i = 0; i < count; i++) {
        if (host_path_can_be_asked(paths[i]) && !parse_digest(&pos, &ret[i])) {
            return host_complain(h, "understand sha256sum", status, err);
        }
    }
    return 0;
}
