/*
 * Which disk of the destination is the same device as one of the source.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "core/preflight-private.h"
#include "good-facts.h"

#define ANON "/machine/peripheral-anon/device"

/* One disk: its device, which is onboard if the path is "". */
struct one {
    const char *path, *id, *type, *address, *node, *drive;
};

struct pairs_case {
    const char *name;
    struct one source[3], destination[3];
    const char *expected; /* "1 0": indices + 1, 0 none */
    const char *blocked;  /* the words of a blocker, or NULL */
};

#define VIRTIO(n, address, node)                                               \
    {                                                                          \
        ANON "[" n "]", NULL, "virtio-blk-pci", address, node, ""              \
    }
#define WITH_ID(id, node)                                                      \
    {                                                                          \
        "/machine/peripheral/" id, id, "virtio-blk-pci", "pcie.0 05.0", node,  \
            ""                                                                 \
    }
#define ONBOARD(place, drive)                                                  \
    {                                                                          \
        "", NULL, "ide-hd", place, "#block1", drive                            \
    }

static const struct pairs_case cases[] = {
    { .name = "anonymous, listed the other way round",
      .source = { VIRTIO("0", "pcie.0 04.0", "d0"),
                  VIRTIO("1", "pcie.0 05.0", "d1") },
      .destination = { VIRTIO("0", "pcie.0 05.0", "d1"),
                       VIRTIO("1", "pcie.0 04.0", "d0") },
      .expected = "2 1 " },
    { .name = "names say otherwise",
      .source = { VIRTIO("0", "pcie.0 04.0", "d0"),
                  VIRTIO("1", "pcie.0 05.0", "d1") },
      .destination = { VIRTIO("0", "pcie.0 04.0", "d1"),
                       VIRTIO("1", "pcie.0 05.0", "d0") },
      .expected = "1 2 ",
      .blocked = "disk d0: the same device of the destination uses node d1" },
    { .name = "other names prove nothing",
      .source = { VIRTIO("0", "pcie.0 04.0", "d0") },
      .destination = { VIRTIO("0", "pcie.0 04.0", "x0") },
      .expected = "1 " },
    { .name = "automatic names prove nothing",
      .source = { VIRTIO("0", "pcie.0 04.0", "#block1"),
                  VIRTIO("1", "pcie.0 05.0", "#block2") },
      .destination = { VIRTIO("0", "pcie.0 04.0", "#block2"),
                       VIRTIO("1", "pcie.0 05.0", "#block1") },
      .expected = "1 2 " },
    { .name = "another address, whatever the name and the path",
      .source = { VIRTIO("0", "pcie.0 04.0", "d0") },
      .destination = { VIRTIO("0", "pcie.0 05.0", "d0") },
      .expected = "0 ",
      .blocked = "disk d0 has no counterpart" },
    { .name = "several of one type and address",
      .source = { VIRTIO("0", "[pcie.0 07.0]", "d0"),
                  VIRTIO("1", "[pcie.0 07.0]", "d1") },
      .destination = { VIRTIO("0", "[pcie.0 07.0]", "d0"),
                       VIRTIO("1", "[pcie.0 07.0]", "d1") },
      .expected = "0 0 ",
      .blocked = "disk d0 has no counterpart" },
    { .name = "an address that is not known",
      .source = { VIRTIO("0", NULL, "d0") },
      .destination = { VIRTIO("0", NULL, "d0") },
      .expected = "0 " },
    { .name = "ids, listed the other way round",
      .source = { WITH_ID("a", "d0"), WITH_ID("b", "d1") },
      .destination = { WITH_ID("b", "d1"), WITH_ID("a", "d0") },
      .expected = "2 1 " },
    { .name = "ids, and names that say otherwise",
      .source = { WITH_ID("a", "d0"), WITH_ID("b", "d1") },
      .destination = { WITH_ID("a", "d1"), WITH_ID("b", "d0") },
      .expected = "1 2 ",
      .blocked = "disk a: the same device of the destination uses node d1" },
    { .name = "an id that the other side lacks: by name, for the words",
      .source = { WITH_ID("a", "d0") },
      .destination = { WITH_ID("z", "d0") },
      .expected = "1 " },
    { .name = "a part of a device",
      .source = { { ANON "[0]/scsi.0/legacy[0]", NULL, "usb-storage",
                    "[pcie.0 07.0] port 1", "d0", "" },
                  { ANON "[1]/scsi.1/legacy[0]", NULL, "usb-storage",
                    "[pcie.0 07.0] port 2", "d1", "" } },
      .destination = { { ANON "[0]/scsi.0/legacy[0]", NULL, "usb-storage",
                         "[pcie.0 07.0] port 2", "d1", "" },
                       { ANON "[1]/scsi.1/legacy[0]", NULL, "usb-storage",
                         "[pcie.0 07.0] port 1", "d0", "" } },
      .expected = "2 1 " },
    { .name = "onboard, with drives named the other way round",
      .source = { ONBOARD("ide.0 unit 0", "x"), ONBOARD("ide.0 unit 1", "y") },
      .destination = { ONBOARD("ide.0 unit 1", "x"),
                       ONBOARD("ide.0 unit 0", "y") },
      .expected = "2 1 ",
      .blocked = "disk x: the same device of the destination uses drive y" },
    { .name = "onboard, elsewhere",
      .source = { ONBOARD("ide.0 unit 0", "x") },
      .destination = { ONBOARD("ide.1 unit 0", "x") },
      .expected = "0 ",
      .blocked = "disk x has no counterpart" },
    { .name = "onboard, of a bus without places",
      .source = { ONBOARD(NULL, "sd0") },
      .destination = { ONBOARD(NULL, "sd0") },
      .expected = "1 " },
};

static void add(struct good_facts *g, enum side_id side, const struct one *o,
                size_t i)
{
    struct qmp_machine *m = &g->f.side[side].machine;
    bool onboard = o->path[0] == '\0';
    char *slash = onboard ? NULL : strchr(o->path, ']');

    g->disk[side][i] = g->disk[side][0];
    g->disk[side][i].qdev = T(onboard ? o->drive : o->id ? o->id : o->path);
    g->disk[side][i].qom_path = T(o->path);
    g->disk[side][i].onboard_type = T(onboard ? o->type : NULL);
    g->disk[side][i].onboard_place = T(onboard ? o->address : NULL);
    g->disk[side][i].node_name = T(o->node);
    g->disk[side][i].device = T(o->drive);
    g->file[side][i] = g->file[side][0];
    g->file[side][i].inode += i;
    g->f.side[side].disks.count = i + 1;
    if (onboard) {
        return;
    }
    g->device[side][m->device_count++] = (struct qmp_device){
        .path = slash ? xstrndup(o->path, (size_t)(slash + 1 - o->path))
                      : xstrdup(o->path),
        .id = T(o->id),
        .type = T(o->type),
        .address = T(o->address),
    };
}

static void is_as_expected(void **state)
{
    const struct pairs_case *c = *state;
    CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
    CLEANUP_FREE char *text = NULL;
    CLEANUP(disk_choices_done) struct disk_choices choices = { .count = 0 };
    struct good_facts g;
    struct buffer found = { .len = 0 };
    size_t *counterpart;

    good_facts_init(&g);
    for (int side = 0; side < SIDES; side++) {
        const struct one *o = side == SOURCE ? c->source : c->destination;

        g.f.side[side].machine.device_count = 0;
        for (size_t i = 0; i < 3 && o[i].path; i++) {
            add(&g, (enum side_id)side, &o[i], i);
        }
    }
    counterpart = facts_counterparts(&g.f);
    for (size_t i = 0; i < g.f.side[SOURCE].disks.count; i++) {
        buffer_printf(&found, "%zu ", counterpart[i]);
    }
    assert_string_equal(found.data, c->expected);
    preflight_choose_disks(&g.f, &choices, &v);
    text = verdicts_as_text(&v, VERDICT_BLOCKER);
    if (c->blocked) {
        assert_non_null(strstr(text, c->blocked));
    } else if (!strchr(c->expected, '0')) {
        assert_string_equal(text, "");
    }
    free(counterpart);
    buffer_done(&found);
    for (int side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < g.f.side[side].machine.device_count; i++) {
            free(g.device[side][i].path);
        }
    }
    plan_done(&g.plan);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases)];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = is_as_expected,
            .initial_state = (void *)(uintptr_t)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
