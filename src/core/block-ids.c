/*
 * Do two block devices, on whatever hosts, lie on the same hardware?
 *
 * What they say of themselves is a list of words: see block_id in host.h.  Two
 * names that differ prove that two devices do only if both were given by one
 * authority: two disks built into machines, two units of one target, two
 * volumes of one group.  Else one may be made of the other, by a host that
 * offers its volume over a network.
 */
#include <string.h>

#include "core/extents.h"

/* "LVM-" and the group's UUID; the volume's follows. */
#define VOLUME_GROUP_LEN (strlen("dm:LVM-") + 32)

/* One word of an id; HOME is what stands behind '~'. */
struct word {
    const char *text, *home;
    size_t len, home_len;
    const char *part; /* "@N" or "" */
    size_t part_len;
};

static bool next_word(const char **pos, struct word *ret)
{
    const char *end;

    *pos += strspn(*pos, " ");
    end = *pos + strcspn(*pos, " ");
    ret->text = *pos;
    ret->len = strcspn(*pos, " @~");
    ret->home = ret->text + ret->len;
    ret->home_len = 0;
    if (*ret->home == '~') {
        ret->home++;
        ret->home_len = strcspn(ret->home, " @");
    }
    ret->part = ret->home + ret->home_len;
    ret->part_len = (size_t)(end - ret->part);
    *pos = end;
    return ret->len > 0;
}

static bool equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncmp(a, b, a_len) == 0;
}

static bool same_name(const struct word *a, const struct word *b)
{
    return equal(a->text, a->len, b->text, b->len);
}

static bool is_hardware(const struct word *w)
{
    return !str_starts(w->text, "dm:");
}

static bool has_word(const char *id, const struct word *wanted)
{
    struct word w;

    while (next_word(&id, &w)) {
        if (same_name(&w, wanted)) {
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

/* The same words, by whatever way a host gets there. */
static bool say_the_same(const char *a, const char *b)
{
    struct word x, y;
    bool more_a, more_b;

    for (;;) {
        more_a = next_word(&a, &x);
        more_b = next_word(&b, &y);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        if (!same_name(&x, &y) ||
            !equal(x.part, x.part_len, y.part, y.part_len)) {
            return false;
        }
    }
}

static bool is_weak(const char *id)
{
    return strstr(id, "weak:");
}

/* Two logical volumes of one group, and not the same one. */
static bool are_two_volumes(const char *a, const char *b)
{
    struct word x, y;

    return str_starts(a, "dm:LVM-") && str_starts(b, "dm:LVM-") &&
           next_word(&a, &x) && next_word(&b, &y) && !same_name(&x, &y) &&
           x.len > VOLUME_GROUP_LEN && y.len > VOLUME_GROUP_LEN &&
           strncmp(x.text, y.text, VOLUME_GROUP_LEN) == 0;
}

static bool have_one_volume(const char *a, const char *b)
{
    struct word w;

    return str_starts(a, "dm:") && next_word(&a, &w) && has_word(b, &w);
}

/* Is what is a volume on one side a part of what the other's is made of? */
static bool is_nested(const char *a, const char *b)
{
    const char *pos_a = a, *pos_b = b;
    struct word x, y;

    return next_word(&pos_a, &x) && next_word(&pos_b, &y) &&
           !same_name(&x, &y) &&
           ((!is_hardware(&x) && has_word(b, &x)) ||
            (!is_hardware(&y) && has_word(a, &y)));
}

bool block_id_is_local(const char *id)
{
    struct word w;
    bool any = false;

    while (next_word(&id, &w)) {
        if (is_hardware(&w)) {
            any = true;
            if (!equal(w.home, w.home_len, "local", strlen("local"))) {
                return false;
            }
        }
    }
    return any;
}

/* All of both is offered by one target. */
static bool have_one_target(const char *a, const char *b)
{
    const char *ids[] = { a, b };
    struct word first = { .home_len = 0 }, w;

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const char *pos = ids[i];

        while (next_word(&pos, &w)) {
            if (!is_hardware(&w)) {
                continue;
            }
            if (!first.home_len) {
                first = w;
            }
            if (!w.home_len ||
                !equal(w.home, w.home_len, first.home, first.home_len)) {
                return false;
            }
        }
    }
    return first.home_len;
}

/* rbd images of one cluster: "hw:rbd:FSID/POOL/NAME". */
static bool have_one_cluster(const char *a, const char *b)
{
    static const char start[] = "hw:rbd:";
    size_t len;

    if (!str_starts(a, start) || strchr(a, ' ') || strchr(b, ' ')) {
        return false;
    }
    len = strcspn(a, "/") + 1;
    return len > strlen("hw:rbd:-/") && strncmp(a, b, len) == 0;
}

enum blocks_relation block_ids_compare(const char *a, const char *b,
                                       bool one_machine)
{
    bool weak = is_weak(a) || is_weak(b);
    bool local = block_id_is_local(a) && block_id_is_local(b);
    bool here = strstr(a, "here:") || strstr(b, "here:");

    if (!*a || !*b) {
        return BLOCKS_UNKNOWN;
    }
    if (is_nested(a, b)) {
        return BLOCKS_OVERLAP;
    }
    if (are_two_volumes(a, b)) {
        return BLOCKS_APART;
    }
    if (have_hardware_in_common(a, b) && (one_machine || !here)) {
        return weak                 ? BLOCKS_UNKNOWN
               : say_the_same(a, b) ? BLOCKS_EQUAL
                                    : BLOCKS_OVERLAP;
    }
    if (have_one_volume(a, b)) {
        return BLOCKS_UNKNOWN;
    }
    return local || (!weak && !here &&
                     (have_one_target(a, b) || have_one_cluster(a, b)))
               ? BLOCKS_APART
               : BLOCKS_UNKNOWN;
}
