/*
 * What is written to stdout and stderr, so that nobody who reads slowly, or
 * not at all, holds up a migration: writes never wait, what does not fit is
 * kept, and what cannot be kept is dropped in whole messages.
 */
#ifndef QM_CLI_OUTPUT_H
#define QM_CLI_OUTPUT_H

#include "base/buffer.h"

struct output;

/* FD stays the caller's. */
struct output *output_new(int fd);
/* Waits for a slow reader, but not for long. */
void output_free(struct output *o);
DEFINE_CLEANUP(struct output *, output_free)
/* From now on a file is written alone: whoever reads a pipe sees its end. */
void output_leave(struct output *o);

/* One message: all of it or nothing of it is written. */
void output_write(struct output *o, const char *bytes, size_t len);
void output_buffer(struct output *o, const struct buffer *b);
void output_printf(struct output *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Does the reader still owe us something? */
bool output_is_behind(struct output *o);

bool output_is_terminal(const struct output *o);
unsigned output_columns(const struct output *o); /* 80 if it is unknown */

#endif
