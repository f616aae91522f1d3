/*
 * Time, as clock_gettime() tells it.
 */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec now;

    if (clock_gettime(which, &now) < 0) {
        abort(); /* both clocks exist on every Linux */
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}
