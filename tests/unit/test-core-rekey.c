/*
 * When a stream is so long that GnuTLS gives it new keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/preflight-private.h"
#include "good-facts.h"

#define OTHER "NORMAL:-AES-256-GCM:-AES-128-GCM:-AES-128-CCM"

static const struct row {
    uint64_t ram, plugged;
    int major, minor, micro;
    int channels;
    const char *priority;
    bool warned;
} rows[] = {
    { 32 * GIB, 0, 10, 0, 2, 0, NULL, true },
    { 32 * GIB - 1, 0, 10, 0, 2, 0, NULL, false },
    { 16 * GIB, 16 * GIB, 7, 2, 22, 0, NULL, true },
    { 64 * GIB, 0, 10, 0, 2, 4, NULL, false },
    { 64 * GIB, 0, 10, 0, 2, 0, OTHER, false },
    { 64 * GIB, 0, 10, 0, 2, 0, "NORMAL:-VERS-TLS1.3", false },
    { 64 * GIB, 0, 10, 0, 2, 0, "NORMAL:-AES-256-GCM", true },
    { 64 * GIB, 0, 11, 1, 3, 0, NULL, false },
    { 256 * GIB, 0, 11, 1, 3, 0, NULL, true },
    { 64 * GIB, 0, 11, 1, 2, 0, NULL, true },
};

static void long_streams_are_warned_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct verdicts v = { .count = 0 };
        struct good_facts g;

        good_facts_init(&g);
        g.f.side[SOURCE].machine.base_memory = r->ram;
        g.f.side[SOURCE].machine.plugged_memory = r->plugged;
        g.f.side[SOURCE].version = (struct qmp_version){ .major = r->major,
                                                         .minor = r->minor,
                                                         .micro = r->micro };
        g.plan.channels = r->channels;
        g.plan.tls_priority = xstrdup(r->priority);
        preflight_rekey(&g.f, &v);
        if (v.count != r->warned)
            fail_msg("row %zu: %zu", i, v.count);
        verdicts_done(&v);
        plan_done(&g.plan);
    }
}

static void what_to_do_is_said(void **state)
{
    struct verdicts v = { .count = 0 };
    struct good_facts g;
    char *text;

    (void)state;
    good_facts_init(&g);
    g.f.side[SOURCE].machine.base_memory = 64 * GIB;
    preflight_tls(&g.f, &v);
    for (size_t i = 0; i < v.count; i++)
        v.item[i].id = "";
    text = verdicts_as_text(&v, VERDICT_WARNING);
    assert_string_equal(
        text,
        "warning both : 64 GiB of RAM over one stream under TLS 1.3: "
        "GnuTLS gives it new keys on the way | where GnuTLS has a known "
        "fault (its issue 1717), a QEMU may crash of that, or the "
        "migration fail | update GnuTLS on both hosts and start both "
        "QEMUs with it, or say --tls-priority " OTHER ", which is slower\n");
    free(text);
    verdicts_done(&v);
    g.plan.tls_psk = true;
    preflight_tls(&g.f, &v);
    assert_non_null(strstr(v.item[v.count - 1].fix, "use certificates"));
    verdicts_done(&v);
    g.plan.tls_psk = false;
    g.plan.insecure = true;
    preflight_tls(&g.f, &v);
    assert_int_equal(v.count, 1);
    verdicts_done(&v);
    plan_done(&g.plan);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_streams_are_warned_of),
        cmocka_unit_test(what_to_do_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
