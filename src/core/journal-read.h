/*
 * A journal, read again by whoever settles what its engine left.  Pure: bytes
 * to facts, or a sentence why they are none.
 */
#ifndef QM_CORE_JOURNAL_READ_H
#define QM_CORE_JOURNAL_READ_H

#include "core/limits.h"
#include "core/result.h"
#include "core/side.h"

#define JOURNAL_VERSION 1
#define JOURNAL_MAX_BYTES (16 * MIB)

struct journal_side {
    char *address; /* as given */
    char *host;    /* --source-host ..., or NULL */
    struct process_identity process;
    struct qmp_settings capabilities, parameters; /* before all */
};

/* A row of the recipe, and the last that is known of it. */
struct journal_row {
    char *step;
    bool done;
};

struct journal_content {
    char *name, *id, *uuid; /* the guest's, or NULL */
    int64_t began_us;       /* wall clock; 0: it does not say */
    struct journal_side side[SIDES];
    bool was_running;
    bool insecure, tls_psk, verify, keep_source, paused;
    char *qmp_tls_dir, *authz_dn; /* or NULL */
    char *address, *bind;         /* numeric */
    unsigned port_low, port_high;
    const struct policy *policy; /* NULL: it does not say, or is not known */
    bool postcopy_allowed;
    struct limit_changes limits; /* as they were set last */
    /* PLAN_ANNOUNCE_THEIRS, PLAN_OF_POLICY and 0: it does not say */
    int64_t announce_rounds, max_throttle, abort_handover_ms;
    size_t disk_count;
    struct disk_copy *disk; /* what they are called, not what was done */

    /* The ports tried last; 0: none yet, or it does not say. */
    unsigned nbd_port, ram_port;
    enum side_id owner;
    bool started; /* the guest was seen to run at the destination */
    /* The owner was written before the source had given the guest up. */
    bool postcopy;
    bool gave_up;    /* the source was seen to have given it up */
    bool returned;   /* it never ran there, and never will */
    bool guest_over; /* it ended by itself, at the source */
    size_t row_count;
    struct journal_row *row;
    bool ended; /* so: */
    enum outcome end_outcome;
    enum guest_place end_guest;
    int64_t ended_us; /* as began_us */

    size_t whole_bytes; /* up to the end of the last finished line */
    bool torn;          /* there is more: a line that was never finished */
};

/* The members of struct disk_copy that are texts of a disk's record. */
struct journal_disk_text {
    const char *key;
    size_t offset;
    bool ours; /* it begins with the migration's id */
    bool needed;
};
extern const struct journal_disk_text journal_disk_texts[];
extern const size_t journal_disk_text_count;

/* The same of struct process_place, with the room that there is. */
struct journal_place_text {
    const char *key;
    size_t offset, size;
};
extern const struct journal_place_text journal_place_texts[];
extern const size_t journal_place_text_count;

/*
 * Understand LEN BYTES.  A last line without its end was never acted on, and
 * is passed over.  -1 with REFUSED: no journal, a newer one, one that is
 * damaged; the sentence says where.  RET is then untouched.
 */
int journal_read(const char *bytes, size_t len, struct journal_content *ret,
                 struct qm_error *err);
/* Whose it is, by the first of LEN BYTES' lines, of whatever version; false: it
 * does not say. */
bool journal_read_processes(const char *bytes, size_t len,
                            struct process_identity ret[SIDES]);
/* The same of what is in FD, called PATH. */
int journal_load(int fd, const char *path, struct journal_content *ret,
                 struct qm_error *err);
void journal_content_done(struct journal_content *c);
DEFINE_CLEANUP_DONE(struct journal_content, journal_content_done)

/* "qm-" and eight hexadecimal digits: it becomes part of names and paths. */
bool journal_id_is_valid(const char *id);

/* Had that row begun?  Was it done? */
bool journal_began(const struct journal_content *c, const char *step);
bool journal_did(const struct journal_content *c, const char *step);

/*
 * No open journal speaks of that QEMU, as far as any can be read; or REFUSED: what is done to it now
 * would make that journal's story false, and recover act on it.
 */
int journal_check_free(const char *who, const struct process_identity *id,
                       struct qm_error *err);

#endif
