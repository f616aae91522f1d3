/*
 * Lists of verdicts: how checks write them.
 */
#ifndef QM_CORE_VERDICTS_H
#define QM_CORE_VERDICTS_H

#include "core/preflight.h"

/*
 * Append a verdict whose id is set by preflight_judge().  Text of a peer is
 * made printable.  Borrowed until the next one is added.
 */
struct verdict *verdict_add(struct verdicts *v, enum verdict_side side,
                            enum verdict_level level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void verdict_why(struct verdict *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verdict_fix(struct verdict *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Give verdicts from FIRST on, that have none, this id (static storage). */
void verdicts_stamp(struct verdicts *v, size_t first, const char *id);

/* preflight-tls.c: what was found, each after WHO ("source: " or ""). */
void verdicts_add_tls(struct verdicts *v, enum verdict_side side,
                      const char *who, const struct tls_findings *found);

#define verdict_ok(v, side, ...)                                               \
    verdict_add((v), (side), VERDICT_OK, __VA_ARGS__)
#define verdict_warn(v, side, ...)                                             \
    verdict_add((v), (side), VERDICT_WARNING, __VA_ARGS__)
#define verdict_block(v, side, ...)                                            \
    verdict_add((v), (side), VERDICT_BLOCKER, __VA_ARGS__)

/* ABOUT_SOURCE for SOURCE ... */
enum verdict_side verdict_about(enum side_id side);

/* A size in the largest unit that says it exactly: "4 GiB", "513 bytes"; the
 * caller frees it. */
char *size_in_words(uint64_t bytes);

#endif
