/*
 * What a client of the control socket asks: from text to a value; no I/O.
 */
#ifndef QM_CORE_CONTROL_REQUEST_H
#define QM_CORE_CONTROL_REQUEST_H

#include "core/limits.h"

#define CONTROL_LINE_MAX (64 * KIB)
#define CONTROL_PROTOCOL 1

/* the command, as it stands in "execute" */
#define QM_CONTROL_COMMANDS(X)                                                 \
    X(QUERY_STATUS, "query-status")                                            \
    X(CANCEL, "cancel")                                                        \
    X(SET, "set")                                                              \
    X(COMPLETE, "complete")

enum control_command {
#define X(name, text) CONTROL_##name,
    QM_CONTROL_COMMANDS(X)
#undef X
};

struct control_request {
    enum control_command command;
    struct limit_changes changes; /* SET */
    bool postcopy;                /* COMPLETE: else pause */
};

/*
 * Understand TEXT.  *RET_ID (the caller frees it) gets the "id" as JSON text,
 * also where the rest is refused, or NULL if there is none.  -1 with ERR,
 * whose peer class is QMP's: CommandNotFound or GenericError.
 */
int control_request_parse(const char *text, size_t len, char **ret_id,
                          struct control_request *ret, struct qm_error *err);

/*
 * What it does not suit to be asked now, in a sentence; NULL: it may be.
 */
struct control_facts {
    bool undoing;      /* what was done is being taken back */
    bool handing_over; /* the guest has stopped for good at the source */
    bool too_late;     /* nothing can be taken back any more */
    bool postcopy;     /* each side has a part of the guest */
};
const char *control_refusal(enum control_command command,
                            const struct control_facts *facts);

#endif
