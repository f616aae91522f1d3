/*
 * From the facts to what is to be made.
 */
#include "core/disk-make.h"

#include <stdlib.h>
#include <string.h>

static void plan_image(struct disk_make *k, const struct facts *f,
                       const struct disk_choice *c)
{
    const struct qmp_disk *a = &f->side[SOURCE].disks.item[c->source];
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[c->destination];

    k->path = xstrdup(f->site[c->source].path);
    k->format = xstrdup(image_format(a));
    k->options = image_options(a);
    k->direct = disk_is_on_host(a) && !a->is_cached;
    k->placeholder = xstrdup(b->driver);
    /* QEMU tells its options in the place of a file's name */
    k->placeholder_zeroes =
        b->filename && strstr(b->filename, "\"read-zeroes\": true");
}

struct disk_make *disk_make_new(const struct facts *f,
                                const struct disk_choice *c, char *own_node)
{
    const struct qmp_disk *b = &f->side[DESTINATION].disks.item[c->destination];
    struct disk_make *k;

    if (c->making == MAKE_NOTHING) {
        free(own_node);
        return NULL;
    }
    k = XNEW(struct disk_make);
    k->what = c->making;
    k->device = xstrdup(b->qom_path);
    k->old_node = xstrdup(b->node_name);
    k->own_node = own_node;
    k->read_only = b->read_only;
    k->size_bytes = f->side[SOURCE].disks.item[c->source].virtual_size;
    if (k->what == MAKE_IMAGE) {
        plan_image(k, f, c);
    }
    return k;
}

void disk_make_free(struct disk_make *k)
{
    if (!k) {
        return;
    }
    free(k->device);
    free(k->old_node);
    free(k->own_node);
    free(k->path);
    free(k->format);
    free(k->options);
    free(k->placeholder);
    free(k);
}

const char *disk_make_node(const struct disk_make *k)
{
    return k->what == MAKE_IMAGE ? k->old_node : k->own_node;
}
