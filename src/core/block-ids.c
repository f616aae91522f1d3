/*
 * Do two block devices, on whatever hosts, lie on the same hardware?
 *
 * What they say of themselves is a list of words: see block_id in host.h.
 */
#include <string.h>

#include "core/preflight-private.h"

/* One word of an id; a partition's number behind it does not count. */
struct word {
    const char *text;
    size_t len;
};

static bool next_word(const char **pos, struct word *ret)
{
    *pos += strspn(*pos, " ");
    ret->text = *pos;
    ret->len = strcspn(*pos, " @");
    *pos += strcspn(*pos, " ");
    return ret->len > 0;
}

static bool is_hardware(const struct word *w)
{
    return !str_starts(w->text, "dm:");
}

static bool has_word(const char *id, const struct word *wanted)
{
    struct word w;

    while (next_word(&id, &w)) {
        if (w.len == wanted->len && strncmp(w.text, wanted->text, w.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool have_hardware_in_common(const char *a, const char *b)
{
    struct word w;

    while (next_word(&a, &w)) {
        if (is_hardware(&w) && has_word(b, &w)) {
            return true;
        }
    }
    return false;
}

static bool is_weak(const char *id)
{
    return strstr(id, "weak:");
}

static bool is_strong(const char *id)
{
    return strstr(id, "hw:") || strstr(id, "here:");
}

/* Two logical volumes, and not the same one. */
static bool are_two_volumes(const char *a, const char *b)
{
    struct word x, y;

    return str_starts(a, "dm:LVM-") && str_starts(b, "dm:LVM-") &&
           next_word(&a, &x) && next_word(&b, &y) &&
           (x.len != y.len || strncmp(x.text, y.text, x.len) != 0);
}

static bool have_one_volume(const char *a, const char *b)
{
    struct word w;

    return str_starts(a, "dm:") && next_word(&a, &w) && has_word(b, &w);
}

enum blocks_relation block_ids_compare(const char *a, const char *b,
                                       bool one_machine)
{
    bool in_common = have_hardware_in_common(a, b);

    if (!*a || !*b) {
        return BLOCKS_UNKNOWN;
    }
    if (are_two_volumes(a, b)) {
        return BLOCKS_APART;
    }
    if (!one_machine && (strstr(a, "here:") || strstr(b, "here:"))) {
        return BLOCKS_UNKNOWN;
    }
    if (is_weak(a) || is_weak(b)) { /* equal ones prove nothing */
        return in_common || is_strong(a) || is_strong(b) ||
                       have_one_volume(a, b)
                   ? BLOCKS_UNKNOWN
                   : BLOCKS_APART;
    }
    if (in_common) {
        return str_equal(a, b) ? BLOCKS_EQUAL : BLOCKS_OVERLAP;
    }
    return have_one_volume(a, b) ? BLOCKS_UNKNOWN : BLOCKS_APART;
}
