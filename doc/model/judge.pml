/*
 * All faults have ceased and recover has run to its end: where is the guest?
 * Included at the end of the engine.
 */
    d_step {
        /* it is never in two places, and never kept by the wrong one */
        assert(!(s_run == RUN && d_run == RUN));       /* one guest */
        PROMISE(!(guest_ran == 0 && (s_run == RUN || d_run == RUN)));

        if
        :: s_net && d_net && !s_crashed && !d_crashed &&
           !(postcopy && load_failed) ->
            /* both can be reached: it runs at exactly one, all is clean */
            PROMISE(!guest_ran || IS_ANYWHERE); /* not stopped for ever */
            PROMISE(guest_ran || owner == DST || s_run != DEAD);
            PROMISE(guest_ran || owner == SRC || d_run == PAUSED);
            PROMISE(!journal || closed);        /* nothing left to do */
            /* no orphan waits for it at the other side */
            PROMISE(s_run != RUN || d_run == DEAD || d_mig == NONE)
        :: else -> skip
        fi;
        if
        :: guest_ran && owner == SRC && s_net && !s_crashed ->
            /* whatever became of the destination */
            PROMISE(s_run == RUN)       /* not stopped for ever */
        :: guest_ran && owner == DST && gave_up && d_net && !d_crashed &&
           D_ALIVE ->
            /* whatever became of the source */
            PROMISE(d_run == RUN)       /* not stopped for ever */
        :: guest_ran && owner == DST && s_net && d_net && !s_crashed &&
           !D_ALIVE && !HAS_GIVEN_UP(s_mig) ->
            /* the destination died before it ever had the guest */
            PROMISE(s_run == RUN)       /* not stopped for ever */
        :: else -> skip
        fi
    }
