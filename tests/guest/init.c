/*
 * The guest of the live tests: the only program of a small Linux.
 *
 * It says everything through isa-debugcon (port 0xe9), which has neither
 * state nor interrupt that a migration could lose, and is told everything
 * through the serial port, which it polls for the same reason. What it says
 * is timed by whoever listens, not by the guest.
 *
 * Its kernel's command line may set guest_mem (MiB that are minded), what is
 * else commanded (guest_mem_rate, guest_hot, guest_disk_rate) and guest_pace:
 * with 5 it beats, looks and listens a fifth as often, and needs a third less
 * of the host's CPU.
 *
 * Output: '.' each millisecond (times guest_pace), anywhere, also within a
 * line; apart from that, lines (DISK and the rest are decimal numbers):
 *
 *   disk DISK BLOCKS SLOTS      a disk was found, with its geometry
 *   ready DISKS                 all is set up; nothing is written yet
 *   a DISK SEQ                  record SEQ is on the disk, flushed
 *   e DISK ERRNO                a write or flush failed
 *   m PASS / M PASS ERRORS      a check of the whole memory began / ended
 *   x PAGE EXPECTED FOUND       a page does not hold what was written last
 *   pong TOKEN                  answer to ping
 *   load ...                    answer to mem and disk
 *   fatal TEXT ERRNO            the guest gives up
 *
 * Input, one command a line:
 *
 *   mem MIB_PER_S HOT_MIB       dirty memory at this rate, in a hot set
 *   disk PER_S                  records a second on each disk
 *   ping TOKEN
 *   off | panic | reboot
 *
 * A record is one block of 4 KiB at slot SEQ % SLOTS, slots spread evenly
 * over the disk; tests/live/records.py reads them.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

enum {
    DEBUGCON = 0xe9,
    UART_DATA = 0x3f8,
    UART_STATUS = 0x3fd,
    UART_READY = 1,
};

long pace = 1;
atomic_long mem_rate;
atomic_long hot_mib;
atomic_long disk_rate;

static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

void sleep_us(long us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- saying ---- */

void say(const char *format, ...)
{
    char line[200];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);

    pthread_mutex_lock(&line_lock);
    for (char *p = line; *p; p++)
        outb((unsigned char)*p, DEBUGCON);
    outb('\n', DEBUGCON);
    pthread_mutex_unlock(&line_lock);
}

void fatal(const char *what)
{
    say("fatal %s %d", what, errno);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static void *beat(void *unused)
{
    (void)unused;
    for (;;) {
        outb('.', DEBUGCON);
        sleep_us(1000 * pace);
    }
    return NULL;
}

/* ---- being told ---- */

static void obey(char *line)
{
    long a, b;

    if (sscanf(line, "mem %ld %ld", &a, &b) == 2) {
        hot_mib = b;
        mem_rate = a;
        say("load mem %ld %ld", a, b);
    } else if (sscanf(line, "disk %ld", &a) == 1) {
        disk_rate = a;
        say("load disk %ld", a);
    } else if (!strncmp(line, "ping ", 5)) {
        say("pong %s", line + 5);
    } else if (!strcmp(line, "off")) {
        reboot(RB_POWER_OFF);
    } else if (!strcmp(line, "reboot")) {
        reboot(RB_AUTOBOOT);
    } else if (!strcmp(line, "panic")) {
        int fd = open("/proc/sysrq-trigger", O_WRONLY);

        if (fd < 0 || write(fd, "c", 1) != 1)
            fatal("panic");
    } else {
        say("unknown %s", line);
    }
}

static void listen_for_ever(void)
{
    char line[100];
    size_t n = 0;

    for (;;) {
        char c;

        if (!(inb(UART_STATUS) & UART_READY)) {
            sleep_us(n > 0 ? 2000 : 4000 * pace);
            continue;
        }
        c = (char)inb(UART_DATA);
        if (c == '\n') {
            line[n] = '\0';
            n = 0;
            obey(line);
        } else if (n < sizeof line - 1) {
            line[n++] = c;
        }
    }
}

/* ---- start ---- */

static void load_modules(void)
{
    struct dirent **names;
    int n = scandir("/modules", &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char path[300];
        int fd;

        if (names[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
            fatal(path);
        close(fd);
    }
}

void run(void *(*work)(void *), void *arg, int priority)
{
    struct sched_param param = { .sched_priority = priority };
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    if (priority) {
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        pthread_attr_setschedparam(&attr, &param);
    }
    errno = pthread_create(&thread, &attr, work, arg);
    if (errno)
        fatal("thread");
    pthread_attr_destroy(&attr);
}

/* A number from the kernel's command line, which becomes our environment. */
static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);

    return value ? atol(value) : otherwise;
}

int main(void)
{
    int n_disks;

    if (iopl(3) < 0)
        reboot(RB_POWER_OFF);
    mkdir("/dev", 0755);
    mkdir("/sys", 0755);
    mkdir("/proc", 0755);
    if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 ||
        mount("sys", "/sys", "sysfs", 0, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, NULL) < 0)
        fatal("mount");
    load_modules();
    memory_setup(setting("guest_mem", 32));
    n_disks = disks_setup();
    pace = setting("guest_pace", 1);
    mem_rate = setting("guest_mem_rate", 0);
    hot_mib = setting("guest_hot", 8);
    disk_rate = setting("guest_disk_rate", 0);
    say("ready %d", n_disks);

    run(beat, NULL, 50);
    memory_start();
    disks_start();
    listen_for_ever();
}
