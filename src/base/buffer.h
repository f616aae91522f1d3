/*
 * Bytes that grow at the end and are taken from the front.
 */
#ifndef QM_BASE_BUFFER_H
#define QM_BASE_BUFFER_H

#include <stddef.h>

#include "base/util.h"

struct buffer {
    char *data; /* then a NUL that does not count; NULL until first used */
    size_t len;
    size_t capacity;
};

void buffer_append(struct buffer *b, const void *bytes, size_t len);
void buffer_printf(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for LEN more bytes; write there, then buffer_grew() by what was. */
char *buffer_room(struct buffer *b, size_t len);
void buffer_grew(struct buffer *b, size_t len);
void buffer_consume(struct buffer *b, size_t len); /* from the front */
/* Give back memory that is not needed; all of it if B is empty. */
void buffer_trim(struct buffer *b);
void buffer_done(struct buffer *b);
DEFINE_CLEANUP_DONE(struct buffer, buffer_done)

#endif
