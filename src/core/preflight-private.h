/*
 * The checks of preflight, one function each; what they read in common.
 */
#ifndef QM_CORE_PREFLIGHT_PRIVATE_H
#define QM_CORE_PREFLIGHT_PRIVATE_H

#include "core/extents.h"
#include "core/preflight.h"
#include "core/verdicts.h"

typedef void preflight_check(const struct facts *f, struct verdicts *v);

/* preflight-state.c */
preflight_check preflight_migration_running, preflight_waiting,
    preflight_blocked, preflight_run_state, preflight_jobs, preflight_exports;
/* preflight-version.c */
preflight_check preflight_versions;
/* preflight-channels.c */
preflight_check preflight_multifd;
/* preflight-postcopy.c */
preflight_check preflight_postcopy;
/* preflight-machine.c */
preflight_check preflight_machine_type, preflight_accelerator, preflight_uuid,
    preflight_ram_size, preflight_cpu_topology, preflight_memory_devices,
    preflight_memory_room, preflight_disk_room, preflight_memory_backends;
/* preflight-settings.c */
preflight_check preflight_settings;
/* preflight-memory.c: a blocker for each file that may be both sides' RAM */
void preflight_memory_files(const struct facts *f, struct verdicts *v);
/* preflight-overwrite.c: one for each of the destination that the source has
 * open as something else */
void preflight_memory_over_disks(const struct facts *f, struct verdicts *v);
const char *memory_pair_path(const struct facts *f, const struct memory_pair *p,
                             enum side_id side);
/* The file as what extents_compare() tells of; of a folder nothing is known. */
struct extent memory_pair_extent(const struct facts *f,
                                 const struct memory_pair *p,
                                 enum side_id side);
/* preflight-devices.c */
preflight_check preflight_devices;
/* preflight-cpu.c */
preflight_check preflight_cpu_features;
/* preflight-disks.c */
preflight_check preflight_disks;
/* preflight-backing.c */
preflight_check preflight_backing;
/* preflight-bitmaps.c */
preflight_check preflight_bitmaps;
/* preflight-snapshots.c */
preflight_check preflight_snapshots;
/* preflight-encryption.c */
preflight_check preflight_encryption;
/* preflight-address.c */
preflight_check preflight_address;
/* preflight-tls.c */
preflight_check preflight_tls;
/* preflight-rekey.c: a warning where so much goes over one stream that GnuTLS
 * gives it new keys, of which a QEMU may die. */
preflight_check preflight_rekey;
/* preflight-host.c */
preflight_check preflight_same_process, preflight_hosts, preflight_libvirt,
    preflight_restart, preflight_boot;

/* A version as one number that can be compared: 7.2.22 is 7002022. */
long version_number(const struct qmp_version *v);

/* Are both QEMUs known to run on one machine? */
bool facts_same_machine(const struct facts *f);

enum hosts facts_hosts(const struct facts *f);

/* One of the parts of a disk; of disk number disks.count: of nodes of which no
 * disk is made. */
struct part_index {
    size_t disk, part;
};
size_t facts_count_parts(const struct side_facts *s);
struct qmp_parts facts_parts_of(const struct side_facts *s, size_t disk);
struct extent facts_extent(const struct side_facts *s, size_t disk,
                           size_t part);
/* Of the marks for those two; NULL: none was tried. */
enum host_mark *facts_mark(const struct facts *f, struct part_index source,
                           struct part_index destination);
struct storage facts_compare(const struct facts *f, struct part_index source,
                             struct part_index destination);
/* Do disk I of the source and disk J of the destination use one image, with
 * all that lies below it? */
struct storage facts_storage(const struct facts *f, size_t i, size_t j);
/* Is what lies below their own images one chain, image by image? */
bool facts_backing_is_shared(const struct facts *f, size_t i, size_t j);
/* preflight-overwrite.c: what forbids that disk I is copied onto J, since J's
 * image holds something else that is in use. */
void preflight_overwriting(const struct facts *f, size_t i, size_t j,
                           struct verdicts *v);

/* For each device of the source the index + 1 of the destination's, 0 if none
 * is proved to be the same: by id, or, without one, by type and address, which
 * no other device on either side has too.  The caller frees. */
size_t *facts_device_pairs(const struct facts *f);
/*
 * For each disk of the source the index + 1 of the destination's, 0 if none is
 * proved to be the same: that of the same device, or of the same onboard
 * device.  Names of nodes and drives decide only where another check forbids
 * the migration anyway.  The caller frees.
 */
size_t *facts_counterparts(const struct facts *f);
/* A blocker if the node or drive of disk I has the name of another than J. */
void judge_namesake(const struct facts *f, size_t i, size_t j,
                    struct verdicts *v);
/* A blocker if the guest drives disk I, which is to be copied, with SCSI
 * commands of its own. */
void judge_passthrough(const struct facts *f, size_t i, struct verdicts *v);
/* Is the disk called NAME, by device, node or drive? */
bool disk_is_called(const struct qmp_disk *d, const char *name);
bool disk_is_among(const struct strv *ids, const struct qmp_disk *d);
/* A blocker if they differ. */
void judge_disk_sizes(const struct qmp_disk *a, const struct qmp_disk *b,
                      struct verdicts *v);
/* A blocker for each of IDS, which OPTION names, that is no disk. */
void judge_names(const struct facts *f, const char *option,
                 const struct strv *ids, struct verdicts *v);

/* preflight-left.c: what is to be said of disk I that both sides use, by
 * STORAGE or by the operator's word (J: of its counterpart)... */
void preflight_shared_disk(const struct facts *f, size_t i, size_t j,
                           const struct storage *storage, struct verdicts *v);
/* ...and that stays for another reason; J may be NULL, and NEVER is why it
 * cannot be copied, or NULL. */
void preflight_left_disk(const struct facts *f, size_t i, const size_t *j,
                         const char *never, struct verdicts *v);

/* preflight-read-only.c: do disk I of the source and J of the destination,
 * which is another image, hold the same? */
enum content_relation { CONTENT_UNKNOWN, CONTENT_SAME, CONTENT_DIFFERENT };
enum content_relation facts_content(const struct facts *f, size_t i, size_t j);
/* "read-only, and ...": why a read-only disk of that content is copied, or is
 * not; static storage. */
const char *content_reason(enum content_relation content);
/* Would it tell, beside what is known, to read both? */
bool facts_need_digest(const struct facts *f, size_t i, size_t j);
/* Why B, read-only at the destination, cannot be opened a second time to write
 * to its image; NULL if it can. */
const char *disk_why_no_writer(const struct qmp_disk *b);

/* preflight-images.c: has the destination, for disk I, only a node that keeps
 * nothing, in the place of an image that is to be made? */
bool facts_is_placeholder(const struct facts *f, size_t i, size_t j);
/* What forbids making the image of disk I in the place of J ... */
void preflight_make_image(const struct facts *f, size_t i, size_t j,
                          struct verdicts *v);
/* ... and a blocker where it is not to be copied, for REASON. */
void preflight_lone_placeholder(const struct facts *f, size_t i,
                                const char *reason, struct verdicts *v);
/* A blocker for each name of --create-disks that is no placeholder. */
void preflight_create_names(const struct facts *f, struct verdicts *v);
/* Is J a larger block device than disk I, that can be cut to its size? */
bool facts_can_slice(const struct facts *f, size_t i, size_t j);

/* Will any disk be copied? */
bool facts_copy_disks(const struct facts *f);

#endif
