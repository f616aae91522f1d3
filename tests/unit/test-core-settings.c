/*
 * What an earlier migration left in a QEMU: every parameter and capability of
 * the QEMUs whose schemas were recorded has its row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/known-settings.h"
#include "core/preflight-private.h"
#include "good-facts.h"

static void each_has_a_row(void **state)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/tests/unit/replies/settings.txt", getenv("QM_SOURCE"));
    FILE *file = fopen(path, "r");
    char version[16], kind[16], name[64];
    size_t count = 0;

    (void)state;
    assert_non_null(file);
    while (fscanf(file, "%15s %15s %63s", version, kind, name) == 3) {
        const struct known_setting *k = str_equal(kind, "parameter")
                                            ? known_parameter(name)
                                            : known_capability(name);

        if (!k) {
            fail_msg("QEMU %s has the %s %s, which has no row", version, kind,
                     name);
        }
        assert_non_null(k->why);
        assert_int_equal(k->care == CARE_DEFAULT, k->normal != NULL);
        count++;
    }
    fclose(file);
    assert_true(count > 140);
}

/* The verdicts of parameters NAME=VALUE at the source. */
static char *judge(const char *name, enum qmp_setting_type type,
                   const char *value, bool is_capability)
{
    struct good_facts g;
    CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
    char *text;

    good_facts_init(&g);
    qmp_settings_add(is_capability ? &g.f.side[SOURCE].capabilities
                                   : &g.f.side[SOURCE].parameters,
                     name, type, value);
    preflight_settings(&g.f, &v);
    text = verdicts_as_text(&v, VERDICT_OK);
    qmp_settings_done(&g.f.side[SOURCE].parameters);
    qmp_settings_done(&g.f.side[SOURCE].capabilities);
    plan_done(&g.plan);
    return text;
}

static void verdicts_name_what_is_left(void **state)
{
    static const struct {
        const char *name, *value;
        enum qmp_setting_type type;
        bool is_capability;
        const char *expected;
    } table[] = {
        { "mode", "normal", QMP_SETTING_STRING, false, "" },
        { "xbzrle-cache-size", "1", QMP_SETTING_INT, false, "" },
        { "mode", "cpr-reboot", QMP_SETTING_STRING, false,
          "the source's migration parameter mode is 'cpr-reboot', and "
          "'normal' for this move" },
        { "avail-switchover-bandwidth", "10737418240", QMP_SETTING_INT, false,
          "avail-switchover-bandwidth is '10737418240', and '0' for" },
        { "warp-factor", "9", QMP_SETTING_INT, false,
          "the source has a migration parameter that is not known: "
          "warp-factor is '9'" },
        { "x-ignore-shared", "on", QMP_SETTING_BOOL, true, "" },
        { "tachyons", "off", QMP_SETTING_BOOL, true, "" },
        { "tachyons", "on", QMP_SETTING_BOOL, true,
          "a migration capability that is not known: tachyons is 'on'" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP_FREE char *text = judge(table[i].name, table[i].type,
                                        table[i].value, table[i].is_capability);

        assert_non_null(strstr(text, table[i].expected[0]
                                         ? table[i].expected
                                         : "no earlier migration left"));
    }
}

static void defaults_are_set_where_they_differ(void **state)
{
    CLEANUP(qmp_settings_done) struct qmp_settings now = { 0 }, set = { 0 };

    (void)state;
    qmp_settings_add_string(&now, "mode", "cpr-reboot");
    qmp_settings_add_int(&now, "avail-switchover-bandwidth", 0);
    qmp_settings_add_int(&now, "downtime-limit", 300);
    known_list_defaults(&now, &set);
    assert_int_equal(set.count, 1);
    assert_string_equal(qmp_settings_get(&set, "mode"), "normal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_a_row),
        cmocka_unit_test(verdicts_name_what_is_left),
        cmocka_unit_test(defaults_are_set_where_they_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
