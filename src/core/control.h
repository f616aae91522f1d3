/*
 * The control socket: RUNDIR/NAME.sock, mode 0600, in QMP's framing, with a
 * greeting of its own.
 *
 * happy path   A client connects, is greeted, asks; answers and events go out
 *              as the socket takes them.  All of it is served by the loop,
 *              inside whatever wait the engine is in.
 * what fails   A client that sends what is no message is told so and dropped;
 *              one that does not read is dropped once OUTPUT_MAX is kept for
 *              it, and gets no PROGRESS while anything is.  A stale socket, of
 *              an engine that was killed, is replaced: nobody answers there.
 * on close     What is still to be sent is given a moment; then the socket is
 *              removed.
 */
#ifndef QM_CORE_CONTROL_H
#define QM_CORE_CONTROL_H

#include <json-c/json_types.h>

#include "base/loop.h"
#include "core/control-request.h"

struct control;

/*
 * A request has come, from inside any wait: record, do not wait.  0 with *RET
 * (the answer, or NULL for an empty one; given away), -1 with ERR, or
 * CONTROL_LATER: control_answer(TICKET) follows.
 */
enum { CONTROL_LATER = 1 };
typedef int control_fn(void *arg, const struct control_request *r,
                       uint64_t ticket, struct json_object **ret,
                       struct qm_error *err);

/*
 * Listen for clients of the migration NAME, which must be a valid one.  NULL
 * with ERR: BUSY if a migration of that name runs, SYSTEM.
 */
struct control *control_open(struct loop *loop, const char *name,
                             control_fn *fn, void *arg, struct qm_error *err);
void control_close(struct control *c); /* NULL is allowed */

/* Answer it: RET is consumed, and may be NULL; or, if it is set, with ERR. */
void control_answer(struct control *c, uint64_t ticket, struct json_object *ret,
                    const struct qm_error *err);
/* A whole line to all clients; one that MAY_SKIP only to those that read. */
void control_tell(struct control *c, const char *line, size_t len,
                  bool may_skip);

/* Where a migration of that name listens; the caller frees it. */
char *control_path(const char *name, struct qm_error *err);

#endif
