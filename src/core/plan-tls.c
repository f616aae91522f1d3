/*
 * What the operator said of TLS, and of the names that it is proved with.
 */
#include <string.h>

#include "core/plan-private.h"
#include "tls/check.h"

int plan_check_host_name(const char *option, const char *value,
                         struct qm_error *err)
{
    CLEANUP_FREE char *shown = NULL;

    if (!value) {
        return 0;
    }
    if (value[0] != '\0' && value[0] != '-' &&
        !strpbrk(value, " \t\r\n/@[]'\"\\`$&;|<>(){}*?!#,")) {
        for (const char *c = value; *c; c++) {
            if ((unsigned char)*c < ' ' || *c == 0x7f) {
                break;
            }
            if (c[1] == '\0') {
                return 0;
            }
        }
    }
    shown = str_printable(value);
    error_set(err, QM_ERR_USAGE,
              "%s '%s' is neither a host name nor an address", option, shown);
    error_hint(err,
               "give a name or a number, an IPv6 address without brackets");
    return -1;
}

static int check_tls_dir(const char *whose, const char *dir,
                         struct qm_error *err)
{
    if (dir && dir[0] == '/') {
        return 0;
    }
    return error_set(err, QM_ERR_USAGE,
                     "the %s's TLS directory '%s' is not an absolute path",
                     whose, dir ? dir : "");
}

static int check_dn(const struct plan *p, struct qm_error *err)
{
    CLEANUP_FREE char *shown = NULL;

    if (!p->tls_authz_dn) {
        return 0;
    }
    if (p->insecure) {
        return error_set(err, QM_ERR_USAGE,
                         "--insecure and --tls-authz-dn exclude each other");
    }
    shown = str_printable(p->tls_authz_dn);
    if (strchr(shown, '=') && str_equal(shown, p->tls_authz_dn)) {
        return 0;
    }
    error_set(err, QM_ERR_USAGE, "--tls-authz-dn '%s' is not a subject name",
              shown);
    error_hint(err, "as QEMU writes it, for example CN=host1,O=Example");
    return -1;
}

static int check_priority(const struct plan *p, struct qm_error *err)
{
    if (!p->tls_priority)
        return 0;
    if (p->insecure)
        return error_set(err, QM_ERR_USAGE,
                         "--insecure and --tls-priority exclude each other");
    return tls_priority_check(p->tls_priority, err);
}

/* A key needs no certificates, and no names in them. */
static int check_psk(const struct plan *p, struct qm_error *err)
{
    const struct {
        const char *option;
        bool given;
    } others[] = {
        { "--insecure", p->insecure },
        { "--tls-hostname", p->tls_hostname != NULL },
        { "--tls-authz-dn", p->tls_authz_dn != NULL },
        { "--tls-priority", p->tls_priority != NULL },
    };

    for (size_t i = 0; p->tls_psk && i < ARRAY_LEN(others); i++) {
        if (others[i].given) {
            return error_set(err, QM_ERR_USAGE,
                             "--tls-psk and %s exclude each other",
                             others[i].option);
        }
    }
    return 0;
}

int plan_check_tls(const struct plan *p, struct qm_error *err)
{
    if (check_psk(p, err) < 0 || check_dn(p, err) < 0 ||
        check_priority(p, err) < 0) {
        return -1;
    }
    if (p->insecure && p->tls_hostname) {
        return error_set(err, QM_ERR_USAGE,
                         "--insecure and --tls-hostname exclude each other");
    }
    for (int side = 0; side < SIDES && !p->insecure; side++) {
        if (check_tls_dir(side_name((enum side_id)side), p->tls_dir[side],
                          err) < 0) {
            return -1;
        }
    }
    if (check_tls_dir("engine", p->qmp_tls_dir, err) < 0) {
        return -1;
    }
    return plan_check_host_name("--tls-hostname", p->tls_hostname, err);
}
