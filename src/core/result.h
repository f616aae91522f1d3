/*
 * How a migration ended: where the guest is, what was measured, what is left.
 */
#ifndef QM_CORE_RESULT_H
#define QM_CORE_RESULT_H

#include "base/error.h"
#include "base/util.h"
#include "core/plan.h"

/* name, exit code, where the guest is (the manual's table is this one) */
#define QM_EXITS(X)                                                            \
    X(DONE, 0, "at the destination (or what was asked for is so)")             \
    X(BUG, 1, "unknown: a bug of qmigrate; look at both QEMUs")                \
    X(USAGE, 2, "where it was: the command line was wrong, nothing touched")   \
    X(REFUSED, 3, "where it was: refused before anything was touched")         \
    X(FAILED, 4, "where it was: the migration failed and was undone")          \
    X(CANCELLED, 5, "where it was: cancelled and undone")                      \
    X(LEFT_THERE, 6, "at the destination, but something is left to clean up")  \
    X(UNDECIDED, 7, "undecided: a person must look")                           \
    X(LEFT_HERE, 8, "at the source, but something is left to clean up")        \
    X(NOWHERE, 9, "nowhere: it shut down, crashed or was lost with its host")

enum qm_exit {
#define X(name, code, meaning) QM_EXIT_##name = (code),
    QM_EXITS(X)
#undef X
};

enum outcome {
    OUTCOME_COMPLETED,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_REFUSED,
    OUTCOME_UNDECIDED,
};

enum guest_place {
    GUEST_SOURCE,
    GUEST_DESTINATION,
    GUEST_NOWHERE,
    GUEST_UNKNOWN
};

const char *outcome_name(enum outcome outcome);       /* "completed" */
const char *guest_place_name(enum guest_place place); /* "source" */
/* The same, read; NULL is no name. */
bool outcome_parse(const char *name, enum outcome *ret);
bool guest_place_parse(const char *name, enum guest_place *ret);

struct result_disk {
    char *label;            /* qdev id or node name */
    char *source_file;      /* what stays behind at the source ... */
    char *destination_file; /* what it was copied to, and compared with */
    char *snapshots;        /* ... with these internal snapshots, or NULL */
    char *encryption;       /* disk_choice_encryption(), or NULL */
    uint64_t size_bytes, copied_bytes;
    bool tls_proved; /* the engine's own probe negotiated and verified TLS */
    bool write_blocking;
    bool discard; /* holes stay holes */
};

/* How one connection was protected, each a word; NULL where it is not known. */
struct result_connection {
    char *what;                 /* "RAM", or the disk's label */
    char *tls;                  /* "x509", "psk", "none" */
    char *version, *cipher;     /* as the engine itself agreed upon */
    char *source, *destination; /* who they are: subjects, or the key's name */
    char *authz;                /* whom alone the destination accepts */
    /* "full": the engine itself came as far as the export; "server": it proved
     * the server's certificate and name; "read-back": both QEMUs say that they
     * use it; "requested"; "none" */
    char *proof;
};
#define RESULT_CONNECTION_WORDS(X)                                             \
    X(what, "connection")                                                      \
    X(tls, "tls")                                                              \
    X(version, "version")                                                      \
    X(cipher, "cipher")                                                        \
    X(source, "source")                                                        \
    X(destination, "destination")                                              \
    X(authz, "authz")                                                          \
    X(proof, "proof")

struct result {
    enum outcome outcome;
    enum guest_place guest;
    bool retryable;   /* trying again may succeed as it is */
    struct strv left; /* what remains to clean up, a sentence each */
    struct qm_error error;
    char *name;  /* of the migration; NULL if it never got one */
    bool paused; /* the guest is stopped where it is */
    bool source_kept;

    /* Measured; -1 where it is not known. */
    int64_t wall_ms;          /* from the start of qmigrate to the end */
    int64_t wall_to_guest_ms; /* to the guest running at the destination */
    int64_t ram_total_ms, ram_setup_ms; /* QEMU's total-time, setup-time */
    int64_t qemu_downtime_ms;
    /*
     * From the guest's last instruction at the source to the destination's
     * RESUME, and its parts, which add up (blackout.h); then how long it took
     * until the destination was told to announce it.
     */
    int64_t blackout_ms;
    int64_t stop_ms, mirrors_ms, verify_ms, device_ms, cont_ms;
    int64_t announce_ms;
    uint64_t ram_bytes; /* on the wire */
    /* From the switch to the last page, and how often the stream broke
     * meanwhile and went on. */
    int64_t postcopy_ms;
    int recoveries;
    int64_t passes;
    int throttle_percent; /* the highest seen */
    int channels;
    enum plan_compress compress;
    int64_t bandwidth_bps, disk_bandwidth_bps; /* as asked; 0: no limit */
    bool tls;

    bool verified; /* each copied disk was found equal */
    /* of each side; the second while the guest was stopped */
    uint64_t compared_bytes, compared_stopped_bytes;
    size_t disk_count;
    struct result_disk *disk;
    size_t connection_count;
    struct result_connection *connection;
};

void result_init(struct result *r);
void result_done(struct result *r);
/* The exit code that DESIGN.md's table gives for R. */
enum qm_exit result_exit(const struct result *r);
/* Of two, the one that asks for more attention. */
enum qm_exit result_worse_exit(enum qm_exit a, enum qm_exit b);

#endif
