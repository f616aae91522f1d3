/*
 * Time.  The monotonic clock decides; the wall clock is only ever printed.
 * A deadline is a moment of the monotonic clock in milliseconds.
 */
#ifndef QM_BASE_CLOCK_H
#define QM_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t deadline_t;

#define DEADLINE_NEVER INT64_MAX

int64_t clock_now_ms(void);  /* CLOCK_MONOTONIC, in milliseconds */
int64_t clock_now_us(void);  /* the same, in microseconds */
int64_t clock_wall_us(void); /* since the epoch, in microseconds */

/* WALL_US in ISO 8601: "2026-11-28T02:32:29.123Z" */
struct clock_text {
    char s[32];
};
struct clock_text clock_utc(int64_t wall_us);
/* Such a text, read; false, and RET untouched, if it is none. */
bool clock_utc_parse(const char *text, int64_t *ret_wall_us);

static inline deadline_t deadline_in_ms(int64_t ms)
{
    return clock_now_ms() + ms;
}

static inline bool deadline_is_over(deadline_t at)
{
    return at != DEADLINE_NEVER && clock_now_ms() >= at;
}

static inline deadline_t deadline_earlier(deadline_t a, deadline_t b)
{
    return a < b ? a : b;
}

#endif
