/*
 * How the destination's node of a copied disk comes to be, where it is not
 * there from the beginning; step-images.c.
 */
#ifndef QM_CORE_DISK_MAKE_H
#define QM_CORE_DISK_MAKE_H

#include "core/facts.h"
#include "core/preflight.h"

/* How far the device's nodes were exchanged: each is noted before it begins. */
enum disk_make_stage {
    NODES_UNTOUCHED,
    NODE_ADDED,  /* ours: the blank one, or the slice */
    DRIVE_SET,   /* to that */
    OLD_DELETED, /* images: the placeholder is taken away */
    NODE_OPENED, /* images: the image, under the placeholder's name */
};

struct disk_make {
    enum disk_making what;
    char *device;   /* QOM path of what has the property `drive` */
    char *old_node; /* the operator's: the placeholder, the block device */
    char *own_node; /* ours: what is under the device meanwhile; the slice */
    uint64_t size_bytes;
    bool read_only; /* for the guest, as the placeholder is */

    /* images */
    char *path, *format, *options;
    bool direct;             /* past the page cache, as at the source */
    char *placeholder;       /* its driver */
    bool placeholder_zeroes; /* it reads as zeroes */

    /* what was done, for undo */
    enum disk_make_stage stage;
    struct made_image made;
    bool made_unsure;
};

/* NULL if there is nothing to make for this choice.  OWN_NODE is consumed. */
struct disk_make *disk_make_new(const struct facts *f,
                                const struct disk_choice *c, char *own_node);
void disk_make_free(struct disk_make *k);
/* The node that is exported once all is made. */
const char *disk_make_node(const struct disk_make *k);

#endif
