/*
 * The checks of an x509 directory: each case is a folder that is good but for
 * one thing, and what must be said of it.  Where qemu-img is installed, it is
 * asked too: what we call bad it must refuse, and the reverse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tls-cases.h"

static void check(const struct tls_case *c, const struct folder *f,
                  const int qemu[3], struct tls_findings *ret)
{
    CLEANUP(tls_files_done) struct tls_files files;

    tls_files_read(f->dir, f->role, &files);
    tls_check_files(
        &(struct tls_check){
            .files = &files,
            .now = time(NULL),
            .qemu_major = qemu[0],
            .qemu_minor = qemu[1],
            .qemu_micro = qemu[2],
            .names = c->names[0] ? c->names : NULL,
            .key_may_be_unreadable = c->key_may_be_unreadable,
        },
        ret);
}

static enum tls_severity worst(const struct tls_findings *f)
{
    enum tls_severity w = TLS_OK;

    for (size_t i = 0; i < f->count; i++)
        if (f->item[i].severity > w)
            w = f->item[i].severity;
    return w;
}

static bool says(const struct tls_findings *f, const struct tls_case *c)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->item[i].severity == c->severity &&
            strstr(f->item[i].what, c->what) &&
            (!c->fix || (f->item[i].fix && strstr(f->item[i].fix, c->fix))))
            return true;
    return false;
}

static bool all_can_be_mended(const struct tls_findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->item[i].severity != TLS_OK && !f->item[i].fix)
            return false;
    return true;
}

static void print(const struct tls_case *c, const struct tls_findings *f)
{
    print_message("%s:\n", c->name);
    for (size_t i = 0; i < f->count; i++)
        print_message("  %d %s\n    %s\n", f->item[i].severity, f->item[i].what,
                      f->item[i].fix ? f->item[i].fix : "-");
}

static void each_fault_is_named(void **state)
{
    static const int usual[3] = { 9, 2, 0 };
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < tls_cases_count; i++) {
        const struct tls_case *c = &tls_cases[i];
        CLEANUP(folder_done) struct folder f;
        CLEANUP(tls_findings_done) struct tls_findings found;

        folder_new(c, &f);
        check(c, &f, c->qemu[0] ? c->qemu : usual, &found);
        if (worst(&found) == c->severity && (!c->what || says(&found, c)) &&
            all_can_be_mended(&found) &&
            (!found.count || strstr(found.item[0].what, f.dir)))
            continue;
        print(c, &found);
        failed++;
    }
    assert_int_equal(failed, 0);
}

/* --- QEMU's own opinion ----------------------------------------------- */

/* $QEMU_SYSTEM, a command that starts one, is asked by QMP; else $QEMU_IMG,
 * or the system's qemu-img, which reads certificates with the same code. */
static bool qemu_version(int v[3])
{
    const char *system = getenv("QEMU_SYSTEM"), *img = getenv("QEMU_IMG");
    CLEANUP_FREE char *command =
        xasprintf("%s --version 2>/dev/null | sed 's/^.* version //'",
                  system ? system
                  : img  ? img
                         : "qemu-img");
    FILE *p = popen(command, "r");
    int got = p ? fscanf(p, "%d.%d.%d", &v[0], &v[1], &v[2]) : 0;

    if (p) {
        while (fgetc(p) != EOF)
            ;
        pclose(p);
    }
    return got == 3;
}

static char *command_of_img(const struct folder *f, const char *endpoint)
{
    const char *img = getenv("QEMU_IMG");

    pki_put_text(f->dir, "image", "an image");
    return xasprintf("%s info --object tls-creds-x509,id=t,dir=%s,endpoint=%s "
                     "%s/image >%s/said 2>&1",
                     img ? img : "qemu-img", f->dir, endpoint, f->dir, f->dir);
}

static char *command_of_system(const struct folder *f, const char *endpoint)
{
    CLEANUP_FREE char *qmp = xasprintf(
        "{'execute': 'qmp_capabilities'}\n"
        "{'execute': 'object-add', 'arguments': {'qom-type': 'tls-creds-x509', "
        "'id': 't', 'dir': '%s', 'endpoint': '%s', 'verify-peer': true}}\n"
        "{'execute': 'quit'}\n",
        f->dir, endpoint);

    pki_put_text(f->dir, "qmp", qmp);
    /* three commands were done */
    return xasprintf("%s -machine none -nodefaults -display none -qmp stdio "
                     "<%s/qmp >%s/said 2>&1; "
                     "[ $(grep -c '\"return\": *{}' %s/said) = 3 ]",
                     getenv("QEMU_SYSTEM"), f->dir, f->dir, f->dir);
}

static bool qemu_accepts(const struct folder *f)
{
    const char *endpoint = f->role == TLS_SERVER ? "server" : "client";
    CLEANUP_FREE char *command = getenv("QEMU_SYSTEM")
                                     ? command_of_system(f, endpoint)
                                     : command_of_img(f, endpoint);

    return system(command) == 0;
}

static bool must_differ(const struct tls_case *c, const int version[3])
{
    const int *end = c->differs_before;

    return c->differs && (!end[0] || version[0] < end[0] ||
                          (version[0] == end[0] && version[1] < end[1]));
}

/* What QEMU takes must not be bad for us, and the reverse, unless the case
 * says why; and then it must be so. */
static void qemu_thinks_the_same(void **state)
{
    int version[3], failed = 0;

    (void)state;
    if (!qemu_version(version)) {
        print_message("no QEMU: its opinion is not asked\n");
        skip();
    }
    for (size_t i = 0; i < tls_cases_count; i++) {
        const struct tls_case *c = &tls_cases[i];
        CLEANUP(folder_done) struct folder f = { .dir = NULL };
        CLEANUP(tls_findings_done) struct tls_findings found = { .count = 0 };
        bool accepts;

        folder_new(c, &f);
        check(c, &f, version, &found);
        accepts = qemu_accepts(&f);
        if (must_differ(c, version) != (accepts == (worst(&found) != TLS_BAD)))
            continue;
        print_message("QEMU %s it%s%s\n", accepts ? "takes" : "refuses",
                      c->differs ? "; it is said to differ: " : "",
                      c->differs ? c->differs : "");
        print(c, &found);
        failed++;
    }
    print_message("QEMU %d.%d.%d was asked %zu times\n", version[0], version[1],
                  version[2], tls_cases_count);
    assert_int_equal(failed, 0);
}

/* --- the rest --------------------------------------------------------- */

static void good_is_summed_up(void **state)
{
    const struct tls_case c = {
        .role = TLS_SERVER,
        .own = { .names = { "dst.example" } },
    };
    static const int qemu[3] = { 10, 0, 2 };
    CLEANUP(folder_done) struct folder f;
    CLEANUP(tls_findings_done) struct tls_findings found;

    (void)state;
    folder_new(&c, &f);
    check(&c, &f, qemu, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.item[0].severity, TLS_OK);
    assert_non_null(strstr(found.item[0].what,
                           "/server-cert.pem is CN=host, for dst.example, "
                           "good until 2"));
}

static void priorities_are_those_of_tls(void **state)
{
    static const struct {
        const char *priority, *says; /* NULL: nothing */
    } rows[] = {
        { "NORMAL", NULL },
        { "SECURE192:%PROFILE_HIGH", NULL },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL },
        { "NORMAL:-VERS-ALL:+VERS-TLS1.1", "neither TLS 1.2 nor 1.3" },
        { "NORMAL:+NULL", "a cipher that hides nothing" },
        { "NORMAL:-CIPHER-ALL:+NULL", "a cipher that hides nothing" },
        { "NORMAL:-VERS-ALL", "nothing to agree on" },
        { "", "does not understand it" },
        { "NORMAL:+ROT13:-MD5", "understand it, from '+ROT13:-MD5' on" },
        { "nice", "understand it, from 'nice' on" },
    };
    CLEANUP_FREE char *many = xcalloc(1, 300);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
        int rc = tls_priority_check(rows[i].priority, &err);

        if (rows[i].says ? rc == 0 || !strstr(err.message, rows[i].says)
                         : rc != 0)
            fail_msg("%s: %s", rows[i].priority,
                     err.message ? err.message : "accepted");
    }
    memset(many, 'x', 299);
    assert_int_equal(tls_priority_check(many, NULL), -1);
}

static void a_file_holds_no_certificates(void **state)
{
    static const char *const not_folders[] = { "/dev/null", "/nonexistent" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(not_folders); i++) {
        CLEANUP(tls_files_done) struct tls_files files;

        tls_files_read(not_folders[i], TLS_SERVER, &files);
        assert_int_equal(files.file[TLS_CA_CERT].state, TLS_FILE_MISSING);
        assert_int_equal(files.file[TLS_KEY].state, TLS_FILE_MISSING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(qemu_thinks_the_same),
        cmocka_unit_test(good_is_summed_up),
        cmocka_unit_test(a_file_holds_no_certificates),
        cmocka_unit_test(priorities_are_those_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
