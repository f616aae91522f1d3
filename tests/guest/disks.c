/*
 * The records that the guest writes to its disks: numbered, checksummed,
 * flushed, and only then acknowledged. tests/live/records.py reads them.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

enum {
    BLOCK = 4096,
    MAX_DISKS = 8,
    MAX_SLOTS = 4096,
};

struct disk {
    int number; /* what records and lines call it */
    int fd;
    uint64_t blocks;
    uint64_t slots;
};

/* The head of a record; the rest of its block is filled from seq. */
struct record {
    char magic[8];
    uint32_t crc; /* of the block, this field being 0 */
    uint32_t disk;
    uint64_t seq;
    uint64_t slot;
};

static struct disk disks[MAX_DISKS];
static int n_disks;

static uint32_t crc_table[256];

/* Before there are threads: each disk has one. */
static void crc32_setup(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc32(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = ~0u;

    while (size--)
        crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
    return ~crc;
}

static void record_fill(uint8_t *block, const struct disk *d, uint64_t seq)
{
    struct record head = {
        .magic = "QMRECORD",
        .disk = (uint32_t)d->number,
        .seq = seq,
        .slot = seq % d->slots,
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

/* Of a binary file, what can be text in it: from SKIP on. */
static bool read_from(const char *path, size_t skip, char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, size - 1, (off_t)skip);

    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    return true;
}

static bool read_text(const char *path, char *text, size_t size)
{
    return read_from(path, 0, text, size);
}

enum { VPD_HEAD = 4 }; /* of a SCSI page: its type and length */

/* Linux finds disks of one SCSI bus in any order: names tell nothing. */
static bool read_serial(const char *name, char *serial, size_t size)
{
    char path[80];

    snprintf(path, sizeof path, "/sys/block/%.30s/serial", name);
    if (read_text(path, serial, size) && serial[0])
        return true;
    snprintf(path, sizeof path, "/sys/block/%.30s/device/vpd_pg80", name);
    return read_from(path, VPD_HEAD, serial, size) && serial[0];
}

/* A disk's number ends its serial ("disk3"); without one, it is its place. */
static int disk_number(const char *name, int place)
{
    char serial[64];

    if (read_serial(name, serial, sizeof serial)) {
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

int disks_setup(void)
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
    return n_disks;
}

void disks_start(void)
{
    crc32_setup();
    for (int i = 0; i < n_disks; i++)
        run(write_records, &disks[i], 0);
}
