/*
 * The event loop (libevent behind it, which nothing else includes).
 *
 * Callbacks record facts and return: they do not wait, and they do not free
 * their owner.  loop_wait() is the one function of the program that blocks.
 */
#ifndef QM_BASE_LOOP_H
#define QM_BASE_LOOP_H

#include "base/clock.h"
#include "base/util.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct loop_watch;
struct loop_timer;
struct loop_signal;

typedef void loop_fd_fn(void *arg, unsigned ready);
typedef void loop_fn(void *arg);

/* Never NULL.  The process ignores SIGPIPE from now on: a peer that has gone
 * is an error of the write. */
struct loop *loop_new(void);
/* After everything that was made on it has been freed. */
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free)

/*
 * Call FN whenever FD is ready for one of EVENTS (LOOP_READ | LOOP_WRITE;
 * 0 is allowed: none for now).  A hang-up makes it ready for whatever was
 * asked.  FN may change the watch, and free it.  The watch does not own FD and
 * must be freed before FD is closed.
 */
struct loop_watch *loop_watch_fd(struct loop *loop, int fd, unsigned events,
                                 loop_fd_fn *fn, void *arg);
void loop_watch_set(struct loop_watch *watch, unsigned events);
void loop_watch_free(struct loop_watch *watch);

/* A timer that is idle until started, fires once a start; starting it again
 * while it runs begins anew. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_start(struct loop_timer *timer, int64_t ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Call FN, from the loop and not in signal context, when SIGNO arrives. */
struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn *fn,
                                    void *arg);
void loop_signal_free(struct loop_signal *sig);

/*
 * Serve everything until HOLDS(ARG) says true (asked before the first event
 * and after every round of events), at the latest until DEADLINE; one that is
 * over already still serves what is ready, once.  Returns whether it holds.
 * HOLDS only looks; it must not change or free anything.  Not to be called
 * from a callback.  Waiting for ever while nothing is watched is a bug.
 */
bool loop_wait(struct loop *loop, bool (*holds)(void *arg), void *arg,
               deadline_t deadline);

/*
 * From now on each wait ends as if its deadline had passed once *STOP is true,
 * until this is called with NULL.  For work that has changed nothing yet and
 * is simply let go.
 */
void loop_stop_waits_on(struct loop *loop, const bool *stop);

#endif
