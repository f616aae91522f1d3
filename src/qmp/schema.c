/*
 * What this QEMU offers.
 *
 * The schema is an array of some thousand elements, each with a name that is
 * unique; types are named by numbers.  All that is kept while the table is
 * resolved is an index from name to the element's text; an element is looked
 * into only when a path leads through it.  Where a path leads nowhere, the
 * feature is absent; that is an answer, not an error.
 */
#include "qmp/schema.h"

#include <stdlib.h>
#include <string.h>

#include "qmp/wire-scan.h"
#include "qmp/wire.h"

/* QEMU 10's schema has some 1,200 elements; this is no real one any more. */
#define SCHEMA_ELEMENTS_MAX 100000

static const char *const paths[] = {
#define X(name, path) [QMP_FEATURE_##name] = path,
    QMP_FEATURES(X)
#undef X
};

struct element {
    struct span name;
    struct span text;
};

struct schema {
    struct element *element;
    size_t count, room;
};

static void schema_done(struct schema *s)
{
    free(s->element);
}
DEFINE_CLEANUP_DONE(struct schema, schema_done)

/* The value of member KEY of the object TEXT; false if there is none. */
static bool get(struct span text, const char *key, struct span *ret)
{
    struct scan s = scan_of(text);
    struct span k, value;

    while (scan_member(&s, &k, &value) > 0) {
        if (span_is(k, key)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool get_string(struct span text, const char *key, struct span *ret)
{
    struct span value;

    return get(text, key, &value) && span_string(value, ret);
}

static bool has_string(struct span text, const char *key, struct span wanted)
{
    struct span value;

    return get_string(text, key, &value) && value.len == wanted.len &&
           memcmp(value.text, wanted.text, wanted.len) == 0;
}

static int compare_spans(struct span a, struct span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.text, b.text, common) : 0;

    if (order != 0 || a.len == b.len) {
        return order;
    }
    return a.len < b.len ? -1 : 1;
}

static int compare_elements(const void *a, const void *b)
{
    return compare_spans(((const struct element *)a)->name,
                         ((const struct element *)b)->name);
}

static int add_element(void *arg, const char *text, size_t len)
{
    struct schema *s = arg;
    struct element e = { .text = { text, len } };

    if (!get_string(e.text, "name", &e.name) ||
        s->count == SCHEMA_ELEMENTS_MAX) {
        return 1;
    }
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 1024;
        s->element = xrealloc_array(s->element, s->room, sizeof(e));
    }
    s->element[s->count++] = e;
    return 0;
}

static int index_schema(const char *text, size_t len, struct schema *s,
                        struct qm_error *err)
{
    int rc = wire_each_element(text, len, add_element, s, err);

    if (rc > 0) {
        return error_set(err, QM_ERR_PROTOCOL,
                         "it sent a schema with an "
                         "element that has no name, or with too many");
    }
    if (rc == 0 && s->count > 0) {
        qsort(s->element, s->count, sizeof(*s->element), compare_elements);
    }
    return rc;
}

static bool find(const struct schema *s, struct span name, struct span *ret)
{
    const struct element key = { .name = name };
    const struct element *e;

    if (s->count == 0) {
        return false;
    }
    e = bsearch(&key, s->element, s->count, sizeof(key), compare_elements);
    if (!e) {
        return false;
    }
    *ret = e->text;
    return true;
}

static bool is_meta(struct span type, const char *meta)
{
    struct span value;

    return get_string(type, "meta-type", &value) && span_is(value, meta);
}

/* The type that member KEY of ELEMENT names, and for arrays what they hold. */
static bool follow(const struct schema *s, struct span element, const char *key,
                   struct span *ret)
{
    struct span name, type;

    if (!get_string(element, key, &name) || !find(s, name, &type)) {
        return false;
    }
    /* the schema has no arrays of arrays of arrays of arrays */
    for (int i = 0; i < 4 && is_meta(type, "array"); i++) {
        if (!get_string(type, "element-type", &name) || !find(s, name, &type)) {
            return false;
        }
    }
    *ret = type;
    return true;
}

/* The entry of array LIST in OWNER whose KEY says VALUE. */
static bool find_entry(struct span owner, const char *list, const char *key,
                       struct span value, struct span *ret)
{
    struct span array, entry;
    struct scan s;

    if (!get(owner, list, &array)) {
        return false;
    }
    s = scan_of(array);
    while (scan_element(&s, &entry) > 0) {
        if (has_string(entry, key, value)) {
            *ret = entry;
            return true;
        }
    }
    return false;
}

static bool find_member(const struct schema *s, struct span type,
                        struct span name, struct span *ret_type)
{
    struct span members, option, entry;
    struct scan scan;

    if (!is_meta(type, "alternate")) {
        return find_entry(type, "members", "name", name, &entry) &&
               follow(s, entry, "type", ret_type);
    }
    /* one of the types that the value may have */
    if (!get(type, "members", &members)) {
        return false;
    }
    scan = scan_of(members);
    while (scan_element(&scan, &option) > 0) {
        struct span object;

        if (follow(s, option, "type", &object) && is_meta(object, "object") &&
            find_entry(object, "members", "name", name, &entry)) {
            return follow(s, entry, "type", ret_type);
        }
    }
    return false;
}

/* `members` since QEMU 6.2, `values` (deprecated) in all. */
static bool enum_has(struct span type, struct span value)
{
    struct span entry, array;
    struct scan s;

    if (!is_meta(type, "enum")) {
        return false;
    }
    if (get(type, "members", &array)) {
        return find_entry(type, "members", "name", value, &entry);
    }
    if (!get(type, "values", &array)) {
        return false;
    }
    s = scan_of(array);
    while (scan_element(&s, &entry) > 0) {
        struct span text;

        if (span_string(entry, &text) && compare_spans(text, value) == 0) {
            return true;
        }
    }
    return false;
}

/* The type of the members that OBJECT has besides when TAG is VALUE. */
static bool find_variant(const struct schema *s, struct span object,
                         struct span tag, struct span value, struct span *ret)
{
    struct span variant;

    return has_string(object, "tag", tag) &&
           find_entry(object, "variants", "case", value, &variant) &&
           follow(s, variant, "type", ret);
}

static struct span take_until(const char **at, const char *stop)
{
    struct span word = { .text = *at, .len = strcspn(*at, stop) };

    *at += word.len;
    return word;
}

/* From TYPE along "member.member=value.member" to the end. */
static bool walk(const struct schema *s, struct span type, const char *at)
{
    for (;;) {
        struct span name = take_until(&at, ".=");
        struct span owner = type;

        if (!find_member(s, owner, name, &type)) {
            return false;
        }
        if (*at == '=') {
            struct span value;

            at++;
            value = take_until(&at, ".");
            if (!enum_has(type, value)) {
                return false;
            }
            if (*at == '.' && !find_variant(s, owner, name, value, &type)) {
                return false;
            }
        }
        if (*at == '\0') {
            return true;
        }
        at++;
    }
}

static bool resolve(const struct schema *s, const char *path)
{
    struct span name = { .text = path };
    const char *arrow = strstr(path, "->");
    const char *at = arrow ? arrow : path + strcspn(path, "/");
    struct span element, type;

    name.len = (size_t)(at - name.text);
    if (!find(s, name, &element) || !is_meta(element, "command")) {
        return false;
    }
    if (*at == '\0') {
        return true;
    }
    return follow(s, element, arrow ? "ret-type" : "arg-type", &type) &&
           walk(s, type, at + (arrow ? 2 : 1));
}

int qmp_features_from_schema(const char *text, size_t len,
                             struct qmp_features *ret, struct qm_error *err)
{
    CLEANUP(schema_done) struct schema s = { .element = NULL };

    if (index_schema(text, len, &s, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < QMP_FEATURE_COUNT; i++) {
        ret->has[i] = resolve(&s, paths[i]);
    }
    return 0;
}

static int take_schema(void *arg, const char *text, size_t len,
                       struct qm_error *err)
{
    return qmp_features_from_schema(text, len, arg, err);
}

int qmp_query_features(struct qmp *q, struct qmp_features *ret,
                       struct qm_error *err)
{
    struct qmp_features found;

    if (qmp_command_raw(q, "query-qmp-schema", take_schema, &found, err) < 0) {
        return -1;
    }
    *ret = found;
    return 0;
}
