/*
 * What a disk lies on: the node at the bottom of its chain.
 *
 * A disk's protocol node ("file", "host_device", "nbd") is found by the
 * `children` of each node where QEMU tells them (10.1 and later), else by what
 * the top node says of its file: the filename is that of the protocol node, or
 * it is a json: description of the chain, whose innermost `file` is meant.
 */
#include <string.h>

#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* Longer chains than this are a circle. */
#define CHAIN_MAX 64

/* Drivers that hold bytes themselves, or ask somebody else for them: what
 * they call their file is a name for it. */
static const char *const protocol_drivers[] = {
    "file",
    "host_device",
    "host_cdrom",
    "nbd",
    "rbd",
    "iscsi",
    "nfs",
    "ssh",
    "http",
    "https",
    "ftp",
    "ftps",
    "curl",
    "gluster",
    "nvme",
    "null-co",
    "null-aio",
    "io_uring",
    "nvme-io_uring",
    "virtio-blk-vfio-pci",
    "virtio-blk-vhost-user",
    "virtio-blk-vhost-vdpa",
    "vvfat",
};

bool qmp_is_protocol(const char *driver)
{
    return str_is_among(driver, protocol_drivers, ARRAY_LEN(protocol_drivers));
}

static struct json_object *find_node(struct json_object *nodes,
                                     const char *name)
{
    for (size_t i = 0; name && i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);

        if (str_equal(json_get_string(node, "node-name"), name)) {
            return node;
        }
    }
    return NULL;
}

/* The node that is the child `file` of NODE; NULL where QEMU does not say. */
static struct json_object *file_child(struct json_object *nodes,
                                      struct json_object *node)
{
    struct json_object *children = json_get_array(node, "children");

    for (size_t i = 0; i < json_length(children); i++) {
        struct json_object *child = json_at(children, i);

        if (str_equal(json_get_string(child, "child"), "file")) {
            return find_node(nodes, json_get_string(child, "node-name"));
        }
    }
    return NULL;
}

static struct json_object *protocol_by_children(struct json_object *nodes,
                                                struct json_object *top)
{
    struct json_object *node = top, *below;

    for (int i = 0; i < CHAIN_MAX; i++) {
        below = file_child(nodes, node);
        if (!below) {
            break;
        }
        node = below;
    }
    return qmp_is_protocol(json_get_string(node, "drv")) ? node : NULL;
}

static struct json_object *protocol_by_filename(struct json_object *nodes,
                                                const char *file)
{
    for (size_t i = 0; i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);

        if (qmp_is_protocol(json_get_string(node, "drv")) &&
            str_equal(json_get_string(node, "file"), file)) {
            return node;
        }
    }
    return NULL;
}

/* FILE is "json:{...}": the innermost `file` of it. */
static bool protocol_by_description(const char *file, struct qmp_disk *d)
{
    CLEANUP_JSON struct json_object *whole =
        json_tokener_parse(file + strlen("json:"));
    struct json_object *inner = whole, *below;
    const char *driver, *filename;

    while ((below = json_get_object(inner, "file"))) {
        inner = below;
    }
    driver = json_get_string(inner, "driver");
    filename = json_get_string(inner, "filename");
    if (!qmp_is_protocol(driver)) {
        return false;
    }
    d->protocol = xstrdup(driver);
    d->protocol_filename = xstrdup(filename ? filename : file);
    return true;
}

/* A file or device of the host that was not opened with O_DIRECT. */
static bool is_cached(struct json_object *node)
{
    struct json_object *cache = json_get_object(node, "cache");
    const char *driver = json_get_string(node, "drv");

    return cache && !json_get_bool(cache, "direct") &&
           (str_equal(driver, "file") || str_starts(driver, "host_"));
}

void protocol_parse(struct json_object *nodes, struct json_object *inserted,
                    struct qmp_disk *d)
{
    const char *file = json_get_string(inserted, "file");
    struct json_object *top = find_node(nodes, d->node_name), *node;

    node = protocol_by_children(nodes, top);
    if (!node && file) {
        node = protocol_by_filename(nodes, file);
    }
    if (node) {
        d->protocol = xstrdup(json_get_string(node, "drv"));
        d->protocol_filename = xstrdup(json_get_string(node, "file"));
        d->is_cached = is_cached(node);
    } else if (file && str_starts(file, "json:")) {
        protocol_by_description(file, d);
    }
}
