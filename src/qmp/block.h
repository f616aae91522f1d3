/*
 * Typed commands: disks, block nodes, jobs, exports and objects.
 */
#ifndef QM_QMP_BLOCK_H
#define QM_QMP_BLOCK_H

#include "base/util.h"
#include "qmp/bitmaps.h"
#include "qmp/client.h"

/*
 * Bytes that a node uses of what a protocol node has open: a file, a device, a
 * network image.
 */
struct qmp_part {
    char *node, *driver, *filename; /* as QEMU prints it: may be relative */
    const char *role;    /* "image", "backing file"; static storage */
    uint64_t start, end; /* END UINT64_MAX: as far as there are any */
    bool is_written;     /* through the disk: not a backing file */
    bool is_top;         /* what is the disk's `protocol` */
    bool is_memory;      /* no node, but a memory backend of that id */
};
struct qmp_parts {
    size_t count;
    struct qmp_part *item;
};
void qmp_parts_done(struct qmp_parts *p);

/*
 * One guest block device: an entry of query-block, with what
 * query-named-block-nodes tells of its nodes.
 */
struct qmp_disk {
    /*
     * The device: its id; or, if it has none, its QOM path, as in struct
     * qmp_device: "/machine/peripheral-anon/device[0]", which says nothing of
     * the other side, where the order of -device may differ; or, if it is
     * onboard (-hda, -cdrom), the BlockBackend's name, "ide0-hd0", since the
     * paths of onboard devices change between versions.  NULL: no device uses
     * it.
     */
    char *qdev;
    char *qom_path; /* of what has the property `drive`; NULL as QDEV is */
    /* Of an onboard device: "ide-hd", "ide.0 unit 1"; else NULL.  PLACE is
     * NULL also where its bus has none to compare. */
    char *onboard_type, *onboard_place;
    char *device;    /* legacy BlockBackend name, or "" */
    char *node_name; /* top node; NULL if the tray is empty */
    bool read_only, removable, tray_empty;
    char *driver;   /* "qcow2", "raw", ... of the top node */
    char *filename; /* of the image, as QEMU prints it: may be relative */
    /* Driver and file of the protocol node ("file", "host_device", "nbd"
     * ...); NULL where it cannot be told. */
    char *protocol;
    char *protocol_filename;
    bool is_cached;        /* that node is known to go through the page cache */
    uint64_t virtual_size; /* bytes */
    uint64_t allocated;    /* bytes QEMU says the image occupies, with its
                            * backing files; 0 unknown */
    uint64_t cluster_size; /* bytes; 0: the format has none */
    char *compat;          /* of qcow2: "1.1"; else NULL */
    bool extended_l2;      /* of qcow2 */
    unsigned refcount_bits; /* of qcow2; else 0 */
    /* What is written to it is encrypted in its file; so is something of what
     * is below its top image. */
    bool is_encrypted, chain_is_encrypted;
    /* Internal snapshots of its top image, and "NAME of FILE" of what is below
     * it; and the dirty bitmaps that its image keeps, which a QEMU that waits
     * for a guest has not loaded. */
    struct strv snapshots, chain_snapshots, stored_bitmaps;
    bool has_backing;
    /* Of the image right below, with all below it; with has_backing. */
    char *backing_file;                   /* as QEMU prints it; NULL unknown */
    char *backing_node;                   /* one that shows it; NULL unknown */
    uint64_t backing_size;                /* bytes; 0 unknown */
    struct strv chain_file, chain_format; /* of it and all that is below */
    bool has_data_file;         /* of qcow2: what is in it lies elsewhere */
    bool is_pflash;             /* used by a cfi.pflash device */
    struct qmp_bitmaps bitmaps; /* of the top node */
    bool has_failed;            /* a request of the guest's, which stopped it */
    /* All that it stands on, its backing files too; and whether that is told
     * whole. */
    struct qmp_parts parts;
    bool graph_known;
    /* Its layers, filters left out, with numbers for the parts, as
     * "qcow2( backing:raw 1 file:0)"; NULL: not told. */
    char *form;
    bool is_inactive; /* it waits for a guest; from 10.0 on QEMU tells */
};
struct qmp_disks {
    size_t count;
    struct qmp_disk *item;
    /* Bitmaps of nodes that are no disk's top node: "NODE (NAME, NAME)" */
    struct strv other_bitmaps;
    struct qmp_parts loose; /* of nodes of which no disk is made */
};
/* FEATURES: of that QEMU. */
struct qmp_features;
int qmp_query_disks(struct qmp *q, const struct qmp_features *features,
                    struct qmp_disks *ret, struct qm_error *err);
/*
 * Do the disks wait for a guest that is to run here, as at a destination?
 * Asked of QEMUs before 10.0, whose query-block does not say it: there a disk
 * that waits grants its device nothing.  UNKNOWN where QEMU refuses to show its
 * graph.  -1 with ERR: it does not answer.
 */
enum qmp_wait { QMP_WAITS_NOT, QMP_WAITS, QMP_WAITS_UNKNOWN };
int qmp_query_waiting(struct qmp *q, const struct qmp_disks *d,
                      enum qmp_wait *ret, struct qm_error *err);
void qmp_disks_done(struct qmp_disks *d);
DEFINE_CLEANUP_DONE(struct qmp_disks, qmp_disks_done)

/* Jobs: query-jobs joined with query-block-jobs. */
struct qmp_job {
    char *id, *type, *status; /* "mirror"; "running", "ready", "concluded" */
    char *error;              /* or NULL */
    uint64_t current, total;  /* bytes; TOTAL grows with guest writes */
    bool actively_synced;     /* false where QEMU does not say */
};
struct qmp_jobs {
    size_t count;
    struct qmp_job *item;
};
int qmp_query_jobs(struct qmp *q, struct qmp_jobs *ret, struct qm_error *err);
const struct qmp_job *qmp_jobs_find(const struct qmp_jobs *j, const char *id);
void qmp_jobs_done(struct qmp_jobs *j);
DEFINE_CLEANUP_DONE(struct qmp_jobs, qmp_jobs_done)

/* What JOB_STATUS_CHANGE, BLOCK_JOB_READY, BLOCK_JOB_COMPLETED,
 * BLOCK_JOB_CANCELLED and BLOCK_JOB_ERROR say; strings borrowed from E. */
struct qmp_job_event {
    const char *id;
    const char *status; /* JOB_STATUS_CHANGE only, else NULL */
    const char *error;  /* COMPLETED with an error, else NULL */
    bool write_failed;  /* BLOCK_JOB_ERROR only: of the target */
};
bool qmp_event_is_job(const struct qmp_event *e, struct qmp_job_event *ret);

/* What BLOCK_IO_ERROR says; strings borrowed from E. */
struct qmp_io_error {
    bool stops;            /* the guest is stopped by it */
    const char *operation; /* "read", "write"; or NULL */
    const char *reason;    /* of the host's, in words; or NULL */
};
bool qmp_event_is_io_error(const struct qmp_event *e, struct qmp_io_error *ret);
/* Called as people do: the disks that have such an error now, "vd0". */
int qmp_query_failed_disks(struct qmp *q, struct strv *ret,
                           struct qm_error *err);

/* Which top node each device has now: cheap, as for a guest that stands still. */
struct qmp_top {
    char *qom_path;  /* as of struct qmp_disk */
    char *node_name; /* NULL: no medium */
};
struct qmp_tops {
    size_t count;
    struct qmp_top *item;
};
struct qmp_request *qmp_send_query_tops(struct qmp *q);
int qmp_finish_query_tops(struct qmp_request *r, struct qmp_tops *ret,
                          struct qm_error *err);
/* NULL: no device of that path has a disk. */
const struct qmp_top *qmp_tops_find(const struct qmp_tops *t,
                                    const char *qom_path);
void qmp_tops_done(struct qmp_tops *t);
DEFINE_CLEANUP_DONE(struct qmp_tops, qmp_tops_done)

struct qmp_nbd_server {
    const char *path; /* of a unix socket, instead of host and port; or NULL */
    const char *host; /* numeric */
    unsigned port;
    const char *tls_creds;    /* object id, or NULL */
    const char *tls_authz;    /* object id, or NULL */
    unsigned max_connections; /* at once; 0: QEMU's own, 100 */
};
int qmp_nbd_server_start(struct qmp *q, const struct qmp_nbd_server *s,
                         struct qm_error *err);
int qmp_nbd_server_stop(struct qmp *q, struct qm_error *err);
/* SHOWS_DEPTH: with the map of how deep in the backing chain data lies. */
int qmp_export_add(struct qmp *q, const char *id, const char *node_name,
                   const char *name, bool writable, bool shows_depth,
                   struct qm_error *err);
/* One to read from, whose name is ID; it shows BITMAP, which must be disabled,
 * if that is not NULL. */
int qmp_export_add_reading(struct qmp *q, const char *id, const char *node_name,
                           const char *bitmap, struct qm_error *err);
/* The ids of all exports, whoever made them. */
int qmp_query_exports(struct qmp *q, struct strv *ret, struct qm_error *err);

/* A dirty bitmap that is not kept in the image; it records at once. */
int qmp_bitmap_add(struct qmp *q, const char *node_name, const char *name,
                   uint64_t granularity, struct qm_error *err);
int qmp_bitmap_disable(struct qmp *q, const char *node_name, const char *name,
                       struct qm_error *err);
int qmp_bitmap_remove(struct qmp *q, const char *node_name, const char *name,
                      struct qm_error *err);

struct qmp_nbd_node {
    const char *node_name;
    const char *host; /* numeric */
    unsigned port;
    const char *export_name;
    const char *tls_creds;    /* or NULL */
    const char *tls_hostname; /* or NULL */
    bool discard_unmap;
    int64_t limit_ms; /* how long this blocking command may take */
};
int qmp_blockdev_add_nbd(struct qmp *q, const struct qmp_nbd_node *n,
                         struct qm_error *err);
/* A node to write with, over an image that another node may have open: FORMAT
 * over PROTOCOL ("file", "host_device"), or PROTOCOL alone if they are equal. */
struct qmp_file_node {
    const char *node_name;
    const char *format, *protocol, *filename;
};
int qmp_blockdev_add_file(struct qmp *q, const struct qmp_file_node *n,
                          struct qm_error *err);
int qmp_blockdev_del(struct qmp *q, const char *node_name,
                     struct qm_error *err);
/* Give an inactive node up, or take it; from 10.0 on. */
int qmp_blockdev_set_active(struct qmp *q, const char *node_name, bool active,
                            struct qm_error *err);
/* The names of all block nodes. */
int qmp_query_nodes(struct qmp *q, struct strv *ret, struct qm_error *err);

struct qmp_mirror {
    const char *job_id;
    const char *device; /* node or device name of the source */
    const char *target; /* node */
    const char *sync;   /* "full" or "top" */
    bool write_blocking;
    int64_t speed_bps; /* bytes a second, 0: no limit */
};
int qmp_blockdev_mirror(struct qmp *q, const struct qmp_mirror *m,
                        struct qm_error *err);
/* Never by `force`: in 10.0.2 that corrupts the heap of a source whose guest
 * writes through a write-blocking mirror. */
int qmp_block_job_cancel(struct qmp *q, const char *job_id,
                         struct qm_error *err);
/* The same, to be finished by qmp_finish(). */
struct qmp_request *qmp_send_block_job_cancel(struct qmp *q,
                                              const char *job_id);
/* One that a person has paused. */
int qmp_block_job_resume(struct qmp *q, const char *job_id,
                         struct qm_error *err);
int qmp_block_job_write_blocking(struct qmp *q, const char *job_id,
                                 struct qm_error *err);
int qmp_block_job_set_speed(struct qmp *q, const char *job_id,
                            int64_t speed_bps, struct qm_error *err);
int qmp_job_dismiss(struct qmp *q, const char *job_id, struct qm_error *err);

/* What the guest wrote to each of its disks since it was started. */
struct qmp_writes {
    char *node_name; /* top node */
    uint64_t writes, total_ns;
};
struct qmp_writes_list {
    size_t count;
    struct qmp_writes *item;
};
struct qmp_request *qmp_send_query_writes(struct qmp *q);
int qmp_finish_query_writes(struct qmp_request *r, struct qmp_writes_list *ret,
                            struct qm_error *err);
void qmp_writes_list_done(struct qmp_writes_list *l);
DEFINE_CLEANUP_DONE(struct qmp_writes_list, qmp_writes_list_done)

/* PRIORITY is GnuTLS's, or NULL: QEMU's own. */
int qmp_object_add_tls_x509(struct qmp *q, const char *id, const char *dir,
                            bool server, const char *priority,
                            struct qm_error *err);
/* USERNAME: of a client, whom a server is not told; else NULL. */
int qmp_object_add_tls_psk(struct qmp *q, const char *id, const char *dir,
                           const char *username, struct qm_error *err);
/* A rule that allows that subject and nobody else. */
int qmp_object_add_authz(struct qmp *q, const char *id, const char *dn,
                         struct qm_error *err);
int qmp_object_del(struct qmp *q, const char *id, struct qm_error *err);
/* The ids of all user-created objects (qom-list /objects). */
int qmp_query_objects(struct qmp *q, struct strv *ret, struct qm_error *err);

#endif
