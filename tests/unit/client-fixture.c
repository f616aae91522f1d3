/*
 * A client with a fake monitor to talk to.
 */
#include "client-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

static void on_event(void *arg, const struct qmp_event *event)
{
    struct fixture *x = arg;

    buffer_printf(&x->seen, "%s %s at %lld\n", event->name,
                  event->data ? json_object_to_json_string_ext(
                                    event->data, JSON_C_TO_STRING_PLAIN)
                              : "-",
                  (long long)event->time_us);
}

static void on_link(void *arg, bool up)
{
    struct fixture *x = arg;

    buffer_printf(&x->seen, "link %s\n", up ? "up" : "down");
}

int setup(void **state)
{
    struct fixture *x = XNEW(struct fixture);

    strcpy(x->dir, "/tmp/qm-client-XXXXXX");
    if (!mkdtemp(x->dir)) {
        return -1;
    }
    snprintf(x->path, sizeof(x->path), "%s/vm.qmp", x->dir);
    x->loop = loop_new();
    fake_start(&x->fake, x->loop, x->path);
    *state = x;
    return qmp_address_parse(x->path, &x->address, NULL);
}

int teardown(void **state)
{
    struct fixture *x = *state;

    qmp_close(x->q);
    fake_stop(&x->fake);
    qmp_address_done(&x->address);
    buffer_done(&x->seen);
    error_clear(&x->err);
    loop_free(x->loop);
    rmdir(x->dir);
    free(x);
    return 0;
}

struct qmp *open_within(struct fixture *x, int64_t ms)
{
    const struct qmp_options options = {
        .who = "source",
        .dir = x->dir,
        .callbacks = { .on_event = on_event, .on_link = on_link, .arg = x },
    };

    x->q =
        qmp_open(x->loop, &x->address, &options, deadline_in_ms(ms), &x->err);
    return x->q;
}

void open_it(struct fixture *x)
{
    open_within(x, 10000);
    assert_null(x->err.message);
    assert_non_null(x->q);
}

void expect_error(struct fixture *x, enum qm_error_code code,
                  const char *format, ...)
{
    CLEANUP_FREE char *message = NULL;
    va_list args;

    va_start(args, format);
    message = xvasprintf(format, args);
    va_end(args);
    assert_non_null(x->err.message);
    assert_string_equal(x->err.message, message);
    assert_string_equal(error_code_name(x->err.code), error_code_name(code));
    error_clear(&x->err);
}

void expect_seen(struct fixture *x, const char *expected)
{
    assert_string_equal(x->seen.data ? x->seen.data : "", expected);
    x->seen.len = 0;
    if (x->seen.data) {
        x->seen.data[0] = '\0';
    }
}

/* Ask, and give the answer as text. */
const char *ask(struct fixture *x, const char *name)
{
    static char text[256];
    struct json_object *result = NULL;

    if (qmp_command(x->q, name, NULL, QMP_QUERY, &result, &x->err) < 0) {
        return NULL;
    }
    snprintf(text, sizeof(text), "%s",
             json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
    json_object_put(result);
    return text;
}

void answer(struct fake *f, const char *name, long long id)
{
    fake_say(f, "{\"return\": {\"you-said\": \"%s\"}, \"id\": %lld}\r\n", name,
             id);
}
