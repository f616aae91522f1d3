/*
 * The guest of the live tests: the only program of a small Linux.
 *
 * It says everything through isa-debugcon (port 0xe9), which has neither
 * state nor interrupt that a migration could lose, and is told everything
 * through the serial port, which it polls for the same reason. What it says
 * is timed by whoever listens, not by the guest.
 *
 * Output: '.' each millisecond, anywhere, also within a line; apart from
 * that, lines (DISK and the rest are decimal numbers):
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
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    DEBUGCON = 0xe9,
    UART_DATA = 0x3f8,
    UART_STATUS = 0x3fd,
    UART_READY = 1,

    BLOCK = 4096,
    PAGE = 4096,
    PAGE_WORDS = PAGE / 8,
    WORD_STEP = 8,                  /* one word checked in each 64 bytes */
    MAX_DISKS = 8,
    MAX_SLOTS = 4096,
    PAGES_PER_MIB = 256,
    TICK_US = 2000,
};

struct disk {
    int number;                     /* what records and lines call it */
    int fd;
    uint64_t blocks;
    uint64_t slots;
};

/* The head of a record; the rest of its block is filled from seq. */
struct record {
    char magic[8];
    uint32_t crc;                   /* of the block, this field being 0 */
    uint32_t disk;
    uint64_t seq;
    uint64_t slot;
};

/* Set by commands, read by the workers. */
static atomic_long mem_rate;        /* MiB/s */
static atomic_long hot_mib;
static atomic_long disk_rate;       /* records a second on each disk */

static struct disk disks[MAX_DISKS];
static int n_disks;

static uint64_t (*memory)[PAGE_WORDS];
static uint32_t *generation;        /* what each page was last written with */
static long n_pages;

static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

static void sleep_us(long us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- saying ---- */

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
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

static void fatal(const char *what)
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
        sleep_us(1000);
    }
    return NULL;
}

/* ---- memory ---- */

static uint64_t page_word(long page, uint32_t gen, int word)
{
    uint64_t seed = ((uint64_t)page << 32 | gen) * 0x9e3779b97f4a7c15u;

    return seed ^ ((uint64_t)word * 0xff51afd7ed558ccdu);
}

static void page_write(long page, uint32_t gen)
{
    for (int i = 0; i < PAGE_WORDS; i += WORD_STEP)
        memory[page][i] = page_word(page, gen, i);
    generation[page] = gen;
}

static bool page_check(long page)
{
    for (int i = 0; i < PAGE_WORDS; i += WORD_STEP) {
        uint64_t want = page_word(page, generation[page], i);

        if (memory[page][i] != want) {
            say("x %ld %016llx %016llx", page, (unsigned long long)want,
                (unsigned long long)memory[page][i]);
            return false;
        }
    }
    return true;
}

/*
 * Dirties the hot set, in order and at the set rate, and meanwhile walks over
 * all of the memory to see whether every page holds what was written last.
 */
static void *mind_memory(void *unused)
{
    int64_t last = now_us(), pass_at = 0;
    long next = 0, checked = 0, pass = 0, errors = 0;
    double due = 0;

    (void)unused;
    for (;;) {
        long rate = mem_rate, hot = hot_mib * PAGES_PER_MIB;
        int64_t now;

        sleep_us(TICK_US);
        now = now_us();
        due += (double)rate * PAGES_PER_MIB * (double)(now - last) / 1e6;
        last = now;
        if (due > 2.0 * (double)hot)        /* cannot keep up: do not owe */
            due = 2.0 * (double)hot;
        if (hot > n_pages)
            hot = n_pages;
        for (; due >= 1 && hot > 0; due--, next++) {
            next %= hot;
            errors += !page_check(next);
            page_write(next, generation[next] + 1);
        }
        if (checked == 0 && now < pass_at)
            continue;
        if (checked == 0)
            say("m %ld", pass);
        for (int i = 0; i < 64 && checked < n_pages; i++, checked++)
            errors += !page_check(checked);
        if (checked == n_pages) {
            say("M %ld %ld", pass++, errors);
            checked = 0;
            pass_at = now + 100000;
        }
    }
    return NULL;
}

static void memory_setup(long mib)
{
    n_pages = mib * PAGES_PER_MIB;
    memory = mmap(NULL, (size_t)n_pages * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    generation = calloc((size_t)n_pages, sizeof *generation);
    if (memory == MAP_FAILED || !generation)
        fatal("memory");
    for (long i = 0; i < n_pages; i++)
        page_write(i, 1);
}

/* ---- disks ---- */

static uint32_t crc32(const void *data, size_t size)
{
    static uint32_t table[256];
    const uint8_t *p = data;
    uint32_t crc = ~0u;

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;

            for (int k = 0; k < 8; k++)
                c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
            table[i] = c;
        }
    }
    while (size--)
        crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
    return ~crc;
}

static void record_fill(uint8_t *block, const struct disk *d, uint64_t seq)
{
    struct record head = {
        .magic = "QMRECORD", .disk = (uint32_t)d->number,
        .seq = seq, .slot = seq % d->slots,
    };

    memset(block, (int)(seq % 251 + 1), BLOCK);
    memcpy(block, &head, sizeof head);
    head.crc = crc32(block, BLOCK);
    memcpy(block, &head, sizeof head);
}

static void *write_records(void *arg)
{
    struct disk *d = arg;
    uint8_t *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int64_t next = 0;

    if (block == MAP_FAILED)
        fatal("record");
    for (uint64_t seq = 1;;) {
        long rate = disk_rate;
        int64_t now = now_us();
        off_t at;

        if (rate <= 0) {
            sleep_us(5000);
            continue;
        }
        if (now < next)
            sleep_us((long)(next - now));
        next = (now > next ? now : next) + 1000000 / rate;

        record_fill(block, d, seq);
        at = (off_t)(seq % d->slots * (d->blocks / d->slots) * BLOCK);
        if (pwrite(d->fd, block, BLOCK, at) != BLOCK || fdatasync(d->fd) < 0) {
            say("e %d %d", d->number, errno);
            sleep_us(100000);
            continue;
        }
        say("a %d %llu", d->number, (unsigned long long)seq++);
    }
    return NULL;
}

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

/* A disk's number ends its serial ("disk3"); without one, it is its place. */
static int disk_number(const char *name, int place)
{
    char path[80], serial[64];

    snprintf(path, sizeof path, "/sys/block/%.30s/serial", name);
    if (read_text(path, serial, sizeof serial) && serial[0]) {
        size_t n = strcspn(serial, "0123456789");

        if (serial[n])
            return atoi(serial + n);
    }
    return place;
}

static int is_disk(const struct dirent *e)
{
    return !strncmp(e->d_name, "vd", 2) || !strncmp(e->d_name, "sd", 2);
}

static void disks_setup(void)
{
    struct dirent **names;
    int n = scandir("/sys/block", &names, is_disk, alphasort);

    for (int i = 0; i < n && n_disks < MAX_DISKS; i++) {
        struct disk *d = &disks[n_disks];
        char path[80], text[64];

        snprintf(path, sizeof path, "/sys/block/%.30s/ro", names[i]->d_name);
        if (!read_text(path, text, sizeof text) || atoi(text))
            continue;
        snprintf(path, sizeof path, "/sys/block/%.30s/size", names[i]->d_name);
        if (!read_text(path, text, sizeof text))
            continue;
        d->blocks = strtoull(text, NULL, 10) / (BLOCK / 512);
        d->slots = d->blocks < MAX_SLOTS ? d->blocks : MAX_SLOTS;
        d->number = disk_number(names[i]->d_name, i);
        snprintf(path, sizeof path, "/dev/%.30s", names[i]->d_name);
        d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
        if (d->fd < 0 || d->slots == 0)
            fatal(path);
        say("disk %d %llu %llu", d->number, (unsigned long long)d->blocks,
            (unsigned long long)d->slots);
        n_disks++;
    }
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
            sleep_us(2000);
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

static void run(void *(*work)(void *), void *arg, int priority)
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
    disks_setup();
    mem_rate = setting("guest_mem_rate", 0);
    hot_mib = setting("guest_hot", 8);
    disk_rate = setting("guest_disk_rate", 0);
    say("ready %d", n_disks);

    run(beat, NULL, 50);
    run(mind_memory, NULL, 0);
    for (int i = 0; i < n_disks; i++)
        run(write_records, &disks[i], 0);
    listen_for_ever();
}
