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
