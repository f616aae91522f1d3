/*
 * What an image is like, so that another one can be made like it.
 */
#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* Longer chains than this are a circle. */
#define CHAIN_MAX 64

static uint64_t allocated_in_chain(struct json_object *image)
{
    uint64_t sum = 0;

    for (int i = 0; image && i < CHAIN_MAX; i++) {
        sum += json_get_uint(image, "actual-size");
        image = json_get_object(image, "backing-image");
    }
    return sum;
}

static void parse_snapshots(struct json_object *image, struct qmp_disk *d)
{
    struct json_object *layer = image;

    for (int depth = 0; layer && depth < CHAIN_MAX; depth++) {
        struct json_object *list = json_get_array(layer, "snapshots");
        const char *file = json_get_string(layer, "filename");

        for (size_t i = 0; i < json_length(list); i++) {
            const char *name = json_get_string(json_at(list, i), "name");
            const char *id = json_get_string(json_at(list, i), "id");

            name = name && *name ? name : id ? id : "?";
            if (depth == 0)
                strv_add(&d->snapshots, name);
            else
                strv_addf(&d->chain_snapshots, "%s of %s", name,
                          file ? file : "?");
        }
        layer = json_get_object(layer, "backing-image");
    }
}

static void parse_stored_bitmaps(struct json_object *data, struct qmp_disk *d)
{
    struct json_object *list = json_get_array(data, "bitmaps");

    for (size_t i = 0; i < json_length(list); i++) {
        const char *name = json_get_string(json_at(list, i), "name");

        if (name)
            strv_add(&d->stored_bitmaps, name);
    }
}

void image_parse(struct json_object *image, struct qmp_disk *d)
{
    struct json_object *specific = json_get_object(image, "format-specific");
    struct json_object *data = json_get_object(specific, "data");

    d->virtual_size = json_get_uint(image, "virtual-size");
    d->allocated = allocated_in_chain(image);
    d->cluster_size = json_get_uint(image, "cluster-size");
    parse_snapshots(image, d);
    if (str_equal(json_get_string(specific, "type"), "qcow2")) {
        d->compat = xstrdup(json_get_string(data, "compat"));
        d->extended_l2 = json_get_bool(data, "extended-l2");
        d->refcount_bits = (unsigned)json_get_uint(data, "refcount-bits");
        parse_stored_bitmaps(data, d);
    }
}
