/*
 * Memory for the guest, and room for its disks, at the destination.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/host-private.h"
#include "core/preflight-private.h"
#include "good-facts.h"

static void answers_are_parsed(void **state)
{
    static const char text[] = "MemTotal: 1000\nMemAvailable: 400\n"
                               "SwapTotal: 20\nSwapFree: 10\nVmRSS: 30\n"
                               "paths\n5 8 512 100 4096\n-\n";
    const char *const paths[] = { "/a", "", "/b", "/c" };
    struct host_memory m = { .total = 0 };
    struct disk_room r[4] = { { .known = false } };

    (void)state;
    room_parse(text, paths, 4, &m, r);
    assert_int_equal(m.total, 1000 * KIB);
    assert_int_equal(m.available, 400 * KIB);
    assert_int_equal(m.swap_total, 20 * KIB);
    assert_int_equal(m.swap_free, 10 * KIB);
    assert_int_equal(m.resident, 30 * KIB);
    assert_true(r[0].known);
    assert_int_equal(r[0].file_system, 5);
    assert_int_equal(r[0].occupied, 4096);
    assert_int_equal(r[0].free, 409600);
    assert_false(r[1].known);
    assert_false(r[2].known);
    assert_false(r[3].known);
    room_parse("", paths, 4, &m, r);
    room_parse("paths", paths, 4, &m, r);
}

static struct disk_room room;

static void init(struct good_facts *g)
{
    good_facts_init(g);
    room = (struct disk_room){
        .known = true, .file_system = 1, .occupied = 1 * MIB, .free = 100 * GIB
    };
    g->disk[SOURCE][0].allocated = 20 * MIB;
    g->disk[SOURCE][0].virtual_size = 64 * MIB;
    g->disk[DESTINATION][0].virtual_size = 64 * MIB;
    DST->disk_room = &room;
    DST->memory =
        (struct host_memory){ .total = 16 * GIB, .available = 8 * GIB };
}

static void expect(struct good_facts *g, preflight_check *judge,
                   enum verdict_level level, const char *what)
{
    struct verdicts v = { .count = 0 };

    judge(&g->f, &v);
    assert_int_equal(v.count, what != NULL);
    if (what) {
        assert_int_equal(v.item[0].level, level);
        assert_string_equal(v.item[0].what, what);
    }
    verdicts_done(&v);
}

static void memory_is_judged(void **state)
{
    struct good_facts g;

    (void)state;
    init(&g);
    expect(&g, preflight_memory_room, VERDICT_OK, NULL);
    g.f.side[DESTINATION].memory.available = 3 * GIB;
    g.f.side[DESTINATION].memory.resident = 512 * MIB;
    g.f.side[DESTINATION].memory.swap_free = 7 * MIB;
    expect(&g, preflight_memory_room, VERDICT_WARNING,
           "the guest has 4096 MiB of RAM, and the destination's host has "
           "3584 MiB of memory available, and 7 MiB of free swap space");
    g.f.side[DESTINATION].memory.resident = 1 * GIB;
    expect(&g, preflight_memory_room, VERDICT_OK, NULL);
    g.f.side[SOURCE].memory.resident = 17 * GIB;
    expect(&g, preflight_memory_room, VERDICT_BLOCKER,
           "the source's QEMU occupies 17408 MiB of memory, and the "
           "destination's host has 16384 MiB in all");
    g.backend[DESTINATION][0].file = (char *)"/dev/hugepages";
    expect(&g, preflight_memory_room, VERDICT_OK, NULL);
    g.backend[DESTINATION][0].file = NULL;
    g.f.side[DESTINATION].memory.total = 0;
    expect(&g, preflight_memory_room, VERDICT_OK, NULL);
    plan_done(&g.plan);
}

static void room_is_judged(void **state)
{
    struct good_facts g;

    (void)state;
    init(&g);
    expect(&g, preflight_disk_room, VERDICT_OK, NULL);
    room.free = 63 * MIB;
    expect(&g, preflight_disk_room, VERDICT_OK, NULL);
    room.free = 40 * MIB;
    expect(&g, preflight_disk_room, VERDICT_WARNING,
           "disk vd0 may outgrow its room: its image can become 63 MiB "
           "larger, and 40 MiB are free there");
    room.free = 10 * MIB;
    expect(&g, preflight_disk_room, VERDICT_WARNING,
           "there is hardly room for disk vd0: about 19 MiB more are needed "
           "there, and 10 MiB are free");
    room.occupied = 64 * MIB;
    expect(&g, preflight_disk_room, VERDICT_OK, NULL);
    room.known = false;
    expect(&g, preflight_disk_room, VERDICT_OK, NULL);
    plan_done(&g.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_parsed),
        cmocka_unit_test(memory_is_judged),
        cmocka_unit_test(room_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
