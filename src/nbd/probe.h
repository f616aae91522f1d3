/*
 * A look at an NBD export before QEMU is pointed at it: is TLS really
 * negotiated, does the name hold, is it as large as the source, may it be
 * written (QEMU.md facts 10, 11: a silent server would freeze the source).
 *
 * libnbd on the event loop; nothing is written to the export.
 */
#ifndef QM_NBD_PROBE_H
#define QM_NBD_PROBE_H

#include "base/error.h"
#include "base/loop.h"
#include "tls/client.h"

struct nbd_probe {
    const char *path; /* a unix socket; or */
    const char *host; /* numeric; used when fd < 0 and there is no path */
    unsigned port;
    int fd; /* a connected socket (consumed), for example ssh -W; else -1 */
    const char *export_name;
    const char *tls_dir;      /* NULL: clear */
    const char *tls_hostname; /* the name to verify; NULL: host */
    const char *tls_priority; /* of GnuTLS; NULL: the machine's */
    /* ca-cert.pem is enough to verify the server; without the client's own
     * certificate and key in tls_dir the server may refuse us: then the result
     * says so instead of failing */
    bool has_client_key;
    struct secret *psk; /* a key instead of tls_dir, or NULL: tls/client.h */
};

struct nbd_export {
    bool reached;  /* TCP and NBD greeting */
    bool tls;      /* negotiated and the server verified */
    bool complete; /* the export itself was seen: the fields below count */
    uint64_t size; /* bytes */
    bool read_only, can_flush, can_zero, can_fast_zero, can_trim;
    bool can_multi_conn; /* connections see each other's writes */
    struct tls_seen seen;
    /* bytes: requests are in multiples of one and not above the other */
    uint32_t block_min, request_max;
};

/*
 * -1 with ERR (CONNECT, TLS, DISK, TIMEOUT) that names the export and the
 * address.  0 with RET filled.
 */
int nbd_probe_export(struct loop *loop, const struct nbd_probe *p,
                     deadline_t by, struct nbd_export *ret,
                     struct qm_error *err);

/*
 * Does the way to the server of P take packets of full size, there as well as
 * back?  Asks for an export that nobody has, with the longest name that there
 * is; P's own does not matter.  0 if it was answered, or the server turned us
 * away for want of a certificate of our own; -1 with ERR (CONNECT, TLS, LINK,
 * TIMEOUT) that names the address.
 */
int nbd_probe_route(struct loop *loop, const struct nbd_probe *p, deadline_t by,
                    struct qm_error *err);

#endif
