/*
 * Recover: both sides are asked what they are, and the first row that fits of
 * the table of qmigrate-recovery(7) decides.  Each row stands in a comment
 * above what it is here (tests/unit/test-model-rows.sh).  Part of the engine.
 */

#define ROW(fits, action)   if :: fits -> goto action :: else -> skip fi
#define S_SILENT            (e_s_run == UNREACHED)
#define S_DEAD              (e_s_run == DEAD)
#define S_RUNS              (e_s_run == RUN)
#define S_WAITS             (e_s_run == INMIG)
#define S_KEPT              (e_s_mig == FAILED || e_s_mig == CANCELLED)
#define S_GAVE_UP           HAS_GIVEN_UP(e_s_mig)
#define S_SWITCHING         (e_s_mig == PRESW || e_s_mig == DEVICE)
#define S_STANDS            (!S_SILENT && !S_DEAD && !S_KEPT && !S_GAVE_UP && \
                             !S_SWITCHING)
#define D_SILENT            (e_d_run == UNREACHED)
#define D_DEAD              (e_d_run == DEAD)
#define D_RUNS              (e_d_run == RUN)
#define D_WAITS             (e_d_run == INMIG)
#define D_PAUSED            (e_d_run == PAUSED)
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
#ifndef SEED_R_RETURNED_UNREAD
        :: returned -> goto owner_returned
#endif
        :: else -> skip
        fi;
        if
        :: owner == DST && !postcopy -> goto owner_destination
        :: owner == DST && postcopy && !gave_up -> goto owner_switching
        :: owner == DST && postcopy && gave_up -> goto owner_postcopy
        :: owner == SRC -> skip
        fi;

        /* row: source any runs any undecided */
        ROW(D_RUNS, undecided);
        /* row: source silent any any undecided */
        ROW(S_SILENT, undecided);
        /* row: source waits any any undecided */
        ROW(S_WAITS, undecided);
        /* row: source dead any any lost */
        ROW(S_DEAD, ended);
#ifdef SEED_K_RECOVER_GUESSES
        if
        :: e_s_mig == COMPLETED && e_s_run == POSTMIG && D_PAUSED ->
            d_step { owner = DST; gave_up = 1 };
            goto finish
        :: else -> skip
        fi;
#endif
        /* row: source any any any undo */
        goto undo;

owner_returned:
        /* row: returned any runs any undecided */
        ROW(D_RUNS, undecided);
        /* row: returned silent any any undecided */
        ROW(S_SILENT, undecided);
        /* row: returned waits any any undecided */
        ROW(S_WAITS, undecided);
        /* row: returned dead any any lost */
        ROW(S_DEAD, ended);
        /* row: returned any silent any undecided */
        ROW(D_SILENT, undecided);
        /* row: returned any any any return */
        goto give_back;

owner_destination:
        /* row: destination runs any any undecided */
        ROW(S_RUNS, undecided);
        /* row: destination waits any any undecided */
        ROW(S_WAITS, undecided);
        /* row: destination any silent any undecided */
        ROW(D_SILENT, undecided);
        /* row: destination any waits any undecided */
        ROW(D_WAITS, undecided);
        /* row: destination any dead any lost */
        ROW(D_DEAD, lost);
        /* row: destination any runs any finish */
        ROW(D_RUNS, has_started);
        /* row: destination any paused yes finish */
        ROW(D_PAUSED && STAYS, step_announce);
#ifdef SEED_O_COMPLETED_UNDECIDED
        ROW(e_s_run == FINISH, undecided);
#endif
        /* row: destination gave-up,silent,dead paused no start */
        ROW((S_GAVE_UP || S_SILENT || S_DEAD) && D_PAUSED, start_destination);
        /* row: destination any paused no undecided */
        ROW(D_PAUSED, undecided);
        /* row: destination any any any finish */
        goto step_announce;

owner_switching:
        /* row: switching runs any any undecided */
        ROW(S_RUNS && !S_KEPT, undecided);
        /* row: switching waits,stands any any undecided */
        ROW(S_WAITS || S_STANDS, undecided);
        /* row: switching any runs any undecided */
        ROW(D_RUNS, undecided);
        /* row: switching silent,dead any any undecided */
        ROW(S_SILENT || S_DEAD, undecided);
        /* row: switching kept any any return */
        ROW(S_KEPT, give_back);
        /* row: switching any silent any undecided */
        ROW(D_SILENT, undecided);
        /* row: switching switching any any resume */
        ROW(S_SWITCHING, ask_the_source);
        /* row: switching any failed,dead any lost */
        ROW(D_LOST_IT, lost);
        /* row: switching any any any resume */
        goto ask_the_source;

owner_postcopy:
        /* row: postcopy runs,kept any any undecided */
        ROW(S_RUNS || S_KEPT, undecided);
        /* row: postcopy any silent any undecided */
        ROW(D_SILENT, undecided);
        /* row: postcopy any failed,dead any lost */
        ROW(D_LOST_IT, lost);
        /* row: postcopy any whole any resume */
        ROW(D_WHOLE, finish);
        /* row: postcopy any waits any undecided */
        ROW(D_WAITS, undecided);
        /* row: postcopy dead any any lost */
        ROW(S_DEAD, lost);
        /* row: postcopy gave-up any any resume */
        ROW(S_GAVE_UP, finish);
        /* row: postcopy any any any undecided */
        goto undecided
        };

