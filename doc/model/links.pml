/*
 * How the engine asks and commands over links that break.
 */

/* What the engine remembers; it dies with it */
mtype:res e_res;
mtype:runstate e_s_run, e_d_run;
mtype:mig e_s_mig, e_d_mig;
bool e_cont_maybe;      /* `cont` may have reached the destination */
bool e_recovering, e_last;

/*
 * Make sure of a link: OK, LOST (the host cannot be reached and we give up),
 * or GONE (its process is proved dead).  The greeting is a fence: QEMU serves
 * one client a monitor, and drops what the last one had not been answered.
 */
inline s_link()
{
    if
    :: d_step { s_conn -> e_res = OK }
    :: d_step { !s_conn && s_net && S_ALIVE ->
#ifdef UNFENCED
            if :: s_cmd != NOCMD -> s_old = s_cmd :: else -> skip fi;
#endif
            s_cmd = NOCMD; s_rep = NOREP; s_conn = 1; e_res = OK }
    :: d_step { !s_conn && s_net && !S_ALIVE -> e_res = GONE }
    :: d_step { !s_conn && !s_net -> e_res = LOST }
    fi
}

inline d_link()
{
    if
    :: d_step { d_conn -> e_res = OK }
    :: d_step { !d_conn && d_net && D_ALIVE ->
#ifdef UNFENCED
            if :: d_cmd != NOCMD -> d_old = d_cmd :: else -> skip fi;
#endif
            d_cmd = NOCMD; d_rep = NOREP; d_conn = 1; e_res = OK }
    :: d_step { !d_conn && d_net && !D_ALIVE -> e_res = GONE }
    :: d_step { !d_conn && !d_net -> e_res = LOST }
    fi
}

/* OK, ERR, CUT (it may have been carried out or not), LOST, GONE */
inline s_call(c)
{
    s_link();
    if
    :: e_res == OK ->
        d_step { if :: s_conn -> s_cmd = c; s_rep = NOREP :: else -> skip fi };
        if
        :: d_step { s_rep != NOREP -> e_res = s_rep; s_rep = NOREP }
        :: d_step { !s_conn -> e_res = CUT }
        fi
    :: else -> skip
    fi
}

inline d_call(c)
{
    d_link();
    if
    :: e_res == OK ->
        d_step { if :: d_conn -> d_cmd = c; d_rep = NOREP :: else -> skip fi };
        if
        :: d_step { d_rep != NOREP -> e_res = d_rep; d_rep = NOREP }
        :: d_step { !d_conn -> e_res = CUT }
        fi
    :: else -> skip
    fi
}

/* OK, LOST, GONE, and then what it said */
inline s_ask()
{
    s_link();
    d_step {
        if
        :: e_res == OK && s_conn -> e_s_run = s_run; e_s_mig = s_mig
        :: e_res == OK && !s_conn -> e_res = CUT
        :: else -> skip
        fi
    }
}

inline d_ask()
{
    d_link();
    d_step {
        if
        :: e_res == OK && d_conn -> e_d_run = d_run; e_d_mig = d_mig
        :: e_res == OK && !d_conn -> e_res = CUT
        :: else -> skip
        fi
    }
}
