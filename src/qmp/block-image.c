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

void image_parse(struct json_object *image, struct qmp_disk *d)
{
    struct json_object *specific = json_get_object(image, "format-specific");
    struct json_object *data = json_get_object(specific, "data");

    d->virtual_size = json_get_uint(image, "virtual-size");
    d->allocated = allocated_in_chain(image);
    d->cluster_size = json_get_uint(image, "cluster-size");
    d->is_encrypted = json_get_bool(image, "encrypted");
    if (str_equal(json_get_string(specific, "type"), "qcow2")) {
        d->compat = xstrdup(json_get_string(data, "compat"));
        d->extended_l2 = json_get_bool(data, "extended-l2");
        d->refcount_bits = (unsigned)json_get_uint(data, "refcount-bits");
    }
}
