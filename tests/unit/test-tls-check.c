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
            (!found.count || strstr(found.item[0].what, f.dir)))
            continue;
        print(c, &found);
        failed++;
    }
    assert_int_equal(failed, 0);
}

/* --- QEMU's own opinion ----------------------------------------------- */

/* $QEMU_IMG: another one than the system's */
static const char *qemu_img(void)
{
    const char *other = getenv("QEMU_IMG");

    return other ? other : "qemu-img";
}

static bool qemu_version(int v[3])
{
    CLEANUP_FREE char *command =
        xasprintf("%s --version 2>/dev/null", qemu_img());
    FILE *p = popen(command, "r");
    int got =
        p ? fscanf(p, "qemu-img version %d.%d.%d", &v[0], &v[1], &v[2]) : 0;

    if (p) {
        while (fgetc(p) != EOF)
            ;
        pclose(p);
    }
    return got == 3;
}

static bool qemu_accepts(const struct folder *f)
{
    CLEANUP_FREE char *command =
        xasprintf("%s info --object tls-creds-x509,id=t,dir=%s,endpoint=%s "
                  "%s/image >%s/said 2>&1",
                  qemu_img(), f->dir,
                  f->role == TLS_SERVER ? "server" : "client", f->dir, f->dir);

    pki_put_text(f->dir, "image", "an image");
    return system(command) == 0;
}

static void qemu_thinks_the_same(void **state)
{
    int version[3], failed = 0;

    (void)state;
    if (!qemu_version(version)) {
        print_message("no qemu-img: QEMU's opinion is not asked\n");
        skip();
    }
    for (size_t i = 0; i < tls_cases_count; i++) {
        const struct tls_case *c = &tls_cases[i];
        CLEANUP(folder_done) struct folder f = { .dir = NULL };
        CLEANUP(tls_findings_done) struct tls_findings found = { .count = 0 };

        if (c->qemu_differs)
            continue;
        folder_new(c, &f);
        check(c, &f, version, &found);
        if (qemu_accepts(&f) == (worst(&found) != TLS_BAD))
            continue;
        print(c, &found);
        failed++;
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(qemu_thinks_the_same),
        cmocka_unit_test(good_is_summed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
