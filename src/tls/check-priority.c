/*
 * A priority string of GnuTLS, as QEMU's tls-creds objects take it: is it one,
 * and does what it allows deserve the name of TLS?
 */
#include "tls/internal.h"

#include <string.h>

enum { LENGTH_MAX = 256 };

static bool has_new_version(gnutls_priority_t p)
{
    const unsigned *list;
    int count = gnutls_priority_protocol_list(p, &list);

    for (int i = 0; i < count; i++)
        if (list[i] == GNUTLS_TLS1_2 || list[i] == GNUTLS_TLS1_3)
            return true;
    return false;
}

static bool has_null_cipher(gnutls_priority_t p)
{
    const unsigned *list;
    int count = gnutls_priority_cipher_list(p, &list);

    for (int i = 0; i < count; i++)
        if (list[i] == GNUTLS_CIPHER_NULL)
            return true;
    return false;
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const char *priority, const char **ret_at)
{
    gnutls_priority_t p;
    const char *fault = NULL;
    int rc = gnutls_priority_init(&p, priority, ret_at);

    if (rc == GNUTLS_E_NO_PRIORITIES_WERE_SET) {
        *ret_at = NULL;
        return "it leaves nothing to agree on";
    }
    if (rc < 0)
        return "GnuTLS does not understand it";
    *ret_at = NULL;
    if (!has_new_version(p))
        fault = "it allows neither TLS 1.2 nor 1.3";
    else if (has_null_cipher(p))
        fault = "it allows NULL, a cipher that hides nothing";
    gnutls_priority_deinit(p);
    return fault;
}

static bool has(const unsigned *list, int count, unsigned one)
{
    for (int i = 0; i < count; i++)
        if (list[i] == one)
            return true;
    return false;
}

/* GnuTLS gives a key of these as many records as is safe, and then makes
 * another; ChaCha20-Poly1305 needs no other. */
bool tls_priority_makes_new_keys(const char *priority)
{
    static const unsigned ciphers[] = { GNUTLS_CIPHER_AES_128_GCM,
                                        GNUTLS_CIPHER_AES_256_GCM,
                                        GNUTLS_CIPHER_AES_128_CCM };
    const unsigned *versions, *allowed;
    gnutls_priority_t p;
    bool makes = false;
    int count;

    if (gnutls_priority_init(&p, priority ? priority : "NORMAL", NULL) < 0)
        return true;
    count = gnutls_priority_protocol_list(p, &versions);
    if (has(versions, count, GNUTLS_TLS1_3)) {
        count = gnutls_priority_cipher_list(p, &allowed);
        for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
            makes = makes || has(allowed, count, ciphers[i]);
    }
    gnutls_priority_deinit(p);
    return makes;
}

int tls_priority_check(const char *priority, struct qm_error *err)
{
    CLEANUP_FREE char *shown = str_printable(priority);
    const char *at = NULL;
    const char *fault = "it is too long";

    if (strlen(priority) <= LENGTH_MAX)
        fault = fault_of(priority, &at);
    if (!fault)
        return 0;
    CLEANUP_FREE char *from = at && *at ? str_printable(at) : NULL;
    error_set(err, QM_ERR_USAGE, "the TLS priority '%s': %s%s%s%s", shown,
              fault, from ? ", from '" : "", from ? from : "",
              from ? "' on" : "");
    error_hint(err, "for example NORMAL:-VERS-ALL:+VERS-TLS1.3; `gnutls-cli -l "
                    "--priority STRING' lists what one allows");
    return -1;
}
