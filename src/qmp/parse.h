/*
 * Replies to structs: the pure halves of the typed commands, for them and for
 * the tests.  -1 with a PROTOCOL error, and RET untouched, where a reply has
 * not the shape that QEMU's schema promises; what is optional there, or is
 * newer than QEMU 7.2, may be absent.
 */
#ifndef QM_QMP_PARSE_H
#define QM_QMP_PARSE_H

#include <json-c/json_types.h>

#include "qmp/block.h"
#include "qmp/machine.h"
#include "qmp/migration.h"

int migration_parse(struct json_object *reply, struct qmp_migration *ret,
                    struct qm_error *err);
int run_state_parse(struct json_object *reply, struct qmp_run_state *ret,
                    struct qm_error *err);

int capabilities_parse(struct json_object *reply, struct qmp_settings *ret,
                       struct qm_error *err);
int parameters_parse(struct json_object *reply, struct qmp_settings *ret,
                     struct qm_error *err);
/* The arguments that set S; the caller puts them.  INTERNAL if S holds what
 * cannot be sent. */
int capabilities_build(const struct qmp_settings *s, struct json_object **ret,
                       struct qm_error *err);
int parameters_build(const struct qmp_settings *s, struct json_object **ret,
                     struct qm_error *err);

/* query-block and query-named-block-nodes (flat).  is_pflash stays false: it
 * takes another question. */
int disks_parse(struct json_object *block, struct json_object *nodes,
                struct qmp_disks *ret, struct qm_error *err);
/* x-debug-query-block-graph: has a device of D no permission for its disk? */
bool waiting_parse(struct json_object *graph, const struct qmp_disks *d);
/* A node's `dirty-bitmaps`, or NULL: those with a name, added to RET. */
void bitmaps_parse(struct json_object *list, struct qmp_bitmaps *ret);
/* The part of a disk that is its image: ImageInfo of query-block. */
void image_parse(struct json_object *image, struct qmp_disk *d);
/* Whether it is encrypted: `inserted` of query-block; after image_parse(). */
void encryption_parse(struct json_object *inserted, struct qmp_disk *d);
/* The part that is what it lies on, by `inserted` of query-block and all nodes;
 * node_name is known. */
void protocol_parse(struct json_object *nodes, struct json_object *inserted,
                    struct qmp_disk *d);
/* Does that driver hold bytes itself, or ask somebody else for them? */
bool qmp_is_protocol(const char *driver);
/* What the disks stand on, by all nodes and, where graph_is_needed(), what
 * x-debug-query-block-graph told (NULL: nothing). */
void graph_parse(struct json_object *nodes, struct json_object *told,
                 struct qmp_disks *disks);
bool graph_is_needed(struct json_object *nodes);
/* query-jobs and query-block-jobs */
int jobs_parse(struct json_object *jobs, struct json_object *block_jobs,
               struct qmp_jobs *ret, struct qm_error *err);
/* The member KEY of each element, added to RET. */
int names_parse(struct json_object *reply, const char *key, struct strv *ret,
                struct qm_error *err);
/* The names of the children in qom-list's reply, added to RET. */
int children_parse(struct json_object *reply, struct strv *ret,
                   struct qm_error *err);

/*
 * Parts of struct qmp_machine, added to M, which keeps what was added before a
 * failure: qmp_machine_done() frees it.
 */
int memory_devices_parse(struct json_object *reply, struct qmp_machine *m,
                         struct qm_error *err);
int memory_backends_parse(struct json_object *reply, struct qmp_machine *m,
                          struct qm_error *err);
int cpus_parse(struct json_object *cpus, struct json_object *hotpluggable,
               struct qmp_machine *m, struct qm_error *err);
int feature_words_parse(struct json_object *reply, struct qmp_machine *m,
                        struct qm_error *err);
/* The children of FOLDER, which have ids if HAS_IDS. */
int devices_parse(struct json_object *reply, const char *folder, bool has_ids,
                  struct qmp_machine *m, struct qm_error *err);
/* The functions of the first root bus at which no other device of M is. */
int onboard_pci_parse(struct json_object *reply, struct qmp_machine *m,
                      struct qm_error *err);
/* query-machines: 1, 0, -1 */
int machine_types_parse(struct json_object *reply, const char *machine_type,
                        struct qm_error *err);

#endif
