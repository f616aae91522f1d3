/*
 * Paths of a process, walked as the kernel would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/host-private.h"

static char dir[] = "/tmp/qm-walk-XXXXXX";

/* Links, wherever they are in a path, and `..`, as the kernel takes them. */
static void paths_are_walked(void **state)
{
    static const struct {
        const char *path; /* below DIR if it begins with '@' */
        bool known;
    } cases[] = {
        { "@/sub/file", true },          { "@//sub/.//file", true },
        { "@/sub/../sub/file", true },   { "@/link/file", true },
        { "@/far/file", true },          { "@/link/../sub/file", true },
        { "/../../..@/sub/file", true }, { "@/chain/file", true },
        { "@/loop/file", false },        { "@/sub/none", false },
        { "@/sub/file/x", false },       { "@/none/file", false },
        { "@/self/status", false }, /* whose? */
    };
    CLEANUP_FREE char *file = xasprintf("%s/sub/file", dir);
    struct qm_error err = QM_ERROR_INIT;
    struct loop *loop = loop_new();
    struct host *h = host_new(loop, "local", &err);
    struct stat st;

    (void)state;
    assert_int_equal(stat(file, &st), 0);
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        const char *at = strchr(cases[k].path, '@');
        CLEANUP_FREE char *path = xasprintf(
            "%.*s%s%s", (int)(at - cases[k].path), cases[k].path, dir, at + 1);
        const char *paths[] = { path };
        struct file_identity id;

        assert_int_equal(host_identify_files(h, getpid(), paths, 1, &id, &err),
                         0);
        assert_int_equal(id.known, cases[k].known);
        if (id.known) {
            assert_int_equal(id.inode, st.st_ino);
            assert_string_equal(id.name, "file");
        }
    }
    host_free(h);
    loop_free(loop);
}

/* A name may lead to another file than the one that was opened by it. */
static void replaced_files_are_told(void **state)
{
    CLEANUP_FREE char *path = xasprintf("%s/image", dir);
    const char *paths[] = { path };
    struct qm_error err = QM_ERROR_INIT;
    struct loop *loop = loop_new();
    struct host *h = host_new(loop, "local", &err);
    struct file_identity id;
    FILE *held = fopen("image", "w");

    (void)state;
    assert_non_null(held);
    assert_int_equal(host_identify_files(h, getpid(), paths, 1, &id, &err), 0);
    assert_true(id.known && !id.is_not_open);
    fclose(fopen("new", "w"));
    assert_int_equal(rename("new", "image"), 0);
    assert_int_equal(host_identify_files(h, getpid(), paths, 1, &id, &err), 0);
    assert_true(id.known && id.is_not_open);
    assert_int_equal(unlink("image"), 0);
    assert_int_equal(host_identify_files(h, getpid(), paths, 1, &id, &err), 0);
    assert_false(id.known || id.is_not_open);
    fclose(held);
    host_free(h);
    loop_free(loop);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("sub", 0700) < 0) {
        return -1;
    }
    CLEANUP_FREE char *sub = xasprintf("%s/sub", dir);

    fclose(fopen("sub/file", "w"));
    return symlink(sub, "far") < 0 || symlink("sub", "link") < 0 ||
           symlink("link/../far", "chain") < 0 || symlink("loop", "loop") < 0 ||
           symlink("/proc/self", "self") < 0;
}

static int tear_down(void **state)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf %s", dir);

    (void)state;
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_walked),
        cmocka_unit_test(replaced_files_are_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
