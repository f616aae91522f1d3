/*
 * QMP's wire format: bytes in, messages out; no sockets, no clock.
 *
 * One JSON object a line (QEMU docs/interop/qmp-spec).  A line is bounded by
 * WIRE_LINE_MAX, libvirt's limit too (QEMU_MONITOR_MAX_RESPONSE).  The top
 * level of each line is split without building a tree, so that the reply to
 * query-qmp-schema (207 KB, 4.5 MiB as json-c objects) costs its text alone;
 * the caller then parses what it wants of it.
 */
#ifndef QM_QMP_WIRE_H
#define QM_QMP_WIRE_H

#include <json-c/json_types.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define WIRE_LINE_MAX (10 * MIB)

enum wire_kind {
    WIRE_GREETING, /* body: the value of "QMP" */
    WIRE_RETURN,   /* body: the value of "return" */
    WIRE_ERROR,    /* body: the value of "error" */
    WIRE_EVENT,    /* body: "data" (empty if absent), name and time set */
};

struct wire_message {
    enum wire_kind kind;
    bool has_id;
    int64_t id;       /* RETURN and ERROR: ours are integers */
    char *event;      /* EVENT: its name */
    int64_t time_us;  /* EVENT: QEMU's own wall clock */
    const char *body; /* JSON text; borrowed until the next wire call */
    size_t body_len;
};

struct wire;

struct wire *wire_new(void);
void wire_free(struct wire *w);
DEFINE_CLEANUP(struct wire *, wire_free)
void wire_feed(struct wire *w, const void *bytes, size_t len);

/*
 * The next message: 1 with RET filled, 0 when more bytes are needed, -1 with
 * a PROTOCOL error (not JSON, no known key, an id that is not ours, a line too
 * long, an error without an id); after an error the wire must be thrown away.
 */
int wire_next(struct wire *w, struct wire_message *ret, struct qm_error *err);
void wire_message_done(struct wire_message *m);
DEFINE_CLEANUP_DONE(struct wire_message, wire_message_done)

/*
 * For a peer that uses QMP's framing for something else: a wire whose messages
 * may be LIMIT bytes long at most; and the next message as it stands, as
 * wire_next() gives it, in *RET (borrowed until the next wire call).
 */
struct wire *wire_new_within(size_t limit);
int wire_next_text(struct wire *w, const char **ret, size_t *ret_len,
                   struct qm_error *err);
/* Forget half a line: the link is a new one. */
void wire_reset(struct wire *w);

/*
 * Call FN for each element of the JSON array TEXT, with its text.  Stops at the
 * first non-zero answer and returns it; -1 with ERR if TEXT is no array.
 */
int wire_each_element(const char *text, size_t len,
                      int (*fn)(void *arg, const char *text, size_t len),
                      void *arg, struct qm_error *err);

/* Parse TEXT strictly.  The caller puts the result; NULL with ERR. */
struct json_object *wire_parse(const char *text, size_t len,
                               struct qm_error *err);

#endif
