/*
 * Is what a disk holds encrypted where it lies?
 *
 * A node says so of itself alone, and a filter, or raw, above one that is does
 * not.  But QEMU describes each chain that is not the usual one of its format
 * by a json: name, with the drivers of all nodes and the options of their
 * keys; and LUKS, which needs a key, is never the usual one.
 */
#include <string.h>

#include "qmp/block.h"
#include "qmp/json.h"
#include "qmp/parse.h"

/* Deeper descriptions than this are a circle. */
#define DEPTH_MAX 64

/* The node that NODE describes, without what is below it. */
static bool encrypts(struct json_object *node)
{
    if (str_equal(json_get_string(node, "driver"), "luks"))
        return true;
    json_object_object_foreach(node, key, value)
    {
        (void)value;
        if (str_equal(key, "encrypt") || str_starts(key, "encrypt."))
            return true;
    }
    return false;
}

/* What is written to it: through filters and formats to the data's file. */
static bool encrypts_writes(struct json_object *node)
{
    for (int i = 0; node && i < DEPTH_MAX; i++) {
        struct json_object *data = json_get_object(node, "data-file");

        if (encrypts(node))
            return true;
        node = data ? data : json_get_object(node, "file");
    }
    return false;
}

/* It, or anything that it is made of. */
static bool encrypts_some(struct json_object *node, int depth)
{
    if (depth > DEPTH_MAX)
        return false;
    if (json_object_is_type(node, json_type_array)) {
        for (size_t i = 0; i < json_length(node); i++)
            if (encrypts_some(json_at(node, i), depth + 1))
                return true;
        return false;
    }
    if (!json_object_is_type(node, json_type_object))
        return false;
    if (encrypts(node))
        return true;
    json_object_object_foreach(node, key, value)
    {
        (void)key;
        if (encrypts_some(value, depth + 1))
            return true;
    }
    return false;
}

static struct json_object *description(const char *file)
{
    return file && str_starts(file, "json:")
               ? json_tokener_parse(file + strlen("json:"))
               : NULL;
}

void encryption_parse(struct json_object *inserted, struct qmp_disk *d)
{
    struct json_object *image = json_get_object(inserted, "image");
    CLEANUP_JSON struct json_object *whole =
        description(json_get_string(inserted, "file"));

    d->is_encrypted = json_get_bool(inserted, "encrypted") ||
                      json_get_bool(image, "encrypted") ||
                      encrypts_writes(whole);
    d->chain_is_encrypted = encrypts_some(whole, 0) && !d->is_encrypted;
    for (int i = 0; image && i < DEPTH_MAX; i++) {
        CLEANUP_JSON struct json_object *layer =
            description(json_get_string(image, "filename"));

        if (i > 0 &&
            (json_get_bool(image, "encrypted") || encrypts_some(layer, 0)))
            d->chain_is_encrypted = true;
        image = json_get_object(image, "backing-image");
    }
}
