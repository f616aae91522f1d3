/*
 * Images are made where somebody else may write.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/host-images.h"

#define TRIES 12

static char dir[] = "/tmp/qm-make-XXXXXX";
static struct loop *loop;
static struct host *host;

static char *path_in(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void write_secret(void)
{
    CLEANUP_FREE char *path = path_in("secret");
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs("root's alone", f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void assert_secret_is_unharmed(const struct stat *before)
{
    CLEANUP_FREE char *path = path_in("secret");
    char text[32] = "";
    struct stat now;
    FILE *f = fopen(path, "r");

    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    assert_string_equal(text, "root's alone");
    assert_int_equal(stat(path, &now), 0);
    assert_int_equal(now.st_ino, before->st_ino);
    assert_int_equal(now.st_uid, before->st_uid);
    assert_int_equal(now.st_mode, before->st_mode);
}

/* As soon as the image is there, a link takes its place. */
static pid_t start_swapping(const char *image)
{
    CLEANUP_FREE char *secret = path_in("secret"), *link = path_in("open/link");
    pid_t pid = fork();

    if (pid != 0) {
        return pid;
    }
    while (symlink(secret, link) == 0) {
        while (access(image, F_OK) < 0) {
            if (getppid() == 1) {
                _exit(0);
            }
        }
        rename(link, image);
    }
    _exit(1);
}

static int make(const char *path, struct made_image *ret, struct qm_error *err)
{
    const struct image_spec spec = {
        .path = path, .format = "qcow2", .size_bytes = MIB, .options = ""
    };
    bool unsure = false;
    int status = host_make_image(host, getpid(), &spec, ret, &unsure, err);

    assert_false(unsure);
    return status;
}

static void a_link_is_never_written_through(void **state)
{
    CLEANUP_FREE char *image = path_in("open/vm.qcow2");
    CLEANUP_FREE char *secret = path_in("secret");
    struct stat before;

    (void)state;
    if (system("qemu-img --version >/dev/null 2>&1") != 0) {
        skip();
    }
    assert_int_equal(stat(secret, &before), 0);
    for (int i = 0; i < TRIES; i++) {
        CLEANUP_FREE char *link = path_in("open/link");
        struct made_image made = { .known = false };
        struct qm_error err = QM_ERROR_INIT;
        pid_t attacker = start_swapping(image);

        (void)make(image, &made, &err);
        kill(attacker, SIGKILL);
        waitpid(attacker, NULL, 0);
        assert_secret_is_unharmed(&before);
        error_clear(&err);
        unlink(image);
        unlink(link);
    }
}

/* It was there before: a file, a link to one, or to none. */
static void what_is_there_is_left(void **state)
{
    static const char *const targets[] = { "../secret", "../none",
                                           "/dev/null" };
    CLEANUP_FREE char *image = path_in("open/vm.qcow2");
    CLEANUP_FREE char *secret = path_in("secret"), *none = path_in("none");
    struct stat before, st;

    (void)state;
    assert_int_equal(stat(secret, &before), 0);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct made_image made = { .known = false };
        struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(symlink(targets[i], image), 0);
        assert_int_equal(make(image, &made, &err), -1);
        assert_non_null(strstr(err.message, "exists already"));
        error_clear(&err);
        assert_int_equal(lstat(image, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(access(none, F_OK), -1);
        assert_secret_is_unharmed(&before);
        unlink(image);
    }
}

/* Root follows no link of another user to a folder. */
static void anothers_link_is_no_way(void **state)
{
    CLEANUP_FREE char *link = path_in("way");
    CLEANUP_FREE char *image = path_in("way/vm.qcow2");
    struct image_site site = { .path = image };
    struct image_maker maker;
    struct made_image made = { .known = false };
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    if (getuid() != 0 || system("qemu-img --version >/dev/null 2>&1") != 0) {
        skip();
    }
    assert_int_equal(symlink("open", link), 0);
    assert_int_equal(host_look_at_sites(host, getpid(), &site, 1, &maker, &err),
                     0);
    assert_int_equal(site.state, SITE_FREE);
    assert_int_equal(lchown(link, 65534, 65534), 0);
    assert_int_equal(host_look_at_sites(host, getpid(), &site, 1, &maker, &err),
                     0);
    assert_int_equal(site.state, SITE_NO_FOLDER);
    assert_int_equal(make(image, &made, &err), -1);
    assert_int_equal(access(image, F_OK), -1);
    error_clear(&err);
    assert_int_equal(lchown(link, 0, 0), 0);
    assert_int_equal(make(image, &made, &err), 0);
    assert_int_equal(access(image, F_OK), 0);
    assert_int_equal(host_remove_image(host, getpid(), image, &made, &err), 0);
    assert_int_equal(access(image, F_OK), -1);
    unlink(link);
}

/* Whose file system would it be? */
static void nothing_is_made_for_nobody(void **state)
{
    CLEANUP_FREE char *image = path_in("open/vm.qcow2");
    const struct image_spec spec = {
        .path = image, .format = "raw", .size_bytes = MIB, .options = ""
    };
    struct image_site site = { .path = image };
    struct image_maker maker;
    struct made_image made = { .known = false };
    struct qm_error err = QM_ERROR_INIT;
    bool unsure = false;

    (void)state;
    assert_int_equal(host_look_at_sites(host, 0, &site, 1, &maker, &err), 0);
    assert_int_equal(site.state, SITE_UNSEEN);
    assert_int_equal(host_make_image(host, 0, &spec, &made, &unsure, &err), -1);
    assert_false(unsure);
    assert_int_equal(access(image, F_OK), -1);
    error_clear(&err);
}

static int set_up(void **state)
{
    CLEANUP_FREE char *open = NULL;

    (void)state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    open = path_in("open");
    write_secret();
    loop = loop_new();
    host = host_new(loop, "local", NULL);
    return mkdir(open, 0777);
}

static int tear_down(void **state)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf %s", dir);

    (void)state;
    host_free(host);
    loop_free(loop);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_never_written_through),
        cmocka_unit_test(what_is_there_is_left),
        cmocka_unit_test(anothers_link_is_no_way),
        cmocka_unit_test(nothing_is_made_for_nobody),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
