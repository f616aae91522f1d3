/*
 * What the operator wants, its defaults, and what can be wrong with it before
 * anybody is asked.
 */
#include "core/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "core/host.h"
#include "core/plan-private.h"

enum {
    NAME_MAX_LEN = 48,
    CHANNELS_MAX = 255, /* QEMU options.c: multifd-channels is a byte */
    PORT_MAX = 65535,
};

static const char *const side_names[SIDES] = {
    [SOURCE] = "source",
    [DESTINATION] = "destination",
};

const char *side_name(enum side_id side)
{
    return side_names[side];
}

void plan_init(struct plan *p)
{
    *p = (struct plan){
        .port_low = PLAN_PORT_LOW,
        .port_high = PLAN_PORT_HIGH,
        .tls_dir = { xstrdup(PLAN_TLS_DIR), xstrdup(PLAN_TLS_DIR) },
        .qmp_tls_dir = xstrdup(PLAN_TLS_DIR),
        .disks = DISKS_AUTO,
        .max_downtime_ms = policy_default->max_downtime_ms,
        .abort_handover_ms = 10000,
        .on_timeout = ON_TIMEOUT_ABORT,
        .policy = policy_default,
        .first_throttle = policy_default->first_throttle,
        .max_throttle = policy_default->max_throttle,
        .tailslow = policy_default->tailslow,
        .patience = policy_default->patience,
        .pause_when_stuck = policy_default->pause_when_stuck,
        .announce_rounds = PLAN_ANNOUNCE_THEIRS,
        .channels = PLAN_CHANNELS_CHOSEN,
        .compress_level = PLAN_LEVEL_THEIRS,
    };
}

/* `device` to `completed` beside the RAM: device state is small, but disks are
 * flushed and inactivated (QEMU.md 12). */
#define DEVICE_LIMIT_MS 10000

int64_t plan_device_limit_ms(const struct plan *p, int64_t max_downtime_ms)
{
    int64_t limit_ms = max_downtime_ms + DEVICE_LIMIT_MS;

    return limit_ms > p->abort_handover_ms ? limit_ms : p->abort_handover_ms;
}

void plan_settle(struct plan *p)
{
    if (p->max_downtime_ms == PLAN_OF_POLICY) {
        p->max_downtime_ms = p->policy->max_downtime_ms;
    }
    if (p->first_throttle == PLAN_OF_POLICY) {
        p->first_throttle = p->policy->first_throttle;
    }
    if (p->max_throttle == PLAN_OF_POLICY) {
        p->max_throttle = p->policy->max_throttle;
    }
    if (p->tailslow == PLAN_OF_POLICY) {
        p->tailslow = p->policy->tailslow;
    }
    if (p->patience == PLAN_OF_POLICY) {
        p->patience = p->policy->patience;
    }
    if (p->pause_when_stuck == PLAN_OF_POLICY) {
        p->pause_when_stuck = p->policy->pause_when_stuck;
    }
    if (p->on_timeout == ON_TIMEOUT_POSTCOPY) {
        p->postcopy = true;
    }
}

void plan_done(struct plan *p)
{
    for (int side = 0; side < SIDES; side++) {
        qmp_address_done(&p->peer[side]);
        free(p->host[side]);
        free(p->tls_dir[side]);
    }
    free(p->name);
    free(p->address);
    free(p->bind);
    free(p->tls_hostname);
    free(p->tls_authz_dn);
    free(p->tls_priority);
    free(p->qmp_tls_dir);
    strv_done(&p->disk_ids);
    strv_done(&p->shared_ids);
    strv_done(&p->separate_ids);
    strv_done(&p->create_ids);
    strv_done(&p->create_paths);
    strv_done(&p->unencrypted_ids);
    free(p->create_folder);
    *p = (struct plan){ .name = NULL };
}

bool plan_name_is_valid(const char *name)
{
    return str_is_plain_name(name, NAME_MAX_LEN, "._-");
}

/* --- one check a theme ------------------------------------------------------ */

static int check_name(const struct plan *p, struct qm_error *err)
{
    CLEANUP_FREE char *shown = NULL;

    if (!p->name || plan_name_is_valid(p->name)) {
        return 0;
    }
    shown = str_printable(p->name);
    error_set(err, QM_ERR_USAGE, "--name '%s' is not a valid name", shown);
    error_hint(err,
               "a name is 1 to %d of the characters A-Z a-z 0-9 . _ -, "
               "not beginning with '.' or '-'",
               (int)NAME_MAX_LEN);
    return -1;
}

/* An address in clear is allowed to this machine alone. */
static int check_peer(const struct plan *p, enum side_id side,
                      struct qm_error *err)
{
    const struct qmp_address *a = &p->peer[side];

    if (a->type != QMP_ADDRESS_TCP || p->insecure ||
        address_is_loopback(a->host) || str_equal(a->host, "localhost")) {
        return 0;
    }
    error_set(err, QM_ERR_USAGE,
              "%s: the connection to %s would not be encrypted",
              side_name(side), a->text);
    error_hint(err, "reach the monitor with ssh://HOST/PATH or tls:HOST:PORT, "
                    "or allow it with --insecure");
    return -1;
}

static int check_host(const struct plan *p, enum side_id side,
                      struct qm_error *err)
{
    if (!p->host[side]) {
        return 0;
    }
    if (host_spec_check(p->host[side], err) < 0) {
        return error_wrap(err, "--%s-host", side_name(side));
    }
    return 0;
}

static int check_sides(const struct plan *p, struct qm_error *err)
{
    for (int side = 0; side < SIDES; side++) {
        if (check_peer(p, (enum side_id)side, err) < 0 ||
            check_host(p, (enum side_id)side, err) < 0) {
            return -1;
        }
    }
    if (p->peer[SOURCE].text &&
        str_equal(p->peer[SOURCE].text, p->peer[DESTINATION].text)) {
        return error_set(err, QM_ERR_USAGE,
                         "source and destination are the same monitor: %s",
                         p->peer[SOURCE].text);
    }
    return 0;
}

/* The source's disks are read over a socket that its QEMU makes. */
static int check_reading(const struct plan *p, struct qm_error *err)
{
    const struct qmp_address *a = &p->peer[SOURCE];

    if ((!p->verify && p->disks_sync != DISKS_SYNC_TOP) ||
        (a->type == QMP_ADDRESS_UNIX &&
         (!p->host[SOURCE] || str_equal(p->host[SOURCE], "local")))) {
        return 0;
    }
    error_set(err, QM_ERR_USAGE,
              "%s reads the source's disks, which are not on this machine",
              p->verify ? "--verify" : "--disks-sync top");
    error_hint(err, "run qmigrate on the source's host, with the path of the "
                    "monitor's socket as SOURCE");
    return -1;
}

static int check_network(const struct plan *p, struct qm_error *err)
{
    unsigned wanted = p->disks == DISKS_NONE ? 1 : 2;

    if (plan_check_host_name("--address", p->address, err) < 0 ||
        plan_check_host_name("--bind", p->bind, err) < 0) {
        return -1;
    }
    if (p->port_low < 1 || p->port_high > PORT_MAX ||
        p->port_low > p->port_high) {
        return error_set(err, QM_ERR_USAGE,
                         "--ports %u-%u: not LOW-HIGH between 1 and %d",
                         p->port_low, p->port_high, (int)PORT_MAX);
    }
    if (p->port_high - p->port_low + 1 < wanted) {
        return error_set(err, QM_ERR_USAGE,
                         "--ports %u-%u: a guest needs %u, one for RAM and "
                         "one for disks",
                         p->port_low, p->port_high, wanted);
    }
    return 0;
}

static int check_ids(const char *option, const struct strv *ids,
                     struct qm_error *err)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->item[i][0] == '\0') {
            return error_set(err, QM_ERR_USAGE, "%s has an empty name", option);
        }
        for (size_t j = 0; j < i; j++) {
            if (str_equal(ids->item[i], ids->item[j])) {
                return error_set(err, QM_ERR_USAGE, "%s names %s twice", option,
                                 ids->item[i]);
            }
        }
    }
    return 0;
}

static int check_create(const struct plan *p, struct qm_error *err)
{
    if (check_ids("--create-disks", &p->create_ids, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->create_paths.count; i++) {
        const char *path = p->create_paths.item[i];

        if (path[0] != '/' || str_ends(path, "/") || strpbrk(path, "\n")) {
            CLEANUP_FREE char *shown = str_printable(path);

            error_set(err, QM_ERR_USAGE,
                      "--create-disks: '%s' is not an absolute path of a file",
                      shown);
            error_hint(err, "--create-disks=%s=/FOLDER/FILE",
                       p->create_ids.item[i]);
            return -1;
        }
    }
    return 0;
}

static int check_disks(const struct plan *p, struct qm_error *err)
{
    if (p->disks == DISKS_LIST && p->disk_ids.count == 0) {
        return error_set(err, QM_ERR_USAGE, "--disks names no disk");
    }
    if (check_ids("--disks", &p->disk_ids, err) < 0 ||
        check_ids("--shared", &p->shared_ids, err) < 0 ||
        check_ids("--separate", &p->separate_ids, err) < 0 ||
        check_ids("--allow-unencrypted-destination", &p->unencrypted_ids, err) <
            0) {
        return -1;
    }
    for (size_t i = 0; i < p->shared_ids.count; i++) {
        if (strv_contains(&p->disk_ids, p->shared_ids.item[i])) {
            return error_set(err, QM_ERR_USAGE,
                             "%s cannot be in --disks and in --shared",
                             p->shared_ids.item[i]);
        }
    }
    return 0;
}

static int check_numbers(const struct plan *p, struct qm_error *err)
{
    const struct {
        const char *option;
        int64_t value, min, max;
    } numbers[] = {
        { "--max-downtime-ms", p->max_downtime_ms, 1, PLAN_MAX_DOWNTIME_MS },
        { "--abort-handover-ms", p->abort_handover_ms, 1,
          PLAN_MAX_HANDOVER_MS },
        { "--timeout-s", p->timeout_s, 0, PLAN_MAX_TIMEOUT_S },
        { "--timeout-s-per-gib", p->timeout_per_gib_s, 0, PLAN_MAX_TIMEOUT_S },
        { "--first-throttle", p->first_throttle, 1, PLAN_MAX_THROTTLE },
        { "--patience", p->patience, 1, PLAN_MAX_PATIENCE },
        { "--max-throttle", p->max_throttle, 0, PLAN_MAX_THROTTLE },
        { "--bandwidth", p->bandwidth_bps, 0, INT64_MAX },
        { "--disk-bandwidth", p->disk_bandwidth_bps, 0, INT64_MAX },
        { "--postcopy-bandwidth", p->postcopy_bandwidth_bps, 0, INT64_MAX },
        { "--announce-rounds", p->announce_rounds,
          p->announce_rounds == PLAN_ANNOUNCE_THEIRS ? PLAN_ANNOUNCE_THEIRS : 1,
          PLAN_MAX_ANNOUNCE_ROUNDS },
        { "--channels", p->channels,
          p->channels == PLAN_CHANNELS_CHOSEN ? PLAN_CHANNELS_CHOSEN : 0,
          CHANNELS_MAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (numbers[i].value < numbers[i].min ||
            numbers[i].value > numbers[i].max) {
            return error_set(
                err, QM_ERR_USAGE, "%s %lld: not between %lld and %lld",
                numbers[i].option, (long long)numbers[i].value,
                (long long)numbers[i].min, (long long)numbers[i].max);
        }
    }
    return 0;
}

int plan_check(const struct plan *p, struct qm_error *err)
{
    static int (*const checks[])(const struct plan *p, struct qm_error *err) = {
        check_name,     check_sides,  check_network,
        plan_check_tls, check_disks,  check_numbers,
        check_reading,  check_create, plan_check_compress,
    };

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (checks[i](p, err) < 0) {
            return -1;
        }
    }
    return 0;
}
