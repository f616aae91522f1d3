/*
 * Bytes that grow at the end and are taken from the front.
 */
#include "base/buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 64 };

void buffer_append(struct buffer *b, const void *bytes, size_t len)
{
    char *room = buffer_room(b, len);

    if (len > 0) {
        memcpy(room, bytes, len);
    }
    buffer_grew(b, len);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    buffer_append(b, text, strlen(text));
}

char *buffer_room(struct buffer *b, size_t len)
{
    size_t needed;
    size_t capacity = b->capacity < SMALLEST ? SMALLEST : b->capacity;

    if (len >= SIZE_MAX / 4 - b->len) {
        abort(); /* no such length comes here: peers are bounded before */
    }
    needed = b->len + len + 1;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity != b->capacity) {
        b->data = xrealloc_array(b->data, capacity, 1);
        b->capacity = capacity;
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buffer_grew(struct buffer *b, size_t len)
{
    assert(len < b->capacity - b->len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buffer_consume(struct buffer *b, size_t len)
{
    assert(len <= b->len);
    if (len == 0) {
        return;
    }
    b->len -= len;
    memmove(b->data, b->data + len, b->len + 1);
}

void buffer_trim(struct buffer *b)
{
    if (b->len == 0) {
        buffer_done(b);
    } else if (b->capacity > b->len + 1) {
        b->capacity = b->len + 1;
        b->data = xrealloc_array(b->data, b->capacity, 1);
    }
}

void buffer_done(struct buffer *b)
{
    if (b) {
        free(b->data);
        *b = (struct buffer){ .data = NULL };
    }
}
