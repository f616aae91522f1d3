/*
 * Whether disks are inactive, from the permissions that QEMU's block graph
 * shows.
 */
#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* The id of a node of the graph is a number of its own. */
static const char *name_of(struct json_object *nodes, int64_t id,
                           const char *type)
{
    for (size_t i = 0; i < json_length(nodes); i++) {
        struct json_object *node = json_at(nodes, i);

        if (json_get_int(node, "id", -1) == id &&
            str_equal(json_get_string(node, "type"), type)) {
            return json_get_string(node, "name");
        }
    }
    return NULL;
}

static bool is_disk(const struct qmp_disks *d, const char *node_name)
{
    for (size_t i = 0; node_name && i < d->count; i++) {
        if (d->item[i].qdev && str_equal(d->item[i].node_name, node_name)) {
            return true;
        }
    }
    return false;
}

bool waiting_parse(struct json_object *graph, const struct qmp_disks *d)
{
    struct json_object *nodes = json_get_array(graph, "nodes");
    struct json_object *edges = json_get_array(graph, "edges");

    for (size_t i = 0; i < json_length(edges); i++) {
        struct json_object *edge = json_at(edges, i);
        struct json_object *granted = json_get_array(edge, "perm");

        if (granted && json_length(granted) == 0 &&
            name_of(nodes, json_get_int(edge, "parent", -1), "block-backend") &&
            is_disk(d, name_of(nodes, json_get_int(edge, "child", -1),
                               "block-driver"))) {
            return true;
        }
    }
    return false;
}

int qmp_query_waiting(struct qmp *q, const struct qmp_disks *d,
                      enum qmp_wait *ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *graph = NULL;
    struct qm_error failed = QM_ERROR_INIT;

    if (qmp_command(q, "x-debug-query-block-graph", NULL, QMP_QUERY, &graph,
                    &failed) == 0) {
        *ret = waiting_parse(graph, d) ? QMP_WAITS : QMP_WAITS_NOT;
        return 0;
    }
    if (failed.code != QM_ERR_QEMU) {
        return error_move(err, &failed);
    }
    error_clear(&failed);
    *ret = QMP_WAITS_UNKNOWN;
    return 0;
}
