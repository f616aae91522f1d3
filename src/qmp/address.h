/*
 * QMP addresses, as the operator writes them:
 *
 *     /run/vm.qmp  unix:/run/vm.qmp        a socket on this machine
 *     ssh://[user@]host[:port]/run/vm.qmp  a socket on that host, through ssh
 *     tcp:host:port                        clear
 *     tls:host:port                        QMP over TLS
 *
 * An IPv6 address of the last three stands in brackets.
 */
#ifndef QM_QMP_ADDRESS_H
#define QM_QMP_ADDRESS_H

#include "base/error.h"
#include "base/util.h"

enum qmp_address_type {
    QMP_ADDRESS_UNIX,
    QMP_ADDRESS_SSH,
    QMP_ADDRESS_TCP,
    QMP_ADDRESS_TLS,
};

struct qmp_address {
    enum qmp_address_type type;
    char *text;    /* as it was given */
    char *path;    /* UNIX and SSH: absolute */
    char *user;    /* SSH: or NULL */
    char *host;    /* SSH, TCP, TLS: name, alias or number, without brackets */
    unsigned port; /* SSH: 0 is what ssh's configuration says */
};

/*
 * Parse TEXT.  -1 with a USAGE error that says what is wrong and shows the
 * forms.  Nothing that starts with '-' passes as host or user, no control
 * characters anywhere; a unix path longer than sockaddr_un takes is refused.
 */
int qmp_address_parse(const char *text, struct qmp_address *ret,
                      struct qm_error *err);
void qmp_address_done(struct qmp_address *a);
DEFINE_CLEANUP_DONE(struct qmp_address, qmp_address_done)

#endif
