/*
 * Quantities as people read them.
 */
#include "cli/figures.h"

#include <stdio.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

struct figure figure_bytes(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    struct figure f;
    double n = (double)bytes;
    size_t unit = 0;

    /* 1023.95 is what would be printed as 1024.0 */
    while (n >= 1023.95 && unit < ARRAY_LEN(units) - 1) {
        n /= 1024;
        unit++;
    }
    snprintf(f.s, sizeof(f.s), unit == 0 ? "%.0f %s" : "%.1f %s", n,
             units[unit]);
    return f;
}

/* Always of one unit, so that two of them compare at a glance. */
struct figure figure_rate(uint64_t bps)
{
    struct figure f;

    snprintf(f.s, sizeof(f.s), "%.1f MiB/s", (double)bps / (double)MIB);
    return f;
}

static struct figure long_time(int64_t ms)
{
    struct figure f;
    long long seconds = (ms + SECOND_MS / 2) / SECOND_MS;

    if (seconds < 3600) {
        snprintf(f.s, sizeof(f.s), "%lld min %02lld s", seconds / 60,
                 seconds % 60);
    } else {
        snprintf(f.s, sizeof(f.s), "%lld h %02lld min", seconds / 3600,
                 seconds / 60 % 60);
    }
    return f;
}

struct figure figure_ms(int64_t ms)
{
    struct figure f;

    if (ms < 0) {
        snprintf(f.s, sizeof(f.s), "?");
    } else if (ms < SECOND_MS) {
        snprintf(f.s, sizeof(f.s), "%d ms", (int)ms);
    } else if (ms < MINUTE_MS - 50) {
        snprintf(f.s, sizeof(f.s), "%.1f s", (double)ms / SECOND_MS);
    } else {
        return long_time(ms);
    }
    return f;
}

struct figure figure_left(int64_t ms)
{
    struct figure f;

    if (ms < 0) {
        snprintf(f.s, sizeof(f.s), "?");
    } else if (ms < SECOND_MS) {
        snprintf(f.s, sizeof(f.s), "under 1 s");
    } else if (ms < MINUTE_MS - SECOND_MS) {
        snprintf(f.s, sizeof(f.s), "%d s",
                 (int)((ms + SECOND_MS - 1) / SECOND_MS));
    } else {
        return long_time(ms);
    }
    return f;
}

struct figure figure_in(int64_t ms)
{
    struct figure left = figure_left(ms), f;

    snprintf(f.s, sizeof(f.s), "in %s%.20s",
             str_starts(left.s, "under") ? "" : "about ", left.s);
    return f;
}

unsigned percent_of(uint64_t part, uint64_t total)
{
    unsigned percent;

    if (part >= total) {
        return 100;
    }
    percent = (unsigned)((double)part * 100 / (double)total);
    return percent > 99 ? 99 : percent;
}
