/*
 * What a disk stands on: every node below it, down to bytes of files, devices
 * and network images.
 *
 * Which node lies below which is told by `children` of each node (10.1 and
 * later), else by x-debug-query-block-graph.  A part of an object is taken by
 * raw nodes alone, by `offset` and `size`, and filters hand it on; a format may
 * use any byte of what lies below it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* Deeper graphs than this are a circle, and larger ones are not followed. */
#define DEPTH_MAX 200
#define STEPS_MAX 20000

#define TO_THE_END UINT64_MAX

/* Nodes that show what their children show, byte for byte. */
static const char *const filters[] = {
    "throttle",    "copy-on-read", "blkdebug",          "blklogwrites",
    "blkreplay",   "compress",     "mirror_top",        "commit_top",
    "backup-top",  "blkverify",    "copy-before-write", "snapshot-access",
    "preallocate", "quorum",
};

static bool is_filter(const char *driver)
{
    return str_is_among(driver, filters, ARRAY_LEN(filters));
}

/* --- edges ------------------------------------------------------------------ */

struct edge {
    const char *parent, *name, *child;
};

struct graph {
    struct json_object *nodes;
    size_t count;
    struct edge *edge;
    bool known;
};

static void add_edge(struct graph *g, const char *parent, const char *name,
                     const char *child)
{
    g->edge = xrealloc_array(g->edge, g->count + 1, sizeof(*g->edge));
    g->edge[g->count++] = (struct edge){ parent, name, child };
}

/* False if not all nodes have `children`. */
static bool read_children(struct graph *g)
{
    for (size_t i = 0; i < json_length(g->nodes); i++) {
        struct json_object *node = json_at(g->nodes, i);
        struct json_object *list = json_get_array(node, "children");

        if (!list) {
            return false;
        }
        for (size_t k = 0; k < json_length(list); k++) {
            struct json_object *child = json_at(list, k);

            add_edge(g, json_get_string(node, "node-name"),
                     json_get_string(child, "child"),
                     json_get_string(child, "node-name"));
        }
    }
    return true;
}

/* The name of node ID of the graph; NULL if it is no block node. */
static const char *name_of(struct json_object *nodes, int64_t id)
{
    for (size_t i = 0; i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);

        if (json_get_int(node, "id", -1) == id) {
            return str_equal(json_get_string(node, "type"), "block-driver")
                       ? json_get_string(node, "name")
                       : NULL;
        }
    }
    return NULL;
}

static bool read_edges(struct graph *g, struct json_object *told)
{
    struct json_object *nodes = json_get_array(told, "nodes");
    struct json_object *edges = json_get_array(told, "edges");

    for (size_t i = 0; i < json_length(edges); i++) {
        struct json_object *e = json_at(edges, i);
        const char *parent = name_of(nodes, json_get_int(e, "parent", -1));
        const char *child = name_of(nodes, json_get_int(e, "child", -1));

        if (parent && child) {
            add_edge(g, parent, json_get_string(e, "name"), child);
        }
    }
    return nodes && edges;
}

static struct json_object *find_node(const struct graph *g, const char *name)
{
    for (size_t i = 0; name && i < json_length(g->nodes); i++) {
        struct json_object *node = json_at(g->nodes, i);

        if (str_equal(json_get_string(node, "node-name"), name)) {
            return node;
        }
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* The edges down from NAME, by their names; the caller frees *RET. */
static size_t edges_of(const struct graph *g, const char *name,
                       struct edge **ret)
{
    size_t count = 0;

    *ret = xcalloc(g->count + 1, sizeof(**ret));
    for (size_t i = 0; i < g->count; i++) {
        if (str_equal(g->edge[i].parent, name)) {
            (*ret)[count++] = g->edge[i];
        }
    }
    qsort(*ret, count, sizeof(**ret), by_name);
    return count;
}

/* --- parts ------------------------------------------------------------------ */

/* Where a walk is. */
struct place {
    uint64_t start, end; /* of the node */
    bool is_written, is_top;
    const char *role;
    unsigned level;
};

struct walk {
    const struct graph *g;
    struct qmp_parts *parts;
    struct buffer form;
    struct strv *seen;
    unsigned steps;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > TO_THE_END - b ? TO_THE_END : a + b;
}

/* "1M", 1048576, "0x10": what QEMU takes for a size; false if it is none of
 * these. */
static bool read_size(struct json_object *o, const char *key, uint64_t fallback,
                      uint64_t *ret)
{
    static const char units[] = "bkmgtpe";
    struct json_object *value = json_get(o, key);
    const char *text, *unit;
    char *end;

    if (!value) {
        *ret = fallback;
        return true;
    }
    text = json_object_get_string(value);
    errno = 0;
    *ret = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    if (errno || end == text || *text == '-') {
        return false;
    }
    if (!*end) {
        return true;
    }
    unit = strchr(units, *end | 0x20);
    if (!unit || end[1] || *ret > (TO_THE_END >> (10 * (unit - units)))) {
        return false;
    }
    *ret <<= 10 * (unit - units);
    return true;
}

/* P, a place in a raw node, as one in what lies below it.  QEMU names a raw
 * node that has an offset or a size by a description. */
static bool go_below_raw(struct json_object *node, struct place *p)
{
    const char *file = json_get_string(node, "file");
    CLEANUP_JSON struct json_object *options = NULL;
    uint64_t offset, size;

    if (!file || !str_starts(file, "json:")) {
        return file;
    }
    options = json_tokener_parse(file + strlen("json:"));
    if (!json_object_is_type(options, json_type_object) ||
        !read_size(options, "offset", 0, &offset) ||
        !read_size(options, "size", TO_THE_END, &size)) {
        return false;
    }
    p->start = sum(offset, p->start);
    p->end = sum(offset, p->end < size ? p->end : size);
    return true;
}

static void add_part(struct walk *w, struct json_object *node,
                     const struct place *p)
{
    struct qmp_parts *parts = w->parts;

    buffer_printf(&w->form, "%zu", parts->count);
    parts->item =
        xrealloc_array(parts->item, parts->count + 1, sizeof(*parts->item));
    parts->item[parts->count++] = (struct qmp_part){
        .node = xstrdup(json_get_string(node, "node-name")),
        .driver = xstrdup(json_get_string(node, "drv")),
        .filename = xstrdup(json_get_string(node, "file")),
        .role = p->role,
        .start = p->start,
        .end = p->end,
        .is_written = p->is_written,
        .is_top = p->is_top,
    };
}

static bool walk(struct walk *w, const char *name, struct place p);

/* From a node of DRIVER at P down by E. */
static bool walk_down(struct walk *w, const char *driver, const struct edge *e,
                      size_t count, struct place p)
{
    bool is_plain = is_filter(driver) || str_equal(driver, "raw");
    bool is_backing = !is_plain && str_equal(e->name, "backing");

    p.level++;
    if (!is_plain) {
        p.start = 0;
        p.end = TO_THE_END;
        p.role = is_backing                        ? "backing file"
                 : str_equal(e->name, "data-file") ? "data file"
                                                   : p.role;
    }
    p.is_written &= !is_backing;
    p.is_top &= count == 1 || str_equal(e->name, "file");
    if (!is_plain || count > 1) {
        buffer_printf(&w->form, " %s:", e->name ? e->name : "?");
    }
    return walk(w, e->child, p);
}

/* False if not all of it can be told. */
static bool walk(struct walk *w, const char *name, struct place p)
{
    struct json_object *node = find_node(w->g, name);
    const char *driver = json_get_string(node, "drv");
    bool is_raw = str_equal(driver, "raw"), known = true;
    bool is_plain = is_raw || is_filter(driver);
    struct edge *edges;
    size_t count;

    if (!driver || p.level > DEPTH_MAX || w->steps++ > STEPS_MAX) {
        return false;
    }
    if (!strv_contains(w->seen, name)) {
        strv_add(w->seen, name);
    }
    if (str_starts(driver, "null-")) { /* holds nothing */
        buffer_printf(&w->form, "%s", driver);
        return true;
    }
    count = edges_of(w->g, name, &edges);
    if (count == 0 || qmp_is_protocol(driver)) {
        add_part(w, node, &p);
        known = qmp_is_protocol(driver);
    } else if (is_raw) {
        known = go_below_raw(node, &p);
    }
    is_plain |= count == 0;
    if (!is_plain || count > 1) {
        buffer_printf(&w->form, "%s(", driver);
    }
    for (size_t i = 0; i < count; i++) {
        known = walk_down(w, driver, &edges[i], count, p) && known;
    }
    if (!is_plain || count > 1) {
        buffer_printf(&w->form, ")");
    }
    free(edges);
    return known;
}

static void walk_disk(const struct graph *g, struct qmp_disk *d,
                      struct strv *seen)
{
    struct walk w = { .g = g, .parts = &d->parts, .seen = seen };

    d->graph_known = walk(&w, d->node_name,
                          (struct place){ .end = TO_THE_END,
                                          .is_written = true,
                                          .is_top = true,
                                          .role = "image" }) &&
                     g->known;
    d->form = w.form.data;
}

/* Nodes that a QEMU has open, and of which no disk is made. */
static void walk_loose(const struct graph *g, struct qmp_disks *disks,
                       struct strv *seen)
{
    struct walk w = { .g = g, .parts = &disks->loose, .seen = seen };

    for (size_t i = 0; i < json_length(g->nodes); i++) {
        struct json_object *node = json_at(g->nodes, i);
        const char *driver = json_get_string(node, "drv");
        const char *name = json_get_string(node, "node-name");

        if (name && !strv_contains(seen, name) && qmp_is_protocol(driver) &&
            !str_starts(driver, "null-")) {
            add_part(&w, node,
                     &(struct place){ .end = TO_THE_END,
                                      .is_written = true,
                                      .role = "block node" });
        }
    }
    buffer_done(&w.form);
}

void graph_parse(struct json_object *nodes, struct json_object *told,
                 struct qmp_disks *disks)
{
    CLEANUP(strv_done) struct strv seen = { .count = 0 };
    struct graph g = { .nodes = nodes };

    g.known = read_children(&g);
    if (!g.known) {
        g.count = 0;
        g.known = read_edges(&g, told);
    }
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->item[i].node_name) {
            walk_disk(&g, &disks->item[i], &seen);
        }
    }
    walk_loose(&g, disks, &seen);
    free(g.edge);
}

bool graph_is_needed(struct json_object *nodes)
{
    struct graph g = { .nodes = nodes };
    bool needed = !read_children(&g);

    free(g.edge);
    return needed;
}

void qmp_parts_done(struct qmp_parts *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->item[i].node);
        free(p->item[i].driver);
        free(p->item[i].filename);
    }
    free(p->item);
    *p = (struct qmp_parts){ .count = 0 };
}
