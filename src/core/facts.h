/*
 * What was found out about both sides before anything is changed: the input
 * of preflight and of the choice of disks, which are pure.
 */
#ifndef QM_CORE_FACTS_H
#define QM_CORE_FACTS_H

#include "core/host-images.h"
#include "core/plan.h"
#include "qmp/block.h"
#include "qmp/machine.h"
#include "qmp/migration.h"
#include "qmp/schema.h"
#include "tls/check.h"

struct side_facts {
    struct qmp_version version; /* package is borrowed from the client */
    struct qmp_features features;
    struct qmp_machine machine;
    struct qmp_run_state run_state;
    struct qmp_migration migration;
    struct qmp_disks disks;
    /* Asked of a source that does not run, before 10.0: its disks were never
     * taken over, since it came by a migration and was not continued. */
    enum qmp_wait disks_wait;
    struct file_identity *disk_file; /* one a disk; the protocol's file */
    /* One a part, of all disks and then of no disk; NULL: not asked */
    struct file_identity *part_file;
    /* One a disk, known where what both sides have had to be compared. */
    struct file_digest *disk_digest;
    struct qmp_jobs jobs;
    struct strv exports;
    struct qmp_settings capabilities, parameters;
    bool has_machine_type; /* destination: of the source's machine type */

    bool host_known;    /* the host could be asked: the four below count */
    char *host_problem; /* why it could not, or NULL */
    bool host_is_local;
    struct process_identity process;
    /* May that process fetch pages that its guest touches?  Asked of the
     * destination, with post-copy. */
    enum host_has userfaultfd;
    struct host_memory memory;
    /* Of the destination's disks, one each; NULL: not asked. */
    struct disk_room *disk_room;
    struct host_capacity capacity; /* asked where channels are chosen */
    struct unit_facts unit;
    struct tls_findings tls; /* of the directory of this side; empty with
                              * --insecure */
    bool tls_read;           /* the engine could read that directory */
    struct buffer tls_ca;    /* its CA file; empty: not read */
};

/* A backend of the destination that writes to its file, and one of the source
 * that has a file: may they be one? */
struct memory_pair {
    size_t index[SIDES]; /* into the memory backends */
    struct file_identity file[SIDES];
    bool is_folder[SIDES];
    enum host_mark mark;
};

struct facts {
    const struct plan *plan;
    struct side_facts side[SIDES];
    /* One a part of the source and one of the destination: whether a mark
     * beside one's file was seen beside the other's.  NULL: not tried. */
    enum host_mark *mark;
    size_t memory_pair_count;
    struct memory_pair *memory_pair;
    char *mark_left; /* "SIDE: PATH" of one that could not be removed, or
                      * NULL */
    struct image_site *site; /* one a disk of the source: where its image is
                              * to be made; NULL without --create-disks */
    char *site_problem;      /* why they could not be looked at, or NULL */
    struct image_maker maker;
    /* One a disk of the source: its backing chain is known to be one that both
     * sides use.  NULL: not asked. */
    bool *backing_shared;
    struct tls_findings tls_pair;
    char *source_subject; /* of its certificate, as QEMU sees it; or NULL */
    char *destination_subject;
    /* Whom alone the destination is to accept; NULL: whoever has a certificate
     * of its CA */
    char *authz_dn;
    char *address; /* resolved --address, numeric; NULL: not usable, why: */
    char *address_problem;
    /* Another one of that name, which came before it and is not an address of the
     * destination's host; or NULL */
    char *address_passed_over;
    char *bind; /* numeric; NULL: not usable, why: */
    char *bind_problem;
    enum host_has bind_is_there; /* it is an address of the destination's */
    char *tls_hostname;
};

struct facts_input {
    struct loop *loop;
    const struct plan *plan;
    struct qmp *qmp[SIDES];   /* connected */
    struct host *host[SIDES]; /* or NULL */
    const struct process_identity *process[SIDES];
    const char *process_problem[SIDES]; /* why it is not known */
    int64_t now_s;                      /* wall clock, for certificates */
};

/*
 * Ask everything.  Nothing is changed anywhere, but that for a moment there
 * may be a mark beside an image (host_mark_files()).  -1 with ERR if a QEMU
 * does not answer; hosts that cannot be asked are facts, not errors.
 */
int facts_collect(const struct facts_input *in, struct facts *ret,
                  struct qm_error *err);
void facts_done(struct facts *f);

#endif
