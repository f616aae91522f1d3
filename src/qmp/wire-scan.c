/*
 * Walking over JSON text without building anything.
 */
#include "qmp/wire-scan.h"

#include <string.h>

bool span_is(struct span s, const char *word)
{
    return strlen(word) == s.len && memcmp(s.text, word, s.len) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool push(struct nesting *n, bool object)
{
    uint64_t bit;

    if (n->depth == WIRE_DEPTH_MAX) {
        return false;
    }
    bit = (uint64_t)1 << (n->depth % 64);
    if (object) {
        n->is_object[n->depth / 64] |= bit;
    } else {
        n->is_object[n->depth / 64] &= ~bit;
    }
    n->depth++;
    return true;
}

static bool pop(struct nesting *n, bool object)
{
    if (n->depth == 0) {
        return false;
    }
    n->depth--;
    return ((n->is_object[n->depth / 64] >> (n->depth % 64)) & 1) == object;
}

static bool step_in_string(struct nesting *n, char c)
{
    if ((unsigned char)c < ' ') {
        return false;
    }
    if (n->escaped) {
        n->escaped = false;
    } else if (c == '\\') {
        n->escaped = true;
    } else if (c == '"') {
        n->in_string = false;
    }
    return true;
}

/* Between values, or in a number, true, false or null. */
static bool may_stand_bare(char c)
{
    return c != '\0' &&
           strchr(",:+-.0123456789abcdefghijklmnopqrstuvwxyzE", c) != NULL;
}

bool nesting_step(struct nesting *n, char c)
{
    if (n->in_string) {
        return step_in_string(n, c);
    }
    switch (c) {
    case '{':
    case '[':
        return push(n, c == '{');
    case '}':
    case ']':
        return pop(n, c == '}');
    case '"':
        n->in_string = true;
        return true;
    default:
        return is_space(c) || may_stand_bare(c);
    }
}

static void skip_space(struct scan *s)
{
    while (s->at < s->end && is_space(*s->at)) {
        s->at++;
    }
}

static bool next_is(struct scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c) {
        return false;
    }
    s->at++;
    return true;
}

/* A number, true, false or null: up to where such a word must end. */
static bool skip_word(struct scan *s)
{
    const char *start = s->at;

    while (s->at < s->end && !is_space(*s->at) && !strchr(",:{}[]\"", *s->at)) {
        s->at++;
    }
    return s->at > start;
}

static bool skip_value(struct scan *s, struct span *ret)
{
    struct nesting n = { .depth = 0 };
    const char *start;

    skip_space(s);
    start = s->at;
    if (s->at == s->end) {
        return false;
    }
    if (!strchr("{[\"", *s->at)) {
        if (!skip_word(s)) {
            return false;
        }
    } else {
        do {
            if (s->at == s->end || !nesting_step(&n, *s->at++)) {
                return false;
            }
        } while (n.depth > 0 || n.in_string);
    }
    *ret = (struct span){ .text = start, .len = (size_t)(s->at - start) };
    return true;
}

/* Stand before the next entry: 1; 0 behind the closing bracket; -1. */
static int to_entry(struct scan *s, char open, char close)
{
    if (!s->begun) {
        if (!next_is(s, open)) {
            return -1;
        }
        s->begun = true;
        if (!next_is(s, close)) {
            return 1;
        }
    } else {
        if (next_is(s, ',')) {
            return 1;
        }
        if (!next_is(s, close)) {
            return -1;
        }
    }
    skip_space(s);
    return s->at == s->end ? 0 : -1;
}

int scan_member(struct scan *s, struct span *ret_key, struct span *ret_value)
{
    struct span key, value;
    int more = to_entry(s, '{', '}');

    if (more <= 0) {
        return more;
    }
    skip_space(s);
    if (s->at == s->end || *s->at != '"' || !skip_value(s, &key) ||
        !next_is(s, ':') || !skip_value(s, &value)) {
        return -1;
    }
    *ret_key = (struct span){ .text = key.text + 1, .len = key.len - 2 };
    *ret_value = value;
    return 1;
}

int scan_element(struct scan *s, struct span *ret_value)
{
    int more = to_entry(s, '[', ']');

    if (more <= 0) {
        return more;
    }
    return skip_value(s, ret_value) ? 1 : -1;
}

bool span_string(struct span value, struct span *ret)
{
    if (value.len < 2 || value.text[0] != '"' ||
        memchr(value.text, '\\', value.len)) {
        return false;
    }
    *ret = (struct span){ .text = value.text + 1, .len = value.len - 2 };
    return true;
}
