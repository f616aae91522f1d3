/*
 * The event loop: what is served, in which order, and when a wait ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/loop.h"

enum { LIMIT_MS = 10000 };

struct world {
    struct loop *loop;
    int near, far; /* a pair of sockets */
    struct loop_watch *watch;
    unsigned ready;       /* what the watch said last */
    unsigned calls;       /* how often a callback ran */
    unsigned enough;      /* when the wait may end */
    struct buffer record; /* what happened, in letters */
};

static int set_up(void **state)
{
    struct world *w = XNEW(struct world);
    int fds[2];

    w->loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    w->near = fds[0];
    w->far = fds[1];
    w->enough = 1;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    loop_watch_free(w->watch);
    close_fd(w->near);
    close_fd(w->far);
    loop_free(w->loop);
    buffer_done(&w->record);
    free(w);
    return 0;
}

static void on_ready(void *arg, unsigned ready)
{
    struct world *w = arg;

    w->ready = ready;
    w->calls++;
}

static void count(void *arg)
{
    struct world *w = arg;

    w->calls++;
}

static bool has_enough(void *arg)
{
    const struct world *w = arg;

    return w->calls >= w->enough;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static bool wait_enough(struct world *w)
{
    return loop_wait(w->loop, has_enough, w, deadline_in_ms(LIMIT_MS));
}

/* Serve what is ready, without sleeping. */
static void look(struct world *w)
{
    assert_false(loop_wait(w->loop, never, NULL, clock_now_ms()));
}

static void a_true_predicate_serves_nothing(void **state)
{
    struct world *w = *state;

    w->watch = loop_watch_fd(w->loop, w->near, LOOP_WRITE, on_ready, w);
    assert_true(loop_wait(w->loop, always, NULL, DEADLINE_NEVER));
    assert_true(loop_wait(w->loop, always, NULL, clock_now_ms() - 1));
    assert_int_equal(w->calls, 0);
}

static void a_late_wait_still_sees_what_is_there(void **state)
{
    struct world *w = *state;

    assert_int_equal(write(w->far, "x", 1), 1);
    w->watch = loop_watch_fd(w->loop, w->near, LOOP_READ, on_ready, w);
    assert_true(loop_wait(w->loop, has_enough, w, clock_now_ms() - 1000));
    assert_int_equal(w->calls, 1);
}

static void a_deadline_ends_the_wait_not_before(void **state)
{
    struct world *w = *state;
    deadline_t at = deadline_in_ms(30);

    assert_false(loop_wait(w->loop, never, NULL, at));
    assert_true(clock_now_ms() >= at);
    assert_true(clock_now_ms() < at + LIMIT_MS);
    assert_true(deadline_is_over(at));
    assert_false(deadline_is_over(DEADLINE_NEVER));
}

static void a_busy_loop_keeps_its_deadline(void **state)
{
    struct world *w = *state;

    w->watch = loop_watch_fd(w->loop, w->near, LOOP_WRITE, on_ready, w);
    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(20)));
    assert_true(w->calls > 1); /* level-triggered */
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void a_flag_ends_waits_until_it_is_forgotten(void **state)
{
    struct world *w = *state;
    bool stop = false;
    struct loop_timer *t = loop_timer_new(w->loop, set_flag, &stop);

    loop_stop_waits_on(w->loop, &stop);
    loop_timer_start(t, 5);
    assert_false(loop_wait(w->loop, never, NULL, DEADLINE_NEVER));
    assert_true(stop);
    assert_false(loop_wait(w->loop, never, NULL, DEADLINE_NEVER));
    /* what is there counts all the same */
    assert_int_equal(write(w->far, "x", 1), 1);
    w->watch = loop_watch_fd(w->loop, w->near, LOOP_READ, on_ready, w);
    assert_true(loop_wait(w->loop, has_enough, w, DEADLINE_NEVER));
    loop_watch_set(w->watch, 0);
    loop_stop_waits_on(w->loop, NULL);
    loop_timer_start(t, 20);
    stop = false;
    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(60)));
    assert_true(stop); /* it was served, and ended nothing */
    loop_timer_free(t);
}

static void watches_tell_what_is_ready(void **state)
{
    struct world *w = *state;

    w->watch = loop_watch_fd(w->loop, w->near, LOOP_READ, on_ready, w);
    look(w);
    assert_int_equal(w->calls, 0);
    assert_int_equal(write(w->far, "x", 1), 1);
    assert_true(wait_enough(w));
    assert_int_equal(w->ready, LOOP_READ);
    loop_watch_set(w->watch, LOOP_READ | LOOP_WRITE);
    look(w);
    assert_int_equal(w->ready, LOOP_READ | LOOP_WRITE);
    loop_watch_set(w->watch, LOOP_WRITE);
    look(w);
    assert_int_equal(w->ready, LOOP_WRITE);
    assert_int_equal(w->calls, 3);
    loop_watch_set(w->watch, 0);
    look(w);
    assert_int_equal(w->calls, 3);
    loop_watch_set(w->watch, LOOP_READ);
    look(w);
    assert_int_equal(w->calls, 4);
}

static void a_hang_up_is_ready(void **state)
{
    struct world *w = *state;

    w->watch = loop_watch_fd(w->loop, w->near, LOOP_READ, on_ready, w);
    close_fd(w->far);
    w->far = -1;
    assert_true(wait_enough(w));
    assert_int_equal(w->ready, LOOP_READ);
}

static void free_the_watch(void *arg, unsigned ready)
{
    struct world *w = arg;

    on_ready(w, ready);
    loop_watch_free(STEAL(w->watch));
}

static void a_callback_may_free_its_watch(void **state)
{
    struct world *w = *state;

    w->watch = loop_watch_fd(w->loop, w->near, LOOP_WRITE, free_the_watch, w);
    assert_true(wait_enough(w));
    look(w);
    assert_int_equal(w->calls, 1);
}

struct letter {
    struct world *world;
    char c;
};

static void write_letter(void *arg)
{
    struct letter *l = arg;

    buffer_append(&l->world->record, &l->c, 1);
    l->world->calls++;
}

static void timers_fire_in_order_and_once(void **state)
{
    struct world *w = *state;
    struct letter letters[] = {
        { w, 'a' }, { w, 'b' }, { w, 'c' }, { w, 'd' }
    };
    static const int64_t ms[] = { 30, 10, 20, -5 };
    struct loop_timer *timers[4];

    for (size_t i = 0; i < 4; i++) {
        timers[i] = loop_timer_new(w->loop, write_letter, &letters[i]);
        loop_timer_start(timers[i], ms[i]);
    }
    w->enough = 4;
    assert_true(wait_enough(w));
    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(40)));
    assert_string_equal(w->record.data, "dbca");
    for (size_t i = 0; i < 4; i++) {
        loop_timer_free(timers[i]);
    }
}

static void timers_stop_and_begin_anew(void **state)
{
    struct world *w = *state;
    struct loop_timer *t = loop_timer_new(w->loop, count, w);
    int64_t began;

    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(5)));
    assert_int_equal(w->calls, 0); /* idle until started */
    loop_timer_start(t, 5);
    loop_timer_stop(t);
    loop_timer_stop(t);
    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(20)));
    assert_int_equal(w->calls, 0);
    loop_timer_start(t, 1);
    loop_timer_start(t, 30);
    began = clock_now_ms();
    assert_true(wait_enough(w));
    assert_true(clock_now_ms() >= began + 30);
    loop_timer_start(t, 0);
    w->enough = 2;
    assert_true(wait_enough(w));
    loop_timer_start(t, 5);
    loop_timer_free(t);
    assert_false(loop_wait(w->loop, never, NULL, deadline_in_ms(20)));
    assert_int_equal(w->calls, 2);
}

static void signals_arrive_in_the_loop(void **state)
{
    struct world *w = *state;
    struct loop_signal *sig = loop_signal_new(w->loop, SIGUSR1, count, w);

    raise(SIGUSR1);
    assert_int_equal(w->calls, 0); /* not in signal context */
    assert_true(wait_enough(w));
    raise(SIGUSR1);
    w->enough = 2;
    assert_true(wait_enough(w));
    loop_signal_free(sig);
}

static void the_loop_ignores_sigpipe(void **state)
{
    struct sigaction now;

    (void)state;
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
}

static void destructors_take_null(void **state)
{
    (void)state;
    loop_free(NULL);
    loop_watch_free(NULL);
    loop_timer_free(NULL);
    loop_signal_free(NULL);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(a_true_predicate_serves_nothing),
        loop_test(a_late_wait_still_sees_what_is_there),
        loop_test(a_deadline_ends_the_wait_not_before),
        loop_test(a_busy_loop_keeps_its_deadline),
        loop_test(a_flag_ends_waits_until_it_is_forgotten),
        loop_test(watches_tell_what_is_ready),
        loop_test(a_hang_up_is_ready),
        loop_test(a_callback_may_free_its_watch),
        loop_test(timers_fire_in_order_and_once),
        loop_test(timers_stop_and_begin_anew),
        loop_test(signals_arrive_in_the_loop),
        loop_test(the_loop_ignores_sigpipe),
        loop_test(destructors_take_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
