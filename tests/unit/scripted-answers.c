/*
 * What a QEMU that is not there answers when it is asked.
 */
#include <json-c/json.h>
#include <stdlib.h>

#include "scripted-peer.h"

/* Of the schema, what the engine looks for. */
static const char schema[] =
    "[{'name': 'migrate-set-capabilities', 'meta-type': 'command',"
    "  'arg-type': '1', 'ret-type': '0'},"
    " {'name': '1', 'meta-type': 'object',"
    "  'members': [{'name': 'capabilities', 'type': '[2]'}]},"
    " {'name': '[2]', 'meta-type': 'array', 'element-type': '2'},"
    " {'name': '2', 'meta-type': 'object',"
    "  'members': [{'name': 'capability', 'type': '3'}]},"
    " {'name': '3', 'meta-type': 'enum', 'members': ["
    "  {'name': 'late-block-activate'}, {'name': 'validate-uuid'},"
    "  {'name': 'multifd'}, {'name': 'auto-converge'},"
    "  {'name': 'postcopy-ram'}, {'name': 'dirty-bitmaps'}]},"
    " {'name': 'migrate-set-parameters', 'meta-type': 'command',"
    "  'arg-type': '10', 'ret-type': '0'},"
    " {'name': '10', 'meta-type': 'object',"
    "  'members': [{'name': 'tls-authz', 'type': 'str'},"
    "  {'name': 'block-bitmap-mapping', 'type': 'str'}]},"
    " {'name': 'nbd-server-start', 'meta-type': 'command',"
    "  'arg-type': '10', 'ret-type': '0'},"
    " {'name': 'object-add', 'meta-type': 'command', 'arg-type': '11',"
    "  'ret-type': '0'},"
    " {'name': '11', 'meta-type': 'object', 'tag': 'qom-type',"
    "  'members': [{'name': 'qom-type', 'type': '12'}]},"
    " {'name': '12', 'meta-type': 'enum', 'members': ["
    "  {'name': 'authz-list'}, {'name': 'tls-creds-psk'}]},"
    " {'name': 'migrate-incoming', 'meta-type': 'command', 'arg-type': '4',"
    "  'ret-type': '0'},"
    " {'name': '4', 'meta-type': 'object',"
    "  'members': [{'name': 'exit-on-error', 'type': 'bool'}]},"
    " {'name': 'query-block-jobs', 'meta-type': 'command', 'arg-type': '0',"
    "  'ret-type': '[5]'},"
    " {'name': '[5]', 'meta-type': 'array', 'element-type': '5'},"
    " {'name': '5', 'meta-type': 'object', 'tag': 'type',"
    "  'members': [{'name': 'type', 'type': '9'}],"
    "  'variants': [{'case': 'mirror', 'type': '6'}]},"
    " {'name': '6', 'meta-type': 'object',"
    "  'members': [{'name': 'actively-synced', 'type': 'bool'}]},"
    " {'name': 'blockdev-add', 'meta-type': 'command', 'arg-type': '7',"
    "  'ret-type': '0'},"
    " {'name': '7', 'meta-type': 'object', 'tag': 'driver',"
    "  'members': [{'name': 'driver', 'type': '9'}],"
    "  'variants': [{'case': 'nbd', 'type': '8'}]},"
    " {'name': '8', 'meta-type': 'object',"
    "  'members': [{'name': 'tls-hostname', 'type': 'str'}]},"
    " {'name': '9', 'meta-type': 'enum',"
    "  'members': [{'name': 'mirror'}, {'name': 'nbd'}]},"
    " {'name': 'bool', 'meta-type': 'builtin'},"
    " {'name': 'str', 'meta-type': 'builtin'},"
    " {'name': 'block-job-change', 'meta-type': 'command'},"
    " {'name': 'job-dismiss', 'meta-type': 'command'},"
    " {'name': 'yank', 'meta-type': 'command'}]";

/* Questions that are always answered the same. */
static const struct {
    const char *command, *reply;
} answers[] = {
    { "query-qmp-schema", schema },
    { "query-name", "{'name': 'guest'}" },
    { "query-uuid", "{'UUID': '11111111-2222-3333-4444-555555555555'}" },
    { "query-kvm", "{'enabled': false, 'present': true}" },
    { "query-memory-size-summary", "{'base-memory': 134217728}" },
    { "query-memory-devices", "[]" },
    { "query-memdev", "[]" },
    { "query-pci", "[]" },
    { "query-hotpluggable-cpus", "[]" },
    { "query-machines", "[{'name': 'pc-q35-10.0', 'cpu-max': 288}]" },
};

static const char *text_at(struct json_object *o, const char *key)
{
    return json_object_get_string(json_object_object_get(o, key));
}

static struct json_object *status_reply(const struct peer *p)
{
    CLEANUP_FREE char *text = xasprintf(
        "{'running': %s, 'status': '%s'}",
        str_equal(p->run_state, "running") ? "true" : "false", p->run_state);

    return peer_json(text);
}

/* All that was there is left, of which a quarter went over the wire. */
static struct json_object *in_vain(const struct peer *p)
{
    int n = ++*p->passes;
    CLEANUP_FREE char *text =
        xasprintf("{'total-time': 1000, 'status': '%s', 'ram':"
                  " {'total': 65536, 'remaining': 65536, 'transferred': %d,"
                  " 'normal-bytes': %d, 'page-size': 4096,"
                  " 'dirty-sync-count': %d, 'mbps': 1.0}}",
                  p->migration, n << 14, n << 16, n);

    return peer_json(text);
}

static struct json_object *socket_address(const struct peer *p)
{
    CLEANUP_FREE char *text =
        xasprintf("[{'type': 'inet', 'host': '127.0.0.1', 'port': '%d'}]",
                  p->listen_port);

    return peer_json(text);
}

static struct json_object *migration_reply(const struct peer *p)
{
    struct json_object *o;

    if (str_equal(p->migration, "none"))
        return json_object_new_object();
    if (p->passes && str_equal(p->migration, "active"))
        return in_vain(p);
    o = peer_json("{'total-time': 1000, 'downtime': 10, 'ram': {'total': 1024,"
                  " 'remaining': 0, 'transferred': 512, 'page-size': 4096,"
                  " 'dirty-sync-count': 2, 'mbps': 1.0}}");
    json_object_object_add(o, "status", json_object_new_string(p->migration));
    if (p->listen_port)
        json_object_object_add(o, "socket-address", socket_address(p));
    if (p->error_desc)
        json_object_object_add(o, "error-desc",
                               json_object_new_string(p->error_desc));
    return o;
}

static struct json_object *cpus_reply(const struct peer *p)
{
    CLEANUP_FREE char *text = xasprintf(
        "[{'thread-id': %d, 'cpu-index': 0, 'props': {'socket-id': 0},"
        " 'qom-path': '/machine/unattached/device[0]'}]",
        (int)p->pid);

    return peer_json(text);
}

static struct json_object *capabilities_reply(const struct peer *p)
{
    struct json_object *list = json_object_new_array();

    json_object_object_foreach(p->capabilities, name, value)
    {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "capability", json_object_new_string(name));
        json_object_object_add(o, "state", json_object_get(value));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *parameters_reply(const struct peer *p)
{
    return json_object_get(p->parameters);
}

static struct json_object *nodes_reply(const struct peer *p)
{
    struct json_object *list = json_object_new_array();

    json_object_object_foreach(p->nodes, name, value)
    {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "node-name", json_object_new_string(name));
        json_object_object_add(o, "drv", json_object_new_string(p->driver));
        json_object_object_add(o, "active", json_object_get(value));
        json_object_object_add(o, "children", json_object_new_array());
        if (p->image)
            json_object_object_add(o, "file", json_object_new_string(p->image));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *block_reply(const struct peer *p)
{
    CLEANUP_FREE char *text = NULL;

    if (!p->image)
        return json_object_new_array();
    text = xasprintf(
        "[{'device': '', 'qdev': '/machine/peripheral/vd0/virtio-backend',"
        " 'inserted': {'node-name': 'disk0', 'drv': '%s', 'file': '%s',"
        " 'active': %s, 'ro': %s, 'dirty-bitmaps': [%s],"
        " 'image': {'virtual-size': %lld, 'filename': '%s'}}}]",
        str_starts(p->driver, "null-") ? p->driver : "raw", p->image,
        text_at(p->nodes, "disk0"), p->read_only ? "true" : "false",
        p->has_bitmap ? "{'name': 'daily', 'recording': true}" : "", p->size,
        p->image);
    return peer_json(text);
}

static struct json_object *exports_reply(const struct peer *p)
{
    struct json_object *list = json_object_new_array();

    json_object_object_foreach(p->exports, name, node)
    {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "id", json_object_new_string(name));
        json_object_object_add(o, "node-name", json_object_get(node));
        json_object_array_add(list, o);
    }
    return list;
}

/* One shape for query-jobs and query-block-jobs: each takes what it knows. */
static struct json_object *jobs_reply(const struct peer *p)
{
    struct json_object *list = json_object_new_array();

    json_object_object_foreach(p->jobs, name, status)
    {
        struct json_object *o =
            peer_json("{'type': 'mirror', 'current-progress': 67108864,"
                      " 'total-progress': 67108864, 'actively-synced': true}");

        json_object_object_add(o, "id", json_object_new_string(name));
        json_object_object_add(o, "device", json_object_new_string(name));
        json_object_object_add(o, "status", json_object_get(status));
        json_object_array_add(list, o);
    }
    return list;
}

static const struct {
    const char *command;
    struct json_object *(*reply)(const struct peer *p);
} questions[] = {
    { "query-status", status_reply },
    { "query-migrate", migration_reply },
    { "query-cpus-fast", cpus_reply },
    { "query-migrate-capabilities", capabilities_reply },
    { "query-migrate-parameters", parameters_reply },
    { "query-named-block-nodes", nodes_reply },
    { "query-block", block_reply },
    { "query-block-exports", exports_reply },
    { "query-jobs", jobs_reply },
    { "query-block-jobs", jobs_reply },
};

/* NULL: QEMU says no. */
static struct json_object *qom_reply(const struct peer *p, const char *command,
                                     struct json_object *args)
{
    const char *path = text_at(args, "path");
    struct json_object *list;

    if (str_equal(text_at(args, "property"), "drive")) {
        CLEANUP_FREE char *text = xasprintf("'%s'", p->drive);

        return peer_json(text);
    }
    if (str_equal(command, "qom-get"))
        return str_equal(path, "/machine") ? peer_json("'pc-q35-10.0-machine'")
                                           : NULL;
    list = json_object_new_array();
    if (str_equal(path, "/machine/peripheral") && p->device) {
        CLEANUP_FREE char *text =
            xasprintf("{'name': 'vd0', 'type': 'child<%s>'}", p->device);

        json_object_array_add(list, peer_json(text));
    }
    if (str_equal(path, "/objects")) {
        json_object_object_foreach(p->objects, name, type)
        {
            CLEANUP_FREE char *text =
                xasprintf("{'name': '%s', 'type': 'child<%s>'}", name,
                          json_object_get_string(type));

            json_object_array_add(list, peer_json(text));
        }
    }
    return list;
}

struct json_object *peer_reply_to(struct peer *p, const char *command,
                                  struct json_object *args)
{
    if (str_starts(command, "qom-"))
        return qom_reply(p, command, args);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (str_equal(questions[i].command, command))
            return questions[i].reply(p);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (str_equal(answers[i].command, command))
            return peer_json(answers[i].reply);
    return NULL;
}
