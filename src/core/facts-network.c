/*
 * Names to numbers: the address of the destination, once for everybody.
 */
#include "base/stream.h"
#include "core/facts-private.h"
#include "core/preflight.h"

/* NULL with ERR; the caller frees it. */
static char *default_address(const struct facts_input *in, struct qm_error *err)
{
    const struct qmp_address *a = &in->plan->peer[DESTINATION];
    struct host *h = in->host[DESTINATION];

    if (a->type == QMP_ADDRESS_TCP || a->type == QMP_ADDRESS_TLS) {
        return resolve_host(a->host, err);
    }
    if (h && !host_is_local(h)) {
        return host_address(h, err);
    }
    if (host_is_local(in->host[SOURCE])) {
        return xstrdup("127.0.0.1"); /* both are here */
    }
    error_set(err, QM_ERR_USAGE,
              "%s is a socket on this machine, and the source is elsewhere",
              a->text);
    return NULL;
}

/* The name that the destination's certificate is to carry. */
static char *default_tls_hostname(const struct plan *p, const char *address)
{
    const struct qmp_address *a = &p->peer[DESTINATION];

    if (a->host && !address_is_numeric(a->host)) {
        return xstrdup(a->host);
    }
    if (p->address && !address_is_numeric(p->address)) {
        return xstrdup(p->address);
    }
    return xstrdup(address);
}

/* Only where it matters: each host is one trip. */
static void collect_capacity(const struct facts_input *in, struct facts *f)
{
    const char *numeric[SIDES] = { f->address, f->bind };

    for (int side = 0; side < SIDES && channels_are_chosen(f); side++)
        if (numeric[side])
            host_capacity(in->host[side], &f->side[side].process, numeric[side],
                          &f->side[side].capacity);
}

void facts_collect_network(const struct facts_input *in, struct facts *f)
{
    const struct plan *p = in->plan;
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    f->address =
        p->address ? resolve_host(p->address, &err) : default_address(in, &err);
    if (!f->address) {
        f->address_problem = xstrdup(err.message);
        error_clear(&err);
    }
    f->bind = p->bind ? resolve_host(p->bind, &err) : xstrdup(f->address);
    if (p->bind && !f->bind) {
        f->bind_problem = xstrdup(err.message);
    }
    if (f->bind) {
        f->bind_is_there = host_has_address(
            in->host[DESTINATION], &f->side[DESTINATION].process, f->bind);
    }
    collect_capacity(in, f);
    f->tls_hostname = p->tls_hostname ? xstrdup(p->tls_hostname)
                                      : default_tls_hostname(p, f->address);
}
