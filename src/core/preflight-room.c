/*
 * Has the destination's host memory for the guest, and room for its disks?
 *
 * Both may change until they are needed, and a guest seldom uses all of what it
 * has; so this warns, and forbids only what can never fit.
 */
#include <stdlib.h>

#include "core/preflight-private.h"

static unsigned long long in_mib(uint64_t bytes)
{
    return (unsigned long long)(bytes / MIB);
}

/* RAM in a file may lie on huge pages, which are not in these figures. */
static bool ram_is_anonymous(const struct qmp_machine *m)
{
    for (size_t i = 0; i < m->memory_backend_count; i++) {
        if (m->memory_backend[i].file) {
            return false;
        }
    }
    return true;
}

void preflight_memory_room(const struct facts *f, struct verdicts *v)
{
    const struct host_memory *m = &f->side[DESTINATION].memory;
    const struct qmp_machine *machine = &f->side[DESTINATION].machine;
    uint64_t ram = machine->base_memory + machine->plugged_memory;
    uint64_t used = f->side[SOURCE].memory.resident;
    struct verdict *x;

    if (m->total == 0 || !ram_is_anonymous(machine)) {
        return;
    }
    if (used > m->total + m->swap_total) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "the source's QEMU occupies %llu MiB of memory, and "
                          "the destination's host has %llu MiB in all",
                          in_mib(used), in_mib(m->total + m->swap_total));
        verdict_why(x, "that QEMU would be killed for want of memory");
        verdict_fix(x, "choose a host with more memory");
    } else if (ram > m->available + m->resident) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "the guest has %llu MiB of RAM, and the destination's "
                         "host has %llu MiB of memory available, and %llu MiB "
                         "of free swap space",
                         in_mib(ram), in_mib(m->available + m->resident),
                         in_mib(m->swap_free));
        verdict_why(x, "a QEMU for which there is no memory is killed by its "
                       "host, in the middle of the move or after it");
    }
}

/* --- disks ------------------------------------------------------------------- */

static uint64_t more_than(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static const struct disk_room *room_of(const struct facts *f,
                                       const struct disk_choice *c)
{
    const struct disk_room *r = f->side[DESTINATION].disk_room;

    return r && c->copy && c->making == MAKE_NOTHING && r[c->destination].known
               ? &r[c->destination]
               : NULL;
}

/* What the copies up to the I-th still need on its file system. */
static void judge_room(const struct facts *f, const struct disk_choices *c,
                       size_t i, struct verdicts *v)
{
    const struct disk_room *room = room_of(f, &c->item[i]);
    const struct qmp_disk *disk;
    uint64_t certain = 0, possible = 0;
    struct verdict *x;

    if (!room) {
        return;
    }
    for (size_t k = 0; k <= i; k++) {
        const struct disk_room *r = room_of(f, &c->item[k]);

        if (r && r->file_system == room->file_system) {
            disk = &f->side[SOURCE].disks.item[c->item[k].source];
            certain += more_than(disk->allocated, r->occupied);
            possible += more_than(disk->virtual_size, r->occupied);
        }
    }
    disk = &f->side[SOURCE].disks.item[c->item[i].source];
    if (certain > room->free) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "there is hardly room for disk %s: about %llu MiB "
                         "more are needed there, and %llu MiB are free",
                         disk_label(disk), in_mib(certain), in_mib(room->free));
        verdict_why(x, "a full file system ends the copy");
        verdict_fix(x, "make room there before");
    } else if (possible > room->free) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s may outgrow its room: its image can become "
                         "%llu MiB larger, and %llu MiB are free there",
                         disk_label(disk), in_mib(possible),
                         in_mib(room->free));
        verdict_why(x, "a guest that fills it gets I/O errors");
    }
}

void preflight_disk_room(const struct facts *f, struct verdicts *v)
{
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        judge_room(f, &c, i, v);
    }
}
