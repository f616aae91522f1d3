/*
 * The other end of the control socket: to ask a migration that runs on this
 * machine, and to hear what happens.
 */
#ifndef QM_CORE_CONTROL_CLIENT_H
#define QM_CORE_CONTROL_CLIENT_H

#include <json-c/json_types.h>

#include "base/error.h"
#include "base/loop.h"

struct control_link;

/* The names of the migrations of this user on this machine, sorted, those
 * whose engine was killed too.  -1: SYSTEM. */
int control_names(struct strv *ret, struct qm_error *err);

/*
 * Connect to the migration NAME, a valid one, and be greeted, at most BY.
 * NULL with ERR: CONNECT, nobody runs a migration of that name; BUSY, it does
 * not answer; PROTOCOL.
 */
struct control_link *control_link_open(struct loop *loop, const char *name,
                                       deadline_t by, struct qm_error *err);
void control_link_free(struct control_link *l); /* NULL is allowed */
DEFINE_CLEANUP(struct control_link *, control_link_free)

/*
 * COMMAND and its answer, at most BY.  ARGS is consumed and may be NULL.  *RET
 * (may be NULL): the caller puts it.  ERR: REFUSED, in the engine's words;
 * LINK, it ended meanwhile; TIMEOUT.
 */
int control_link_ask(struct control_link *l, const char *command,
                     struct json_object *args, deadline_t by,
                     struct json_object **ret, struct qm_error *err);

/*
 * The next event, whole: 1, the caller puts *RET; 0 at the end, or once *STOP
 * (may be NULL); -1 with PROTOCOL.
 */
int control_link_hear(struct control_link *l, const bool *stop,
                      struct json_object **ret, struct qm_error *err);

#endif
