/*
 * Who owns the guest: the ownership rules of qmigrate, for spin.
 *
 * Two QEMUs (source(), destination()) move by themselves as QEMU does; an
 * engine walks the recipe, is killed anywhere, and recovers; chaos() is the
 * operator, the network and whatever kills processes.  README.md says what is
 * left out and which rules came out of it.
 *
 * A label step_x stands where the recipe has the row "x".
 *
 * Commands that change something travel through a slot per link, so that they
 * can be carried out late, or not at all, or with their reply lost.  Questions
 * are one instant: an answer is as old as the engine is slow to act on it.
 */

#ifndef KILLS
#define KILLS 2         /* how often the engine is killed */
#endif
#ifndef CUTS
#define CUTS 2          /* how often a QMP link or a network breaks */
#endif
#ifndef CRASHES
#define CRASHES 1       /* how many QEMUs die of something else */
#endif

/*
 * Any number of times a stream looks silent that is whole, or that the source
 * is about to connect, and a try to mend it fails.  Where nothing may go round
 * for ever the one is left out, the other counted as a cut.
 */
#ifdef COUNT_TRIES
#define LOOKS_SILENT    (st_broken && s_mig != PCRECOVER)
#define TRY_FAILS       (!quiet && cuts < CUTS)
#define TRIED           cuts++
#else
#define LOOKS_SILENT    true
#define TRY_FAILS       (!quiet)
#define TRIED           skip
#endif

/* CPUS_ONLY looks for two running guests and for nothing else */
#ifdef CPUS_ONLY
#define PROMISE(x)      skip
#else
#define PROMISE(x)      assert(x)
#endif

mtype:side = { SRC, DST };

/* run states; UNREACHED is what the engine notes of one it cannot ask */
mtype:runstate = { RUN, FINISH, POSTMIG, PAUSED, INMIG, DEAD, UNREACHED };

/* migration states; LISTEN is a destination whose door is open */
mtype:mig = { NONE, LISTEN, SETUP, ACTIVE, PRESW, DEVICE, PCACTIVE, PCPAUSED,
              PCRECOVER, CANCELLING, COMPLETED, FAILED, CANCELLED };

/* commands; WAIT is `stop` to a destination that waits, PAUSE migrate-pause,
   REOPEN migrate-recover, RESUME `migrate` with resume */
mtype:cmd = { NOCMD, WAIT, INCOMING, MIGRATE, CONTINUE, CANCEL, SETTLE, CONT,
              QUIT, PAUSE, REOPEN, RESUME };

/* what came of a command or a question */
mtype:res = { NOREP, OK, ERR, CUT, LOST, GONE };

/* The plan */
bool guest_ran;         /* the guest ran when we came; else it stays paused */
bool guest_stays;       /* it is to stay paused at the destination */
bool postcopy;

/* Durable: the journal */
bool journal;           /* there is one */
bool closed;            /* nothing is left to do */
mtype:side owner = SRC;
bool gave_up;           /* the source was seen to have given the guest up */
bool started;           /* the guest was seen to run at the destination */
bool returned;          /* the source has it again: it never ran there */

/* The source */
mtype:runstate s_run = RUN;
mtype:mig s_mig = NONE;
mtype:cmd s_cmd = NOCMD;
mtype:res s_rep = NOREP;
bool s_conn, s_net = 1, s_crashed;

/* The destination */
mtype:runstate d_run = INMIG;
mtype:mig d_mig = NONE;
mtype:cmd d_cmd = NOCMD;
mtype:res d_rep = NOREP;
bool d_conn, d_net = 1, d_crashed;
bool autostart;         /* it will run by itself when it has loaded */

#ifdef UNFENCED
mtype:cmd s_old = NOCMD, d_old = NOCMD;
#endif

/* The migration stream */
bool st_up, st_broken;
bool st_sent;           /* the source has sent the guest's last state */
bool st_state;          /* ... and it has not been loaded yet */
bool st_ack;            /* ... and the acknowledgement */
bool st_unheard;        /* it is broken, and neither side notices */
bool st_door;           /* the destination listens for a new one */

/* The disks */
bool mirroring, mirror_failed;
bool disks_equal;

/* Only the properties look at these */
bool d_ran;             /* the guest ran at the destination */
bool load_failed;       /* the destination refused what it got */
bool d_stopped;         /* the operator stopped the guest there */

/* Chaos */
bool engine_works = 1;  /* it can be killed */
bool killed, quiet, cancel_asked;
byte kills, cuts, crashes;

#define IS_ANYWHERE     (s_run == RUN || d_run == RUN)
#define MAY_STAND       (guest_stays || d_stopped)
#define S_ALIVE         (s_run != DEAD)
#define D_ALIVE         (d_run != DEAD)
#define IS_FINAL(m)     (m == NONE || m == COMPLETED || m == FAILED || \
                         m == CANCELLED)
#define HAS_KEPT(m)     (m == NONE || m == FAILED || m == CANCELLED)
#define IS_POSTCOPY(m)  (m == PCACTIVE || m == PCPAUSED || m == PCRECOVER)
#define HAS_GIVEN_UP(m) (m == COMPLETED || IS_POSTCOPY(m))

#include "qemu.pml"
#include "engine.pml"

/* ---- operator, network, death ---- */

proctype chaos()
{
end:
    do
    :: quiet -> break
    :: d_step { !quiet -> quiet = 1 }
       /* the operator */
    :: d_step { !quiet && !cancel_asked && owner == SRC && !killed &&
            kills == 0 -> cancel_asked = 1 }
    :: d_step { !quiet && !d_stopped && d_run == RUN && !postcopy ->
            d_stopped = 1; d_run = PAUSED }
       /* a link breaks: what was under way may still be carried out */
    :: d_step { !quiet && cuts < CUTS && s_conn ->
            cuts++; s_conn = 0; s_rep = NOREP }
    :: d_step { !quiet && cuts < CUTS && d_conn ->
            cuts++; d_conn = 0; d_rep = NOREP }
       /* a network goes, for good or for a while */
    :: d_step { !quiet && cuts < CUTS && s_net ->
            cuts++; s_net = 0; s_conn = 0; s_rep = NOREP }
    :: d_step { !quiet && cuts < CUTS && d_net ->
            cuts++; d_net = 0; d_conn = 0; d_rep = NOREP }
    :: d_step { !quiet && !s_net -> s_net = 1 }
    :: d_step { !quiet && !d_net -> d_net = 1 }
       /* a command that its closed link takes along */
    :: d_step { !s_conn && s_cmd != NOCMD -> s_cmd = NOCMD }
    :: d_step { !d_conn && d_cmd != NOCMD -> d_cmd = NOCMD }
       /* a broken stream may take the acknowledgement along */
    :: d_step { st_broken && st_ack -> st_ack = 0 }
       /* stream and mirror */
    :: d_step { !quiet && cuts < CUTS && st_up && !st_broken ->
            cuts++; st_broken = 1 }
    :: d_step { !quiet && cuts < CUTS && s_mig == PCACTIVE &&
            d_mig == PCACTIVE && !st_broken ->
            cuts++; st_broken = 1; st_unheard = 1 }
    :: d_step { !quiet && cuts < CUTS && mirroring && !mirror_failed ->
            cuts++; mirror_failed = 1 }
       /* death */
    :: d_step { !quiet && crashes < CRASHES && S_ALIVE ->
            crashes++; s_crashed = 1; s_dies() }
    :: d_step { !quiet && crashes < CRASHES && D_ALIVE ->
            crashes++; d_crashed = 1; d_dies() }
    :: d_step { !quiet && kills < KILLS && !killed && engine_works ->
            kills++; killed = 1 }
    od;
end_quiet:
    do
    :: d_step { !s_conn && s_cmd != NOCMD -> s_cmd = NOCMD }
    :: d_step { !d_conn && d_cmd != NOCMD -> d_cmd = NOCMD }
    :: d_step { st_broken && st_ack -> st_ack = 0 }
    od
}

init
{
    atomic {
#ifndef POSTCOPY
        if
        :: guest_ran = 1
        :: guest_ran = 1; guest_stays = 1
        :: guest_stays = 1; s_run = PAUSED
        fi;
        if :: autostart = 1 :: skip fi;
#else
        /* what comes before the switch is the same as in pre-copy */
        guest_ran = 1; postcopy = 1; journal = 1; disks_equal = 1;
        s_conn = 1; d_conn = 1; st_up = 1;
        s_mig = PRESW; s_run = FINISH; d_mig = ACTIVE;
#endif
        run source();
        run destination();
        run engine();
        run chaos()
    }
}
