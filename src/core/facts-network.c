/*
 * Names to numbers: the address of the destination, once for everybody.
 */
#include "base/stream.h"
#include "core/facts-private.h"
#include "core/preflight.h"

/* Where the destination could be reached; -1 with ERR if that is not known. */
static int find_addresses(const struct facts_input *in, struct strv *ret,
                          struct qm_error *err)
{
    const struct qmp_address *a = &in->plan->peer[DESTINATION];
    struct host *h = in->host[DESTINATION];

    if (in->plan->address) {
        return resolve_addresses(in->plan->address, ret, err);
    }
    if (a->type == QMP_ADDRESS_TCP || a->type == QMP_ADDRESS_TLS) {
        if (in->qmp[DESTINATION] && qmp_peer_address(in->qmp[DESTINATION])) {
            strv_add(ret, qmp_peer_address(in->qmp[DESTINATION]));
            return 0; /* it answers there */
        }
        return resolve_addresses(a->host, ret, err);
    }
    if (h && !host_is_local(h)) {
        return host_addresses(h, ret, err);
    }
    if (host_is_local(in->host[SOURCE])) {
        strv_add(ret, "127.0.0.1"); /* both are here */
        return 0;
    }
    return error_set(err, QM_ERR_USAGE,
                     "%s is a socket on this machine, and the source is "
                     "elsewhere",
                     a->text);
}

size_t address_choose(const enum host_has *has, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (has[i] == HOST_HAS) {
            return i;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (has[i] == HOST_HAS_UNKNOWN) {
            return i;
        }
    }
    return 0;
}

/* A name may have several addresses: the destination's host is asked which of
 * them is its own. */
static void collect_address(const struct facts_input *in, struct facts *f)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(strv_done) struct strv found = { .count = 0 };
    enum host_has has[ADDRESSES_MAX] = { HOST_HAS_UNKNOWN };
    size_t chosen = 0;

    if (find_addresses(in, &found, &err) < 0) {
        f->address_problem = xstrdup(err.message);
        return;
    }
    if (found.count > 1) {
        for (size_t i = 0; i < found.count && has[chosen] != HOST_HAS; i++) {
            has[i] =
                host_has_address(in->host[DESTINATION],
                                 &f->side[DESTINATION].process, found.item[i]);
            chosen = address_choose(has, i + 1);
        }
    }
    f->address = xstrdup(found.item[chosen]);
    if (has[chosen] == HOST_HAS && chosen > 0) {
        f->address_passed_over = xstrdup(found.item[0]);
    }
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

    collect_address(in, f);
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
