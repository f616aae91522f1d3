/*
 * Dirty bitmaps that somebody named.
 */
#include "qmp/bitmaps.h"

#include <stdlib.h>

#include "qmp/json.h"
#include "qmp/parse.h"

void qmp_bitmaps_add(struct qmp_bitmaps *b, const struct qmp_bitmap *one)
{
    b->item = xrealloc_array(b->item, b->count + 1, sizeof(b->item[0]));
    b->item[b->count] = *one;
    b->item[b->count++].name = xstrdup(one->name);
}

char *qmp_bitmaps_names(const struct qmp_bitmaps *b)
{
    char *names = xstrdup("");

    for (size_t i = 0; i < b->count; i++) {
        char *longer =
            xasprintf("%s%s%s", names, i > 0 ? ", " : "", b->item[i].name);

        free(names);
        names = longer;
    }
    return names;
}

void qmp_bitmaps_done(struct qmp_bitmaps *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free_string(b->item[i].name);
    }
    free(b->item);
    *b = (struct qmp_bitmaps){ 0 };
}

/* Those without a name belong to jobs. */
void bitmaps_parse(struct json_object *list, struct qmp_bitmaps *ret)
{
    for (size_t i = 0; i < json_length(list); i++) {
        struct json_object *element = json_at(list, i);
        const char *name = json_get_string(element, "name");

        if (!name || !*name) {
            continue;
        }
        qmp_bitmaps_add(
            ret, &(struct qmp_bitmap){
                     .name = (char *)name,
                     .recording = json_get_bool(element, "recording"),
                     .busy = json_get_bool(element, "busy"),
                     .inconsistent = json_get_bool(element, "inconsistent"),
                     .persistent = json_get_bool(element, "persistent"),
                 });
    }
}

static struct json_object *new_bitmaps(const struct qmp_bitmaps *b)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < b->count; i++) {
        struct json_object *one = json_with_string("name", b->item[i].name);

        json_add_string(one, "alias", b->item[i].name);
        json_object_array_add(list, one);
    }
    return list;
}

char *qmp_bitmap_mapping(const struct qmp_bitmap_node *nodes, size_t count)
{
    CLEANUP_JSON struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < count; i++) {
        struct json_object *node =
            json_with_string("node-name", nodes[i].node_name);

        json_add_string(node, "alias", nodes[i].alias);
        json_add(node, "bitmaps", new_bitmaps(nodes[i].bitmaps));
        json_object_array_add(list, node);
    }
    return xstrdup(
        json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
}
