/*
 * Recover: both sides are asked what they are, and the first row that fits of
 * the table of recovery decides (src/core/recovery.c); they stand here in its
 * order.  Part of the engine.
 */

#define ROW(fits, action)   if :: fits -> goto action :: else -> skip fi
#define S_SWITCHES          (e_s_mig == PRESW || e_s_mig == DEVICE)
#define S_FAILED            (e_s_mig == FAILED || e_s_mig == CANCELLED)
#define S_SILENT            (e_s_run == UNREACHED)
#define S_DEAD              (e_s_run == DEAD)
#define D_SILENT            (e_d_run == UNREACHED)
#define D_DEAD              (e_d_run == DEAD)
#define D_LOST_IT           (D_DEAD || e_d_mig == FAILED)
#define D_WHOLE             (e_d_mig == COMPLETED)
#define STAYS               (guest_stays || started)
#define undecided           ended

step_recover:
        if
        :: !journal || closed -> goto ended
        :: else -> skip
        fi;
        s_ask();
        d_ask();
        atomic {
        if
        :: owner == DST && !returned && !postcopy -> goto recover_forward
        :: owner == DST && !returned && postcopy -> goto recover_postcopy
#ifdef SEED_R_RETURNED_UNREAD
        :: owner == DST && returned -> goto recover_forward
#endif
        :: owner == SRC || returned -> skip
        fi;

        /* While the source owns it, or has it again, there is only a way back.
           A destination that returned it ends first. */
        ROW(returned && D_SILENT, undecided);
        ROW(e_d_run == RUN, undecided);
        ROW(S_SILENT, undecided);
        ROW(e_s_run == INMIG, undecided);
        ROW(S_DEAD, ended);                                 /* lost */
#ifdef SEED_K_RECOVER_GUESSES
        if
        :: e_s_mig == COMPLETED && e_s_run == POSTMIG && e_d_run == PAUSED ->
            d_step { owner = DST; gave_up = 1 };
            goto finish
        :: else -> skip
        fi;
#endif
        ROW(returned, end_the_destination);                 /* undo */
        goto undo;

        /* One that was told to switch to post-copy says itself whether it gave
           the guest up; until gave_up is on the disk no `cont` was sent. */
recover_postcopy:
        ROW(e_s_run == RUN && !S_FAILED, undecided);
        ROW(D_SILENT, undecided);
        ROW((S_FAILED || S_SWITCHES) && e_d_run == RUN, undecided);
        ROW(S_FAILED && !gave_up, ask_the_source);          /* take back */
        ROW(S_SWITCHES && !gave_up, ask_the_source);        /* resume */
        ROW(S_FAILED || S_SWITCHES, undecided);
        ROW(S_SILENT && D_LOST_IT && !gave_up, undecided);
        ROW(D_LOST_IT, lost);
        ROW(HAS_GIVEN_UP(e_s_mig), finish);                 /* resume */
        ROW(e_d_run == RUN && D_WHOLE && gave_up, has_started);
        ROW(e_d_run == PAUSED && STAYS && D_WHOLE && gave_up, has_started);
        ROW(e_d_run == PAUSED && D_WHOLE && gave_up, start_destination);
        ROW(S_DEAD && !D_WHOLE && gave_up, lost);
        goto undecided;

        /* Otherwise there is only a way on. */
recover_forward:
        ROW(e_s_run == RUN, undecided);
        ROW(e_s_run == INMIG, undecided);
        ROW(D_SILENT, undecided);
        ROW(e_d_run == INMIG, undecided);
        ROW(D_DEAD, lost);
        ROW(e_d_run == RUN, has_started);                   /* finish */
        ROW(e_d_run == PAUSED && STAYS, step_announce);     /* finish */
#ifdef SEED_O_COMPLETED_UNDECIDED
        ROW(e_s_run == FINISH, undecided);
#endif
        ROW(e_s_mig == COMPLETED || S_SILENT || S_DEAD, start_destination);
        goto undecided
        };

