/*
 * What an engine tells its supervisor, through a pipe; the engine's end of it
 * is supervise_name() and supervise_leave().
 */
#ifndef QM_CLI_SUPERVISE_TOLD_H
#define QM_CLI_SUPERVISE_TOLD_H

#include <stdbool.h>
#include <stddef.h>

enum { TOLD_MAX = 256 };

struct told {
    int fd;          /* of the pipe, which does not block; -1 at its end */
    char *name, *id; /* of the journal; NULL until they are told */
    bool leaves;     /* the engine has left the terminal */

    char text[TOLD_MAX]; /* a line that is not whole yet */
    size_t len;
};

/* Take all that there is for now. */
void told_hear(struct told *t);
void told_done(struct told *t);

#endif
