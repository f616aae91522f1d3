/*
 * Once the destination owns the guest: only forward.  Part of the engine.
 *
 * `cont` needs the record source-gave-up, and a destination that is paused just
 * now.  It is recorded that the guest has started, and, if the destination
 * refused it, that it has returned: before that destination is ended, since
 * only while it lives can it be told from one that ran the guest.
 */

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
           :: e_res == OK && e_d_run == RUN -> goto has_started
           :: e_res == OK && e_d_run == PAUSED && gave_up ->
                goto start_destination
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

start_destination:
#ifdef SEED_S_STARTED_TOO_SOON
        started = 1;
#endif
        d_call(CONT);
        if
        :: e_res == OK -> goto has_started
#if defined(SEED_N_RETURNED_UNSURE) || defined(SEED_T_RETURNED_SOURCE_FIRST)
        :: e_res == ERR && !postcopy -> goto refused
#else
        :: e_res == ERR && !e_cont_maybe && !postcopy -> goto refused
#endif
        :: e_res == ERR && (e_cont_maybe || postcopy) -> goto ended
        :: e_res == CUT ->
#ifdef SEED_H_EOF_IS_DEATH
            s_call(CONT);
            goto ended
#else
            e_cont_maybe = 1;
            goto finish                 /* ask again */
#endif
        :: e_res == LOST || e_res == GONE -> goto finish
        fi;

        /* It has answered that it did not: so it never ran, and if it is ended
           it never will.  Only who told it so may say that. */
refused:
        d_ask();
        if
        :: e_res == OK && e_d_run == PAUSED -> skip
        :: else -> goto ended
        fi;
give_back:
#ifndef SEED_Q_RETURNED_AFTER_THE_END
        atomic {
            PROMISE(MAY_RETURN);        /* no going back in time */
            returned = 1
        };
#endif
        do
#ifdef SEED_T_RETURNED_SOURCE_FIRST
        :: break
#endif
        :: d_ask();
           if
           :: e_res == GONE -> break
           :: e_res == LOST -> goto ended
           :: e_res == OK -> end_destination()
           fi
        od;
#ifdef SEED_Q_RETURNED_AFTER_THE_END
        returned = 1;
#endif
        goto undo;

        /* Post-copy: has the source given the guest up? */
ask_the_source:
        s_ask();
        if
        :: e_res == LOST || e_res == GONE -> goto ended     /* undecided */
        :: e_res == OK && e_s_mig == PRESW ->
            s_call(CONTINUE);           /* never a cancel from here on */
            goto finish
        :: e_res == OK && HAS_GIVEN_UP(e_s_mig) ->
            if
            :: e_d_run == PAUSED -> gave_up = 1
            :: else ->
               if
#ifdef SEED_U_PAUSED_WHILE_LOADING
               :: IS_POSTCOPY(e_s_mig) && LOOKS_SILENT -> s_call(PAUSE)
#endif
               :: d_run != INMIG || d_mig == FAILED || !d_conn -> skip
               fi;
               /* it was our owner and could not load: lost with it */
               if
               :: d_mig == FAILED && d_run == INMIG -> goto ended
               :: else -> skip
               fi
            fi;
            goto finish
        :: e_res == OK && HAS_KEPT(e_s_mig) -> goto give_back
        :: else ->
            IS_FINAL(s_mig) || IS_POSTCOPY(s_mig) || !s_conn;
            goto finish
        fi;

        /* In post-copy the source may never have given the guest up. */
destination_is_dead:
        if :: !postcopy -> goto lost :: else -> skip fi;
        s_ask();
        if
        :: e_res == LOST || e_res == GONE -> goto ended
        :: e_res == OK && e_s_mig == PRESW ->
            s_call(CONTINUE);           /* it fails and runs by itself */
            goto destination_is_dead
        :: e_res == OK && HAS_GIVEN_UP(e_s_mig) -> goto lost
        :: e_res == OK && HAS_KEPT(e_s_mig) -> goto give_back
        :: else ->
            IS_FINAL(s_mig) || IS_POSTCOPY(s_mig) || !s_conn;
            goto destination_is_dead
        fi;

        /* The guest died with its owner: what the source has is of the past. */
lost:
#ifdef SEED_I_RESTART_OF_THE_PAST
        s_call(CONT);
#endif
        closed = 1;
        goto ended;

has_started:
        started = 1;
step_announce:
step_last_page:
        do
        :: !postcopy -> break
#ifdef SEED_X_RETIRED_EARLY
        :: started -> break
#endif
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
            :: e_res == OK && e_s_mig != COMPLETED -> skip
            fi;
            d_ask();
            if
            :: e_res == LOST || e_res == GONE -> goto ended
            :: e_res == OK && e_d_mig == COMPLETED ->
                if
#ifndef SEED_W_LAST_WORD_AWAITED
                :: e_s_mig == PCPAUSED -> break     /* its word was lost */
#endif
                :: s_mig == COMPLETED || s_mig != e_s_mig || !s_conn -> skip
                :: e_s_mig != PCPAUSED && LOOKS_SILENT -> s_call(PAUSE)
                fi
            :: e_res == OK && e_d_mig == PCPAUSED && e_s_mig == PCPAUSED ->
                d_call(REOPEN);
                if
                :: e_res == OK -> s_call(RESUME)
                :: else -> skip
                fi
            :: e_res == OK && e_d_mig != COMPLETED &&
               !(e_d_mig == PCPAUSED && e_s_mig == PCPAUSED) ->
                /* one that still believes in the stream is told otherwise,
                   the destination first: it may have all by now */
                if
                :: s_mig != e_s_mig || d_mig != e_d_mig || !s_conn || !d_conn
                :: LOOKS_SILENT && e_d_mig != PCPAUSED -> d_call(PAUSE)
#ifndef SEED_V_ONE_SIDE_PAUSED
                :: LOOKS_SILENT && e_d_mig == PCPAUSED -> s_call(PAUSE)
#endif
                fi
            fi
        od;
step_retire_the_source:
        do
        :: s_call(QUIT);
           if
           :: e_res == GONE -> closed = 1; goto ended
           :: e_res == LOST -> goto ended       /* left to clean up */
           :: else -> skip
           fi
        od;
