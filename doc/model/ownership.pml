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

/* CPUS_ONLY looks for two running guests and for nothing else */
#ifdef CPUS_ONLY
#define PROMISE(x)      skip
#else
#define PROMISE(x)      assert(x)
#endif

mtype:side = { SRC, DST };

/* run states */
mtype:runstate = { RUN, FINISH, POSTMIG, PAUSED, INMIG, DEAD };

/* migration states; LISTEN is a destination whose door is open */
mtype:mig = { NONE, LISTEN, SETUP, ACTIVE, PRESW, DEVICE, PCACTIVE, PCPAUSED,
              CANCELLING, COMPLETED, FAILED, CANCELLED };

/* commands; WAIT is `stop` to a destination that waits */
mtype:cmd = { NOCMD, WAIT, INCOMING, MIGRATE, CONTINUE, CANCEL, SETTLE, CONT,
              QUIT, RESUME };

/* what came of a command or a question */
mtype:res = { NOREP, OK, ERR, CUT, LOST, GONE };

/* The plan */
bool guest_ran;         /* the guest ran when we came; else it stays paused */
bool postcopy;

/* Durable: the journal */
bool journal;           /* there is one */
bool closed;            /* nothing is left to do */
mtype:side owner = SRC;
bool gave_up;           /* the source was seen to have given the guest up */

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

/* The disks */
bool mirroring, mirror_failed;
bool disks_equal;

/* Only the properties look at these */
bool d_ran;             /* the guest ran at the destination */
bool load_failed;       /* the destination refused what it got */

/* Chaos */
bool engine_works = 1;  /* it can be killed */
bool killed, quiet, cancel_asked;
byte kills, cuts, crashes;

#define IS_ANYWHERE     (s_run == RUN || d_run == RUN)
#define S_ALIVE         (s_run != DEAD)
#define D_ALIVE         (d_run != DEAD)
#define IS_FINAL(m)     (m == NONE || m == COMPLETED || m == FAILED || \
                         m == CANCELLED)
#define HAS_KEPT(m)     (m == NONE || m == FAILED || m == CANCELLED)
#define IS_POSTCOPY(m)  (m == PCACTIVE || m == PCPAUSED)
#define HAS_GIVEN_UP(m) (m == COMPLETED || IS_POSTCOPY(m))

/* ---- the only places where CPUs start ---- */

inline s_starts()
{
    s_run = RUN;
    disks_equal = 0;
    assert(d_run != RUN);               /* one guest */
    PROMISE(!d_ran);                    /* no going back in time */
}

inline d_starts()
{
    d_run = RUN;
    d_ran = 1;
    assert(s_run != RUN);               /* one guest */
    PROMISE(disks_equal);               /* no write is lost */
}

inline s_dies() { s_run = DEAD; s_conn = 0; s_rep = NOREP; st_broken = 1 }
inline d_dies() { d_run = DEAD; d_conn = 0; d_rep = NOREP; st_broken = 1 }

/* ---- the source ---- */

inline s_execute(c)
{
    s_ok = OK;
    if
    :: c == MIGRATE ->
        if
        :: IS_FINAL(s_mig) && s_mig != COMPLETED -> s_mig = SETUP
        :: else -> s_ok = ERR
        fi
    :: c == CONTINUE ->
        if
        :: s_mig == PRESW -> s_mig = DEVICE
        :: else -> s_ok = ERR
        fi
    :: c == CANCEL ->
        PROMISE(!IS_POSTCOPY(s_mig));   /* this loses the guest */
        if
        :: s_mig == SETUP || s_mig == ACTIVE || s_mig == PRESW ||
           s_mig == DEVICE -> s_mig = CANCELLING; st_broken = 1
        :: else -> skip
        fi
    :: c == SETTLE ->
        if
        :: mirroring && !mirror_failed && s_run == FINISH ->
            mirroring = 0; disks_equal = 1
        :: !mirroring && disks_equal -> skip    /* asked twice */
        :: else -> s_ok = ERR
        fi
    :: c == CONT ->
        if
        :: s_run == POSTMIG || s_run == PAUSED -> s_starts()
        :: s_run == RUN -> skip
        :: else -> s_ok = ERR           /* "Migration is not finalized yet" */
        fi
    :: c == QUIT ->
        PROMISE(owner == DST);          /* the guest is not here now */
        /* nor its last page */
        PROMISE(s_mig == COMPLETED || d_mig == COMPLETED);
        s_dies()
    :: c == RESUME ->
        if
        :: s_mig == PCPAUSED && d_mig == PCPAUSED && D_ALIVE ->
            s_mig = PCACTIVE; d_mig = PCACTIVE; st_broken = 0
        :: else -> s_ok = ERR
        fi
    :: else -> assert(false)
    fi
}

proctype source()
{
    mtype:res s_ok;
end:
    do
    :: d_step { S_ALIVE && s_cmd != NOCMD ->
            s_execute(s_cmd);
            s_cmd = NOCMD;
            if :: s_conn -> s_rep = s_ok :: else -> skip fi
       }
#ifdef UNFENCED
    :: d_step { S_ALIVE && s_old != NOCMD -> s_execute(s_old); s_old = NOCMD }
#endif
    :: d_step { s_mig == SETUP && S_ALIVE && d_mig == LISTEN && D_ALIVE &&
            !st_broken -> st_up = 1; s_mig = ACTIVE; d_mig = ACTIVE }
    :: d_step { s_mig == SETUP && S_ALIVE && (st_broken || d_mig != LISTEN) ->
            s_mig = FAILED }
    :: d_step { s_mig == ACTIVE && S_ALIVE ->
            s_mig = PRESW; s_run = FINISH }
    :: d_step { s_mig == ACTIVE && S_ALIVE && st_broken -> s_mig = FAILED }
       /* pre-switchover notices nothing */
    :: d_step { s_mig == DEVICE && S_ALIVE && !st_sent && !st_broken ->
            st_sent = 1; st_state = 1 }
    :: d_step { s_mig == DEVICE && S_ALIVE && st_ack ->
            s_mig = COMPLETED; st_ack = 0 }
    :: d_step { s_mig == DEVICE && S_ALIVE && st_sent && postcopy &&
            !st_broken -> s_mig = PCACTIVE }
    :: d_step { s_mig == DEVICE && S_ALIVE && st_broken -> s_mig = FAILED }
    :: d_step { s_mig == PCACTIVE && S_ALIVE && st_broken -> s_mig = PCPAUSED }
    :: d_step { IS_POSTCOPY(s_mig) && S_ALIVE && st_ack ->
            s_mig = COMPLETED; st_ack = 0 }
       /* a cancel may lose, or win before or after the CPUs run again */
    :: d_step { s_mig == CANCELLING && S_ALIVE && st_ack ->
            s_mig = COMPLETED; st_ack = 0 }
    :: atomic { s_mig == CANCELLING && S_ALIVE ->
            if
            :: s_run == FINISH && guest_ran -> d_step { s_starts() }
            :: s_run == FINISH -> s_run = PAUSED
            :: else -> skip
            fi;
            s_mig = CANCELLED
       }
       /* the verdict comes before the run state */
    :: d_step { s_mig == COMPLETED && s_run == FINISH -> s_run = POSTMIG }
    :: d_step { s_mig == FAILED && s_run == FINISH && guest_ran -> s_starts() }
    :: d_step { s_mig == FAILED && s_run == FINISH -> s_run = PAUSED }
    od
}

/* ---- the destination ---- */

inline d_execute(c)
{
    d_ok = OK;
    if
    :: c == WAIT ->
        if
#ifndef SEED_D_STARTS_ITSELF
        :: d_run == INMIG -> autostart = 0
#endif
        :: d_run == RUN -> d_run = PAUSED
        :: else -> skip
        fi
    :: c == INCOMING ->
        if
        :: d_mig == NONE && d_run == INMIG -> d_mig = LISTEN
        :: else -> d_ok = ERR
        fi
    :: c == CONT ->
        if
        :: d_run == PAUSED -> d_starts()
        :: d_run == INMIG -> autostart = 1
        :: else -> skip
        fi
    :: c == QUIT ->
        /* never the only guest */
        PROMISE(owner == SRC || !HAS_GIVEN_UP(s_mig));
        d_dies()
    :: else -> assert(false)
    fi
}

inline d_loaded()
{
    st_state = 0;
    if
    :: autostart && guest_ran -> d_starts()
    :: else -> d_run = PAUSED
    fi
}

proctype destination()
{
    mtype:res d_ok;
end:
    do
    :: d_step { D_ALIVE && d_cmd != NOCMD ->
            d_execute(d_cmd);
            d_cmd = NOCMD;
            if :: d_conn -> d_rep = d_ok :: else -> skip fi
       }
#ifdef UNFENCED
    :: d_step { D_ALIVE && d_old != NOCMD -> d_execute(d_old); d_old = NOCMD }
#endif
       /* what has arrived is loaded even if the source has gone meanwhile */
    :: d_step { d_mig == ACTIVE && D_ALIVE && st_state && !postcopy ->
            d_loaded(); d_mig = COMPLETED; st_ack = 1 }
    :: d_step { d_mig == ACTIVE && D_ALIVE && st_state && postcopy ->
            d_loaded(); d_mig = PCACTIVE }
       /* with post-copy asked for, it may converge all the same */
    :: d_step { d_mig == ACTIVE && D_ALIVE && st_state && postcopy &&
            s_mig == DEVICE -> d_loaded(); d_mig = COMPLETED; st_ack = 1 }
    :: d_step { d_mig == PCACTIVE && D_ALIVE && s_mig == PCACTIVE &&
            !st_broken -> d_mig = COMPLETED; st_ack = 1 }
    :: d_step { d_mig == PCACTIVE && D_ALIVE && st_broken -> d_mig = PCPAUSED }
       /* a load that fails, a stream that ends: it exits, or can be read */
    :: d_step { d_mig == ACTIVE && D_ALIVE && (st_state || st_broken) ->
            st_broken = 1; load_failed = st_state;
            d_mig = FAILED; d_dies() }
    :: d_step { d_mig == ACTIVE && D_ALIVE && (st_state || st_broken) ->
            st_broken = 1; load_failed = st_state;
            d_mig = FAILED }
    od
}

#include "engine.pml"

/* ---- operator, network, death ---- */

proctype chaos()
{
end:
    do
    :: quiet -> break
    :: d_step { !quiet -> quiet = 1 }
       /* the operator */
    :: d_step { !quiet && !cancel_asked -> cancel_asked = 1 }
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
        if :: guest_ran = 1 :: s_run = PAUSED fi;
        if :: guest_ran -> postcopy = 1 :: skip fi;
        if :: autostart = 1 :: skip fi;
        run source();
        run destination();
        run engine();
        run chaos()
    }
}
