/*
 * Lists of verdicts.
 */
#include "core/verdicts.h"

#include <stdlib.h>

static char *printable(const char *format, va_list args)
{
    CLEANUP_FREE char *text = xvasprintf(format, args);

    return str_printable(text);
}

struct verdict *verdict_add(struct verdicts *v, enum verdict_side side,
                            enum verdict_level level, const char *format, ...)
{
    struct verdict *item;
    va_list args;

    v->item = xrealloc_array(v->item, v->count + 1, sizeof(*v->item));
    item = &v->item[v->count++];
    *item = (struct verdict){ .side = side, .level = level };
    va_start(args, format);
    item->what = printable(format, args);
    va_end(args);
    return item;
}

void verdict_why(struct verdict *v, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    free(v->why);
    v->why = printable(format, args);
    va_end(args);
}

void verdict_fix(struct verdict *v, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    free(v->fix);
    v->fix = printable(format, args);
    va_end(args);
}

void verdicts_stamp(struct verdicts *v, size_t first, const char *id)
{
    for (size_t i = first; i < v->count; i++) {
        if (!v->item[i].id) {
            v->item[i].id = id;
        }
    }
}

enum verdict_side verdict_about(enum side_id side)
{
    return side == SOURCE ? ABOUT_SOURCE : ABOUT_DESTINATION;
}

void verdicts_done(struct verdicts *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->item[i].what);
        free(v->item[i].why);
        free(v->item[i].fix);
    }
    free(v->item);
    *v = (struct verdicts){ .count = 0 };
}

size_t verdicts_count(const struct verdicts *v, enum verdict_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < v->count; i++) {
        n += v->item[i].level == level;
    }
    return n;
}

int verdicts_to_error(const struct verdicts *v, struct qm_error *err)
{
    size_t count = verdicts_count(v, VERDICT_BLOCKER);
    const struct verdict *first = NULL;
    CLEANUP_FREE char *more = NULL;

    for (size_t i = 0; i < v->count && !first; i++) {
        if (v->item[i].level == VERDICT_BLOCKER) {
            first = &v->item[i];
        }
    }
    if (!first) {
        return 0;
    }
    if (count > 1) {
        more = xasprintf(" (and %zu more %s)", count - 1,
                         count == 2 ? "reason" : "reasons");
    }
    error_set(err, QM_ERR_REFUSED, "%s%s%s%s", first->what,
              first->why ? ": " : "", first->why ? first->why : "",
              more ? more : "");
    if (first->fix) {
        error_hint(err, "%s", first->fix);
    }
    return -1;
}

char *size_in_words(uint64_t bytes)
{
    static const struct {
        uint64_t bytes;
        const char *name;
    } units[] = { { GIB, "GiB" }, { MIB, "MiB" }, { KIB, "KiB" } };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (bytes > 0 && bytes % units[i].bytes == 0) {
            return xasprintf("%llu %s",
                             (unsigned long long)(bytes / units[i].bytes),
                             units[i].name);
        }
    }
    return xasprintf("%llu bytes", (unsigned long long)bytes);
}
