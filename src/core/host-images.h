/*
 * Making images on a host, and removing them.
 *
 * Paths are absolute, and those of the QEMU (PID), which may live in a root
 * folder of its own; 0, and one whose files cannot be seen, makes nothing.
 */
#ifndef QM_CORE_HOST_IMAGES_H
#define QM_CORE_HOST_IMAGES_H

#include "core/host.h"

/* --- before: is there room? ----------------------------------------------- */

enum image_site_state {
    SITE_UNKNOWN,
    SITE_FREE,
    SITE_TAKEN,     /* something is there, be it a dangling link */
    SITE_NO_FOLDER, /* its folder is not there */
    SITE_CLOSED,    /* no file can be made in its folder */
    SITE_UNSEEN     /* which file system it is in cannot be determined */
};
struct image_site {
    char *path; /* NULL: no image is to be made, or nobody knows where: */
    const char *why;
    enum image_site_state state;
    uint64_t file_system; /* number of the folder's, there */
    uint64_t free_bytes;  /* of it, for others than root */
};
/* Who makes them there. */
struct image_maker {
    bool has_qemu_img;
    unsigned user;      /* who logs in */
    unsigned qemu_user; /* as whom the QEMU opens files */
};
/* Fills sites that have a path (on one trip).  RET: also without any. */
int host_look_at_sites(struct host *h, int pid, struct image_site *sites,
                       size_t count, struct image_maker *ret,
                       struct qm_error *err);

/* --- making --------------------------------------------------------------- */

struct image_spec {
    const char *path;
    const char *format; /* "raw", "qcow2" */
    uint64_t size_bytes;
    const char *options; /* as for qemu-img's -o; may be "" */
};
/* Enough to tell it from another file of that name. */
struct made_image {
    bool known;
    uint64_t device, inode;
};
/*
 * A new file, made with O_EXCL, 0600, the QEMU's own; by qemu-img.  -1 with
 * ERR: it was not made, or it was removed again; but when the host stopped
 * talking in between nobody knows, and RET_UNSURE is true.
 */
int host_make_image(struct host *h, int pid, const struct image_spec *spec,
                    struct made_image *ret, bool *ret_unsure,
                    struct qm_error *err);
/* Remove exactly that file.  -1: it is still there, or was not found under
 * that name, which ERR tells. */
int host_remove_image(struct host *h, int pid, const char *path,
                      const struct made_image *made, struct qm_error *err);

/* One line of host_look_at_sites()'s script; false if it is none. */
bool image_site_parse(const char *line, struct image_site *ret);

#endif
