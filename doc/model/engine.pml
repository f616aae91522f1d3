/*
 * The engine: the recipe, its undo, its finish, and recover.
 *
 * Until owner=destination is on disk every failure goes to `undo`, and an undo
 * that has begun, in this life or an earlier one, never goes forward again.
 * From that record on every failure goes to `finish`, and finish never undoes.
 */

#include "links.pml"

#define UNLESS_CANCELLED \
    if :: cancel_asked -> goto undo :: true fi
#define OR_UNDO \
    if :: e_res == OK -> skip :: else -> goto undo fi
#define HANGS_UP \
    d_step { s_conn = 0; d_conn = 0; s_rep = NOREP; d_rep = NOREP }
#define FORGETS \
    d_step { e_res = NOREP; e_s_run = DEAD; e_d_run = DEAD; e_s_mig = NONE; \
             e_d_mig = NONE; e_cont_maybe = 1 }

proctype engine()
{
progress_again:
    skip;
    FORGETS;
    {
        if
        :: e_recovering -> goto step_recover
        :: else -> skip
        fi;

step_connect:
        s_link();
        if :: e_res == OK -> skip :: else -> goto ended fi;
        d_link();
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
            d_step { assert(owner == SRC); owner = DST };
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
           :: else -> d_run != INMIG || d_mig == FAILED || !d_conn
           fi
        :: goto undo
        od;
step_close_exports:
        d_ask();
        if :: e_res == GONE -> goto undo :: else -> skip fi;
step_run_the_destination:
        if
        :: !guest_ran -> goto step_retire_the_source
        :: else -> skip
        fi;
#ifdef SEED_C_OWNER_AFTER_CONT
        d_call(CONT);
#endif
        d_step { assert(owner == SRC); owner = DST; gave_up = 1 };
        goto finish;

        /* ---- owner=destination: only forward ---- */
finish:
        do
        :: d_ask();
           if
           :: e_res == LOST ->
#ifdef SEED_B_ROLLBACK_LATE
                s_call(CONT);
#endif
                goto ended
           :: e_res == GONE -> goto destination_is_dead
           :: e_res == CUT ->
#ifdef SEED_H_EOF_IS_DEATH
                s_call(CONT);
                goto ended
#else
                skip
#endif
           :: e_res == OK && e_d_run == RUN -> goto step_announce
           :: e_res == OK && e_d_run == PAUSED && gave_up && !guest_ran ->
                goto step_retire_the_source
           :: e_res == OK && e_d_run == PAUSED && gave_up && guest_ran ->
                e_cont_maybe = 1;
                d_call(CONT)            /* a lost reply: ask again */
           :: e_res == OK && !(e_d_run == PAUSED && gave_up) &&
              e_d_run != RUN ->
#ifdef SEED_M_POSTCOPY_UNASKED
                if
                :: e_d_run == PAUSED -> gave_up = 1
                :: else -> goto ask_the_source
                fi
#else
                goto ask_the_source
#endif
           fi
        od;

        /* Post-copy: has the source given the guest up? */
ask_the_source:
        s_ask();
        if
        :: e_res == LOST || e_res == GONE -> goto ended     /* undecided */
        :: e_res == CUT -> goto finish
        :: e_res == OK && e_s_mig == PRESW ->
            s_call(CONTINUE);           /* never a cancel from here on */
            goto finish
        :: e_res == OK && HAS_GIVEN_UP(e_s_mig) ->
            if
            :: e_d_run == PAUSED -> gave_up = 1
            :: else -> d_run != INMIG || d_mig == FAILED || !d_conn;
               /* it was our owner and could not load: lost with it */
               if
               :: d_mig == FAILED && d_run == INMIG -> goto ended
               :: else -> skip
               fi
            fi;
            goto finish
        :: e_res == OK && HAS_KEPT(e_s_mig) && e_s_run == FINISH ->
            s_run != FINISH || !s_conn;
            goto finish
        :: e_res == OK && HAS_KEPT(e_s_mig) && e_s_run != FINISH ->
            goto discard                /* it never gave up: it is there */
        :: else ->
            IS_FINAL(s_mig) || IS_POSTCOPY(s_mig) || !s_conn;
            goto finish
        fi;

destination_is_dead:
        s_ask();
        if
        :: e_res == LOST || e_res == GONE -> goto ended
        :: e_res == CUT -> goto destination_is_dead
        :: e_res == OK && e_s_mig == PRESW ->
            s_call(CONTINUE);           /* it fails and runs by itself */
            goto destination_is_dead
        :: e_res == OK && e_s_mig == COMPLETED ->
            if
#ifdef SEED_I_RESTART_OF_THE_PAST
            :: e_s_run == POSTMIG -> s_call(CONT)
#endif
            :: e_s_run == FINISH ->
                s_run != FINISH || !s_conn;
                goto destination_is_dead
            :: e_s_run == RUN -> closed = 1
            :: !e_cont_maybe && e_s_run == POSTMIG && !postcopy ->
                s_call(CONT);
                goto destination_is_dead
            :: else -> skip             /* it may have run: nowhere */
            fi;
            goto ended
        :: e_res == OK && IS_POSTCOPY(e_s_mig) -> goto ended
        :: e_res == OK && HAS_KEPT(e_s_mig) ->
            if
            :: e_s_run == FINISH -> s_run != FINISH || !s_conn;
               goto destination_is_dead
            :: e_s_run != FINISH && e_s_run != RUN && guest_ran ->
               s_call(CONT);
               goto destination_is_dead
            :: else -> closed = 1; goto ended
            fi
        :: else ->
            IS_FINAL(s_mig) || IS_POSTCOPY(s_mig) || !s_conn;
            goto destination_is_dead
        fi;

step_announce:
step_last_page:
        do
        :: !postcopy -> break
        :: else ->
            s_ask();
            if
            :: e_res == LOST -> goto ended
            :: e_res == GONE ->         /* retired already, or lost? */
                d_ask();
                if
                :: e_res == OK && e_d_mig == COMPLETED -> closed = 1
                :: else -> skip
                fi;
                goto ended
            :: e_res == OK && e_s_mig == COMPLETED -> break
            :: e_res == OK && e_s_mig == PCPAUSED ->
                d_ask();
                if
                :: e_res == OK && e_d_mig == COMPLETED -> break
                :: e_res == OK && e_d_mig == PCPAUSED -> s_call(RESUME)
                :: e_res == OK && e_d_mig != COMPLETED && e_d_mig != PCPAUSED ->
                    d_mig != PCACTIVE || !d_conn
                :: e_res == CUT -> skip
                :: e_res == LOST || e_res == GONE -> goto ended
                fi
            :: else -> s_mig == COMPLETED || s_mig == PCPAUSED || !s_conn
            fi
        od;
step_retire_the_source:
        if
        :: owner == SRC ->              /* a guest that stays paused */
            d_step { owner = DST; gave_up = 1 }
        :: else -> skip
        fi;
        do
        :: s_call(QUIT);
           if
           :: e_res == GONE -> closed = 1; goto ended
           :: e_res == LOST -> goto ended       /* left to clean up */
           :: else -> skip
           fi
        od;

        /* ---- owner=source: only back, and the source comes first ---- */
undo:
        do
        :: s_ask();
           if
           :: e_res == LOST || e_res == GONE -> goto ended  /* undecided */
           :: e_res == CUT -> skip
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
                :: e_s_run == FINISH -> s_run != FINISH || !s_conn
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
           :: e_res == GONE && owner == SRC -> closed = 1; goto ended
           :: e_res == GONE && owner == DST -> goto destination_is_dead
           :: e_res == LOST -> goto ended       /* left to clean up */
           :: e_res == CUT -> skip
           :: e_res == OK && e_d_mig == NONE -> closed = 1; goto ended
           :: e_res == OK && e_d_mig != NONE ->
                d_call(QUIT);
                if
                :: e_res == OK || e_res == GONE -> skip
                   /* it does not answer: the verified pid */
                :: d_step { e_res == CUT && d_net && D_ALIVE ->
                        PROMISE(owner == SRC || !HAS_GIVEN_UP(s_mig));
                        d_dies() }
                :: e_res == CUT || e_res == LOST -> skip
                fi
           fi
        od;

step_recover:
        if
        :: !journal || closed -> goto ended
        :: owner == SRC && journal && !closed ->
#ifdef SEED_K_RECOVER_GUESSES
            s_ask();
            d_ask();
            if
            :: e_res == OK && e_s_mig == COMPLETED && e_s_run == POSTMIG &&
               e_d_run == PAUSED ->
                d_step { owner = DST; gave_up = 1 };
                goto finish
            :: else -> skip
            fi;
#endif
            goto undo
        :: owner == DST && journal && !closed -> goto finish
        fi;

ended:
        engine_works = 0
    } unless {
        atomic { killed && engine_works -> killed = 0; engine_works = 0 }
    };
    HANGS_UP;
    FORGETS;
    if
    :: e_last -> goto judge
    :: !e_last -> e_recovering = 1; engine_works = 1; goto progress_again
    :: quiet && !e_last -> e_recovering = 1; e_last = 1; engine_works = 1;
       goto progress_again
    fi;

judge:
    skip;
#include "judge.pml"
}
