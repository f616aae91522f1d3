/*
 * Pre-shared keys, as QEMU's tls-creds-psk reads them: a line NAME:HEX.
 */
#ifndef QM_TLS_PSK_H
#define QM_TLS_PSK_H

#include "base/error.h"
#include "base/secret.h"

/* A new key of 256 bits under NAME (no colon, no line break), and a line break
 * behind it.  NULL with ERR: SYSTEM. */
struct secret *tls_psk_new(const char *name, struct qm_error *err);

#endif
