/*
 * Images on a host: is there room, make them, remove them.
 *
 * happy path   An empty file is made with O_EXCL, so that none that is there
 *              is ever overwritten; qemu-img writes into that, then it is
 *              given to the user as whom the QEMU runs, both by descriptor:
 *              whoever may write to the folder may have put a link in its
 *              place by then.
 * what fails   The file is removed again, if it is still the one that was
 *              made: device and inode tell.
 */
#include "core/host-images.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/host-private.h"

#define MAKE_LIMIT_MS 60000

/* After HOST_FIND: who logs in ($u), and as whom the QEMU opens files ($qu,
 * $qg); `who` says which inode $p is.  From now on `real` leaves the last name
 * as it is. */
#define USERS                                                                  \
    "u=$(id -u); qu=$u; qg=$(id -g); "                                         \
    "if [ $pid -gt 0 ] && [ -r /proc/$pid/status ]; then "                     \
    "  while read -r key a b c d; do "                                         \
    "    case $key in Uid:) qu=$d ;; Gid:) qg=$d ;; esac; "                    \
    "  done </proc/$pid/status; "                                              \
    "fi; makes=$u; "                                                           \
    "who() { stat -c \"%d %i\" -- \"$p\" 2>/dev/null; }; "

static const char look_script[] = HOST_FIND USERS
    "tool=no; command -v qemu-img >/dev/null && tool=yes; "
    "echo $tool $u $qu; "
    "while IFS= read -r path; do "
    "  state=free; "
    "  if [ $sees = no ]; then state=unseen; "
    "  elif ! real; then state=nofolder; "
    "  elif [ -e \"$p\" ] || [ -L \"$p\" ]; then state=taken; "
    "  elif [ ! -w . ] || [ ! -x . ]; then state=closed; fi; "
    "  number=0; room=\"0 0\"; "
    "  case $state in unseen|nofolder) ;; *) "
    "    number=$(stat -c %d . 2>/dev/null) || number=0; "
    "    room=$(stat -f -c \"%a %S\" . 2>/dev/null) || room=\"0 0\" ;; "
    "  esac; "
    "  echo $state $number $room; "
    "done";

bool image_site_parse(const char *line, struct image_site *ret)
{
    static const struct {
        const char *word;
        enum image_site_state state;
    } states[] = {
        { "free", SITE_FREE },          { "taken", SITE_TAKEN },
        { "nofolder", SITE_NO_FOLDER }, { "closed", SITE_CLOSED },
        { "unseen", SITE_UNSEEN },
    };
    uint64_t number, blocks, size;
    char word[16];

    if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNu64, word, &number,
               &blocks, &size) != 4) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (str_equal(states[i].word, word)) {
            ret->state = states[i].state;
            ret->file_system = number;
            ret->free_bytes = blocks * size;
            return true;
        }
    }
    return false;
}

static bool parse_maker(const char *line, struct image_maker *ret)
{
    struct image_maker m = { .has_qemu_img = false };
    char word[4];

    if (!line || sscanf(line, "%3s %u %u", word, &m.user, &m.qemu_user) != 3) {
        return false;
    }
    m.has_qemu_img = str_equal(word, "yes");
    *ret = m;
    return true;
}

static const char *line_after(const char *line)
{
    const char *end = line ? strchr(line, '\n') : NULL;

    return end ? end + 1 : NULL;
}

int host_look_at_sites(struct host *h, int pid, struct image_site *sites,
                       size_t count, struct image_maker *ret,
                       struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *line;
    int status;

    buffer_printf(&in, "%d\n", pid);
    for (size_t i = 0; i < count; i++) {
        if (host_path_can_be_asked(sites[i].path)) {
            buffer_printf(&in, "%s\n", sites[i].path);
        }
    }
    status = host_run(h, look_script, in.data, deadline_in_ms(HOST_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        return status < 0 ? -1
                          : host_complain(h, "look where images are to be made",
                                          status, err);
    }
    line = out.data;
    if (!parse_maker(line, ret)) {
        return host_complain(h, "understand who may make images", status, err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!host_path_can_be_asked(sites[i].path)) {
            continue;
        }
        line = line_after(line);
        if (!line || !image_site_parse(line, &sites[i])) {
            return host_complain(h, "understand where images are to be made",
                                 status, err);
        }
    }
    return 0;
}

/* --- making ------------------------------------------------------------------ */

/*
 * Says "made DEVICE INODE", or a word and the reason.  `make` has the new file
 * as its descriptor 3; a shell that may not clobber still opens what is no
 * regular file.
 */
static const char make_script[] = HOST_FIND USERS
    "IFS= read -r path; read -r format; read -r size; read -r options; "
    "umask 077; "
    "real && [ $p != . ] "
    "  || { echo failed its folder cannot be entered as that QEMU sees it; "
    "       exit; }; "
    "make() { "
    "  set +C; file=/proc/self/fd/0; "
    "  case $(LC_ALL=C stat -L -c %F:%h:%s $file <&3) in "
    "    regular*:1:0) ;; *) echo taken; return ;; "
    "  esac; "
    "  made=$(stat -L -c \"%d %i\" $file <&3); "
    "  if why=$(qemu-img create -q -f \"$format\" "
    "           ${options:+-o \"$options\"} -- $file \"$size\" 2>&1 <&3) "
    "     && { [ $u != 0 ] || why=$(chown $qu:$qg $file 2>&1 <&3); } "
    "     && [ \"$(who)\" = \"$made\" ]; "
    "  then echo made $made; "
    "  else [ \"$(who)\" = \"$made\" ] && rm -f -- \"$p\"; "
    "    echo failed \"${why:-another file was put in its place}\"; fi; "
    "}; "
    "set -C; said=$( { make 3>\"$p\"; } 2>&1 ); "
    "case $said in "
    "  made*|failed*|taken*) echo \"$said\" ;; "
    "  *) if [ -e \"$p\" ] || [ -L \"$p\" ]; then echo taken; "
    "     else echo failed \"${said##*: }\"; fi ;; "
    "esac";

static int complain_of_making(const struct host *h,
                              const struct image_spec *spec, const char *said,
                              struct qm_error *err)
{
    CLEANUP_FREE char *why = NULL;

    if (str_starts(said, "taken")) {
        return error_set(err, QM_ERR_SYSTEM, "%s: %s exists already", h->text,
                         spec->path);
    }
    said += str_starts(said, "failed ") ? strlen("failed ") : 0;
    why = xstrndup(said, strcspn(said, "\n"));
    return error_set(err, QM_ERR_SYSTEM, "%s: cannot make the image %s: %s",
                     h->text, spec->path, *why ? why : "no reason was given");
}

int host_make_image(struct host *h, int pid, const struct image_spec *spec,
                    struct made_image *ret, bool *ret_unsure,
                    struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    struct made_image made = { .known = true };
    int status;

    /* a line is a word of the script's: one that breaks would make two */
    if (!host_path_can_be_asked(spec->path) || strchr(spec->format, '\n') ||
        strchr(spec->options, '\n')) {
        return error_set(err, QM_ERR_USAGE, "an image's name has a line break");
    }
    buffer_printf(&in, "%d\n%s\n%s\n%" PRIu64 "\n%s\n", pid, spec->path,
                  spec->format, spec->size_bytes, spec->options);
    status = host_run(h, make_script, in.data, deadline_in_ms(MAKE_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        *ret_unsure = true;
        return status < 0 ? -1 : host_complain(h, "make an image", status, err);
    }
    buffer_append(&out, "", 0);
    if (sscanf(out.data ? out.data : "", "made %" SCNu64 " %" SCNu64,
               &made.device, &made.inode) != 2) {
        return complain_of_making(h, spec, out.data ? out.data : "", err);
    }
    *ret = made;
    return 0;
}

/* That QEMU may have ended, and its root with it: then the file is looked for
 * as whoever logs in sees it; it has to be that very one. */
static const char remove_script[] =
    HOST_FIND USERS "IFS= read -r path; read -r made; "
                    "[ $sees = yes ] || { sees=yes; top=$(inode /.); }; "
                    "real || { echo other; exit; }; "
                    "[ \"$(who)\" = \"$made\" ] || { echo other; exit; }; "
                    "why=$(rm -f -- \"$p\" 2>&1); "
                    "if [ -e \"$p\" ]; then echo \"${why##*: }\"; "
                    "else echo done; fi";

int host_remove_image(struct host *h, int pid, const char *path,
                      const struct made_image *made, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    int status;

    if (!host_path_can_be_asked(path)) {
        return error_set(err, QM_ERR_USAGE, "an image's name has a line break");
    }
    buffer_printf(&in, "%d\n%s\n%" PRIu64 " %" PRIu64 "\n", pid, path,
                  made->device, made->inode);
    status = host_run(h, remove_script, in.data, deadline_in_ms(HOST_LIMIT_MS),
                      &out, err);
    if (status != 0) {
        return status < 0 ? -1
                          : host_complain(h, "remove an image", status, err);
    }
    buffer_append(&out, "", 0);
    if (out.data && str_starts(out.data, "done")) {
        return 0;
    }
    return error_set(err, QM_ERR_SYSTEM, "%s: %s: %.*s", h->text, path,
                     out.data ? (int)strcspn(out.data, "\n") : 0,
                     out.data && !str_starts(out.data, "other")
                         ? out.data
                         : "another file is there, or none");
}
