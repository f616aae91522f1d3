/*
 * Disks with a backing file: what is chosen, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/preflight-private.h"
#include "good-facts.h"

static void have_backing(struct good_facts *g)
{
    g->plan.disks_sync = DISKS_SYNC_TOP;
    for (int side = 0; side < SIDES; side++) {
        struct qmp_disk *d = &g->disk[side][0];

        d->has_backing = true;
        d->backing_file = T("/images/base.qcow2");
        d->backing_node = T("#block100");
        d->backing_size = 2 * GIB;
    }
}

#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(nothing)
{
    (void)g;
}

SPOIL(full)
{
    g->plan.disks_sync = DISKS_SYNC_FULL;
}

SPOIL(none_at_all)
{
    g->disk[SOURCE][0].has_backing = false;
}

SPOIL(none_and_full)
{
    none_at_all(g);
    full(g);
}

SPOIL(none_there)
{
    g->disk[DESTINATION][0].has_backing = false;
}

SPOIL(longer_there)
{
    g->disk[DESTINATION][0].backing_size += 512;
}

SPOIL(node_unknown)
{
    g->disk[SOURCE][0].backing_node = NULL;
}

SPOIL(shared)
{
    static bool yes[] = { true };

    g->f.backing_shared = yes;
}

SPOIL(read_only)
{
    g->disk[SOURCE][0].read_only = g->disk[DESTINATION][0].read_only = true;
}

SPOIL(not_copied)
{
    g->plan.disks = DISKS_NONE;
}

/* The fault of the mirror's start. */
SPOIL(faulty)
{
    SRC->version = (struct qmp_version){ .major = 10, .minor = 0, .micro = 2 };
}

SPOIL(faulty_stopped)
{
    faulty(g);
    SRC->run_state.running = false;
}

SPOIL(faulty_verified)
{
    faulty(g);
    g->plan.verify = true;
}

SPOIL(faulty_full)
{
    faulty(g);
    full(g);
}

SPOIL(mended)
{
    faulty(g);
    SRC->version.micro = 13;
}

#undef SPOIL

#define ALONE                                                                  \
    "ok both backing: the overlay alone of disk vd0 is copied, once its "      \
    "backing file /images/base.qcow2 was compared with the destination's\n"
#define WHOLE                                                                  \
    "ok both backing: disk vd0 is copied whole: its backing chain is "         \
    "flattened\n"

static const struct backing_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    bool top;
    const char *reason;
    const char *said;
} cases[] = {
    { "nothing", nothing, true,
      "writable, local to each host; its overlay alone", ALONE },
    { "full", full, false,
      "writable, local to each host; its backing chain is flattened", WHOLE },
    { "none_at_all", none_at_all, false, "writable, local to each host",
      "ok source backing: disk vd0 has no backing file, and is copied "
      "whole\n" },
    { "none_and_full", none_and_full, false, "writable, local to each host",
      "" },
    { "none_there", none_there, true,
      "writable, local to each host; its overlay alone",
      "blocker destination backing: disk vd0 has a backing file, and the "
      "destination's image has none | make it an overlay on the same backing "
      "file (qemu-img create -b); or copy the whole disk, with --disks-sync "
      "full\n" },
    { "longer_there", longer_there, true,
      "writable, local to each host; its overlay alone",
      "blocker both backing: the backing file of disk vd0 has 2147483648 "
      "bytes at the source and 2147484160 at the destination | copy the "
      "source's there; or copy the whole disk, with --disks-sync full\n" },
    { "node_unknown", node_unknown, true,
      "writable, local to each host; its overlay alone",
      "blocker source backing: cannot determine which node is the backing "
      "file of disk vd0, so it cannot be compared | copy the whole disk, with "
      "--disks-sync full\n" },
    { "shared", shared, true, NULL,
      "ok both backing: the overlay alone of disk vd0 is copied: its backing "
      "file /images/base.qcow2 is one that both sides use\n" },
    { "read_only", read_only, false, NULL, WHOLE },
    { "not_copied", not_copied, false, "--disks none", "" },
    { "faulty", faulty, true, "writable, local to each host; its overlay alone",
      "blocker source backing: this QEMU loses what the guest writes to disk "
      "vd0 while its overlay's mirror starts | its fault: 8.2 to 10.0.12, "
      "10.1, 10.2.0 and 10.2.1 have it | copy the whole disk, with "
      "--disks-sync full; or stop the guest before, with `stop`; or add "
      "--verify\n" },
    { "faulty_stopped", faulty_stopped, true,
      "writable, local to each host; its overlay alone", ALONE },
    { "faulty_verified", faulty_verified, true,
      "writable, local to each host; its overlay alone",
      "warning source backing: this QEMU may lose what the guest writes to "
      "disk vd0 while its overlay's mirror starts | --verify would find it, "
      "and the guest would stay\n" ALONE },
    { "faulty_full", faulty_full, false,
      "writable, local to each host; its backing chain is flattened", WHOLE },
    { "mended", mended, true, "writable, local to each host; its overlay alone",
      ALONE },
};

static void is_as_expected(void **state)
{
    const struct backing_case *c = *state;
    struct disk_choices choices = { .count = 0 };
    struct verdicts v = { .count = 0 };
    struct good_facts g;
    char *text;

    good_facts_init(&g);
    have_backing(&g);
    c->spoil(&g);
    preflight_choose_disks(&g.f, &choices, NULL);
    assert_int_equal(choices.count, 1);
    assert_int_equal(choices.item[0].top, c->top);
    if (c->reason) {
        assert_string_equal(choices.item[0].reason, c->reason);
    }
    preflight_backing(&g.f, &v);
    verdicts_stamp(&v, 0, "backing");
    text = verdicts_as_text(&v, VERDICT_OK);
    assert_string_equal(text, c->said);
    free(text);
    disk_choices_done(&choices);
    verdicts_done(&v);
    plan_done(&g.plan);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases)];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = is_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
