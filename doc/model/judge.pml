/*
 * All faults have ceased and recover has run to its end: where is the guest?
 * Included at the end of the engine.
 */
    d_step {
        /* it is never in two places, and never kept by the wrong one */
        assert(!(s_run == RUN && d_run == RUN));       /* one guest */
        PROMISE(!(!guest_ran && s_run == RUN));
        PROMISE(!(guest_stays && d_run == RUN));

        if
        :: s_net && d_net && !s_crashed && !d_crashed &&
           !(postcopy && load_failed) ->
            /* both can be reached: it is at exactly one, all is clean */
            PROMISE(IS_ANYWHERE || MAY_STAND);  /* not stopped for ever */
            PROMISE(owner == DST || s_run != DEAD);
            PROMISE(owner == SRC || returned || D_ALIVE || s_run == RUN);
            PROMISE(!journal || closed);        /* nothing left to do */
            /* no orphan waits for it at the other side */
            PROMISE(s_run != RUN || d_run == DEAD || d_mig == NONE)
        :: else -> skip
        fi;
        if
        :: guest_ran && (owner == SRC || returned) && s_net && !s_crashed &&
           (owner == SRC || d_net) ->
            /* whatever became of the destination */
            PROMISE(s_run == RUN)       /* not stopped for ever */
        :: owner == DST && !returned && gave_up && d_net && !d_crashed &&
           D_ALIVE &&
           !(postcopy && !(s_net && (S_ALIVE || d_mig == COMPLETED))) ->
            /* whatever became of a source that is not needed */
            PROMISE(d_run == RUN || MAY_STAND)  /* not stopped for ever */
        :: guest_ran && owner == DST && s_net && d_net && !s_crashed &&
           !D_ALIVE && !HAS_GIVEN_UP(s_mig) ->
            /* the destination died before it ever had the guest */
            PROMISE(s_run == RUN)       /* not stopped for ever */
        :: else -> skip
        fi
    }
