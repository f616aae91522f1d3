/*
 * What the operator asks of a migration while it runs, over its control
 * socket.  Callbacks record what was asked; the engine serves it where it may
 * talk to QEMU: in its waits and between its steps.
 */
#ifndef QM_CORE_STEER_H
#define QM_CORE_STEER_H

#include "core/migration.h"

/* Listen under m->name; BUSY if a migration of that name runs. */
int steer_open(struct migration *m, struct qm_error *err);
/* Tell the clients RESULT, and stop listening. */
void steer_close(struct migration *m, const struct result *r);
/* Tell the clients; nothing if nobody listens yet. */
void steer_tell(struct migration *m, const struct narration *n);

/* Has something been asked that can be served now? */
bool steer_is_due(const struct migration *m);
/* Do it, and answer. */
void steer_serve(struct migration *m);

#endif
