/*
 * Memory that cannot run out, small predicates on strings, lists of strings.
 */
#include "base/util.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *or_abort(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc_array(void *old, size_t count, size_t size)
{
    return or_abort(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return s ? or_abort(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t len)
{
    return or_abort(strndup(s, len));
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    return text;
}

char *xvasprintf(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0) {
        abort();
    }
    return text;
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s);
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

bool str_is_among(const char *s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(s, list[i])) {
            return true;
        }
    }
    return false;
}

bool str_is_plain_name(const char *s, size_t max, const char *more)
{
    size_t len = strlen(s);

    for (const char *c = s; *c; c++) {
        bool letter = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');

        if (!letter && !(*c >= '0' && *c <= '9') && !strchr(more, *c)) {
            return false;
        }
    }
    return len >= 1 && len <= max && s[0] != '.' && s[0] != '-';
}

void str_replace(char **p, const char *value)
{
    char *copy = xstrdup(value); /* first: VALUE may be inside *P */

    free(*p);
    *p = copy;
}

bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (!s || !*s) {
        return false;
    }
    for (; *s; s++) {
        if (*s < '0' || *s > '9' ||
            __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value)) {
            return false;
        }
    }
    if (value < min || value > max) {
        return false;
    }
    *ret = value;
    return true;
}

void free_string(char *s)
{
    free(s);
}

void close_fd(int fd)
{
    int keep = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = keep;
}

static void add_owned(struct strv *v, char *s)
{
    v->item = xrealloc_array(v->item, v->count + 2, sizeof(*v->item));
    v->item[v->count++] = s;
    v->item[v->count] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
    assert(s);
    add_owned(v, xstrdup(s));
}

void strv_addf(struct strv *v, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_owned(v, xvasprintf(format, args));
    va_end(args);
}

bool strv_contains(const struct strv *v, const char *s)
{
    for (size_t i = 0; i < v->count; i++) {
        if (str_equal(v->item[i], s)) {
            return true;
        }
    }
    return false;
}

void strv_done(struct strv *v)
{
    if (!v) {
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        free(v->item[i]);
    }
    free(v->item);
    *v = (struct strv){ .item = NULL };
}

char *strv_join_words(const struct strv *v)
{
    char *words = xstrdup("");

    for (size_t i = 0; i < v->count; i++) {
        CLEANUP_FREE char *before = words;
        const char *glue = i == 0 ? "" : i + 1 == v->count ? " and " : ", ";

        words = xasprintf("%s%s%s", before, glue, v->item[i]);
    }
    return words;
}
