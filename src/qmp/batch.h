/*
 * Several questions at once: a window of them is under way, so that a hundred
 * small answers do not cost a hundred round trips.
 */
#ifndef QM_QMP_BATCH_H
#define QM_QMP_BATCH_H

#include <json-c/json_types.h>

#include "qmp/client.h"

struct batch_item {
    const char *command;      /* borrowed until the batch has run */
    struct json_object *args; /* consumed by the run; or NULL */
    bool optional;            /* QEMU may say no: REPLY stays NULL */
    struct json_object *reply;
};

struct batch {
    size_t count;
    struct batch_item *item;
};

/* The index of the new question. */
size_t batch_add(struct batch *b, const char *command, struct json_object *args,
                 bool optional);
/* qom-get, which is always optional: what exists differs between versions. */
size_t batch_add_qom_get(struct batch *b, const char *path,
                         const char *property);

/* Ask everything that was added.  -1 with the first error, no reply kept. */
int batch_run(struct batch *b, struct qmp *q, struct qm_error *err);

/* Borrowed until batch_done(); NULL if QEMU said no. */
struct json_object *batch_reply(const struct batch *b, size_t i);
void batch_done(struct batch *b);
DEFINE_CLEANUP_DONE(struct batch, batch_done)

#endif
