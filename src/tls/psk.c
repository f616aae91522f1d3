/*
 * Making a pre-shared key.
 */
#include "tls/psk.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "tls/internal.h"

#define HEX_DIGITS "0123456789abcdef"

#define KEY_BYTES ((size_t)32)

struct secret *tls_psk_new(const char *name, struct qm_error *err)
{
    static const char digits[] = HEX_DIGITS;
    size_t at = strlen(name) + 1;
    CLEANUP(secret_free) struct secret *key = secret_new(KEY_BYTES);
    CLEANUP(secret_free)
    struct secret *line = secret_new(at + 2 * KEY_BYTES + 1);
    char *out = secret_bytes(line);
    int rc = gnutls_rnd(GNUTLS_RND_KEY, secret_bytes(key), KEY_BYTES);

    assert(!strpbrk(name, ":\n"));
    if (rc < 0) {
        error_set(err, QM_ERR_SYSTEM, "make a key: %s", gnutls_strerror(rc));
        return NULL;
    }
    memcpy(out, name, at - 1);
    out[at - 1] = ':';
    for (size_t i = 0; i < KEY_BYTES; i++) {
        unsigned char byte = (unsigned char)secret_bytes(key)[i];

        out[at + 2 * i] = digits[byte >> 4];
        out[at + 2 * i + 1] = digits[byte & 15];
    }
    out[at + 2 * KEY_BYTES] = '\n';
    return STEAL(line);
}

int psk_credentials(struct secret *line, gnutls_psk_client_credentials_t *ret)
{
    char *text = secret_bytes(line); /* zeroes are behind it */
    size_t len = strcspn(text, ":");
    size_t digits = text[len] ? strspn(text + len + 1, HEX_DIGITS) : 0;
    CLEANUP_FREE char *name = xstrndup(text, len);
    /* GnuTLS reads it, and no more */
    gnutls_datum_t key = { (unsigned char *)text + len + 1, (unsigned)digits };
    gnutls_psk_client_credentials_t creds;
    int rc;

    if (!len || !digits || digits % 2 || len + digits + 2 != secret_len(line) ||
        text[len + 1 + digits] != '\n')
        return GNUTLS_E_PARSING_ERROR;
    rc = gnutls_psk_allocate_client_credentials(&creds);
    if (rc < 0)
        return rc;
    rc = gnutls_psk_set_client_credentials(creds, name, &key,
                                           GNUTLS_PSK_KEY_HEX);
    if (rc < 0)
        gnutls_psk_free_client_credentials(creds);
    else
        *ret = creds;
    return rc;
}
