/*
 * The event loop: a thin face of libevent.
 *
 * Happy path: loop_wait() asks its predicate, lets libevent serve one round
 * of whatever is ready (or sleep until something is), and asks again.  A
 * deadline is one more timer, whose only purpose is to end the sleep.
 *
 * What can fail: only our own mistakes (a closed descriptor, a wait inside of
 * a callback) and the kernel's refusal of epoll; both abort.
 */
#include "base/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/util.h"

struct loop {
    struct event_base *base;
    struct event *alarm; /* ends the sleep of loop_wait() */
    bool waiting;        /* inside loop_wait() */
    const bool *stop;    /* loop_stop_waits_on(), or NULL */
};

struct loop_watch {
    struct loop *loop;
    struct event *event;
    evutil_socket_t fd;
    unsigned events; /* watched for now; 0: the event is not added */
    loop_fd_fn *fn;
    void *arg;
};

struct loop_timer {
    struct event *event;
    loop_fn *fn;
    void *arg;
};

struct loop_signal {
    struct event *event;
    loop_fn *fn;
    void *arg;
};

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static struct timeval timeval_of_ms(int64_t ms)
{
    if (ms < 0) {
        ms = 0;
    }
    return (struct timeval){
        .tv_sec = ms / 1000,
        .tv_usec = ms % 1000 * 1000,
    };
}

static void alarm_rings(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* A write to a peer that has gone is an error to us, never a signal. */
static void ignore_sigpipe(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }
}

/*
 * The precise timer, because the coarse clock lags behind clock_now_ms() by
 * up to 4 ms; no cached time, because a timer that a slow callback starts is
 * to run its whole length.
 */
struct loop *loop_new(void)
{
    struct loop *loop = XNEW(struct loop);
    struct event_config *config = event_config_new();

    must(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
                                      EVENT_BASE_FLAG_PRECISE_TIMER |
                                      EVENT_BASE_FLAG_NO_CACHE_TIME);
    loop->base = event_base_new_with_config(config);
    must(loop->base);
    event_config_free(config);
    loop->alarm = event_new(loop->base, -1, 0, alarm_rings, NULL);
    must(loop->alarm);
    ignore_sigpipe();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop) {
        assert(!loop->waiting);
        event_free(loop->alarm);
        event_base_free(loop->base);
        free(loop);
    }
}

/* FN may free the watch: nothing of it is touched afterwards. */
static void fd_is_ready(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *watch = arg;
    unsigned ready = 0;

    (void)fd;
    ready |= what & EV_READ ? LOOP_READ : 0;
    ready |= what & EV_WRITE ? LOOP_WRITE : 0;
    watch->fn(watch->arg, ready);
}

struct loop_watch *loop_watch_fd(struct loop *loop, int fd, unsigned events,
                                 loop_fd_fn *fn, void *arg)
{
    struct loop_watch *watch = XNEW(struct loop_watch);

    assert(fd >= 0);
    watch->loop = loop;
    watch->fd = fd;
    watch->fn = fn;
    watch->arg = arg;
    watch->event =
        event_new(loop->base, fd, EV_READ | EV_PERSIST, fd_is_ready, watch);
    must(watch->event);
    loop_watch_set(watch, events);
    return watch;
}

void loop_watch_set(struct loop_watch *watch, unsigned events)
{
    int what = EV_PERSIST;

    assert((events & ~(unsigned)(LOOP_READ | LOOP_WRITE)) == 0);
    if (events == watch->events) {
        return;
    }
    watch->events = events;
    event_del(watch->event);
    if (events == 0) {
        return;
    }
    what |= events & LOOP_READ ? EV_READ : 0;
    what |= events & LOOP_WRITE ? EV_WRITE : 0;
    must(event_assign(watch->event, watch->loop->base, watch->fd, (short)what,
                      fd_is_ready, watch) == 0);
    must(event_add(watch->event, NULL) == 0);
}

void loop_watch_free(struct loop_watch *watch)
{
    if (watch) {
        event_free(watch->event);
        free(watch);
    }
}

static void timer_fires(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;

    (void)fd;
    (void)what;
    timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct loop_timer *timer = XNEW(struct loop_timer);

    timer->fn = fn;
    timer->arg = arg;
    timer->event = event_new(loop->base, -1, 0, timer_fires, timer);
    must(timer->event);
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t ms)
{
    struct timeval delay = timeval_of_ms(ms);

    must(event_add(timer->event, &delay) == 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    event_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer) {
        event_free(timer->event);
        free(timer);
    }
}

static void signal_arrived(evutil_socket_t signo, short what, void *arg)
{
    struct loop_signal *sig = arg;

    (void)signo;
    (void)what;
    sig->fn(sig->arg);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn *fn,
                                    void *arg)
{
    struct loop_signal *sig = XNEW(struct loop_signal);

    sig->fn = fn;
    sig->arg = arg;
    sig->event = event_new(loop->base, signo, EV_SIGNAL | EV_PERSIST,
                           signal_arrived, sig);
    must(sig->event);
    must(event_add(sig->event, NULL) == 0);
    return sig;
}

void loop_signal_free(struct loop_signal *sig)
{
    if (sig) {
        event_free(sig->event);
        free(sig);
    }
}

/* One round; a DEADLINE that is over turns it into a look without sleep. */
static void serve_one_round(struct loop *loop, deadline_t deadline, bool over)
{
    int rc;

    if (over) {
        /* EVLOOP_NONBLOCK by itself goes on while anything is ready. */
        rc = event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        must(rc >= 0);
        return;
    }
    if (deadline != DEADLINE_NEVER) {
        struct timeval rest = timeval_of_ms(deadline - clock_now_ms());

        must(event_add(loop->alarm, &rest) == 0);
    }
    rc = event_base_loop(loop->base, EVLOOP_ONCE);
    assert(rc != 1); /* nothing is left that could ever end the wait */
    must(rc == 0);
}

void loop_stop_waits_on(struct loop *loop, const bool *stop)
{
    loop->stop = stop;
}

/*
 * When the deadline is over, what is ready is still served once: after a
 * SIGSTOP, or a long callback, the awaited answer may be there already.
 */
bool loop_wait(struct loop *loop, bool (*holds)(void *arg), void *arg,
               deadline_t deadline)
{
    bool held;
    bool over = false;

    assert(!loop->waiting);
    loop->waiting = true;
    while (!(held = holds(arg)) && !over) {
        over = deadline_is_over(deadline) || (loop->stop && *loop->stop);
        serve_one_round(loop, deadline, over);
    }
    event_del(loop->alarm);
    loop->waiting = false;
    return held;
}
