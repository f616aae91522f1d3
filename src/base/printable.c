/*
 * What strangers wrote, made fit for a terminal: valid UTF-8 without control
 * characters passes, every other byte becomes \xNN.
 */
#include "base/util.h"

#include <string.h>

#include "base/buffer.h"

/* Lead bytes of UTF-8, and the least code point that each length may hold. */
static const struct {
    unsigned char mask, lead;
    uint32_t least;
} utf8_forms[] = {
    { 0x80, 0x00, 0x0 },
    { 0xe0, 0xc0, 0x80 },
    { 0xf0, 0xe0, 0x800 },
    { 0xf8, 0xf0, 0x10000 },
};

/* Controls, C1 as well, surrogates, and what lies beyond Unicode. */
static bool is_unfit(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0xd800 && point < 0xe000) || point > 0x10ffff;
}

/* The length of the fit character at S; 0 if its first byte is not one. */
static size_t fit_character(const unsigned char *s)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_forms); i++) {
        uint32_t point;

        if ((s[0] & utf8_forms[i].mask) != utf8_forms[i].lead) {
            continue;
        }
        point = (uint32_t)(s[0] & (unsigned char)~utf8_forms[i].mask);
        for (size_t k = 1; k <= i; k++) {
            if ((s[k] & 0xc0) != 0x80) {
                return 0; /* the final NUL ends here too */
            }
            point = point << 6 | (s[k] & 0x3f);
        }
        return point < utf8_forms[i].least || is_unfit(point) ? 0 : i + 1;
    }
    return 0;
}

char *str_printable(const char *s)
{
    const unsigned char *at = (const unsigned char *)s;
    struct buffer text = { .data = NULL };

    buffer_room(&text, strlen(s));
    while (*at) {
        size_t len = fit_character(at);

        if (len > 0) {
            buffer_append(&text, at, len);
            at += len;
        } else {
            buffer_printf(&text, "\\x%02x", *at++);
        }
    }
    return text.data;
}
