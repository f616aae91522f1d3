/*
 * What an image has beside what the guest sees: internal snapshots that stay
 * behind, and encryption at rest.
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

static char *some[] = { T("clean"), T("before") };
static char *lower[] = { T("old of /images/base.qcow2") };

#define A (&g->disk[SOURCE][0])
#define B (&g->disk[DESTINATION][0])
#define SPOIL(name) static void name(struct good_facts *g)

SPOIL(nothing)
{
    (void)g;
}

SPOIL(snapshots)
{
    A->snapshots = (struct strv){ .count = 2, .item = some };
}

SPOIL(dropped)
{
    snapshots(g);
    g->plan.drop_snapshots = true;
}

SPOIL(below)
{
    A->has_backing = true;
    A->chain_snapshots = one_string(lower);
}

SPOIL(below_the_overlay)
{
    below(g);
    g->plan.disks_sync = DISKS_SYNC_TOP;
}

SPOIL(not_copied)
{
    snapshots(g);
    A->is_encrypted = true;
    g->plan.disks = DISKS_NONE;
}

SPOIL(there)
{
    B->snapshots = (struct strv){ .count = 2, .item = some };
}

SPOIL(lost)
{
    A->is_encrypted = true;
}

SPOIL(lost_below)
{
    A->chain_is_encrypted = true;
}

SPOIL(allowed)
{
    lost(g);
    strv_add(&g->plan.unencrypted_ids, "vd0");
}

SPOIL(another_allowed)
{
    lost(g);
    strv_add(&g->plan.unencrypted_ids, "vd7");
}

SPOIL(kept)
{
    lost(g);
    B->is_encrypted = true;
}

/* what is written there is in clear all the same */
SPOIL(only_below_there)
{
    lost(g);
    B->chain_is_encrypted = true;
}

SPOIL(gained)
{
    B->is_encrypted = true;
}

SPOIL(flash)
{
    A->is_pflash = B->is_pflash = true;
    A->is_encrypted = true;
}

#undef SPOIL

#define STAY                                                                   \
    " | a mirror copies what the guest sees now, and they would stay behind "  \
    "in the source's image | say --drop-snapshots to leave them there, or "    \
    "copy the image file while the guest is shut down\n"
#define LOST                                                                   \
    "blocker destination : disk vd0 is encrypted at the source, and the "      \
    "destination's image is not | whoever can read that image could read the " \
    "guest's data | give the destination an encrypted image, or allow it "     \
    "with --allow-unencrypted-destination vd0\n"

static const struct at_rest_case {
    const char *name;
    void (*spoil)(struct good_facts *g);
    const char *said, *snapshots, *encryption;
} cases[] = {
    { "nothing", nothing, "", NULL, NULL },
    { "snapshots", snapshots,
      "blocker source : the internal snapshots of disk vd0 cannot travel: "
      "clean, before" STAY,
      "clean, before", NULL },
    { "dropped", dropped,
      "warning source : the internal snapshots of disk vd0 stay behind, in "
      "the source's image: clean, before | the guest cannot go back to them "
      "at the destination\n",
      "clean, before", NULL },
    { "below", below,
      "blocker source : the internal snapshots of disk vd0 cannot travel: "
      "old of /images/base.qcow2" STAY,
      "old of /images/base.qcow2", NULL },
    { "below_the_overlay", below_the_overlay, "", NULL, NULL },
    { "not_copied", not_copied, "", NULL, NULL },
    { "there", there,
      "warning destination : the destination's image of disk vd0 has internal "
      "snapshots already: clean, before | they stay, and hold what the image "
      "held before | delete them with qemu-img snapshot -d before the "
      "destination is started, if they are of no use\n",
      NULL, NULL },
    { "lost", lost, LOST, NULL, "lost" },
    { "lost_below", lost_below, LOST, NULL, "lost" },
    { "allowed", allowed,
      "warning destination : disk vd0 is encrypted at the source, and the "
      "destination's image is not, as you allowed | whoever can read that "
      "image can read the guest's data\n",
      NULL, "lost" },
    { "another_allowed", another_allowed,
      LOST "blocker source : --allow-unencrypted-destination names vd7, which "
           "is not a disk of the source | the source's disks are vd0\n",
      NULL, "lost" },
    { "kept", kept, "ok both : disk vd0 is encrypted on both sides\n", NULL,
      "kept" },
    { "only_below_there", only_below_there, LOST, NULL, "lost" },
    { "gained", gained,
      "ok both : disk vd0 is encrypted at the destination, and not at the "
      "source\n",
      NULL, "gained" },
    { "flash", flash, LOST, NULL, "lost" },
};

static void is_as_expected(void **state)
{
    const struct at_rest_case *c = *state;
    struct disk_choices choices = { .count = 0 };
    struct verdicts v = { .count = 0 };
    struct good_facts g;
    char *text;

    good_facts_init(&g);
    c->spoil(&g);
    preflight_snapshots(&g.f, &v);
    preflight_encryption(&g.f, &v);
    for (size_t i = 0; i < v.count; i++) {
        v.item[i].id = "";
    }
    text = verdicts_as_text(&v, VERDICT_OK);
    assert_string_equal(text, c->said);
    free(text);
    verdicts_done(&v);
    preflight_choose_disks(&g.f, &choices, NULL);
    text = disk_choice_snapshots(&g.f, &choices.item[0]);
    assert_string_equal(text ? text : "-", c->snapshots ? c->snapshots : "-");
    free(text);
    text = (char *)disk_choice_encryption(&g.f, &choices.item[0]);
    assert_string_equal(text ? text : "-", c->encryption ? c->encryption : "-");
    disk_choices_done(&choices);
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
