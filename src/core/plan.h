/*
 * What the operator wants: immutable once made, the same for `migrate`,
 * `check` and `--dry-run`.
 */
#ifndef QM_CORE_PLAN_H
#define QM_CORE_PLAN_H

#include "base/error.h"
#include "base/util.h"
#include "core/policy.h"
#include "qmp/address.h"

enum side_id { SOURCE, DESTINATION, SIDES };

enum plan_disks { DISKS_AUTO, DISKS_NONE, DISKS_ALL, DISKS_LIST };

/* What of a disk with a backing file is copied. */
enum plan_disks_sync { DISKS_SYNC_FULL, DISKS_SYNC_TOP };

enum plan_on_timeout {
    ON_TIMEOUT_ABORT,
    ON_TIMEOUT_PAUSE,
    ON_TIMEOUT_POSTCOPY
};

/* Of the RAM, by QEMU, channel by channel. */
#define COMPRESSIONS(X)                                                        \
    X(NONE, "none", 0)                                                         \
    X(ZLIB, "zlib", 9)                                                         \
    X(ZSTD, "zstd", 20)
enum plan_compress {
#define X(id, name, level_max) COMPRESS_##id,
    COMPRESSIONS(X) COMPRESS_COUNT
#undef X
};

#define PLAN_OF_POLICY (-1) /* until plan_settle() */
#define PLAN_CHANNELS_CHOSEN (-1)
#define PLAN_ANNOUNCE_THEIRS (-1)
#define PLAN_LEVEL_THEIRS (-1)
#define PLAN_PORT_LOW 49152 /* libvirt's range: PEERS.md 4 */
#define PLAN_PORT_HIGH 49215
#define PLAN_MAX_DOWNTIME_MS 2000000 /* QEMU options.c: the same */
#define PLAN_MAX_TIMEOUT_S (30 * INT64_C(86400))
#define PLAN_MAX_HANDOVER_MS 2000000
#define PLAN_MAX_THROTTLE 99 /* QEMU options.c: the same */
#define PLAN_MAX_PATIENCE 1000
#define PLAN_MAX_ANNOUNCE_ROUNDS 1000 /* QEMU options.c: the same */
#define PLAN_TLS_DIR "/etc/pki/qemu"

struct plan {
    struct qmp_address peer[SIDES];
    char *name;        /* --name, or NULL: from the guest or the socket */
    char *host[SIDES]; /* --source-host ...: "local", "ssh://...", or NULL */
    char *address;     /* --address, or NULL */
    char *bind;        /* --bind, or NULL */
    unsigned port_low, port_high;
    char *tls_dir[SIDES];
    char *tls_hostname; /* or NULL */
    char *tls_authz_dn; /* --tls-authz-dn, or NULL: the source's own */
    char *tls_priority; /* --tls-priority, or NULL: QEMU's own */
    char *qmp_tls_dir;  /* the engine's own, for tls: addresses */
    bool tls_psk;
    bool insecure;
    enum plan_disks disks;
    struct strv disk_ids;   /* of DISKS_LIST: node names or device ids */
    struct strv shared_ids; /* --shared: both sides use it, whatever we find */
    /* --separate: no image of the source lies in the destination's of these */
    struct strv separate_ids;
    enum plan_disks_sync disks_sync;
    bool create_disks; /* images in the place of placeholders ... */
    struct strv create_ids, create_paths; /* ... these there, ... */
    char *create_folder;         /* ... else in this one, "/.../"; or NULL */
    bool drop_snapshots;         /* internal ones may stay behind */
    struct strv unencrypted_ids; /* --allow-unencrypted-destination */
    int64_t max_downtime_ms;
    int64_t abort_handover_ms;
    int64_t timeout_s; /* 0: none */
    enum plan_on_timeout on_timeout;
    int64_t timeout_per_gib_s; /* 0: none */
    const struct policy *policy;
    int tailslow;           /* cpu-throttle-tailslow: 0 or 1 */
    int64_t first_throttle; /* percent */
    int64_t max_throttle;   /* percent; 0: the guest is never slowed down */
    int64_t patience;       /* rounds in vain before a rung */
    int pause_when_stuck;   /* when nothing else helps: 0 or 1 */
    bool postcopy;          /* allowed; ON_TIMEOUT_POSTCOPY implies it */
    /* bytes a second; 0: no limit */
    int64_t bandwidth_bps, disk_bandwidth_bps, postcopy_bandwidth_bps;
    int64_t announce_rounds; /* PLAN_ANNOUNCE_THEIRS: the destination's own */
    int channels; /* multifd; 0: single stream; PLAN_CHANNELS_CHOSEN */
    enum plan_compress compress; /* takes a channel at least */
    int64_t compress_level;      /* PLAN_LEVEL_THEIRS: QEMU's own */
    bool verify;
    bool keep_source;
    bool paused;
};

/* The defaults of the manual. */
void plan_init(struct plan *p);
void plan_done(struct plan *p);

/* What is still PLAN_OF_POLICY becomes what the policy says. */
void plan_settle(struct plan *p);

/* What is wrong with it by itself, without asking anybody: USAGE. */
int plan_check(const struct plan *p, struct qm_error *err);

/* How long the source may take, its guest stopped, for the rest of the RAM, the
 * devices and the disks' flush: what the operator allows, and 10 s at least.
 * MAX_DOWNTIME_MS: as it is in force. */
int64_t plan_device_limit_ms(const struct plan *p, int64_t max_downtime_ms);

/* [A-Za-z0-9._-]{1,48}, not starting with '.' or '-' */
bool plan_name_is_valid(const char *name);

/* "none", "zlib", "zstd"; COMPRESS_COUNT if there is none of that name. */
const char *compress_name(enum plan_compress c);
enum plan_compress compress_named(const char *name);

/* "source", "destination" */
const char *side_name(enum side_id side);

#endif
