/*
 * What an earlier migration, or a person, left in a QEMU must not change the
 * next one.  Capabilities need no value each: whatever the move does not want
 * is off.  Parameters are set, or are of no consequence to such a move, with
 * the reason beside them; what is set is put back when the move is undone, and
 * in the QEMU that goes on.
 */
#include "core/known-settings.h"

#define SET(name, why)                                                         \
    {                                                                          \
        name, CARE_SET, why, NULL, QMP_SETTING_STRING                          \
    }
#define HARMLESS(name, why)                                                    \
    {                                                                          \
        name, CARE_HARMLESS, why, NULL, QMP_SETTING_STRING                     \
    }
#define DEFAULT(name, type, normal, why)                                       \
    {                                                                          \
        name, CARE_DEFAULT, why, normal, type                                  \
    }

static const struct known_setting parameters[] = {
    SET("tls-creds", "the move's own, or none"),
    SET("tls-hostname", "the name in the destination's certificate, or none"),
    SET("tls-authz", "the source alone; another's rule can but refuse it"),
    SET("max-bandwidth", "--bandwidth"),
    SET("downtime-limit", "by the convergence policy"),
    DEFAULT("mode", QMP_SETTING_STRING, "normal",
            "cpr-reboot sends all of RAM with the guest stopped"),
    DEFAULT("avail-switchover-bandwidth", QMP_SETTING_INT, "0",
            "too large a figure stops the guest far too early"),
    HARMLESS("direct-io", "of files alone"),
    HARMLESS("zero-page-detection", "older machine types need theirs"),

    SET("max-postcopy-bandwidth", "with post-copy, the only one to read it"),
    SET("multifd-channels", "with multifd, which is off otherwise"),
    SET("multifd-compression", "with multifd, which is off otherwise"),
    SET("multifd-zlib-level", "where it is asked for; any level is right"),
    SET("multifd-zstd-level", "where it is asked for; any level is right"),
    HARMLESS("multifd-qatzip-level", "that compression is never chosen"),

    SET("cpu-throttle-initial", "with auto-converge, off otherwise"),
    SET("cpu-throttle-increment", "with auto-converge, off otherwise"),
    SET("max-cpu-throttle", "with auto-converge, off otherwise"),
    SET("throttle-trigger-threshold", "with auto-converge, off otherwise"),
    SET("cpu-throttle-tailslow", "with auto-converge, off otherwise"),
    HARMLESS("vcpu-dirty-limit", "of dirty-limit, which is off"),
    HARMLESS("x-vcpu-dirty-limit-period", "of dirty-limit, which is off"),

    SET("block-bitmap-mapping", "with dirty-bitmaps, off otherwise"),
    HARMLESS("announce-initial", "the schedule of announcements is theirs"),
    HARMLESS("announce-max", "the schedule of announcements is theirs"),
    HARMLESS("announce-rounds", "the schedule of announcements is theirs"),
    HARMLESS("announce-step", "the schedule of announcements is theirs"),

    HARMLESS("x-checkpoint-delay", "of x-colo, which is off"),
    HARMLESS("xbzrle-cache-size", "of xbzrle, which is off"),
    HARMLESS("compress-level", "of compress, which is off"),
    HARMLESS("compress-threads", "of compress, which is off"),
    HARMLESS("compress-wait-thread", "of compress, which is off"),
    HARMLESS("decompress-threads", "of compress, which is off"),
    HARMLESS("block-incremental", "of block, which is off"),
    HARMLESS("cpr-exec-command", "of the mode cpr-exec, which is not set"),
    HARMLESS("x-rdma-chunk-size", "of RDMA, which is not used"),
};

static const struct known_setting capabilities[] = {
    SET("events", "on"),
    SET("return-path", "on: without it the source believes what it sent"),
    SET("pause-before-switchover", "on at the source"),
    SET("late-block-activate", "on at the destination, or off where it must"),
    SET("multifd", "by --channels"),
    SET("auto-converge", "by the convergence policy"),
    SET("validate-uuid", "on where both have a UUID"),
    SET("dirty-bitmaps", "on where bitmaps travel"),
    SET("postcopy-ram", "by --postcopy"),
    SET("postcopy-preempt", "by --postcopy"),
    SET("xbzrle", "off"),
    SET("rdma-pin-all", "off"),
    SET("zero-blocks", "off"),
    SET("compress", "off: removed in 9.1"),
    SET("block", "off: removed in 9.1"),
    SET("x-colo", "off"),
    SET("release-ram", "off: the source must keep the guest's memory"),
    SET("postcopy-blocktime", "off"),
    SET("x-ignore-shared", "off: shared memory is not sent with it"),
    SET("background-snapshot", "off"),
    SET("zero-copy-send", "off: not under TLS"),
    SET("switchover-ack", "off"),
    SET("dirty-limit", "off"),
    SET("mapped-ram", "off: of files"),
};

static const struct known_setting *find(const struct known_setting *table,
                                        size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(table[i].name, name)) {
            return &table[i];
        }
    }
    return NULL;
}

const struct known_setting *known_parameter(const char *name)
{
    return find(parameters, ARRAY_LEN(parameters), name);
}

const struct known_setting *known_capability(const char *name)
{
    return find(capabilities, ARRAY_LEN(capabilities), name);
}

void known_list_defaults(const struct qmp_settings *now,
                         struct qmp_settings *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const struct known_setting *k = &parameters[i];
        const char *value = qmp_settings_get(now, k->name);

        if (k->care == CARE_DEFAULT && value && !str_equal(value, k->normal)) {
            qmp_settings_add(ret, k->name, k->type, k->normal);
        }
    }
}
