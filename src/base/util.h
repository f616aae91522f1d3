/*
 * Memory and strings.  Running out of memory aborts: there is no useful
 * rollback without memory, and the journal lets a restart finish.  Lengths
 * that a peer chose are bounded before they come here.
 */
#ifndef QM_BASE_UTIL_H
#define QM_BASE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

void *xcalloc(size_t count, size_t size) __attribute__((malloc));
void *xrealloc_array(void *old, size_t count, size_t size);
char *xstrdup(const char *s) __attribute__((malloc)); /* NULL gives NULL */
char *xstrndup(const char *s, size_t len) __attribute__((malloc));
char *xasprintf(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc));
char *xvasprintf(const char *format, va_list args)
    __attribute__((format(printf, 1, 0), malloc));

#define XNEW(type) ((type *)xcalloc(1, sizeof(type)))

/* Equal, where NULL equals only NULL. */
bool str_equal(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Is S, which may be NULL, one of the COUNT words of LIST? */
bool str_is_among(const char *s, const char *const *list, size_t count);

/* Free *P and make it a copy of VALUE (which may be NULL). */
void str_replace(char **p, const char *value);

/*
 * A decimal number without sign, spaces or anything behind it, between MIN
 * and MAX.  False, with *RET untouched, if it is not one.
 */
bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* One to MAX letters of ASCII, digits and characters of MORE, and no '.' or '-'
 * in front: harmless as the name of a file, whoever chose it. */
bool str_is_plain_name(const char *s, size_t max, const char *more);

/*
 * A copy of S fit for a terminal or a log: control characters and bytes that
 * are not UTF-8 come out as \xNN.  The caller frees it.
 */
char *str_printable(const char *s);

/* Give away what *P points to: returns it and leaves NULL. */
#define STEAL(p)                                                               \
    ({                                                                         \
        __typeof__(p) *steal_p_ = &(p);                                        \
        __typeof__(p) steal_v_ = *steal_p_;                                    \
        *steal_p_ = NULL;                                                      \
        steal_v_;                                                              \
    })

/* CLEANUP(x_free) struct x *p = NULL;  calls x_free(p) when p goes away. */
#define CLEANUP(fn) __attribute__((cleanup(cleanup_##fn)))
#define DEFINE_CLEANUP(type, fn)                                               \
    static inline void cleanup_##fn(type *p)                                   \
    {                                                                          \
        fn(*p);                                                                \
    }
/* The same for objects held by value, whose destructor takes a pointer. */
#define DEFINE_CLEANUP_DONE(type, fn)                                          \
    static inline void cleanup_##fn(type *p)                                   \
    {                                                                          \
        fn(p);                                                                 \
    }

void free_string(char *s);
DEFINE_CLEANUP(char *, free_string)
#define CLEANUP_FREE CLEANUP(free_string)

void close_fd(int fd); /* nothing for a negative FD; keeps errno */
DEFINE_CLEANUP(int, close_fd)

/* A growing list of strings, NULL-terminated at every moment. */
struct strv {
    size_t count;
    char **item; /* NULL while empty */
};

void strv_add(struct strv *v, const char *s);
void strv_addf(struct strv *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool strv_contains(const struct strv *v, const char *s);
void strv_done(struct strv *v);
DEFINE_CLEANUP_DONE(struct strv, strv_done)
/* "a, b and c"; "" for none.  The caller frees it. */
char *strv_join_words(const struct strv *v);

#endif
