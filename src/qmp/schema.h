/*
 * What this QEMU offers, from query-qmp-schema and never from its version.
 *
 * One table names every feature that the engine asks about, as a path through
 * the schema; it is resolved once, from the reply's text, and 0.2 KB of
 * answers are all that stays.
 */
#ifndef QM_QMP_SCHEMA_H
#define QM_QMP_SCHEMA_H

#include "qmp/client.h"

/* name, path: command, command/argument, command/argument=enum-value,
 * command->member of what it returns; nested members with '.', those of a
 * variant behind tag=value. */
#define QMP_FEATURES(X)                                                        \
    X(CAP_LATE_BLOCK_ACTIVATE,                                                 \
      "migrate-set-capabilities/capabilities.capability=late-block-activate")  \
    X(CAP_VALIDATE_UUID,                                                       \
      "migrate-set-capabilities/capabilities.capability=validate-uuid")        \
    X(CAP_MULTIFD, "migrate-set-capabilities/capabilities.capability=multifd") \
    X(COMPRESS_ZLIB, "migrate-set-parameters/multifd-compression=zlib")        \
    X(COMPRESS_ZSTD, "migrate-set-parameters/multifd-compression=zstd")        \
    X(PARAM_ZLIB_LEVEL, "migrate-set-parameters/multifd-zlib-level")           \
    X(PARAM_ZSTD_LEVEL, "migrate-set-parameters/multifd-zstd-level")           \
    X(CAP_AUTO_CONVERGE,                                                       \
      "migrate-set-capabilities/capabilities.capability=auto-converge")        \
    X(CAP_POSTCOPY_RAM,                                                        \
      "migrate-set-capabilities/capabilities.capability=postcopy-ram")         \
    X(CAP_POSTCOPY_PREEMPT,                                                    \
      "migrate-set-capabilities/capabilities.capability=postcopy-preempt")     \
    X(CAP_DIRTY_BITMAPS,                                                       \
      "migrate-set-capabilities/capabilities.capability=dirty-bitmaps")        \
    X(PARAM_BLOCK_BITMAP_MAPPING,                                              \
      "migrate-set-parameters/block-bitmap-mapping")                           \
    X(PARAM_TAILSLOW, "migrate-set-parameters/cpu-throttle-tailslow")          \
    X(PARAM_AVAIL_SWITCHOVER_BANDWIDTH,                                        \
      "migrate-set-parameters/avail-switchover-bandwidth")                     \
    X(PARAM_TLS_AUTHZ, "migrate-set-parameters/tls-authz")                     \
    X(NBD_TLS_AUTHZ, "nbd-server-start/tls-authz")                             \
    X(OBJECT_TLS_PSK, "object-add/qom-type=tls-creds-psk")                     \
    X(OBJECT_AUTHZ_LIST, "object-add/qom-type=authz-list")                     \
    X(INCOMING_EXIT_ON_ERROR, "migrate-incoming/exit-on-error")                \
    X(BLOCK_JOB_CHANGE, "block-job-change")                                    \
    X(ACTIVELY_SYNCED, "query-block-jobs->type=mirror.actively-synced")        \
    X(MIRROR_TARGET_IS_ZERO, "blockdev-mirror/target-is-zero")                 \
    X(NBD_TLS_HOSTNAME, "blockdev-add/driver=nbd.tls-hostname")                \
    X(NODE_ACTIVE, "query-named-block-nodes->active")                          \
    X(BLOCK_GRAPH, "x-debug-query-block-graph")                                \
    X(JOB_DISMISS, "job-dismiss")                                              \
    X(YANK, "yank")

enum qmp_feature {
#define X(name, path) QMP_FEATURE_##name,
    QMP_FEATURES(X)
#undef X
        QMP_FEATURE_COUNT
};

struct qmp_features {
    bool has[QMP_FEATURE_COUNT];
};

/* Ask Q for its schema and resolve the table.  -1 with ERR. */
int qmp_query_features(struct qmp *q, struct qmp_features *ret,
                       struct qm_error *err);
/* The same from the reply's text: pure, for tests and the fuzzer. */
int qmp_features_from_schema(const char *text, size_t len,
                             struct qmp_features *ret, struct qm_error *err);

#endif
