/*
 * A sliding window over the questions of a batch.
 */
#include "qmp/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "qmp/json.h"

/* QEMU queues 8 commands and then stops reading, also what is out of band;
 * client.h grants half of that. */
#define WINDOW 4

size_t batch_add(struct batch *b, const char *command, struct json_object *args,
                 bool optional)
{
    b->item = xrealloc_array(b->item, b->count + 1, sizeof(b->item[0]));
    b->item[b->count] = (struct batch_item){
        .command = command,
        .args = args,
        .optional = optional,
    };
    return b->count++;
}

size_t batch_add_qom_get(struct batch *b, const char *path,
                         const char *property)
{
    struct json_object *args = json_with_string("path", path);

    json_add_string(args, "property", property);
    return batch_add(b, "qom-get", args, true);
}

static int finish_item(struct batch_item *item, struct qmp_request *request,
                       struct qm_error *err)
{
    struct qm_error local = QM_ERROR_INIT;

    if (qmp_finish(request, &item->reply, &local) == 0) {
        return 0;
    }
    if (item->optional && local.code == QM_ERR_QEMU) {
        error_clear(&local);
        return 0;
    }
    return error_move(err, &local);
}

int batch_run(struct batch *b, struct qmp *q, struct qm_error *err)
{
    struct qmp_request *window[WINDOW];
    size_t sent = 0, finished = 0;
    int result = 0;

    /* After a failure what is under way is still taken, nothing is sent. */
    while (finished < sent || (result == 0 && sent < b->count)) {
        if (result == 0 && sent < b->count && sent - finished < WINDOW) {
            struct batch_item *item = &b->item[sent];

            window[sent++ % WINDOW] =
                qmp_send(q, item->command, STEAL(item->args), QMP_QUERY);
            continue;
        }
        if (finish_item(&b->item[finished], window[finished % WINDOW], err) <
            0) {
            result = -1;
        }
        finished++;
    }
    return result;
}

struct json_object *batch_reply(const struct batch *b, size_t i)
{
    assert(i < b->count);
    return b->item[i].reply;
}

void batch_done(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        json_object_put(b->item[i].args);
        json_object_put(b->item[i].reply);
    }
    free(b->item);
    *b = (struct batch){ 0 };
}
