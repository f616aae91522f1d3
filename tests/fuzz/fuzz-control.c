/*
 * What a client of the control socket sends: whatever it is, it is understood
 * within the bounds that are promised, or refused with a sentence.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/control-request.h"
#include "qmp/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void use(const char *text, size_t len)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *id = NULL;
    struct control_request r;

    assert(len <= CONTROL_LINE_MAX);
    if (control_request_parse(text, len, &id, &r, &err) < 0) {
        assert(error_is_set(&err) && err.peer_class);
        return;
    }
    assert(!error_is_set(&err));
    for (int i = 0; r.command == CONTROL_SET && i < LIMITS; i++)
        assert(!r.changes.is_set[i] ||
               limit_check((enum limit)i, r.changes.to.value[i], NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(wire_free) struct wire *w = wire_new_within(CONTROL_LINE_MAX);
    size_t step = len > 0 ? (size_t)bytes[0] + 1 : 1;

    for (size_t at = 1; at < len; at += step) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        const char *text;
        size_t n;
        int more;

        wire_feed(w, bytes + at, step < len - at ? step : len - at);
        while ((more = wire_next_text(w, &text, &n, &err)) > 0)
            use(text, n);
        assert((more < 0) == error_is_set(&err));
    }
    return 0;
}
