/*
 * The two QEMUs, each moving by itself.
 */

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

#define D_MAY_END       (owner == SRC || returned || !HAS_GIVEN_UP(s_mig))
#define MAY_RETURN      (!d_ran && !(postcopy && HAS_GIVEN_UP(s_mig)))
#define ALL_IS_ACROSS   (s_mig == COMPLETED || d_mig == COMPLETED)
#define D_LOADS         (D_ALIVE && d_mig == ACTIVE)
#define CAN_CONNECT     (st_door && d_mig == PCPAUSED && D_ALIVE)

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
        PROMISE(owner == DST && !returned); /* the guest is not here now */
        PROMISE(ALL_IS_ACROSS);         /* nor its last page */
        s_dies()
    :: c == PAUSE ->
        if
        :: s_mig == PCACTIVE || s_mig == PCRECOVER ->
            PROMISE(!D_LOADS);          /* what is cut off is lost */
            s_mig = PCPAUSED; st_broken = 1
        :: else -> s_ok = ERR
        fi
    :: c == RESUME ->
        if
        :: s_mig == PCPAUSED -> s_mig = PCRECOVER
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
    :: d_step { s_mig == PCACTIVE && S_ALIVE && st_broken && !st_unheard ->
            s_mig = PCPAUSED }
       /* a new stream: connected, going on, or not */
    :: d_step { s_mig == PCRECOVER && S_ALIVE && CAN_CONNECT ->
            st_door = 0; d_mig = PCRECOVER }
    :: d_step { s_mig == PCRECOVER && S_ALIVE && d_mig == PCRECOVER &&
            D_ALIVE ->
            s_mig = PCACTIVE; d_mig = PCACTIVE;
            st_broken = 0; st_unheard = 0 }
    :: d_step { s_mig == PCRECOVER && S_ALIVE && !CAN_CONNECT &&
            !(d_mig == PCRECOVER && D_ALIVE) -> s_mig = PCPAUSED }
    :: d_step { s_mig == PCRECOVER && S_ALIVE && TRY_FAILS ->
            TRIED; s_mig = PCPAUSED }
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
        PROMISE(D_MAY_END);             /* never the only guest */
        d_dies()
    :: c == PAUSE ->
        if
        :: d_mig == PCACTIVE || d_mig == PCRECOVER ->
            d_mig = PCPAUSED; st_broken = 1
        :: else -> d_ok = ERR
        fi
    :: c == REOPEN ->
        if
        :: d_mig == PCPAUSED -> st_door = 1
        :: else -> d_ok = ERR
        fi
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
       /* it cannot start the guest now: an image is locked, say */
    :: d_step { D_ALIVE && d_cmd == CONT && d_run == PAUSED && !quiet ->
            d_cmd = NOCMD;
            if :: d_conn -> d_rep = ERR :: else -> skip fi
       }
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
    :: d_step { d_mig == PCACTIVE && D_ALIVE && st_broken && !st_unheard ->
            d_mig = PCPAUSED }
    :: d_step { d_mig == PCRECOVER && D_ALIVE && s_mig != PCRECOVER ->
            d_mig = PCPAUSED }
       /* a load that fails, a stream that ends: it exits, or can be read */
    :: d_step { d_mig == ACTIVE && D_ALIVE && (st_state || st_broken) ->
            st_broken = 1; load_failed = st_state;
            d_mig = FAILED; d_dies() }
    :: d_step { d_mig == ACTIVE && D_ALIVE && (st_state || st_broken) ->
            st_broken = 1; load_failed = st_state;
            d_mig = FAILED }
    od
}
