/*
 * One of the two QEMUs, as the engine knows it while it works.
 *
 * Callbacks (events, the link, the process's end) record facts here; steps
 * read them.  When a link was lost, events may be missing: side_refresh() asks
 * the state again, and every wait does so before it looks.
 */
#ifndef QM_CORE_SIDE_H
#define QM_CORE_SIDE_H

#include "core/facts.h"
#include "core/mirror-policy.h"
#include "core/narration.h"
#include "tls/client.h"

struct disk_make;

/* A mirror's job, as events and query-jobs tell it. */
enum mirror_state {
    MIRROR_NONE,
    MIRROR_RUNNING,
    MIRROR_READY,
    MIRROR_CONCLUDED, /* ended well: the copy is complete */
    MIRROR_FAILED,
};
/* "waiting", "copying", "ready" (in sync), "done", "failed" */
const char *mirror_state_name(enum mirror_state state);

struct disk_copy {
    char *label;
    char *source_node; /* or device name: what blockdev-mirror takes */
    char *destination_node;
    char *source_file, *destination_file;
    uint64_t size_bytes;
    char *snapshots;         /* internal ones that stay behind, or NULL */
    char *encryption;        /* disk_choice_encryption(), or NULL */
    struct strv old_bitmaps; /* disk_choice_old_bitmaps() */
    struct disk_make *make;  /* how it comes to be; NULL: it is there */
    bool top;                /* its overlay alone is copied, after ... */
    bool backing_shared;     /* ... its own chain was found there, or ... */
    char *backing_node; /* ... what this node of the source shows was proved */
    bool discard;       /* the target may be opened with discard=unmap */
    bool was_inactive;  /* the destination's node; exporting makes it active */

    /* The destination's node is read-only: a node of ours, or NULL, and what
     * it is opened with */
    char *writer_node;
    char *destination_format, *destination_protocol;

    /* names of our own */
    char *export_id, *export_name, *node_name, *job_id;

    /* what was done, for undo */
    bool exported, node_added, mirror_started, write_blocking;
    struct tls_seen seen; /* by the engine, with tls_proved */
    bool seen_whole;      /* the export too, not its server alone */
    bool probed, tls_proved, writer_added;

    /* Recorded by callbacks and side_refresh(), read by steps */
    enum mirror_state state;
    bool actively_synced;
    bool rests; /* its job is paused: by a person, or for a moment by QEMU */
    char *error;
    bool write_failed; /* the destination's fault, not the source's */
    uint64_t current_bytes, total_bytes;

    /* watching */
    struct mirror_pace pace;
    struct write_pace writes;
    struct mirror_quiet quiet;
    bool overtaken; /* written faster than it is copied */
    bool ending;    /* another mirror follows: this one's end is no failure */
};

struct side {
    enum side_id id;
    const char *name; /* "source" */
    struct loop *loop;
    const struct narrator *narrator;
    struct qmp *qmp;
    struct host *host; /* or NULL */
    struct qmp_features features;
    struct disk_copy *disk; /* the source's: borrowed from the migration */
    size_t disk_count;

    /* the process, as far as it is known */
    struct process_identity process;
    char *process_problem; /* why it is not known, or NULL */
    int pidfd;             /* of a local process, else -1 */
    struct loop_watch *pidfd_watch;
    int lock; /* rundir_lock_process(), else -1 */

    /* Recorded by callbacks and side_refresh(), read by steps */
    enum migration_status status;
    char *error_desc;     /* QEMU's, or NULL */
    unsigned listen_port; /* where it waits for the RAM; 0: it does not say */
    bool running;
    char *run_state; /* QEMU's word as last asked; "" before */
    /* QEMU's word for why it stopped the guest by itself, as "io-error"; NULL:
     * it did not.  And what was heard that will stop it; the first error of a
     * disk in words ("write: No space left on device"), or NULL. */
    const char *halted, *halting;
    char *io_error;
    int64_t stopped_us; /* our clock, of the last STOP; 0: none */
    int64_t resumed_us;
    int64_t pass;
    unsigned pauses;    /* how often its post-copy was paused */
    bool sample_due;    /* a pass began: worth a sample */
    char *unplugged;    /* a device, since it was connected; or NULL */
    bool guest_ended;   /* SHUTDOWN, or a GUEST_PANICKED for good */
    bool guest_is_over; /* while it ran here: nobody has a newer one */
    bool given_up;      /* used up, and could not be ended */
    bool process_dead;  /* proved */
    bool quit_answered; /* QEMU said yes to `quit` */
    unsigned seen_generation;
    int attempts;        /* of side_do(): how often it ran its command */
    int64_t patience_ms; /* how long a broken link is given to come back */
    deadline_t hurry_by; /* side_hurry() */
};

void side_init(struct side *s, enum side_id id, struct loop *loop,
               const struct narrator *narrator);
void side_done(struct side *s);

/* Connect; BY bounds it all.  DIR: rundir_make_private(). */
int side_connect(struct side *s, const struct plan *p, const char *dir,
                 deadline_t by, struct qm_error *err);
/* A broken link is given so long to come back from now on (30 s at first). */
void side_be_patient(struct side *s, int64_t ms);
/* Until told otherwise commands, and broken links, have no longer than until
 * BY, but a second at least; DEADLINE_NEVER: what they usually have. */
void side_hurry(struct side *s, deadline_t by);
/* So many round trips of its monitor, as they were measured: what a limit of
 * silence has on top. */
int64_t side_trips_ms(const struct side *s, int count);
/* Learn the process: its identity, a pidfd where it is local. */
void side_identify(struct side *s, const struct qmp_address *a);

/* A run state in which QEMU itself has stopped the guest, which is whole and
 * stays so: static storage; NULL if WORD is none. */
const char *halt_word(const char *word);
/* "was stopped by an I/O error of its disk": halt_word()'s, in words. */
const char *halt_in_words(const char *halted);

/* Ask query-status, query-migrate and (source) query-jobs, and record them. */
int side_refresh(struct side *s, struct qm_error *err);
/* Each alone. */
int side_refresh_run_state(struct side *s, struct qm_error *err);
/* The same of a qmp_send_query_status() that is under way. */
int side_finish_run_state(struct side *s, struct qmp_request *r,
                          struct qm_error *err);
int side_refresh_jobs(struct side *s, struct qm_error *err);
void side_record_migration(struct side *s, const struct qmp_migration *q);
/* The link was made anew since the last refresh. */
bool side_is_stale(const struct side *s);
bool side_is_gone(const struct side *s); /* dead, or the link given up */
/* -1 with LINK: which of both. */
int side_gone_error(const struct side *s, struct qm_error *err);
/* Proved dead; or, where its process is not known, it answered `quit` and its
 * link has ended, which is all that there is to see. */
bool side_has_ended(const struct side *s);
/* Is there anything left to put back in it?  Not once it was given up: that
 * the whole QEMU is left has been said. */
bool side_needs_cleaning(const struct side *s);
/* Find out whether a process whose link broke is dead; records it. */
bool side_check_dead(struct side *s, deadline_t by);

/* The same, over a link that may break: it is awaited, and asked again. */
int side_ask(struct side *s, struct qm_error *err);
int side_ask_run_state(struct side *s, struct qm_error *err);

/*
 * A command whose reply may be lost.  RUN does it; if the link broke before
 * the reply came, the link is awaited and HAPPENED (1 yes, 0 no, -1 with ERR)
 * is asked; after a no it is run again.  HAPPENED may be NULL: running it
 * twice does no harm.
 */
typedef int side_run_fn(struct side *s, void *arg, struct qm_error *err);
typedef int side_asked_fn(struct side *s, void *arg, struct qm_error *err);
int side_do(struct side *s, side_run_fn *run, side_asked_fn *happened,
            void *arg, struct qm_error *err);
/* `stop` and `cont` so. */
int side_stop(struct side *s, struct qm_error *err);
int side_cont(struct side *s, struct qm_error *err);

void disk_copy_done(struct disk_copy *d);

#endif
