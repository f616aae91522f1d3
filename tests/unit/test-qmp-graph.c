/*
 * What a disk stands on, as QEMU 7.2.22 and 10.0.2 tell it: nodes, who lies
 * below whom, and which bytes of what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <json-c/json.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "fake-qmp.h"
#include "qmp/parse.h"

static void print_parts(struct buffer *b, const struct qmp_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct qmp_part *p = &parts->item[i];

        buffer_printf(b, "%s %s %s %s%s", p->role, p->driver, p->filename,
                      p->is_written ? "w" : "r", p->is_top ? " top" : "");
        if (p->start || p->end != UINT64_MAX) {
            buffer_printf(b, " %llu-%llu", (unsigned long long)p->start,
                          (unsigned long long)p->end);
        }
        buffer_printf(b, "\n");
    }
}

/* Of the disk whose top node is "top"; QEMU told NODES and GRAPH. */
static char *print(const char *nodes, const char *graph)
{
    CLEANUP(qmp_disks_done)
    struct qmp_disks disks = {
        .count = 1,
        .item = xcalloc(1, sizeof(struct qmp_disk)),
    };
    struct json_object *a = fake_json(nodes);
    struct json_object *b = graph ? fake_json(graph) : NULL;
    struct buffer out = { .len = 0 };

    disks.item[0].node_name = xstrdup("top");
    graph_parse(a, b, &disks);
    buffer_printf(&out, "%s%s\n",
                  disks.item[0].form ? disks.item[0].form : "nothing",
                  disks.item[0].graph_known ? "" : " unknown");
    print_parts(&out, &disks.item[0].parts);
    if (disks.loose.count) {
        buffer_printf(&out, "loose:\n");
        print_parts(&out, &disks.loose);
    }
    json_object_put(a);
    json_object_put(b);
    return out.data;
}

#define NODE(name, drv, file)                                                  \
    "{'node-name': '" name "', 'drv': '" drv "', 'file': '" file "'}"
#define CHILD(name, drv, file, child, below)                                   \
    "{'node-name': '" name "', 'drv': '" drv "', 'file': '" file               \
    "', 'children': [{'child': '" child "', 'node-name': '" below "'}]}"
#define LEAF(name, drv, file)                                                  \
    "{'node-name': '" name "', 'drv': '" drv "', 'file': '" file               \
    "', 'children': []}"
/* What raw calls itself where it has an offset or a size. */
#define SLICE(options)                                                         \
    "json:{\\\"driver\\\": \\\"raw\\\", " options                              \
    ", \\\"file\\\": {\\\"driver\\\": \\\"file\\\"}}"

static const struct graph_case {
    const char *name, *nodes, *graph, *expected;
} cases[] = {
    { "plain",
      "[" CHILD("top", "raw", "/a", "file", "f") "," LEAF("f", "file",
                                                          "/a") "]",
      NULL, "0\nimage file /a w top\n" },
    { "chain",
      "[" NODE("b", "raw", "/base") "," NODE("bf", "file", "/base") "," NODE(
          "top", "qcow2", "/top") "," NODE("tf", "file", "/top") "]",
      "{'nodes': [{'id': 1, 'type': 'block-driver', 'name': 'b'},"
      " {'id': 2, 'type': 'block-driver', 'name': 'bf'},"
      " {'id': 3, 'type': 'block-driver', 'name': 'top'},"
      " {'id': 4, 'type': 'block-driver', 'name': 'tf'},"
      " {'id': 5, 'type': 'block-backend', 'name': 'vd0'}],"
      " 'edges': [{'parent': 5, 'child': 3, 'name': 'root'},"
      " {'parent': 3, 'child': 4, 'name': 'file'},"
      " {'parent': 3, 'child': 1, 'name': 'backing'},"
      " {'parent': 1, 'child': 2, 'name': 'file'}]}",
      "qcow2( backing:0 file:1)\nbacking file file /base r\n"
      "image file /top w top\n" },
    { "data_file",
      "[{'node-name': 'top', 'drv': 'qcow2', 'file': '/q', 'children': ["
      "{'child': 'file', 'node-name': 'f'},"
      "{'child': 'data-file', 'node-name': 'd'}]}," LEAF(
          "f", "file", "/q") "," LEAF("d", "host_device", "/dev/x") "]",
      NULL,
      "qcow2( data-file:0 file:1)\ndata file host_device /dev/x w\n"
      "image file /q w top\n" },
    { "slice",
      "[" CHILD("top", "raw", SLICE("\\\"offset\\\": 512, \\\"size\\\": 1024"),
                "file", "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0\nimage file /a w top 512-1536\n" },
    { "slice_as_a_drive_says_it",
      "[" CHILD("top", "raw",
                SLICE("\\\"offset\\\": \\\"1M\\\", \\\"size\\\": \\\"2k\\\""),
                "file", "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0\nimage file /a w top 1048576-1050624\n" },
    { "slice_of_a_slice_below_a_filter",
      "[" CHILD("top", "throttle", "x", "file", "r") "," CHILD(
          "r", "raw", SLICE("\\\"offset\\\": 512, \\\"size\\\": 512"), "file",
          "s") "," CHILD("s", "raw",
                         SLICE("\\\"offset\\\": 4096, \\\"size\\\": 768"),
                         "file", "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0\nimage file /a w top 4608-4864\n" },
    { "format_over_a_slice",
      "[" CHILD("top", "qcow2", "x", "file",
                "s") "," CHILD("s", "raw", SLICE("\\\"size\\\": 768"), "file",
                               "f") "," LEAF("f", "file",
                                             "/"
                                             "a") "]",
      NULL, "qcow2( file:0)\nimage file /a w top 0-768\n" },
    { "description_cut_off",
      "[" CHILD("top", "raw", "json:{\\\"driver\\\": \\\"raw\\\", ...", "file",
                "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0 unknown\nimage file /a w top\n" },
    { "odd_size",
      "[" CHILD("top", "raw", SLICE("\\\"size\\\": \\\"1.5M\\\""), "file",
                "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0 unknown\nimage file /a w top\n" },
    { "nobody_tells",
      "[" NODE("top", "raw", "/a") "," NODE("f", "file", "/a") "]", NULL,
      "0 unknown\nimage raw /a w top\nloose:\nblock node file /a w\n" },
    { "node_gone", "[" CHILD("top", "raw", "/a", "file", "f") "]", NULL,
      "nothing unknown\n" },
    { "circle", "[" CHILD("top", "raw", "/a", "file", "top") "]", NULL,
      "nothing unknown\n" },
    { "holds_nothing", "[" LEAF("top", "null-co", "null-co://") "]", NULL,
      "null-co\n" },
    { "mirror_under_way",
      "[" CHILD("top", "mirror_top", "/a", "backing", "r") "," CHILD(
          "r", "raw", "/a", "file", "f") "," LEAF("f", "file", "/a") "]",
      NULL, "0\nimage file /a w top\n" },
    { "loose",
      "[" LEAF("top", "file", "/a") "," CHILD(
          "r", "raw", "/b", "file", "b") "," LEAF("b", "nbd", "nbd://h") "]",
      NULL, "0\nimage file /a w top\nloose:\nblock node nbd nbd://h w\n" },
};

static void graph_is_as_expected(void **state)
{
    const struct graph_case *c = *state;
    CLEANUP_FREE char *text = print(c->nodes, c->graph);

    assert_string_equal(text, c->expected);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(cases)];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = graph_is_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
