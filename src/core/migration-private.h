/*
 * One migration, from the inside: what the steps share.
 */
#ifndef QM_CORE_MIGRATION_PRIVATE_H
#define QM_CORE_MIGRATION_PRIVATE_H

#include "core/converge.h"
#include "core/failpoint.h"
#include "core/journal.h"
#include "core/migration.h"
#include "core/rundir.h"
#include "core/side.h"

/* QMP node names are at most 31 characters (QEMU block.c): ours are
 * "qm-" and eight hexadecimal digits and "-disk12". */
#define MIGRATION_ID_LEN 11

/* The stream of a post-copy, which may break, and is made anew
 * (postcopy-stream.c).  Times are of our clock; 0: not. */
struct postcopy_stream {
    int recoveries;  /* streams that went on */
    int64_t lost_ms; /* broken since */
    unsigned port;   /* where it was tried last; 0: nowhere yet */
    int tries;       /* in a row */
    int64_t next_try_ms, next_pause_ms;
    int64_t resumed_ms;     /* when the source was told to go on */
    unsigned pauses;        /* of the source, before that */
    int64_t moved_ms;       /* when a byte moved, or a status changed */
    int64_t whole_ms;       /* when the destination was seen to have it all */
    int64_t away_ms[SIDES]; /* a monitor cannot be reached since */
    bool away_told[SIDES];
    uint64_t moved_bytes;
    enum migration_status seen_status[SIDES];
};

struct migration {
    struct loop *loop;
    const struct plan *plan;
    struct narrator narrator; /* tells the listener, and who steers */
    struct narrator listener;
    struct steer *steer;  /* the control socket; NULL: not open */
    struct limits limits; /* of the plan, then as they were set */
    struct side side[SIDES];
    char id[MIGRATION_ID_LEN + 1]; /* prefix of all that is ours in a QEMU */
    char *name;
    char *dir; /* rundir_make_private() */
    int dir_lock;
    struct journal *journal;

    /* found out by preflight */
    struct facts facts;
    bool facts_known;
    struct verdicts verdicts;
    struct disk_choices choices;
    size_t disk_count;
    struct disk_copy *disk;
    int channels;
    int64_t own_part_ms; /* of a handover: what the engine's commands take */

    /* remembered: how to put it back */
    bool was_running; /* follows an operator's own stop and cont */
    bool remembered;
    bool recovering; /* rebuilt from the journal of an engine that died */
    struct qmp_settings capabilities_set[SIDES]; /* what we changed ... */
    struct qmp_settings parameters_set[SIDES];   /* ... and to what */
    bool credentials_added[SIDES];
    struct secret *psk;          /* --tls-psk: while it is needed, else NULL */
    struct host_key *key[SIDES]; /* where it lies; NULL: nowhere */
    bool key_is_new;             /* the source may have another one */
    bool agreed;                 /* the limits are in the source */

    /* done so far, read by undo */
    bool nbd_server_up;
    unsigned nbd_port, ram_port;
    struct proof *proof;   /* step-backing.c's; NULL: nothing to undo */
    struct verify *verify; /* step-verify.c's; NULL: nothing to undo */
    bool door_open;
    bool door_hangs; /* QEMU's main loop, in a TLS handshake (step-door.c) */
    bool stream_started;
    bool read_back;          /* evidence_check() found all as it was told */
    bool source_is_back;     /* it is known that the stream ended there */
    bool destination_owns;   /* durable: the point of no return */
    bool owner_unknown;      /* the record's fate is unknown */
    bool guest_started;      /* it runs there, or stays paused there */
    bool returned_to_source; /* it never ran there, and that QEMU is dead */
    bool we_paused;          /* --on-timeout or `complete` stopped it */
    bool postcopy_asked;     /* the source was told to switch to it */
    bool postcopy_heard;     /* and it answered */
    bool source_gave_up;     /* durable: completed, or in post-copy */

    /* Recorded by callbacks, read by waits */
    bool cancel_requested;
    bool hold_interrupts; /* rolling back, or past the point of no return */
    bool rolling_back;
    unsigned todo;        /* of the policy: enum converge_action */
    bool pause_asked;     /* `complete --mode pause` */
    bool postcopy_wanted; /* `complete --mode postcopy`, or the policy */

    /* watching */
    bool door_answered; /* the destination, once the door was open */
    int door_hanging;   /* times in a row that the source seemed to hang */
    int silences; /* questions in a row that QEMU did not answer in time */
    const char *step;
    int64_t started_us, migrate_us; /* our clock */
    int64_t switchover_us, settled_us, verified_us, completed_us, running_us;
    int64_t announced_us;
    struct converge converge;
    struct converge_rest rest;
    struct progress progress;
    struct progress_disk *progress_disk; /* as many as there are disks */
    int64_t told_at_ms;                  /* when progress was last told */
    uint64_t rate_bytes;                 /* of all disks: for the rate */
    int64_t rate_at_ms;
    int64_t writes_at_ms;      /* when writes were last counted */
    uint64_t ram_window_bytes; /* of the RAM: since when no byte moved */
    int64_t ram_window_ms;
    struct qmp_migration final; /* of the source, once completed */
    int max_throttle;
    struct postcopy_stream postcopy;
    int64_t last_page_us;
    uint64_t compared_bytes, compared_stopped_bytes; /* of --verify */
    struct strv left; /* what could not be cleaned up */
};

static inline struct side *source_of(struct migration *m)
{
    return &m->side[SOURCE];
}

static inline struct side *destination_of(struct migration *m)
{
    return &m->side[DESTINATION];
}

/* side_hurry() of both. */
static inline void sides_hurry(struct migration *m, deadline_t by)
{
    for (int i = 0; i < SIDES; i++)
        side_hurry(&m->side[i], by);
}

/* Each side has, or may have, a part of the guest. */
static inline bool in_postcopy(const struct migration *m)
{
    return m->postcopy_asked && m->destination_owns;
}

void migration_tell(struct migration *m, const struct narration *n);
void migration_warn(struct migration *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Note something that is left to clean up, and warn of it. */
void migration_left(struct migration *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A command's id of ours: "qm-1a2b3c4d-WHAT"; the caller frees it. */
char *migration_own_id(const struct migration *m, const char *what);

/* --- waits ----------------------------------------------------------------- */

/* What ends a wait before its fact holds, beside its deadline. */
enum {
    ENDS_ON_CANCEL = 1,
    ENDS_ON_DESTINATION_DEATH = 2, /* dead, or its link given up */
    ENDS_ON_STREAM_FAILURE = 4,    /* the source says failed or cancelled */
    ENDS_ON_MIRROR_FAILURE = 8,
    ENDS_ON_GUEST_END = 16,
    ENDS_ON_SOURCE_DEATH = 32,
    ENDS_ON_HALT = 64, /* QEMU itself has stopped the guest at the source */
    ENDS_ON_ANYTHING = 127,
    ENDS_ON_LOAD_FAILURE = 128, /* the destination says failed */
};

struct wait {
    const char *what; /* for the message: "the source to reach ..." */
    bool (*holds)(struct migration *m);
    int64_t limit_ms;
    unsigned ends_on;
    /* Asked about each INTERVAL_MS where QEMU has no event for it; NULL: not */
    int (*ask)(struct migration *m, struct qm_error *err);
    int64_t interval_ms;
    /* While this holds the limit begins anew, AS_LONG_AS_IT_TAKES_MS at most;
     * NULL: never */
    bool (*may_take_longer)(struct migration *m);
};

/* In post-copy nobody but us brings the two parts of a guest together, so what
 * is awaited there is given up by no clock but this one. */
#define AS_LONG_AS_IT_TAKES_MS (30LL * 24 * 3600 * 1000)

/*
 * Serve everything until the fact holds.  A lost link does not end a wait: the
 * state is asked again when it is back.
 * ERR: TIMEOUT, CANCELLED, LINK, MIGRATION, DISK, GUEST.
 */
int migration_wait(struct migration *m, const struct wait *w,
                   struct qm_error *err);

/* -1 with ERR where QEMU itself has stopped the guest at the source. */
int halt_check(struct migration *m, struct qm_error *err);

/* While rolling back: where it is known that the source's guest has ended, its
 * QEMU has but a few seconds left for all that it is told or asked. */
void undo_hurry(struct migration *m);

/* A process may be seen dead before its last events were read: why it ended,
 * for instance that its guest shut down.  Half a second, or until its link is
 * at its end. */
void let_it_speak(struct side *s);

/* The sides' own words about why the stream failed, for an error that says
 * so. */
int stream_failure(struct migration *m, struct qm_error *err);

/* --- the recipe ------------------------------------------------------------ */

struct step {
    const char *name;
    int (*run)(struct migration *m, struct qm_error *err);
    /* Takes back what run did, also half of it; NULL: nothing to take back.
     * What cannot be taken back goes to migration_left(). */
    void (*undo)(struct migration *m);
};

extern const struct step recipe[];
extern const size_t recipe_count;
extern const size_t recipe_first_change; /* rows before it change nothing */

/* Rows [0, COUNT): run downwards; at a failure roll back unless the
 * destination owns the guest. */
int recipe_run(struct migration *m, size_t count, struct qm_error *err);
/* Rows [0, FROM], the last one first: what of them was never done is nothing
 * to undo. */
void recipe_undo(struct migration *m, size_t from);
/* Rows [the one of RUN, the last]: what recover goes on with.  Undone only
 * where the guest has returned to the source. */
int recipe_go_on(struct migration *m,
                 int (*run)(struct migration *m, struct qm_error *err),
                 struct qm_error *err);

/* --- the end, and beginning in the middle ---------------------------------- */

/* Judge how it went, fill RET, close the journal if nothing is open. */
void migration_conclude(struct migration *m, bool succeeded,
                        struct result *ret);
/* The first line of the journal (journal-story.c); the caller puts it. */
struct json_object *journal_story(const struct migration *m);
/* The limits as a journal has them; the caller puts it. */
struct json_object *journal_limits_data(const struct limits *l);
/* `cont` at the destination, until its guest is seen to run. */
int start_destination(struct migration *m, struct qm_error *err);
/* A guest that was seen to start, and stopped again at once, has run there. */
bool destination_runs(struct migration *m);
/* What an engine that died may have left for the undo of these rows. */
void proof_adopt(struct migration *m);
void verify_adopt(struct migration *m);

#define STEP(name)                                                             \
    int step_##name(struct migration *m, struct qm_error *err);                \
    void undo_##name(struct migration *m);
STEP(connect)
STEP(preflight)
STEP(remember)
STEP(hold)
STEP(credentials)
STEP(agree)
STEP(make_disks)
STEP(export_disks)
STEP(probe)
STEP(prove_backing)
STEP(mirror)
STEP(compare)
STEP(open_door)
STEP(start)
STEP(converge)
STEP(settle)
STEP(verify)
STEP(switch_over)
STEP(close_exports)
STEP(run_destination)
STEP(announce)
STEP(last_page)
STEP(retire)
#undef STEP

/* --- parts that several steps share ---------------------------------------- */

/* Are both machines as they were compared?  In a hurry nothing is asked, and
 * only what was heard of counts.  -1 with ERR: GUEST, a change. */
int machines_unchanged(struct migration *m, bool hurry, struct qm_error *err);
/* The answer to qmp_send_query_tops(), at the source: has a disk another image
 * than was compared?  -1 with ERR: GUEST.  And once more, if the link took the
 * answer with it; FAILED: of the first look. */
int handover_finish_look(struct migration *m, struct qmp_request *r,
                         struct qm_error *err);
int handover_end_look(struct migration *m, struct qm_error *failed,
                      struct qm_error *err);
/* tcp:HOST:PORT; the caller frees it. */
char *door_uri(const char *host, unsigned port);
/* Before the source is sent to the door: does the destination still wait
 * there?  -1 with ERR: a stranger came first (TIMEOUT, MIGRATION), or it has
 * ended (LINK), or what else ends a wait. */
int door_check(struct migration *m, struct qm_error *err);
/* Is the source alive while it shakes hands?  -1 with ERR: both hang. */
int door_ask_handshake(struct migration *m, struct qm_error *err);
/* End the destination if a source that answers no more hangs in the handshake
 * with it. */
void door_free_source(struct migration *m);
/* End the destination's QEMU: quit, then yank and quit again, then SIGKILL of
 * the verified process.  0 if it is known to be gone. */
int destination_discard(struct migration *m, struct qm_error *err);
/* Cut the mirrors' connections: a drain of one whose peer is silent would
 * freeze the source's main loop. */
void mirrors_yank(struct migration *m);
/* How long the guest may still stand still. */
int64_t handover_left_ms(const struct migration *m);
/* What the engine can read of the credentials with which the source comes to
 * the destination's exports; a word why it cannot, or NULL. */
struct nbd_disk;
struct nbd_probe;
const char *probe_credentials(struct migration *m, struct nbd_probe *p);
/* Open the destination's NBD server, with nothing in it, for a look at the way
 * from the source: where no disk is copied.  It is ended by close_server_after()
 * or undo_export_disks(). */
int open_server_to_look(struct migration *m, struct qm_error *err);
int close_server_after(struct migration *m, struct qm_error *err);
/* Open disk D's export at the destination for reading, with the MAP
 * (nbd/disk.h); the caller frees it.  NULL with ERR. */
struct nbd_disk *destination_open(struct migration *m,
                                  const struct disk_copy *d, const char *map,
                                  int64_t limit_ms, struct qm_error *err);
/* The one place that sends migrate_cancel; refuses once the destination owns
 * the guest. */
int stream_cancel(struct migration *m, struct qm_error *err);
/* QEMU has set the RAM stream up, and it has neither failed nor been
 * cancelled. */
bool stream_is_active(struct migration *m);
/* The guest runs on at the source, if it ran before. */
int source_resume(struct migration *m, struct qm_error *err);
/* The source's verdict comes before its last run state: wait for that. */
int source_settle(struct migration *m, struct qm_error *err);
/*
 * The destination owns the guest and never ran it: it refused `cont`, or the
 * source's stream failed.  That becomes durable, the destination is ended, and
 * the guest runs on at the source if it did before.
 */
int give_back(struct migration *m, struct qm_error *err);
/* Ids of our objects, which the caller frees.  NULL: there is no TLS; whoever
 * has a certificate is let in. */
char *credentials_id(const struct migration *m);
char *authz_id(const struct migration *m);
/* The name that the destination's certificate must carry, borrowed; NULL: no
 * certificate is asked for. */
const char *secure_hostname(const struct migration *m);
/* Take a pre-shared key away from both hosts, and forget it: all connections
 * are made. */
void forget_key(struct migration *m);
/* A connection is to be made again: both sides have one key.  0 also where
 * there is none; -1: it is to be called again. */
int renew_key(struct migration *m, struct qm_error *err);
/* Do both QEMUs use what they were told?  Asked once the stream is active. */
int evidence_check(struct migration *m, struct qm_error *err);
void evidence_list(const struct migration *m, struct result *r);
/* Does S have these parameters? */
int compare_parameters(struct side *s, const struct qmp_settings *wanted,
                       struct qm_error *err);
/* Set parameters, read back; restore_settings() puts them back. */
int set_parameters(struct migration *m, enum side_id side,
                   const struct qmp_settings *wanted, struct qm_error *err);
/* Put back capabilities and parameters, and delete the TLS objects. */
void restore_settings(struct migration *m, enum side_id side);
void remove_credentials(struct migration *m, enum side_id side);
/* The last sample, with what has no sample of its own. */
const struct progress *progress_now(struct migration *m);
/* Ask the source how far it is; fills m->progress and tells it.  RET gets all
 * but the time. */
int progress_sample(struct migration *m, struct converge_sample *ret,
                    struct qm_error *err);
/* The same once the source was told to switch, and may be away: what was said
 * of converging does not hold any more. */
int progress_sample_rest(struct migration *m, struct qm_error *err);
int progress_sample_disks(struct migration *m, struct qm_error *err);
/* An operator's own stop or cont is carried along: the run state that the
 * guest has now is the one it shall wake up with.  ERR may be NULL. */
int follow_run_state(struct migration *m, struct qm_error *err);
/* Stop the guest at the source so that its RAM gets across; WHY is told. */
#define PAUSE_ASKED                                                            \
    "the operator wants it: the guest is stopped until its RAM is across"
int pause_guest(struct migration *m, const char *why, struct qm_error *err);
/* Tell the source to switch, once a whole pass is over and every mirror is in
 * sync; before that nothing is done.  WHY is told; NULL: the operator wants
 * it. */
int postcopy_start(struct migration *m, const char *why, struct qm_error *err);
/* Has the source given its guest up, as far as was heard? */
bool source_has_given_up(struct migration *m);
/*
 * Once the source was told to switch: look after the stream.  One that broke,
 * on either side, or that is silent, is ended on both and made anew; that is
 * tried again for as long as it takes.
 */
void postcopy_tend(struct migration *m);
/* Say it once a monitor has been away for long. */
void postcopy_watch_links(struct migration *m);
/* The switch itself, in the place of a whole one. */
int postcopy_switch(struct migration *m, struct qm_error *err);
/* owner=destination becomes durable.  -1 with ERR, and M knows what is true. */
int owner_write(struct migration *m, bool source_gave_up, struct qm_error *err);
/* There is no way but on now: a link is given OWNER_PATIENCE_MS to come back,
 * and in post-copy, until nothing is missing at the destination, as long as it
 * takes.  To be called again when one of that has changed. */
#define OWNER_PATIENCE_MS 300000
void owner_be_patient(struct migration *m);
/* Known for certain: a part of the RAM that was not across is nowhere. */
bool postcopy_is_lost(const struct migration *m);
int source_continue(struct migration *m, struct qm_error *err);
/* Start the guest at a destination that lacks part of its RAM. */
int postcopy_run(struct migration *m, struct qm_error *err);
/* Change a parameter that step_agree() set; it is put back like all others. */
int set_source_parameter(struct migration *m, const char *name, int64_t value,
                         struct qm_error *err);

#endif
