/*
 * QMP addresses: what is accepted may be given to ssh and to sockets.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include "qmp/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void is_safe(const struct qmp_address *a)
{
    if (a->path) {
        assert(a->path[0] == '/');
        assert(strlen(a->path) < sizeof(((struct sockaddr_un *)0)->sun_path));
    }
    assert(!a->user || (a->user[0] != '\0' && a->user[0] != '-'));
    assert(!a->host || (a->host[0] != '\0' && a->host[0] != '-'));
    assert(a->port <= 65535);
    for (const char *p = a->text; *p; p++) {
        assert((unsigned char)*p >= ' ' && *p != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP_FREE char *text = xstrndup((const char *)bytes, len);
    CLEANUP(qmp_address_done) struct qmp_address a = { .text = NULL };
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    if (qmp_address_parse(text, &a, &err) == 0) {
        assert(!err.message);
        is_safe(&a);
    } else {
        assert(err.message && err.hint && !a.text);
    }
    return 0;
}
