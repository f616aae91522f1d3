/*
 * Cutting a connection of another process of this machine.
 */
#ifndef QM_BASE_CUT_H
#define QM_BASE_CUT_H

#include "base/error.h"

/*
 * Shut down what process PID (PIDFD is its pidfd) has connected to the numeric
 * ADDRESS and PORT.  Returns how many those were; -1 with ERR (SYSTEM) if there
 * is none among those that may be looked at, and some may not.
 */
int process_cut(int pidfd, int pid, const char *address, unsigned port,
                struct qm_error *err);

#endif
