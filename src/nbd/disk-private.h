/*
 * Private to disk*.c.
 */
#ifndef QM_NBD_DISK_PRIVATE_H
#define QM_NBD_DISK_PRIVATE_H

#include "nbd/disk.h"
#include "nbd/internal.h"

/* One connection. */
struct nbd_channel {
    const char *name;    /* the disk's, borrowed */
    struct relay *relay; /* NULL: clear */
    struct nbd_link link;
    size_t under_way; /* requests */

    /* Of the opening: recorded by libnbd's callback, read by steps */
    bool answered;
    int errnum;
};

struct nbd_disk {
    struct loop *loop;
    char *name; /* export "disk0" at 10.0.0.2:49153: for messages */
    char *map;  /* or NULL */
    enum nbd_map_kind { MAP_DATA, MAP_DIRTY, MAP_TOP } map_kind;
    bool has_map;
    struct nbd_export export;
    size_t count;
    struct nbd_channel *channel[NBD_CONNECTIONS];
};

/* libnbd did not even take the command. */
int nbd_explain_call(const struct nbd_channel *c, struct qm_error *err);
/* It was answered with ERRNUM, or the connection ended. */
int nbd_explain_answer(const struct nbd_channel *c, int errnum,
                       const char *failure, struct qm_error *err);
int nbd_explain_loss(const struct nbd_channel *c, struct qm_error *err);

/*
 * Begin R on the connection that has least to do.  With it a completion for
 * libnbd; the caller gives its command and then calls nbd_request_started()
 * with what libnbd returned.  NULL with ERR: LINK.
 */
struct nbd_channel *nbd_request_begin(struct nbd_disk *d, const char *failure,
                                      struct nbd_request *r,
                                      nbd_completion_callback *ret_completion,
                                      struct qm_error *err);
int nbd_request_started(struct nbd_request *r, int64_t cookie,
                        struct qm_error *err);

#endif
