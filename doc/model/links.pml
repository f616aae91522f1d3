/*
 * How the engine asks and commands over links that break.
 */

/*
 * Make sure of a link: OK, LOST (the host cannot be reached and we give up),
 * or GONE (its process is proved dead).  The greeting is a fence: QEMU serves
 * one client a monitor, and drops what the last one had not been answered.
 */
#ifdef UNFENCED
#define S_OLD   if :: s_cmd != NOCMD -> s_old = s_cmd :: else -> skip fi;
#define D_OLD   if :: d_cmd != NOCMD -> d_old = d_cmd :: else -> skip fi;
#else
#define S_OLD
#define D_OLD
#endif

inline s_link()
{
    if
    :: s_conn -> e_res = OK
    :: !s_conn && s_net && S_ALIVE ->
        S_OLD
        s_cmd = NOCMD; s_rep = NOREP; s_conn = 1; e_res = OK
    :: !s_conn && s_net && !S_ALIVE -> e_res = GONE
    :: !s_conn && !s_net -> e_res = LOST
    fi
}

inline d_link()
{
    if
    :: d_conn -> e_res = OK
    :: !d_conn && d_net && D_ALIVE ->
        D_OLD
        d_cmd = NOCMD; d_rep = NOREP; d_conn = 1; e_res = OK
    :: !d_conn && d_net && !D_ALIVE -> e_res = GONE
    :: !d_conn && !d_net -> e_res = LOST
    fi
}

/* OK, ERR, CUT (it may have been carried out or not), LOST, GONE */
inline s_call(c)
{
    d_step {
        s_link();
        if :: e_res == OK -> s_cmd = c; s_rep = NOREP :: else -> skip fi
    };
    if
    :: e_res == OK ->
        if
        :: d_step { s_rep != NOREP -> e_res = s_rep; s_rep = NOREP }
        :: d_step { !s_conn -> e_res = CUT }
        fi
    :: else -> skip
    fi
}

inline d_call(c)
{
    d_step {
        d_link();
        if :: e_res == OK -> d_cmd = c; d_rep = NOREP :: else -> skip fi
    };
    if
    :: e_res == OK ->
        if
        :: d_step { d_rep != NOREP -> e_res = d_rep; d_rep = NOREP }
        :: d_step { !d_conn -> e_res = CUT }
        fi
    :: else -> skip
    fi
}

/* OK, LOST, GONE, and then what it said; a lost answer is asked for again */
inline s_ask()
{
    d_step {
        s_link();
        if
        :: e_res == OK -> e_s_run = s_run; e_s_mig = s_mig
        :: e_res == LOST -> e_s_run = UNREACHED; e_s_mig = NONE
        :: e_res == GONE -> e_s_run = DEAD; e_s_mig = NONE
        fi
    }
}

inline d_ask()
{
    d_step {
        d_link();
        if
        :: e_res == OK -> e_d_run = d_run; e_d_mig = d_mig
        :: e_res == LOST -> e_d_run = UNREACHED; e_d_mig = NONE
        :: e_res == GONE -> e_d_run = DEAD; e_d_mig = NONE
        fi
    }
}

/* The host of a destination that answers nothing kills the verified pid. */
inline end_destination()
{
    d_call(QUIT);
    if
    :: e_res == OK || e_res == GONE -> skip
    :: d_step { e_res == CUT && d_net && D_ALIVE ->
            PROMISE(D_MAY_END);         /* never the only guest */
            d_dies() }
    :: e_res == CUT || e_res == LOST -> skip
    fi
}
