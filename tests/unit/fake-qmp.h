/*
 * A QMP client without a peer, for tests of the typed commands: it takes the
 * place of src/qmp/client*.c, writes down what is sent, and answers from a
 * script or from a conversation that was recorded with a real QEMU.
 */
#ifndef QM_TESTS_FAKE_QMP_H
#define QM_TESTS_FAKE_QMP_H

#include "qmp/client.h"

struct qmp *fake_new(void);
void fake_free(struct qmp *q);

/* Answer by tests/unit/replies/NAME: a list of objects, each with execute,
 * arguments, and return or error.  What is not in it is answered {}. */
void fake_load(struct qmp *q, const char *name);

/* The answer to the next command, whatever it is: a reply in JSON, with ' for
 * ", or an error. */
void fake_reply(struct qmp *q, const char *reply);
void fake_fail(struct qmp *q, enum qm_error_code code);

/* Make the link one that is down. */
void fake_link_down(struct qmp *q);

/* What was sent since the last call, a line each, with ' for ". */
const char *fake_trace(struct qmp *q);
/* The most that were under way at once. */
size_t fake_most_at_once(const struct qmp *q);

/* TEXT, with ' for ", as JSON; the caller puts it. */
struct json_object *fake_json(const char *text);

#endif
