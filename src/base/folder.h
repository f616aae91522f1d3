/*
 * Folders that are made as they are needed, private to this user.
 */
#ifndef QM_BASE_FOLDER_H
#define QM_BASE_FOLDER_H

#include "base/error.h"

/* Every folder above PATH that is not there, with mode 0700.  -1 with a SYSTEM
 * error. */
int folder_make_parents(const char *path, struct qm_error *err);

/*
 * A new folder that is complete the moment it has its name, or is not there:
 * it is filled beside its place, and renamed.
 */
struct new_folder {
    char *path; /* its name, in the end */
    char *temporary;
    struct strv files;
};

/* PATH must not be there, its parents are made.  Mode 0700.  -1 with REFUSED
 * (something is there) or SYSTEM; new_folder_done() is the caller's in any
 * case, and removes what was not finished. */
int new_folder_begin(struct new_folder *f, const char *path,
                     struct qm_error *err);
/* A file NAME with exactly these bytes and permission bits, synced. */
int new_folder_add(struct new_folder *f, const char *name, const void *bytes,
                   size_t len, unsigned mode, struct qm_error *err);
int new_folder_finish(struct new_folder *f, struct qm_error *err);
void new_folder_done(struct new_folder *f);
DEFINE_CLEANUP_DONE(struct new_folder, new_folder_done)

#endif
