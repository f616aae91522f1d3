/*
 * Quantities as people read them.  A figure is returned by value, so that it
 * can stand in a printf: printf("%s", figure_bytes(n).s).
 */
#ifndef QM_CLI_FIGURES_H
#define QM_CLI_FIGURES_H

#include "base/util.h"

struct figure {
    char s[32];
};

struct figure figure_bytes(uint64_t bytes); /* "512 B", "812.4 MiB" */
struct figure figure_rate(uint64_t bps);    /* "812.4 MiB/s" */
/* "34 ms", "3.4 s", "2 min 05 s", "1 h 02 min"; "?" if negative */
struct figure figure_ms(int64_t ms);
/* The same without a fraction: what is left is never known that well. */
struct figure figure_left(int64_t ms);
struct figure figure_in(int64_t ms); /* "in about 2 s", "in under 1 s" */
/* How much of TOTAL is PART: 0 to 100, and 100 only when nothing is missing. */
unsigned percent_of(uint64_t part, uint64_t total);

#endif
