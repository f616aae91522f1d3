/*
 * Keys for a QEMU that is another user's, or wishes us ill.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/host-private.h"

enum { NOBODY = 65534 };

static char dir[] = "/tmp/qm-key-XXXXXX";
static struct loop *loop;
static struct host *here;

static struct host_key *put_key(int pid, struct qm_error *err)
{
    CLEANUP(secret_free) struct secret *line = secret_new(8);
    CLEANUP_FREE char *name = xasprintf("qm-test-%d-key", (int)getpid());

    memcpy(secret_bytes(line), "me:1234\n", 8);
    return host_key_put(here, pid, name, line, err);
}

/* A process as a QEMU that was started with -runas: what is in its folder of
 * /proc belongs to root. */
static pid_t start_nobody(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            prctl(PR_SET_DUMPABLE, 0) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void it_is_given_to_who_qemu_became(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *path = NULL;
    struct host_key *k;
    struct stat of_dir, of_file;
    pid_t pid;

    (void)state;
    if (getuid() != 0)
        skip();
    pid = start_nobody();
    k = put_key(pid, &err);
    assert_null(err.message);
    path = xasprintf("%s/keys.psk", host_key_dir(k));
    assert_int_equal(stat(host_key_dir(k), &of_dir), 0);
    assert_int_equal(stat(path, &of_file), 0);
    assert_int_equal(of_dir.st_uid, NOBODY);
    assert_int_equal(of_file.st_uid, NOBODY);
    assert_int_equal(of_file.st_mode & 07777, 0600);
    assert_int_equal(host_key_remove(k, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* An mkdir(1) that was overtaken: in the place of the folder is a link to
 * DIR/prey, which is ours too. */
static void make_overtaken(const char *prey)
{
    CLEANUP_FREE char *tool = xasprintf("%s/mkdir", dir);
    CLEANUP_FREE char *path = xasprintf("%s:%s", dir, getenv("PATH"));
    FILE *f = fopen(tool, "w");

    assert_non_null(f);
    fprintf(f, "#!/bin/sh\nexec ln -s %s \"$1\"\n", prey);
    assert_int_equal(fchmod(fileno(f), 0755), 0);
    fclose(f);
    setenv("PATH", path, 1);
    assert_int_equal(mkdir(prey, 0700), 0);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP_FREE char *prey = xasprintf("%s/prey", dir);
    CLEANUP_FREE char *tool = xasprintf("%s/mkdir", dir);
    CLEANUP_FREE char *path = xstrdup(getenv("PATH"));

    (void)state;
    make_overtaken(prey);
    assert_null(put_key((int)getpid(), &err));
    setenv("PATH", path, 1);
    assert_non_null(strstr(err.message, "is not there any more"));
    unlink(tool);
    /* nothing was put there */
    assert_int_equal(rmdir(prey), 0);
}

/* The network was cut, and the host has not noticed yet: the next one lies where
 * that one did, and is left there when it does. */
static void it_takes_the_place_of_the_one_before(void **state)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct host_key *lost, *next;
    CLEANUP_FREE char *path = NULL;

    (void)state;
    lost = put_key((int)getpid(), &err);
    assert_null(err.message);
    next = put_key((int)getpid(), &err);
    assert_null(err.message);
    assert_string_equal(host_key_dir(next), host_key_dir(lost));
    path = xasprintf("%s/keys.psk", host_key_dir(next));
    assert_int_equal(host_key_remove(lost, NULL), -1);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(host_key_is_there(next));
    assert_int_equal(host_key_remove(next, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static int set_up(void **state)
{
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_non_null(mkdtemp(dir));
    loop = loop_new();
    here = host_new(loop, "local", &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_free(here);
    loop_free(loop);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_given_to_who_qemu_became),
        cmocka_unit_test(it_takes_the_place_of_the_one_before),
        cmocka_unit_test(a_link_in_its_place_is_not_followed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
