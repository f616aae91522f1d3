/*
 * Putting another node under a device.
 */
#include "qmp/place.h"

#include <string.h>

#include "qmp/block.h"
#include "qmp/json.h"

static int add_node(struct qmp *q, struct json_object *args,
                    struct qm_error *err)
{
    return qmp_command(q, "blockdev-add", args, QMP_BLOCKING, NULL, err);
}

static struct json_object *new_node(const char *driver, const char *node_name)
{
    struct json_object *args = json_with_string("driver", driver);

    json_add_string(args, "node-name", node_name);
    return args;
}

int qmp_blockdev_add_null(struct qmp *q, const struct qmp_null_node *n,
                          struct qm_error *err)
{
    struct json_object *args = new_node(n->driver, n->node_name);

    json_add_int(args, "size", (int64_t)n->size_bytes);
    json_add_bool(args, "read-zeroes", n->read_zeroes);
    if (n->read_only) {
        json_add_bool(args, "read-only", true);
    }
    return add_node(q, args, err);
}

static void add_cache(struct json_object *node, bool direct)
{
    struct json_object *cache = json_object_new_object();

    json_add_bool(cache, "direct", direct);
    json_add(node, "cache", cache);
}

int qmp_blockdev_add_image(struct qmp *q, const struct qmp_image_node *n,
                           struct qm_error *err)
{
    struct json_object *args = new_node(n->format, n->node_name);
    struct json_object *file = json_with_string("driver", "file");

    json_add_string(file, "filename", n->path);
    json_add_string(file, "discard", "unmap");
    add_cache(file, n->direct);
    json_add_string(args, "discard", "unmap");
    add_cache(args, n->direct);
    if (n->read_only) {
        json_add_bool(file, "read-only", true);
        json_add_bool(args, "read-only", true);
    }
    json_add(args, "file", file);
    return add_node(q, args, err);
}

/* What is discarded in it reaches the node below, whose own options say what
 * becomes of it. */
int qmp_blockdev_add_slice(struct qmp *q, const struct qmp_slice_node *n,
                           struct qm_error *err)
{
    struct json_object *args = new_node("raw", n->node_name);

    json_add_string(args, "discard", "unmap");
    json_add_int(args, "size", (int64_t)n->size_bytes);
    json_add_string(args, "file", n->file);
    return add_node(q, args, err);
}

static struct json_object *drive_of(const char *device)
{
    struct json_object *args = json_with_string("path", device);

    json_add_string(args, "property", "drive");
    return args;
}

char *qmp_get_drive(struct qmp *q, const char *device, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, "qom-get", drive_of(device), QMP_QUERY, &reply, err) <
            0 ||
        json_expect(reply, json_type_string, err) < 0) {
        return NULL;
    }
    return xstrdup(json_object_get_string(reply));
}

int qmp_set_drive(struct qmp *q, const char *device, const char *node_name,
                  struct qm_error *err)
{
    CLEANUP_FREE char *now = qmp_get_drive(q, device, err);
    struct json_object *args;

    if (!now) {
        return -1;
    }
    if (str_equal(now, node_name)) {
        return 0;
    }
    args = drive_of(device);
    json_add_string(args, "value", node_name);
    return qmp_command(q, "qom-set", args, QMP_BLOCKING, NULL, err);
}

int qmp_wake_node(struct qmp *q, const char *node_name, const char *id,
                  struct qm_error *err)
{
    struct qm_error failed = QM_ERROR_INIT;
    struct json_object *args;

    if (qmp_export_add_reading(q, id, node_name, NULL, &failed) < 0) {
        if (failed.code != QM_ERR_QEMU ||
            !strstr(failed.message, "NBD server not running")) {
            return error_move(err, &failed);
        }
        error_clear(&failed);
        return 0;
    }
    args = json_with_string("id", id); /* somebody's server runs */
    json_add_string(args, "mode", "hard");
    return qmp_command(q, "block-export-del", args, QMP_BLOCKING, NULL, err);
}
