/*
 * Walking over JSON text without building anything: where a value ends, what
 * the members of an object and the elements of an array are.  Iterative, with
 * a bound on the depth, so that no input can exhaust the stack.
 *
 * It finds the borders of values; it does not judge what stands inside a
 * nested one.  Who uses a value parses it strictly (wire_parse).
 */
#ifndef QM_QMP_WIRE_SCAN_H
#define QM_QMP_WIRE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* QEMU's own replies nest some 40 deep at most (a long backing chain); its
 * parser refuses more than 1024. */
#define WIRE_DEPTH_MAX 256

struct span {
    const char *text;
    size_t len;
};

bool span_is(struct span s, const char *word);

/* Where we are in a value, byte by byte: usable across reads. */
struct nesting {
    unsigned depth;
    bool in_string, escaped;
    uint64_t is_object[WIRE_DEPTH_MAX / 64]; /* one bit for each level */
};

/* Take one byte.  False if no JSON text can have it there. */
bool nesting_step(struct nesting *n, char c);

struct scan {
    const char *at, *end;
    bool begun;
};

static inline struct scan scan_of(struct span s)
{
    return (struct scan){ .at = s.text, .end = s.text + s.len };
}

/*
 * The next member of the object, or element of the array, that the text
 * consists of: 1, or 0 at its end, or -1 if the text is no such thing.  A key
 * comes without its quotes, with escapes as they stand.
 */
int scan_member(struct scan *s, struct span *ret_key, struct span *ret_value);
int scan_element(struct scan *s, struct span *ret_value);

/* What is between the quotes of a string; false if VALUE is none or has an
 * escape in it. */
bool span_string(struct span value, struct span *ret);

#endif
