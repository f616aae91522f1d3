/*
 * The error object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/error.h"

static void first_error_wins(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_false(error_is_set(&err));
    assert_int_equal(error_set(&err, QM_ERR_TLS, "first %d", 1), -1);
    assert_int_equal(error_set(&err, QM_ERR_DISK, "second"), -1);
    assert_int_equal(error_set_errno(&err, QM_ERR_DISK, EIO, "third"), -1);
    assert_true(error_is_set(&err));
    assert_int_equal(err.code, QM_ERR_TLS);
    assert_string_equal(err.message, "first 1");
}

static void errno_is_told_in_words(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    error_set_errno(&err, QM_ERR_SYSTEM, ENOENT, "cannot open %s", "/x");
    assert_string_equal(err.message, "cannot open /x: No such file or "
                                     "directory");
}

static void wrapping_puts_in_front(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(error_wrap(&err, "too early"), -1);
    assert_false(error_is_set(&err));
    error_set(&err, QM_ERR_QEMU, "source said: 100%%");
    error_wrap(&err, "blockdev-add %d", 7);
    error_wrap(&err, "mirror disks");
    assert_string_equal(err.message,
                        "mirror disks: blockdev-add 7: source said: 100%");
    assert_int_equal(err.code, QM_ERR_QEMU);
}

static void first_hint_wins(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    (void)state;
    error_hint(&err, "too early");
    error_set_peer_class(&err, "TooEarly");
    assert_null(err.hint);
    assert_null(err.peer_class);
    error_set(&err, QM_ERR_QEMU, "x");
    error_hint(&err, "do %s", "this");
    error_hint(&err, "do that");
    error_set_peer_class(&err, "GenericError");
    error_set_peer_class(&err, "DeviceNotFound");
    assert_string_equal(err.hint, "do this");
    assert_string_equal(err.peer_class, "GenericError");
}

static void clear_makes_room(void **state)
{
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    error_set(&err, QM_ERR_QEMU, "old");
    error_hint(&err, "old");
    error_set_peer_class(&err, "Old");
    error_clear(&err);
    assert_false(error_is_set(&err));
    assert_null(err.hint);
    assert_null(err.peer_class);
    error_set(&err, QM_ERR_LINK, "new");
    assert_string_equal(err.message, "new");
    error_clear(&err);
    error_clear(NULL);
}

static void nobody_cares(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, QM_ERR_QEMU, "x"), -1);
    assert_int_equal(error_set_errno(NULL, QM_ERR_QEMU, EIO, "x"), -1);
    assert_int_equal(error_wrap(NULL, "x"), -1);
    error_hint(NULL, "x");
    error_set_peer_class(NULL, "x");
    assert_false(error_is_set(NULL));
}

static void move_keeps_the_first(void **state)
{
    CLEANUP(error_clear) struct qm_error to = QM_ERROR_INIT;
    struct qm_error from = QM_ERROR_INIT;

    (void)state;
    error_set(&from, QM_ERR_GUEST, "one");
    error_hint(&from, "hint");
    assert_int_equal(error_move(&to, &from), -1);
    assert_false(error_is_set(&from));
    assert_null(from.hint);
    assert_string_equal(to.message, "one");
    assert_string_equal(to.hint, "hint");
    assert_int_equal(to.code, QM_ERR_GUEST);

    error_set(&from, QM_ERR_DISK, "two");
    error_move(&to, &from);
    assert_string_equal(to.message, "one");
    assert_false(error_is_set(&from));

    error_set(&from, QM_ERR_DISK, "three");
    error_move(NULL, &from);
    assert_false(error_is_set(&from));
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(error_code_name(QM_ERR_USAGE), "usage");
    assert_string_equal(error_code_name(QM_ERR_LINK), "link-lost");
    assert_string_equal(error_code_name(QM_ERR_INTERNAL), "internal");
    assert_string_equal(error_code_meaning(QM_ERR_INTERNAL),
                        "a bug of qmigrate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(errno_is_told_in_words),
        cmocka_unit_test(wrapping_puts_in_front),
        cmocka_unit_test(first_hint_wins),
        cmocka_unit_test(clear_makes_room),
        cmocka_unit_test(nobody_cares),
        cmocka_unit_test(move_keeps_the_first),
        cmocka_unit_test(codes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
