/*
 * What was agreed upon in a handshake.
 */
#include <stdio.h>

#include "tls/client.h"
#include "tls/internal.h"

gnutls_x509_crt_t peer_cert(gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t crt;

    if (!der || !count || gnutls_x509_crt_init(&crt) < 0)
        return NULL;
    if (gnutls_x509_crt_import(crt, &der[0], GNUTLS_X509_FMT_DER) < 0) {
        gnutls_x509_crt_deinit(crt);
        return NULL;
    }
    return crt;
}

void session_look(gnutls_session_t session, struct tls_seen *ret)
{
    const char *version =
        gnutls_protocol_get_name(gnutls_protocol_get_version(session));
    const char *cipher = gnutls_cipher_get_name(gnutls_cipher_get(session));
    gnutls_x509_crt_t crt = peer_cert(session);
    CLEANUP_FREE char *peer = crt ? subject_printable(crt) : NULL;

    if (crt)
        gnutls_x509_crt_deinit(crt);
    snprintf(ret->version, sizeof(ret->version), "%s", version ? version : "");
    snprintf(ret->cipher, sizeof(ret->cipher), "%s", cipher ? cipher : "");
    snprintf(ret->peer, sizeof(ret->peer), "%s", peer ? peer : "");
}
