/*
 * The lock on a QEMU's process, whose file is removed by who has it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "core/rundir.h"

enum { ENGINES = 4, ROUNDS = 3000, NOBODY = 65534 };

static char dir[] = "/tmp/test-core-rundir-XXXXXX";
static const struct process_identity qemu = {
    .known = true, .pid = 4711, .start_time = 42, .place = { .boot_id = "boot" }
};

struct shared {
    atomic_int holders, got, faults;
};

/* Root's folder is that of the machine. */
static void use_own_folder(void)
{
    assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
}

static void lock_again_and_again(struct shared *s)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct qm_error err = QM_ERROR_INIT;
        int lock = rundir_lock_process("source", &qemu, &err);

        if (lock < 0) {
            s->faults += err.code != QM_ERR_BUSY;
            error_clear(&err);
            continue;
        }
        s->faults += ++s->holders != 1;
        s->got++;
        s->holders--;
        rundir_unlock_process(lock);
    }
}

static void only_one_has_it(void **state)
{
    struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CLEANUP_FREE char *path = xasprintf("%s/qmigrate", dir);

    (void)state;
    assert_true(s != MAP_FAILED);
    for (int i = 0; i < ENGINES; i++) {
        if (fork() == 0) {
            lock_again_and_again(s);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        continue;
    assert_int_equal(s->faults, 0);
    assert_true(s->got >= ROUNDS / ENGINES);
    assert_int_equal(rmdir(path), 0); /* nothing is left there */
    munmap(s, sizeof(*s));
}

/* What another engine does between our open() and our flock(): it ends, and a
 * third one begins, with a file of its own. */
static const char *replaced;
static int others = -1;

int flock(int fd, int operation)
{
    if (replaced) {
        unlink(replaced);
        others = open(replaced, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(syscall(SYS_flock, others, LOCK_EX | LOCK_NB), 0);
        replaced = NULL;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static void file_that_was_removed_is_no_lock(void **state)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/qmigrate/qemu-boot-4711-42.lock", dir);
    struct qm_error err = QM_ERROR_INIT;
    int lock;

    (void)state;
    replaced = path;
    assert_int_equal(rundir_lock_process("source", &qemu, &err), -1);
    assert_int_equal(err.code, QM_ERR_BUSY);
    error_clear(&err);
    close_fd(others);
    lock = rundir_lock_process("source", &qemu, &err);
    assert_true(lock >= 0);
    rundir_unlock_process(lock);
    assert_int_equal(access(path, F_OK), -1);
}

/* A file that another one has made in its place is not that one's to remove. */
static void only_its_own_file_is_removed(void **state)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/qmigrate/qemu-boot-4711-42.lock", dir);
    struct qm_error err = QM_ERROR_INIT;
    int first = rundir_lock_process("source", &qemu, &err), second;

    (void)state;
    assert_true(first >= 0);
    assert_int_equal(rundir_lock_process("source", &qemu, &err), -1);
    assert_int_equal(err.code, QM_ERR_BUSY);
    error_clear(&err);
    assert_int_equal(unlink(path), 0);
    second = rundir_lock_process("source", &qemu, &err);
    assert_true(second >= 0);
    rundir_unlock_process(first);
    assert_int_equal(access(path, F_OK), 0);
    rundir_unlock_process(second);
    assert_int_equal(access(path, F_OK), -1);
    rundir_unlock_process(-1);
}

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    use_own_folder();
    return 0;
}

static int end(void **state)
{
    CLEANUP_FREE char *path = xasprintf("%s/qmigrate", dir);

    (void)state;
    rmdir(path);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_has_it),
        cmocka_unit_test(file_that_was_removed_is_no_lock),
        cmocka_unit_test(only_its_own_file_is_removed),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
