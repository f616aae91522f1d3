/*
 * Features from the schema: each form of path, old and new spellings, and
 * schemas that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "qmp/schema.h"

static const char *const names[] = {
#define X(name, path) [QMP_FEATURE_##name] = #name,
    QMP_FEATURES(X)
#undef X
};

/* The features that TEXT has, by name, each with a space behind. */
static char *features_of(const char *text, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };
    struct qmp_features f;

    if (qmp_features_from_schema(text, strlen(text), &f, err) < 0) {
        return NULL;
    }
    buffer_append(&b, "", 0);
    for (size_t i = 0; i < QMP_FEATURE_COUNT; i++) {
        if (f.has[i]) {
            buffer_printf(&b, "%s ", names[i]);
        }
    }
    return xstrdup(b.data ? b.data : "");
}

static void expect(const char *text, const char *expected)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *found = features_of(text, &err);

    assert_null(err.message);
    assert_string_equal(found, expected);
}

static void command_alone(void **state)
{
    (void)state;
    expect("[{\"name\": \"yank\", \"meta-type\": \"command\"}]", "YANK ");
    expect("[{\"meta-type\": \"event\", \"name\": \"yank\"}]", "");
    expect("[]", "");
}

static void argument_of_a_command(void **state)
{
    (void)state;
    expect("[{\"name\": \"migrate-incoming\", \"meta-type\": \"command\","
           "  \"arg-type\": \"7\", \"ret-type\": \"0\"},"
           " {\"name\": \"7\", \"meta-type\": \"object\", \"members\": ["
           "  {\"name\": \"uri\", \"type\": \"str\"},"
           "  {\"name\": \"exit-on-error\", \"type\": \"bool\"}]},"
           " {\"name\": \"bool\", \"meta-type\": \"builtin\"}]",
           "INCOMING_EXIT_ON_ERROR ");
}

#define CAPABILITIES(values)                                                   \
    "[{\"name\": \"migrate-set-capabilities\", \"meta-type\": \"command\","    \
    "  \"arg-type\": \"1\"},"                                                  \
    " {\"name\": \"1\", \"meta-type\": \"object\", \"members\": ["             \
    "  {\"name\": \"capabilities\", \"type\": \"[2]\"}]},"                     \
    " {\"name\": \"[2]\", \"meta-type\": \"array\", \"element-type\": \"2\"}," \
    " {\"name\": \"2\", \"meta-type\": \"object\", \"members\": ["             \
    "  {\"name\": \"capability\", \"type\": \"3\"}]},"                         \
    " {\"name\": \"3\", \"meta-type\": \"enum\", " values "}]"

static void value_through_an_array(void **state)
{
    (void)state;
    expect(CAPABILITIES("\"values\": [\"xbzrle\", \"multifd\"]"),
           "CAP_MULTIFD ");
    expect(CAPABILITIES("\"members\": [{\"name\": \"validate-uuid\"}], "
                        "\"values\": [\"validate-uuid\"]"),
           "CAP_VALIDATE_UUID ");
    expect(CAPABILITIES("\"members\": [{\"name\": \"multifd2\"}, "
                        "{\"name\": \"multif\"}]"),
           "");
    expect(CAPABILITIES("\"values\": \"multifd\""), "");
}

#define BLOCKDEV_ADD(tag, variant)                                             \
    "[{\"name\": \"blockdev-add\", \"meta-type\": \"command\","                \
    "  \"arg-type\": \"1\"},"                                                  \
    " {\"name\": \"1\", \"meta-type\": \"object\", \"tag\": \"" tag "\","      \
    "  \"members\": [{\"name\": \"driver\", \"type\": \"2\"}],"                \
    "  \"variants\": [{\"case\": \"file\", \"type\": \"9\"}, " variant "]},"   \
    " {\"name\": \"2\", \"meta-type\": \"enum\","                              \
    "  \"values\": [\"file\", \"nbd\"]},"                                      \
    " {\"name\": \"9\", \"meta-type\": \"object\", \"members\": []},"          \
    " {\"name\": \"3\", \"meta-type\": \"object\", \"members\": ["             \
    "  {\"name\": \"tls-hostname\", \"type\": \"str\"}]},"                     \
    " {\"name\": \"str\", \"meta-type\": \"builtin\"}]"

static void member_of_a_variant(void **state)
{
    (void)state;
    expect(BLOCKDEV_ADD("driver", "{\"case\": \"nbd\", \"type\": \"3\"}"),
           "NBD_TLS_HOSTNAME ");
    expect(BLOCKDEV_ADD("driver", "{\"case\": \"nbd\", \"type\": \"9\"}"), "");
    expect(BLOCKDEV_ADD("driver", "{\"case\": \"ssh\", \"type\": \"3\"}"), "");
    expect(BLOCKDEV_ADD("type", "{\"case\": \"nbd\", \"type\": \"3\"}"), "");
}

#define BLOCK_NODES(ret, more)                                                 \
    "[{\"name\": \"query-named-block-nodes\", \"meta-type\": \"command\","     \
    "  \"ret-type\": \"" ret "\"},"                                            \
    " {\"name\": \"[2]\", \"meta-type\": \"array\", \"element-type\": \"2\"}," \
    " {\"name\": \"2\", \"meta-type\": \"object\", \"members\": ["             \
    "  {\"name\": \"active\", \"type\": \"bool\"}]}," more                     \
    " {\"name\": \"bool\", \"meta-type\": \"builtin\"}]"

static void member_of_what_is_returned(void **state)
{
    (void)state;
    expect(BLOCK_NODES("[2]", ""), "NODE_ACTIVE ");
    expect(BLOCK_NODES("bool", ""), "");
    expect(BLOCK_NODES("gone", ""), "");
    expect(BLOCK_NODES("5", "{\"name\": \"5\", \"meta-type\": \"alternate\", "
                            "\"members\": [{\"type\": \"bool\"}, "
                            "{\"type\": \"2\"}]},"),
           "NODE_ACTIVE ");
}

/* A type that leads to itself ends somewhere. */
static void circles_end(void **state)
{
    (void)state;
    expect(BLOCK_NODES("[6]", "{\"name\": \"[6]\", \"meta-type\": \"array\", "
                              "\"element-type\": \"[6]\"},"),
           "");
    expect(BLOCK_NODES("7", "{\"name\": \"7\", \"meta-type\": \"alternate\", "
                            "\"members\": [{\"type\": \"7\"}]},"),
           "");
}

static void what_is_no_schema(void **state)
{
    static const char *const bad[] = {
        "", "{}", "[1]", "[{}]", "[{\"name\": 1}]", "[{\"name\": \"yank\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

        assert_null(features_of(bad[i], &err));
        assert_int_equal(err.code, QM_ERR_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_alone),
        cmocka_unit_test(argument_of_a_command),
        cmocka_unit_test(value_through_an_array),
        cmocka_unit_test(member_of_a_variant),
        cmocka_unit_test(member_of_what_is_returned),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(what_is_no_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
