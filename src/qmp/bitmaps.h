/*
 * Dirty bitmaps that somebody named: what an operator's backups keep of what
 * was written.
 */
#ifndef QM_QMP_BITMAPS_H
#define QM_QMP_BITMAPS_H

#include "base/util.h"

struct qmp_bitmap {
    char *name;
    bool recording;
    bool busy;         /* a job or an export has it */
    bool inconsistent; /* of an image that was not closed well: useless */
    bool persistent;   /* it is to be kept in the image */
};
struct qmp_bitmaps {
    size_t count;
    struct qmp_bitmap *item;
};
void qmp_bitmaps_add(struct qmp_bitmaps *b, const struct qmp_bitmap *one);
/* "one, two"; the caller frees it. */
char *qmp_bitmaps_names(const struct qmp_bitmaps *b);
void qmp_bitmaps_done(struct qmp_bitmaps *b);

/* A node whose bitmaps move; both sides know it by ALIAS, and a bitmap by its
 * name.  Borrowed. */
struct qmp_bitmap_node {
    const char *node_name;
    const char *alias; /* letters, digits, '-', '.', '_' */
    const struct qmp_bitmaps *bitmaps;
};
/* The value of the parameter block-bitmap-mapping that has these move and
 * nothing else, as JSON; the caller frees it. */
char *qmp_bitmap_mapping(const struct qmp_bitmap_node *nodes, size_t count);

#endif
