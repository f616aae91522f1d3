/*
 * The engine: the recipe and its undo; how it goes on from owner=destination
 * (finish.pml), and what it does when it was killed (recover.pml).
 *
 * Until owner=destination is on disk every failure goes to `undo`, and an undo
 * that has begun, in this life or an earlier one, never goes forward again.
 * From that record on every failure goes forward, but for one: a destination
 * that refused `cont`, and never ran, gives the guest back (`returned`).
 */

#include "links.pml"

#define UNLESS_CANCELLED \
    if :: cancel_asked -> goto undo :: true fi
#define OR_UNDO \
    if :: e_res == OK -> skip :: else -> goto undo fi

proctype engine()
{
    /* What it remembers; it dies with it */
    mtype:res e_res = NOREP;
    mtype:runstate e_s_run, e_d_run;
    mtype:mig e_s_mig, e_d_mig;
    bool e_cont_maybe = 1;  /* `cont` may have started the destination */
    bool e_recovering, e_last;

progress_again:
    {
        if
        :: e_recovering -> goto step_recover
        :: !e_recovering && postcopy ->
            e_cont_maybe = 0;
            goto step_switch_over
        :: else -> skip
        fi;

step_connect:
        d_step { s_link() };
        if :: e_res == OK -> skip :: else -> goto ended fi;
        d_step { d_link() };
        if :: e_res == OK -> skip :: else -> goto ended fi;
step_preflight:
        if :: cancel_asked -> goto ended :: true fi;
step_remember_the_source:
        d_step { journal = 1; e_cont_maybe = 0 };
step_hold_the_destination:
#ifndef SEED_A_CONT_UNHELD
        do
        :: d_call(WAIT);                /* a lost reply: hold it again */
           if
           :: e_res == OK -> break
           :: e_res == CUT -> skip
           :: else -> goto undo
           fi
        od;
#endif
        UNLESS_CANCELLED;
        /* Rows without a say in who owns the guest: any of them may fail */
step_install_credentials:
step_agree_capabilities:
step_make_disks:
step_export_disks:
step_probe_exports:
        if :: goto undo :: true fi;
step_prove_backing_files:
        if :: goto undo :: true fi;
step_mirror_disks:
        d_step { if :: S_ALIVE && D_ALIVE -> mirroring = 1 :: else -> skip fi };
        UNLESS_CANCELLED;
step_compare_disks:
        if :: goto undo :: true fi;
step_open_the_door:
        d_call(INCOMING); OR_UNDO;
        d_ask(); OR_UNDO;
step_start_migration:
        s_call(MIGRATE); OR_UNDO;
step_converge:
        do
        :: s_mig == PRESW || IS_FINAL(s_mig) || !s_conn || !S_ALIVE ->
            s_ask();
            if
            :: e_res == OK && e_s_mig == PRESW -> break
            :: e_res == OK && IS_FINAL(e_s_mig) -> goto undo
            :: e_res == LOST || e_res == GONE -> goto undo
            :: else -> skip
            fi
        :: cancel_asked -> goto undo
        od;
step_settle_disks:
        d_ask(); OR_UNDO;
        if :: e_d_run == INMIG -> skip :: else -> goto undo fi;
#ifndef SEED_F_NO_SETTLE
        s_call(SETTLE); OR_UNDO;
#else
        mirroring = 0;
#endif
        UNLESS_CANCELLED;
step_verify_disks:
        if :: goto undo :: true fi;
step_switch_over:
#ifndef SEED_J_POSTCOPY_OWNER_LATE
        if
        :: postcopy ->
            d_step { assert(owner == SRC); owner = DST; cancel_asked = 0 };
            goto finish
        :: else -> skip
        fi;
#endif
        s_call(CONTINUE);
        if :: e_res == OK || e_res == CUT -> skip :: else -> goto undo fi;
        do
        :: s_ask();
           if
           :: e_res == LOST || e_res == GONE -> goto undo
           :: e_res == OK && e_s_mig == PRESW -> goto undo
           :: e_res == OK && e_s_mig == COMPLETED -> break
           :: e_res == OK && IS_POSTCOPY(e_s_mig) -> break
           :: e_res == OK && IS_FINAL(e_s_mig) -> goto undo
           :: else -> IS_FINAL(s_mig) || IS_POSTCOPY(s_mig) || !s_conn
           fi
#ifdef SEED_E_DESTINATION_S_WORD
        :: d_mig == COMPLETED -> break
#endif
        :: goto undo                    /* cancelled, or took too long */
        od;
        do
        :: d_ask();
           if
           :: e_res == LOST || e_res == GONE -> goto undo
           :: e_res == OK && e_d_run == PAUSED -> break
#if defined(SEED_D_STARTS_ITSELF) || defined(SEED_A_CONT_UNHELD)
           :: e_res == OK && e_d_run == RUN -> break
#endif
           :: e_res == OK && e_d_mig == FAILED -> goto undo
#ifdef SEED_J_POSTCOPY_OWNER_LATE
           :: else -> d_run != INMIG || d_mig == FAILED || !d_conn
#endif
           fi
        :: goto undo
        od;
step_close_exports:
        d_ask();
        if :: e_res == GONE -> goto undo :: else -> skip fi;
step_run_the_destination:
#ifdef SEED_C_OWNER_AFTER_CONT
        d_call(CONT);
#endif
        d_step { assert(owner == SRC); owner = DST; gave_up = 1;
                 cancel_asked = 0 };
        if
        :: guest_stays -> goto step_announce
        :: else -> goto finish
        fi;

#include "finish.pml"

        /* ---- owner=source: only back, and the source comes first ---- */
undo:
        do
        :: s_ask();
           if
           :: e_res == LOST || e_res == GONE -> goto ended  /* undecided */
           :: e_res == OK && !IS_FINAL(e_s_mig) &&
              e_s_mig != CANCELLING ->
                s_call(CANCEL);
#ifdef SEED_G_UNDO_IMPATIENT
                goto discard
#endif
           :: e_res == OK && e_s_mig == CANCELLING ->
                IS_FINAL(s_mig) || !s_conn
           :: e_res == OK && IS_FINAL(e_s_mig) ->
                if
#ifndef SEED_P_FINISH_MIGRATE_JUDGED
                :: e_s_run == FINISH -> s_run != FINISH || !s_conn
#endif
                :: guest_ran && (e_s_run == POSTMIG || e_s_run == PAUSED) ->
                    s_call(CONT)        /* even from postmigrate */
                :: else -> break
                fi
           fi
        od;
discard:
        do
        :: d_ask();
           if
           :: e_res == GONE -> closed = 1; goto ended
           :: e_res == LOST -> goto ended       /* left to clean up */
           :: e_res == OK && e_d_mig == NONE -> closed = 1; goto ended
           :: e_res == OK && e_d_mig != NONE -> end_destination()
           fi
        od;

#include "recover.pml"

ended:
        engine_works = 0
    } unless {
        atomic { killed && engine_works -> killed = 0; engine_works = 0 }
    };
    atomic {
        /* It hangs up, and forgets */
        s_conn = 0; d_conn = 0; s_rep = NOREP; d_rep = NOREP;
        e_res = NOREP; e_cont_maybe = 1;
        e_s_run = DEAD; e_d_run = DEAD; e_s_mig = NONE; e_d_mig = NONE;
        if
        :: e_last -> goto judge
        :: !e_last -> e_recovering = 1; engine_works = 1; goto progress_again
        :: quiet && !e_last -> e_recovering = 1; e_last = 1; engine_works = 1;
           goto progress_again
        fi
    };

judge:
    skip;
#include "judge.pml"
}
