/*
 * A new folder is there whole or not at all, and never in another's place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "pki.h"

static char *top; /* all is below it */

static int setup(void **state)
{
    (void)state;
    top = pki_new_dir();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_remove_dir(top);
    return 0;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void appears_when_finished(void **state)
{
    CLEANUP(new_folder_done) struct new_folder f;
    CLEANUP_FREE char *path = xasprintf("%s/a/b/c", top);
    CLEANUP_FREE char *file = xasprintf("%s/secret", path);
    struct stat st;

    (void)state;
    (void)umask(0);
    assert_int_equal(new_folder_begin(&f, path, NULL), 0);
    assert_int_equal(new_folder_add(&f, "secret", "abc", 3, 0600, NULL), 0);
    assert_false(is_there(path));
    assert_int_equal(new_folder_finish(&f, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 3);
}

static void unfinished_leaves_nothing(void **state)
{
    struct new_folder f;
    CLEANUP_FREE char *path = xasprintf("%s/d/e", top);
    CLEANUP_FREE char *parent = xasprintf("%s/d", top);

    (void)state;
    assert_int_equal(new_folder_begin(&f, path, NULL), 0);
    assert_int_equal(new_folder_add(&f, "x", "abc", 3, 0600, NULL), 0);
    /* not twice, and not through a link */
    assert_int_equal(new_folder_add(&f, "x", "abc", 3, 0600, NULL), -1);
    new_folder_done(&f);
    assert_false(is_there(path));
    assert_int_equal(rmdir(parent), 0); /* it is empty */
}

static void nothing_is_replaced(void **state)
{
    static const char *const kinds[] = { "file", "link", "folder" };
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", top, kinds[i]);
        CLEANUP_FREE char *inside = xasprintf("%s/inside", path);
        struct new_folder early, late;

        /* made between begin and finish, then before begin */
        assert_int_equal(new_folder_begin(&late, path, NULL), 0);
        if (i == 0)
            pki_put_text(top, "file", "precious");
        else if (i == 1)
            assert_int_equal(symlink("/nonexistent", path), 0);
        else
            assert_int_equal(mkdir(path, 0700) + mkdir(inside, 0700), 0);
        assert_int_equal(new_folder_finish(&late, &err), -1);
        assert_int_equal(err.code, QM_ERR_SYSTEM);
        error_clear(&err);
        new_folder_done(&late);
        assert_int_equal(new_folder_begin(&early, path, &err), -1);
        assert_int_equal(err.code, QM_ERR_REFUSED);
        assert_non_null(strstr(err.message, "is there already"));
        error_clear(&err);
        new_folder_done(&early);
        assert_true(is_there(path));
        assert_int_equal(is_there(inside), i == 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_when_finished),
        cmocka_unit_test(unfinished_leaves_nothing),
        cmocka_unit_test(nothing_is_replaced),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
