/*
 * The error object: the first error wins, and is wrapped on its way up.
 */
#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const char *const code_names[] = {
#define X(code, name, meaning) [QM_ERR_##code] = name,
    QM_ERROR_CODES(X)
#undef X
};

static const char *const code_meanings[] = {
#define X(code, name, meaning) [QM_ERR_##code] = meaning,
    QM_ERROR_CODES(X)
#undef X
};

const char *error_code_name(enum qm_error_code code)
{
    assert((size_t)code < ARRAY_LEN(code_names));
    return code_names[code];
}

const char *error_code_meaning(enum qm_error_code code)
{
    assert((size_t)code < ARRAY_LEN(code_meanings));
    return code_meanings[code];
}

static bool takes_an_error(const struct qm_error *err)
{
    return err && !err->message;
}

int error_set(struct qm_error *err, enum qm_error_code code, const char *format,
              ...)
{
    va_list args;

    if (!takes_an_error(err)) {
        return -1;
    }
    va_start(args, format);
    err->message = xvasprintf(format, args);
    va_end(args);
    err->code = code;
    return -1;
}

int error_set_errno(struct qm_error *err, enum qm_error_code code, int errnum,
                    const char *format, ...)
{
    CLEANUP_FREE char *what = NULL;
    va_list args;

    if (!takes_an_error(err)) {
        return -1;
    }
    va_start(args, format);
    what = xvasprintf(format, args);
    va_end(args);
    return error_set(err, code, "%s: %s", what, strerror(errnum));
}

int error_wrap(struct qm_error *err, const char *format, ...)
{
    CLEANUP_FREE char *front = NULL;
    CLEANUP_FREE char *inner = NULL;
    va_list args;

    if (!error_is_set(err)) {
        return -1;
    }
    va_start(args, format);
    front = xvasprintf(format, args);
    va_end(args);
    inner = STEAL(err->message);
    err->message = xasprintf("%s: %s", front, inner);
    return -1;
}

void error_hint(struct qm_error *err, const char *format, ...)
{
    va_list args;

    if (!error_is_set(err) || err->hint) {
        return;
    }
    va_start(args, format);
    err->hint = xvasprintf(format, args);
    va_end(args);
}

void error_set_peer_class(struct qm_error *err, const char *peer_class)
{
    if (error_is_set(err) && !err->peer_class) {
        err->peer_class = xstrdup(peer_class);
    }
}

void error_clear(struct qm_error *err)
{
    if (!err) {
        return;
    }
    free(err->message);
    free(err->hint);
    free(err->peer_class);
    *err = (struct qm_error)QM_ERROR_INIT;
}

int error_move(struct qm_error *to, struct qm_error *from)
{
    assert(from && to != from);
    if (takes_an_error(to) && from->message) {
        error_clear(to);
        *to = *from;
        *from = (struct qm_error)QM_ERROR_INIT;
    }
    error_clear(from);
    return -1;
}
