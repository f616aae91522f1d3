/*
 * What the parts of the guest share: saying, time, and what was commanded.
 */

#ifndef GUEST_H
#define GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern long pace; /* all that is done in steps: in so much longer ones */

/* Set by commands, read by the workers. */
extern atomic_long mem_rate; /* MiB/s */
extern atomic_long hot_mib;
extern atomic_long disk_rate; /* records a second on each disk */

/* Says one line through the debugcon; the newline is added. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Says so, with errno, and powers off. */
__attribute__((noreturn)) void fatal(const char *what);

void sleep_us(long us);
int64_t now_us(void);

/* Starts a thread; a priority above 0 is one of SCHED_FIFO. */
void run(void *(*work)(void *), void *arg, int priority);

/* Fills mib MiB with what can be checked, and starts to mind them. */
void memory_setup(long mib);
void memory_start(void);

/* Finds and opens the writable disks, says each, and returns how many; then
 * starts a writer on each. */
int disks_setup(void);
void disks_start(void);

#endif
