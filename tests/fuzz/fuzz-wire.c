/*
 * The wire format: bytes from a peer, cut in pieces whose length the first
 * byte says.  Whatever it takes for a message, its body stays within what was
 * fed, and parsing it never goes wrong.
 */
#include <assert.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "qmp/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int parse_element(void *arg, const char *text, size_t len)
{
    (void)arg;
    json_object_put(wire_parse(text, len, NULL));
    return 0;
}

static void use(const struct wire_message *m)
{
    assert((m->kind == WIRE_EVENT) == (m->event != NULL));
    assert(m->has_id == (m->kind == WIRE_RETURN || m->kind == WIRE_ERROR));
    json_object_put(wire_parse(m->body, m->body_len, NULL));
    wire_each_element(m->body, m->body_len, parse_element, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(wire_free) struct wire *w = wire_new();
    size_t step = len > 0 ? (size_t)bytes[0] + 1 : 1;

    for (size_t at = 1; at < len; at += step) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        struct wire_message m;
        int more;

        wire_feed(w, bytes + at, step < len - at ? step : len - at);
        while ((more = wire_next(w, &m, &err)) > 0) {
            use(&m);
            wire_message_done(&m);
        }
        assert((more < 0) == error_is_set(&err));
    }
    return 0;
}
