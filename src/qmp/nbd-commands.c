/*
 * The NBD server of the destination, its exports, a node of its own to write
 * with, and the source's node that is pointed at an export.
 */
#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* An inet address; in QAPI a port is a string. */
static struct json_object *new_inet(const char *host, unsigned port)
{
    CLEANUP_FREE char *text = xasprintf("%u", port);
    struct json_object *inet = json_with_string("host", host);

    json_add_string(inet, "port", text);
    return inet;
}

int qmp_nbd_server_start(struct qmp *q, const struct qmp_nbd_server *s,
                         struct qm_error *err)
{
    struct json_object *args = json_object_new_object();
    struct json_object *addr =
        json_with_string("type", s->path ? "unix" : "inet");

    /* SocketAddressLegacy: the address stands in `data`. */
    json_add(addr, "data",
             s->path ? json_with_string("path", s->path)
                     : new_inet(s->host, s->port));
    json_add(args, "addr", addr);
    json_add_string(args, "tls-creds", s->tls_creds);
    json_add_string(args, "tls-authz", s->tls_authz);
    if (s->max_connections) {
        json_add_int(args, "max-connections", s->max_connections);
    }
    return qmp_command(q, "nbd-server-start", args, QMP_BLOCKING, NULL, err);
}

int qmp_nbd_server_stop(struct qmp *q, struct qm_error *err)
{
    return qmp_command(q, "nbd-server-stop", NULL, QMP_BLOCKING, NULL, err);
}

int qmp_export_add(struct qmp *q, const char *id, const char *node_name,
                   const char *name, bool writable, bool shows_depth,
                   struct qm_error *err)
{
    struct json_object *args = json_with_string("type", "nbd");

    json_add_string(args, "id", id);
    json_add_string(args, "node-name", node_name);
    json_add_string(args, "name", name);
    json_add_bool(args, "writable", writable);
    if (shows_depth) {
        json_add_bool(args, "allocation-depth", true);
    }
    return qmp_command(q, "block-export-add", args, QMP_BLOCKING, NULL, err);
}

int qmp_export_add_reading(struct qmp *q, const char *id, const char *node_name,
                           const char *bitmap, struct qm_error *err)
{
    struct json_object *args = json_with_string("type", "nbd");

    json_add_string(args, "id", id);
    json_add_string(args, "node-name", node_name);
    json_add_string(args, "name", id);
    json_add_bool(args, "writable", false);
    if (bitmap) {
        struct json_object *bitmaps = json_object_new_array();

        json_object_array_add(bitmaps, json_object_new_string(bitmap));
        json_add(args, "bitmaps", bitmaps);
    }
    return qmp_command(q, "block-export-add", args, QMP_BLOCKING, NULL, err);
}

static struct json_object *new_bitmap(const char *node_name, const char *name)
{
    struct json_object *args = json_with_string("node", node_name);

    json_add_string(args, "name", name);
    return args;
}

int qmp_bitmap_add(struct qmp *q, const char *node_name, const char *name,
                   uint64_t granularity, struct qm_error *err)
{
    struct json_object *args = new_bitmap(node_name, name);

    json_add_int(args, "granularity", (int64_t)granularity);
    return qmp_command(q, "block-dirty-bitmap-add", args, QMP_BLOCKING, NULL,
                       err);
}

int qmp_bitmap_disable(struct qmp *q, const char *node_name, const char *name,
                       struct qm_error *err)
{
    return qmp_command(q, "block-dirty-bitmap-disable",
                       new_bitmap(node_name, name), QMP_BLOCKING, NULL, err);
}

int qmp_bitmap_remove(struct qmp *q, const char *node_name, const char *name,
                      struct qm_error *err)
{
    return qmp_command(q, "block-dirty-bitmap-remove",
                       new_bitmap(node_name, name), QMP_BLOCKING, NULL, err);
}

static int query_names(struct qmp *q, const char *command,
                       struct json_object *args, const char *key,
                       struct strv *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, command, args, QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    if (names_parse(reply, key, ret, err) < 0) {
        return error_wrap(err, "%s: %s", qmp_who(q), command);
    }
    return 0;
}

int qmp_query_exports(struct qmp *q, struct strv *ret, struct qm_error *err)
{
    return query_names(q, "query-block-exports", NULL, "id", ret, err);
}

int qmp_query_nodes(struct qmp *q, struct strv *ret, struct qm_error *err)
{
    struct json_object *args = json_object_new_object();

    json_add_bool(args, "flat", true);
    return query_names(q, "query-named-block-nodes", args, "node-name", ret,
                       err);
}

int names_parse(struct json_object *reply, const char *key, struct strv *ret,
                struct qm_error *err)
{
    CLEANUP(strv_done) struct strv names = { 0 };

    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(reply); i++) {
        const char *name = json_get_string(json_at(reply, i), key);

        if (!name) {
            return json_missing(key, err);
        }
        strv_add(&names, name);
    }
    for (size_t i = 0; i < names.count; i++) {
        strv_add(ret, names.item[i]);
    }
    return 0;
}

int qmp_blockdev_add_nbd(struct qmp *q, const struct qmp_nbd_node *n,
                         struct qm_error *err)
{
    struct json_object *args = json_with_string("driver", "nbd");
    struct json_object *server = new_inet(n->host, n->port);

    /* SocketAddress: flat, unlike nbd-server-start's. */
    json_add_string(server, "type", "inet");
    json_add_string(args, "node-name", n->node_name);
    json_add(args, "server", server);
    json_add_string(args, "export", n->export_name);
    json_add_string(args, "tls-creds", n->tls_creds);
    json_add_string(args, "tls-hostname", n->tls_hostname);
    json_add_string(args, "discard", n->discard_unmap ? "unmap" : "ignore");
    return qmp_command_within(q, "blockdev-add", args, n->limit_ms, NULL, err);
}

int qmp_blockdev_add_file(struct qmp *q, const struct qmp_file_node *n,
                          struct qm_error *err)
{
    struct json_object *file = json_with_string("driver", n->protocol);
    struct json_object *args = file;

    json_add_string(file, "filename", n->filename);
    json_add_string(file, "discard", "unmap");
    if (!str_equal(n->format, n->protocol)) {
        args = json_with_string("driver", n->format);
        json_add(args, "file", file);
        json_add_string(args, "discard", "unmap");
    }
    json_add_string(args, "node-name", n->node_name);
    return qmp_command(q, "blockdev-add", args, QMP_BLOCKING, NULL, err);
}

int qmp_blockdev_del(struct qmp *q, const char *node_name, struct qm_error *err)
{
    return qmp_command(q, "blockdev-del",
                       json_with_string("node-name", node_name), QMP_BLOCKING,
                       NULL, err);
}

int qmp_blockdev_set_active(struct qmp *q, const char *node_name, bool active,
                            struct qm_error *err)
{
    struct json_object *args = json_with_string("node-name", node_name);

    json_add_bool(args, "active", active);
    return qmp_command(q, "blockdev-set-active", args, QMP_BLOCKING, NULL, err);
}
