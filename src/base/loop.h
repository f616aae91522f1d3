/*
 * The event loop (libevent behind it, which nothing else includes).
 *
 * Callbacks record facts and return: they do not wait, and they do not free
 * their owner.  loop_wait() is the one function of the program that blocks.
 */
#ifndef QM_BASE_LOOP_H
#define QM_BASE_LOOP_H

#include "base/clock.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct loop_watch;
struct loop_timer;
struct loop_signal;

typedef void loop_fd_fn(void *arg, unsigned ready);
typedef void loop_fn(void *arg);

struct loop *loop_new(void); /* never NULL */
void loop_free(struct loop *loop);

/*
 * Call FN whenever FD is ready for one of EVENTS (LOOP_READ | LOOP_WRITE;
 * 0 is allowed: none for now).  The watch does not own FD and must be freed
 * before FD is closed.
 */
struct loop_watch *loop_watch_fd(struct loop *loop, int fd, unsigned events,
                                 loop_fd_fn *fn, void *arg);
void loop_watch_set(struct loop_watch *watch, unsigned events);
void loop_watch_free(struct loop_watch *watch);

/* A timer that is idle until started, fires once a start. */
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
 * and after every round of events), at the latest until DEADLINE.  Returns
 * whether it holds.  HOLDS only looks; it must not change or free anything.
 * Not to be called from a callback.
 */
bool loop_wait(struct loop *loop, bool (*holds)(void *arg), void *arg,
               deadline_t deadline);

#endif
