/*
 * The supervisor: the process that was started waits while its child, the
 * engine, moves the guest.  Should the engine be killed, the supervisor starts
 * `recover`, so that no guest stands still until somebody comes.
 */
#ifndef QM_CLI_SUPERVISE_H
#define QM_CLI_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Before anything is made.  In the engine: 1, with *RET_FD for what it tells.
 * In the supervisor: 0, once all is over, with the exit code; it dies by the
 * engine's signal if there is nothing to recover.  -1: SYSTEM.
 *
 * JSON: `recover` is to speak it too.  METRICS, or NULL: the file of figures
 * that it is to go on with; the caller's.  DETACH_FD, or -1: closed in the
 * supervisor once supervise_leave() has been called.
 */
int supervise_begin(bool json, const char *metrics, int detach_fd, int *ret_fd,
                    int *ret_exit, struct qm_error *err);

/* The engine will have the journal NAME, of the migration ID: to be told
 * before it is made.  FD -1: there is no supervisor. */
void supervise_name(int fd, const char *name, const char *id);
/* The engine leaves the terminal: so does its supervisor. */
void supervise_leave(int fd);

/* --- what `status` sees: supervise-mark.c -------------------------------------- */

/* NAME is being recovered from now on, until the process ends: a descriptor
 * for supervise_unmark(), or -1. */
int supervise_mark(const char *name);
void supervise_unmark(const char *name, int mark); /* MARK may be -1 */
/* Does a supervisor recover NAME, or wait for another try? */
bool supervise_is_marked(const char *name);

/* --- the rules: supervise-rules.c -------------------------------------------- */

enum supervise_journal {
    JOURNAL_OVER,    /* there is none, or it is another migration's */
    JOURNAL_OPEN,    /* the engine's own */
    JOURNAL_DAMAGED, /* whose it is cannot be read */
};

struct supervise_facts {
    /* How the child ended: by SIGNAL, or, if that is 0, with CODE */
    int signal, code;
    unsigned tries; /* how often recover has run; 0: it was the engine */
    enum supervise_journal journal;
    bool told_to_end; /* the operator wants no more tries */
};

struct supervise_verdict {
    enum {
        SUPERVISE_EXIT,    /* with CODE */
        SUPERVISE_DIE,     /* by the same signal */
        SUPERVISE_RECOVER, /* after WAIT_MS */
    } action;
    int code;
    int wait_ms;
    /* The guest may be stopped: only a person ends the tries. */
    bool until_told;
};

struct supervise_verdict supervise_decide(const struct supervise_facts *f);

#endif
