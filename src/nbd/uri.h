/*
 * NBD URIs, as the operator writes them:
 *
 *     nbd://host[:port]/EXPORT               clear
 *     nbds://host[:port]/EXPORT              TLS
 *     nbd+unix:///EXPORT?socket=/run/x.sock  a socket on this machine
 *
 * An IPv6 address stands in brackets; %XX is a byte of a name.
 */
#ifndef QM_NBD_URI_H
#define QM_NBD_URI_H

#include "base/error.h"
#include "base/util.h"

#define NBD_PORT 10809

struct nbd_uri {
    char *text; /* as it was given */
    bool tls;
    char *host; /* NULL with path */
    unsigned port;
    char *path; /* of a unix socket, absolute */
    char *export_name;
};

/* Parse TEXT.  -1 with a USAGE error that says what is wrong and shows the
 * forms. */
int nbd_uri_parse(const char *text, struct nbd_uri *ret, struct qm_error *err);
void nbd_uri_done(struct nbd_uri *uri);
DEFINE_CLEANUP_DONE(struct nbd_uri, nbd_uri_done)

#endif
