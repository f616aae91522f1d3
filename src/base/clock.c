/*
 * Time, as clock_gettime() tells it.
 */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Of a time that no calendar has, the epoch. */
struct clock_text clock_utc(int64_t wall_us)
{
    struct clock_text text = { "1970-01-01T00:00:00.000Z" };
    time_t at = (time_t)(wall_us / 1000000);
    struct tm tm;
    char seconds[24];

    if (wall_us < 0 || !gmtime_r(&at, &tm) ||
        !strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm))
        return text;
    snprintf(text.s, sizeof(text.s), "%s.%03dZ", seconds,
             (int)(wall_us / 1000 % 1000));
    return text;
}

bool clock_utc_parse(const char *text, int64_t *ret_wall_us)
{
    static const char pattern[] = "0000-00-00T00:00:00.000Z";
    struct tm tm = { .tm_year = 0 };
    int64_t us;

    if (strlen(text) != sizeof(pattern) - 1)
        return false;
    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == '0' ? !isdigit((unsigned char)text[i])
                              : pattern[i] != text[i])
            return false;
    if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
        return false;
    us = (int64_t)timegm(&tm) * 1000000 + atoi(text + 20) * INT64_C(1000);
    if (us < 0 || strcmp(clock_utc(us).s, text) != 0)
        return false; /* the 31st of February */
    *ret_wall_us = us;
    return true;
}
