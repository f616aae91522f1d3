/*
 * Which dirty bitmaps travel: what is said, and what both QEMUs are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/preflight-private.h"
#include "good-facts.h"

#define BITMAPS 2

static struct qmp_bitmap bitmap[BITMAPS], there[1];
static char long_name[300];

static void have_bitmaps(struct good_facts *g)
{
    bitmap[0] = (struct qmp_bitmap){ .name = T("daily"), .recording = true };
    bitmap[1] = (struct qmp_bitmap){ .name = T("weekly"),
                                     .recording = true,
                                     .persistent = true };
    g->disk[SOURCE][0].bitmaps =
        (struct qmp_bitmaps){ .count = BITMAPS, .item = bitmap };
    g->disk[DESTINATION][0].node_name = T("other");
    for (int side = 0; side < SIDES; side++) {
        bool *has = g->f.side[side].features.has;

        has[QMP_FEATURE_CAP_DIRTY_BITMAPS] = true;
        has[QMP_FEATURE_PARAM_BLOCK_BITMAP_MAPPING] = true;
    }
}

#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(nothing)
{
    (void)g;
}

SPOIL(none)
{
    g->disk[SOURCE][0].bitmaps.count = 0;
}

SPOIL(busy)
{
    (void)g;
    bitmap[1].busy = true;
}

SPOIL(inconsistent)
{
    (void)g;
    bitmap[0].inconsistent = true;
}

SPOIL(too_long)
{
    (void)g;
    memset(long_name, 'x', 256);
    bitmap[0].name = long_name;
    bitmap[1].name = T("y");
}

SPOIL(there_already)
{
    there[0] = (struct qmp_bitmap){ .name = T("weekly") };
    g->disk[DESTINATION][0].bitmaps =
        (struct qmp_bitmaps){ .count = 1, .item = there };
}

/* a guest that comes back */
SPOIL(stored_there)
{
    static char *item[] = { T("weekly"), T("ancient") };

    g->disk[DESTINATION][0].stored_bitmaps =
        (struct strv){ .count = 2, .item = item };
}

SPOIL(stored_and_busy)
{
    stored_there(g);
    busy(g);
}

SPOIL(stored_and_shared);

SPOIL(too_old)
{
    DST->features.has[QMP_FEATURE_CAP_DIRTY_BITMAPS] = false;
}

SPOIL(no_mapping)
{
    SRC->features.has[QMP_FEATURE_PARAM_BLOCK_BITMAP_MAPPING] = false;
}

SPOIL(not_copied)
{
    g->plan.disks = DISKS_NONE;
}

SPOIL(read_only)
{
    g->disk[SOURCE][0].read_only = g->disk[DESTINATION][0].read_only = true;
}

SPOIL(read_only_and_left)
{
    read_only(g);
    g->plan.disks = DISKS_NONE;
}

SPOIL(shared)
{
    strv_add(&g->plan.shared_ids, "vd0");
    DST->process.place.boot_id[0] = SRC->process.place.boot_id[0];
    g->file[DESTINATION][0] = g->file[SOURCE][0];
}

SPOIL(stored_and_shared)
{
    stored_there(g);
    shared(g);
}

SPOIL(refused)
{
    g->file[SOURCE][0].known = false;
}

SPOIL(elsewhere)
{
    static char *item[] = { T("base (old, older)") };

    none(g);
    SRC->disks.other_bitmaps = one_string(item);
}

SPOIL(raw_there)
{
    g->disk[DESTINATION][0].driver = T("raw");
}

#undef SPOIL

#define OK                                                                     \
    "ok both : the dirty bitmaps of disk vd0 travel along: daily, weekly\n"
#define LEFT(why)                                                              \
    "warning source : the dirty bitmaps of disk vd0 do not travel (daily, "    \
    "weekly): " why
#define OLD(names)                                                             \
    "warning destination : the destination's image of disk vd0 keeps dirty "   \
    "bitmaps of what it held before: " names                                   \
    " | an incremental backup that trusts them may be wrong | remove them "    \
    "with block-dirty-bitmap-remove, or before with qemu-img bitmap "          \
    "--remove\n"
#define FULL " | the next incremental backup has to be a full one"
#define MAPPING(node)                                                          \
    "[{\"node-name\":\"" node "\",\"alias\":\"disk0\",\"bitmaps\":["           \
    "{\"name\":\"daily\",\"alias\":\"daily\"},"                                \
    "{\"name\":\"weekly\",\"alias\":\"weekly\"}]}]"

static const struct bitmaps_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    bool travel;
    const char *said;
} cases[] = {
    { "nothing", nothing, true, OK },
    { "none", none, false, "" },
    { "busy", busy, false,
      LEFT("weekly is in use") FULL
      " | wait until the backup, or whatever uses it, is over\n" },
    { "inconsistent", inconsistent, false,
      LEFT("daily is broken, by a QEMU that did not end well") FULL
      " | remove it with block-dirty-bitmap-remove\n" },
    { "too_long", too_long, false, NULL },
    { "there_already", there_already, false,
      LEFT("weekly is at the destination already") FULL
      " | remove the destination's with block-dirty-bitmap-remove\n" },
    { "stored_there", stored_there, true,
      "ok destination : the destination's image of disk vd0 keeps dirty "
      "bitmaps of those names, of what it held before: weekly; they are "
      "removed as it is overwritten\n" OLD("ancient") OK },
    { "stored_and_busy", stored_and_busy, false,
      OLD("weekly and ancient") LEFT("weekly is in use") FULL
      " | wait until the backup, or whatever uses it, is over\n" },
    { "stored_and_shared", stored_and_shared, true, OK },
    { "too_old", too_old, false,
      LEFT("one of the two QEMUs is too old to carry them") FULL "\n" },
    { "no_mapping", no_mapping, false,
      LEFT("one of the two QEMUs is too old to carry them") FULL "\n" },
    { "not_copied", not_copied, false,
      LEFT("the disk stays behind") FULL "\n" },
    { "read_only", read_only, false, LEFT("the disk is read-only") FULL "\n" },
    { "read_only_and_left", read_only_and_left, false, "" },
    { "shared", shared, true, OK },
    { "refused", refused, false, "" },
    { "elsewhere", elsewhere, false,
      "warning source : dirty bitmaps of a node below a disk, or of no disk, "
      "do not travel: base (old, older) | they end with the source's QEMU, but "
      "for persistent ones of an image that the destination uses too\n" },
    { "raw_there", raw_there, true,
      OK "warning destination : disk vd0 cannot keep its persistent dirty "
         "bitmaps (weekly): the destination's image is raw | they end with "
         "that QEMU | give the destination a qcow2 image\n" },
};

static void is_as_expected(void **state)
{
    static const char *const expected[SIDES] = {
        [SOURCE] = MAPPING("disk0"),
        [DESTINATION] = MAPPING("other"),
    };
    const struct bitmaps_case *c = *state;
    struct verdicts v = { .count = 0 };
    struct good_facts g;
    char *text;

    good_facts_init(&g);
    have_bitmaps(&g);
    c->spoil(&g);
    preflight_bitmaps(&g.f, &v);
    for (size_t i = 0; i < v.count; i++) {
        v.item[i].id = "";
    }
    text = verdicts_as_text(&v, VERDICT_OK);
    if (c->said) {
        assert_string_equal(text, c->said);
    } else {
        assert_non_null(strstr(text, "x has too long a name"));
    }
    free(text);
    for (int side = 0; side < SIDES; side++) {
        char *mapping = preflight_bitmap_mapping(&g.f, (enum side_id)side);

        assert_int_equal(mapping != NULL, c->travel);
        if (c->travel) {
            assert_string_equal(mapping, expected[side]);
        }
        free(mapping);
    }
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
