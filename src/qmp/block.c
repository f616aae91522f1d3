/*
 * The guest's disks: query-block joined with query-named-block-nodes.
 */
#include "qmp/block.h"

#include <stdlib.h>
#include <string.h>

#include "qmp/batch.h"
#include "qmp/bus.h"
#include "qmp/json.h"
#include "qmp/parse.h"
#include "qmp/schema.h"

#define PERIPHERAL "/machine/peripheral/"
#define PERIPHERAL_ANON "/machine/peripheral-anon/"
#define UNATTACHED "/machine/unattached/"
#define BACKEND "/virtio-backend"

/* QOM path to what both sides call the device: see block.h. */
static char *normal_qdev(const char *qdev, const char *device)
{
    size_t len;

    if (!qdev || !*qdev) {
        return NULL;
    }
    if (str_starts(qdev, UNATTACHED) && *device) {
        return xstrdup(device);
    }
    if (str_starts(qdev, PERIPHERAL)) {
        qdev += strlen(PERIPHERAL);
        return xstrndup(qdev, strcspn(qdev, "/"));
    }
    len = strlen(qdev);
    if (str_ends(qdev, BACKEND)) {
        len -= strlen(BACKEND);
    }
    return xstrndup(qdev, len);
}

/*
 * Before 10.1 nothing says which node is whose backing.  But those that have
 * one file open in one format and read it only show the same.
 */
static void parse_backing(struct json_object *nodes, struct json_object *image,
                          struct qmp_disk *d)
{
    struct json_object *below = json_get_object(image, "backing-image");
    const char *file = json_get_string(below, "filename");
    const char *format = json_get_string(below, "format");

    for (struct json_object *layer = below; layer;
         layer = json_get_object(layer, "backing-image")) {
        const char *name = json_get_string(layer, "filename");
        const char *as = json_get_string(layer, "format");

        strv_add(&d->chain_file, name ? name : "");
        strv_add(&d->chain_format, as ? as : "");
    }
    d->backing_file = xstrdup(file);
    d->backing_size = json_get_uint(below, "virtual-size");
    for (size_t i = 0; file && format && i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);
        const char *name = json_get_string(node, "node-name");

        if (name && str_equal(json_get_string(node, "drv"), format) &&
            str_equal(json_get_string(node, "file"), file) &&
            json_get_bool(node, "ro")) {
            d->backing_node = xstrdup(name);
            return;
        }
    }
}

static char *path_of_qdev(const char *qdev)
{
    if (!qdev || !*qdev) {
        return NULL;
    }
    return *qdev == '/' ? xstrdup(qdev) : xasprintf(PERIPHERAL "%s", qdev);
}

static int parse_inserted(struct json_object *nodes,
                          struct json_object *inserted, struct qmp_disk *d,
                          struct qm_error *err)
{
    struct json_object *image = json_get_object(inserted, "image");
    const char *node_name = json_get_string(inserted, "node-name");
    const char *driver = json_get_string(inserted, "drv");

    if (!node_name) {
        return json_missing("node-name", err);
    }
    if (!driver) {
        return json_missing("drv", err);
    }
    if (!json_get(image, "virtual-size")) {
        return json_missing("virtual-size", err);
    }
    d->node_name = xstrdup(node_name);
    d->driver = xstrdup(driver);
    d->filename = xstrdup(json_get_string(image, "filename"));
    image_parse(image, d);
    encryption_parse(inserted, d);
    d->read_only = json_get_bool(inserted, "ro");
    d->has_backing = json_get_int(inserted, "backing_file_depth", 0) > 0 ||
                     json_get_object(image, "backing-image");
    parse_backing(nodes, image, d);
    d->has_data_file = json_get(
        json_get_object(json_get_object(image, "format-specific"), "data"),
        "data-file");
    bitmaps_parse(json_get_array(inserted, "dirty-bitmaps"), &d->bitmaps);
    d->is_inactive =
        json_get(inserted, "active") && !json_get_bool(inserted, "active");
    protocol_parse(nodes, inserted, d);
    return 0;
}

static int parse_disk(struct json_object *nodes, struct json_object *element,
                      struct qmp_disk *d, struct qm_error *err)
{
    const char *device = json_get_string(element, "device");
    struct json_object *inserted = json_get_object(element, "inserted");

    if (!device) {
        return json_missing("device", err);
    }
    d->device = xstrdup(device);
    d->qdev = normal_qdev(json_get_string(element, "qdev"), device);
    d->qom_path = path_of_qdev(json_get_string(element, "qdev"));
    d->removable = json_get_bool(element, "removable");
    d->has_failed = json_get(element, "io-status") &&
                    !str_equal(json_get_string(element, "io-status"), "ok");
    d->tray_empty = !inserted;
    return inserted ? parse_inserted(nodes, inserted, d, err) : 0;
}

/* By a request to QEMU alone that costs little: other facts do not matter. */
int qmp_query_failed_disks(struct qmp *q, struct strv *ret,
                           struct qm_error *err)
{
    CLEANUP_JSON struct json_object *block = NULL;

    if (qmp_command(q, "query-block", NULL, QMP_QUERY, &block, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(block); i++) {
        struct json_object *element = json_at(block, i);
        const char *status = json_get_string(element, "io-status");
        const char *device = json_get_string(element, "device");
        CLEANUP_FREE char *qdev =
            normal_qdev(json_get_string(element, "qdev"), device ? device : "");

        if (status && !str_equal(status, "ok")) {
            strv_add(ret, qdev ? qdev : device ? device : "?");
        }
    }
    return 0;
}

struct qmp_request *qmp_send_query_tops(struct qmp *q)
{
    return qmp_send(q, "query-block", NULL, QMP_QUERY);
}

int qmp_finish_query_tops(struct qmp_request *r, struct qmp_tops *ret,
                          struct qm_error *err)
{
    CLEANUP_JSON struct json_object *block = NULL;
    struct qmp_tops all = { 0 };

    if (qmp_finish(r, &block, err) < 0) {
        return -1;
    }
    all.item = xcalloc(json_length(block) + 1, sizeof(all.item[0]));
    for (size_t i = 0; i < json_length(block); i++) {
        struct json_object *element = json_at(block, i);
        char *path = path_of_qdev(json_get_string(element, "qdev"));

        if (path) {
            all.item[all.count++] = (struct qmp_top){
                .qom_path = path,
                .node_name = xstrdup(json_get_string(
                    json_get_object(element, "inserted"), "node-name")),
            };
        }
    }
    *ret = all;
    return 0;
}

const struct qmp_top *qmp_tops_find(const struct qmp_tops *t,
                                    const char *qom_path)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_equal(t->item[i].qom_path, qom_path)) {
            return &t->item[i];
        }
    }
    return NULL;
}

void qmp_tops_done(struct qmp_tops *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free_string(t->item[i].qom_path);
        free_string(t->item[i].node_name);
    }
    free(t->item);
    *t = (struct qmp_tops){ 0 };
}

static bool is_top_node(const struct qmp_disks *disks, const char *name)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (str_equal(disks->item[i].node_name, name)) {
            return true;
        }
    }
    return false;
}

static void note_other_bitmaps(struct json_object *nodes,
                               struct qmp_disks *disks)
{
    for (size_t i = 0; i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);
        const char *name = json_get_string(node, "node-name");
        struct qmp_bitmaps bitmaps = { 0 };

        bitmaps_parse(json_get_array(node, "dirty-bitmaps"), &bitmaps);
        if (name && bitmaps.count > 0 && !is_top_node(disks, name)) {
            CLEANUP_FREE char *names = qmp_bitmaps_names(&bitmaps);
            CLEANUP_FREE char *text = xasprintf("%s (%s)", name, names);

            strv_add(&disks->other_bitmaps, text);
        }
        qmp_bitmaps_done(&bitmaps);
    }
}

int disks_parse(struct json_object *block, struct json_object *nodes,
                struct qmp_disks *ret, struct qm_error *err)
{
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    size_t count;

    if (json_expect(block, json_type_array, err) < 0 ||
        json_expect(nodes, json_type_array, err) < 0) {
        return -1;
    }
    count = json_length(block);
    disks.item = xcalloc(count ? count : 1, sizeof(disks.item[0]));
    for (size_t i = 0; i < count; i++) {
        disks.count++;
        if (parse_disk(nodes, json_at(block, i), &disks.item[i], err) < 0) {
            return -1;
        }
    }
    note_other_bitmaps(nodes, &disks);
    *ret = disks;
    disks = (struct qmp_disks){ 0 };
    return 0;
}

static bool is_onboard(const struct qmp_disk *d)
{
    return d->qom_path && !str_starts(d->qom_path, PERIPHERAL) &&
           !str_starts(d->qom_path, PERIPHERAL_ANON);
}

/* Those that no -device made: their type tells what they are, pflash too. */
static int ask_onboard(struct qmp *q, struct qmp_disks *disks,
                       struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };
    CLEANUP(bus_places_done) struct bus_places p = { 0 };

    bus_places_init(&p, disks->count);
    for (size_t i = 0; i < disks->count; i++) {
        if (is_onboard(&disks->item[i])) {
            p.item[i].path = disks->item[i].qom_path;
            batch_add_qom_get(&b, p.item[i].path, "type");
        }
    }
    if (b.count == 0) {
        return 0;
    }
    if (batch_run(&b, q, err) < 0 || bus_places_ask(q, &p, err) < 0) {
        return -1;
    }
    for (size_t i = 0, next = 0; i < disks->count; i++) {
        struct qmp_disk *d = &disks->item[i];
        const struct bus_place *at = &p.item[i];

        if (!at->path) {
            continue;
        }
        d->onboard_type =
            xstrdup(json_object_get_string(batch_reply(&b, next++)));
        d->is_pflash = str_starts(d->onboard_type, "cfi.pflash");
        d->onboard_place =
            at->bus && at->on_bus
                ? xasprintf("%s %s", bus_name(at->bus), at->on_bus)
                : NULL;
    }
    return 0;
}

int qmp_query_disks(struct qmp *q, const struct qmp_features *features,
                    struct qmp_disks *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *block = NULL, *nodes = NULL, *told = NULL;
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    struct json_object *flat = json_object_new_object();

    json_add_bool(flat, "flat", true);
    if (qmp_command(q, "query-named-block-nodes", flat, QMP_QUERY, &nodes,
                    err) < 0 ||
        qmp_command(q, "query-block", NULL, QMP_QUERY, &block, err) < 0) {
        return -1;
    }
    if (features && graph_is_needed(nodes) &&
        features->has[QMP_FEATURE_BLOCK_GRAPH] &&
        qmp_command(q, "x-debug-query-block-graph", NULL, QMP_QUERY, &told,
                    err) < 0) {
        return -1;
    }
    if (disks_parse(block, nodes, &disks, err) < 0) {
        return error_wrap(err, "%s: query-block", qmp_who(q));
    }
    graph_parse(nodes, told, &disks);
    if (ask_onboard(q, &disks, err) < 0) {
        return -1;
    }
    *ret = disks;
    disks = (struct qmp_disks){ 0 };
    return 0;
}

void qmp_disks_done(struct qmp_disks *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct qmp_disk *disk = &d->item[i];

        free_string(disk->qdev);
        free_string(disk->qom_path);
        free_string(disk->onboard_type);
        free_string(disk->onboard_place);
        free_string(disk->compat);
        free_string(disk->device);
        free_string(disk->node_name);
        free_string(disk->driver);
        free_string(disk->filename);
        free_string(disk->protocol);
        free_string(disk->protocol_filename);
        strv_done(&disk->chain_file);
        strv_done(&disk->chain_format);
        strv_done(&disk->snapshots);
        strv_done(&disk->chain_snapshots);
        strv_done(&disk->stored_bitmaps);
        free_string(disk->backing_file);
        free_string(disk->backing_node);
        free_string(disk->form);
        qmp_parts_done(&disk->parts);
        qmp_bitmaps_done(&disk->bitmaps);
    }
    free(d->item);
    strv_done(&d->other_bitmaps);
    qmp_parts_done(&d->loose);
    *d = (struct qmp_disks){ 0 };
}
