/*
 * Hosts: real processes, sockets and files of this machine, first directly and
 * then through a stand-in for ssh that runs what it is given as a login shell
 * would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "core/host-private.h"

static char dir[] = "/tmp/qm-host-XXXXXX";
static struct loop *loop;

/* Both kinds of host. */
static struct host *hosts[2];

/* --- this machine ---------------------------------------------------------------- */

static struct child *start_sleeper(void)
{
    static const char *const argv[] = { "sleep", "600", NULL };
    struct qm_error err = QM_ERROR_INIT;
    struct child *c =
        child_spawn(loop, &(struct child_options){ .argv = argv }, &err);

    assert_null(err.message);
    return c;
}

/* The child's number is not told: find it as our child, by /proc. */
static int pid_of_sleeper(void)
{
    char path[64];
    FILE *f;
    int pid = 0;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

/* Neither dead nor killed. */
static void expect_elsewhere(struct host *h, const struct process_identity *id,
                             const char *says)
{
    struct qm_error err = QM_ERROR_INIT;
    deadline_t by = deadline_in_ms(20000);
    CLEANUP_FREE char *doubt = host_process_doubt(h, id, by);

    assert_int_equal(host_process_state(h, id, by), PROCESS_UNKNOWN);
    assert_non_null(doubt);
    assert_non_null(strstr(doubt, says));
    assert_int_equal(host_kill_process(h, id, by, &err), -1);
    assert_non_null(strstr(err.message, says));
    error_clear(&err);
}

static void a_process_lives_and_dies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct child *c = start_sleeper();
        struct process_identity id = { .known = false }, other;
        struct qm_error err = QM_ERROR_INIT;
        int pid = pid_of_sleeper();
        deadline_t by = deadline_in_ms(20000);

        assert_int_equal(host_identify_pid(hosts[i], pid, &id, &err), 0);
        assert_int_equal(id.pid, pid);
        assert_int_equal(strlen(id.place.boot_id), 36);
        assert_int_equal(host_process_state(hosts[i], &id, by), PROCESS_ALIVE);

        /* another start time: that process is gone, and the one that is there must not be touched */
        other = id;
        other.start_time++;
        assert_int_equal(host_process_state(hosts[i], &other, by),
                         PROCESS_DEAD);
        assert_int_equal(host_kill_process(hosts[i], &other, by, &err), 0);
        other = id;
        other.place.boot_id[0] = 'x';
        memset(other.place.machine_id, 'a', 32);
        expect_elsewhere(hosts[i], &other, "another machine");
        other = id;
        other.place.pid_namespace[5] = 'x';
        expect_elsewhere(hosts[i], &other, "another PID namespace");
        assert_int_equal(host_process_state(hosts[i], &id, by), PROCESS_ALIVE);
        assert_false(child_has_exited(c));

        assert_int_equal(host_kill_process(hosts[i], &id, by, &err), 0);
        assert_null(err.message);
        assert_int_equal(host_process_state(hosts[i], &id, by), PROCESS_DEAD);
        /* dead already: fine */
        assert_int_equal(host_kill_process(hosts[i], &id, by, &err), 0);
        child_free(c);
        assert_int_equal(host_process_state(hosts[i], &id, by), PROCESS_DEAD);
        assert_int_equal(host_identify_pid(hosts[i], pid, &id, &err), -1);
        assert_non_null(strstr(err.message, "there is no process"));
        error_clear(&err);
    }
}

static void what_is_not_known_is_no_proof(void **state)
{
    struct process_identity id = { .known = false };
    struct qm_error err = QM_ERROR_INIT;
    deadline_t by = deadline_in_ms(20000);

    (void)state;
    assert_int_equal(host_process_state(hosts[0], &id, by), PROCESS_UNKNOWN);
    assert_int_equal(host_process_state(NULL, &id, by), PROCESS_UNKNOWN);
    assert_int_equal(host_kill_process(NULL, &id, by, &err), -1);
    assert_non_null(err.message);
    error_clear(&err);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A host on which programs fail (out of memory, of processes) must not make
 * the living look dead. */
static void a_stat_that_cannot_be_read_is_no_proof(void **state)
{
    CLEANUP_FREE char *cat = xasprintf("%s/cat", dir);
    struct process_identity id = { .known = false };
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(host_identify_pid(hosts[1], getpid(), &id, &err), 0);
    write_file(cat, "#!/bin/sh\ncase $1 in */stat) exit 1 ;; esac\n"
                    "exec /bin/cat \"$@\"\n");
    assert_int_equal(chmod(cat, 0755), 0);
    assert_int_equal(host_process_state(hosts[1], &id, deadline_in_ms(20000)),
                     PROCESS_UNKNOWN);
    unlink(cat);
    assert_int_equal(host_process_state(hosts[1], &id, deadline_in_ms(20000)),
                     PROCESS_ALIVE);
}

static int listen_on(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void the_listener_is_found(void **state)
{
    CLEANUP_FREE char *path = xasprintf("%s/a b.qmp", dir);
    CLEANUP_FREE char *link = xasprintf("%s/link", dir);
    CLEANUP_FREE char *none = xasprintf("%s/none", dir);
    CLEANUP(close_fd) int fd = listen_on(path);

    (void)state;
    assert_int_equal(symlink(path, link), 0);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        const char *const paths[] = { path, link };
        struct qm_error err = QM_ERROR_INIT;

        for (size_t j = 0; j < ARRAY_LEN(paths); j++) {
            struct process_identity id = { .known = false };

            host_identify_listener(hosts[i], paths[j], &id, &err);
            assert_null(err.message);
            assert_true(id.known);
            assert_int_equal(id.pid, getpid());
            assert_true(id.start_time > 0);
            assert_int_equal(
                host_process_state(hosts[i], &id, deadline_in_ms(20000)),
                PROCESS_ALIVE);
        }
        assert_int_equal(
            host_identify_listener(
                hosts[i], none, &(struct process_identity){ .pid = 0 }, &err),
            -1);
        assert_non_null(strstr(err.message, "no process listens on"));
        error_clear(&err);
    }
    unlink(link);
    unlink(path);
}

static void files_are_read(void **state)
{
    static const char odd[] = "one\n\ntwo 'x' \"y\" $HOME \\n `id`\n\n";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct host_file f[] = {
            { .path = xasprintf("%s/it's $x \"y\"", dir) },
            { .path = xasprintf("%s/none", dir) },
            { .path = xstrdup(dir) }, /* a folder: there, but unreadable */
            { .path = xasprintf("%s/empty", dir) },
        };
        struct qm_error err = QM_ERROR_INIT;

        write_file(f[0].path, odd);
        write_file(f[3].path, "");
        assert_int_equal(host_read_files(hosts[i], f, 4, 4096, &err), 0);
        assert_int_equal(f[0].state, HOST_FILE_READ);
        assert_int_equal(f[0].bytes.len, strlen(odd));
        assert_memory_equal(f[0].bytes.data, odd, strlen(odd));
        assert_int_equal(f[1].state, HOST_FILE_MISSING);
        assert_int_equal(f[2].state, HOST_FILE_UNREADABLE);
        assert_int_equal(f[3].state, HOST_FILE_READ);
        assert_int_equal(f[3].bytes.len, 0);

        buffer_done(&f[0].bytes);
        assert_int_equal(host_read_files(hosts[i], f, 1, 5, &err), 0);
        assert_int_equal(f[0].bytes.len, 5);
        unlink(f[0].path);
        unlink(f[3].path);
        host_files_done(f, 4);
    }
}

static void keys_are_only_looked_at(void **state)
{
    static const unsigned modes[] = { 0600, 0644, 0777, 0000, 0640, 04755 };
    CLEANUP_FREE char *path = xasprintf("%s/its \"key\"", dir);
    CLEANUP_FREE char *link = xasprintf("%s/-link", dir);
    CLEANUP_FREE char *none = xasprintf("%s/none", dir);

    (void)state;
    write_file(path, "secret");
    assert_int_equal(symlink(path, link), 0);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        enum host_file_state what = HOST_FILE_UNREADABLE;
        unsigned mode = 01;

        for (size_t k = 0; k < ARRAY_LEN(modes); k++) {
            assert_int_equal(chmod(path, modes[k]), 0);
            assert_int_equal(host_look_at_file(hosts[i], k % 2 ? link : path,
                                               &what, &mode, NULL),
                             0);
            assert_int_equal(what, HOST_FILE_READ);
            assert_int_equal(mode, modes[k] & 0777);
        }
        assert_int_equal(host_look_at_file(hosts[i], none, &what, &mode, NULL),
                         0);
        assert_int_equal(what, HOST_FILE_MISSING);
        assert_int_equal(
            host_look_at_file(hosts[i], "/a\nb", &what, &mode, NULL), -1);
    }
    unlink(link);
    unlink(path);
}

static void files_are_told_apart(void **state)
{
    CLEANUP_FREE char *a = xasprintf("%s/a", dir);
    CLEANUP_FREE char *b = xasprintf("%s/b -e", dir);
    CLEANUP_FREE char *link = xasprintf("%s/link", dir);
    CLEANUP_FREE char *none = xasprintf("%s/none", dir);
    const char *paths[] = { a, NULL, b, none, link, "/dev/null", "" };
    struct stat st;

    (void)state;
    write_file(a, "");
    write_file(b, "");
    assert_int_equal(symlink(a, link), 0);
    assert_int_equal(stat(a, &st), 0);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct file_identity id[ARRAY_LEN(paths)];
        struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(host_identify_files(hosts[i], getpid(), paths,
                                             ARRAY_LEN(paths), id, &err),
                         0);
        assert_true(id[0].known);
        assert_int_equal(id[0].inode, st.st_ino);
        assert_int_equal(id[0].device, st.st_dev);
        assert_false(id[1].known);
        assert_true(id[2].known);
        assert_true(id[2].inode != id[0].inode);
        assert_false(id[3].known);
        assert_int_equal(id[4].inode, id[0].inode);
        assert_true(id[5].known);
        assert_false(id[5].is_block_device);
        assert_false(id[6].known);

        /* whose file system is it? */
        assert_int_equal(
            host_identify_files(hosts[i], 0, paths, ARRAY_LEN(paths), id, &err),
            0);
        assert_false(id[0].known);
        assert_int_equal(host_identify_files(hosts[i], INT32_MAX, paths,
                                             ARRAY_LEN(paths), id, &err),
                         0);
        assert_false(id[0].known);
    }
    unlink(a);
    unlink(b);
    unlink(link);
}

static void a_key_is_put_and_removed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        CLEANUP(secret_free) struct secret *line = secret_new(8);
        CLEANUP_FREE char *name = xasprintf("qm-test-%d-%zu", (int)getpid(), i);
        CLEANUP_FREE char *path = NULL;
        struct qm_error err = QM_ERROR_INIT;
        struct host_key *k;
        struct stat st;
        char text[16] = "";
        FILE *f;

        memcpy(secret_bytes(line), "me:1234\n", 8);
        k = host_key_put(hosts[i], (int)getpid(), name, line, &err);
        assert_null(err.message);
        path = xasprintf("%s/keys.psk", host_key_dir(k));
        assert_int_equal(stat(host_key_dir(k), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        f = fopen(path, "r");
        assert_non_null(fgets(text, sizeof(text), f));
        fclose(f);
        assert_string_equal(text, "me:1234\n");
        assert_int_equal(host_key_remove(k, &err), 0);
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void digests_tell_what_is_in_files(void **state)
{
    CLEANUP_FREE char *a = xasprintf("%s/a", dir);
    CLEANUP_FREE char *b = xasprintf("%s/b -e $(x)", dir);
    CLEANUP_FREE char *link = xasprintf("%s/link", dir);
    CLEANUP_FREE char *none = xasprintf("%s/none", dir);
    const char *paths[] = { a, "", none, b, "/dev/zero", link, dir };

    (void)state;
    write_file(a, "abc");
    write_file(b, "");
    assert_int_equal(symlink(a, link), 0);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct file_digest d[ARRAY_LEN(paths)];
        struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(host_digest_files(hosts[i], getpid(), paths,
                                           ARRAY_LEN(paths), 20000, d, &err),
                         0);
        assert_true(d[0].known);
        assert_string_equal(d[0].sha256, /* FIPS 180-2, B.1 */
                            "ba7816bf8f01cfea414140de5dae2223"
                            "b00361a396177a9cb410ff61f20015ad");
        assert_false(d[1].known);
        assert_false(d[2].known);
        assert_true(d[3].known);
        assert_string_not_equal(d[3].sha256, d[0].sha256);
        assert_false(d[4].known); /* or it would never end */
        assert_string_equal(d[5].sha256, d[0].sha256);
        assert_false(d[6].known);
    }
    unlink(a);
    unlink(b);
    unlink(link);
}

static void the_unit_is_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct process_identity id;
        struct unit_facts u = { .unit = NULL };
        struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(host_identify_pid(hosts[i], getpid(), &id, &err), 0);
        assert_int_equal(host_unit_facts(hosts[i], &id, &u, &err), 0);
        assert_false(u.is_libvirt);
        unit_facts_done(&u);
    }
}

static void a_script_has_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct qm_error err = QM_ERROR_INIT;
        struct buffer out = { .len = 0 };

        assert_int_equal(host_run(hosts[i], "cat; exit 7", "in put\n",
                                  deadline_in_ms(20000), &out, &err),
                         7);
        assert_string_equal(out.data, "in put\n");
        buffer_done(&out);
        assert_int_equal(host_run(hosts[i], "sleep 60", NULL,
                                  deadline_in_ms(50), &out, &err),
                         -1);
        assert_int_equal(err.code, QM_ERR_TIMEOUT);
        error_clear(&err);
        buffer_done(&out);
    }
}

static void ssh_is_asked_for_the_address(void **state)
{
    struct qm_error err = QM_ERROR_INIT;
    CLEANUP(strv_done) struct strv found = { .count = 0 };
    int status = host_addresses(hosts[1], &found, &err);

    (void)state;
    assert_null(err.message);
    assert_int_equal(status, 0);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.item[0], "192.0.2.7");
}

static void ssh_that_fails_says_why(void **state)
{
    struct qm_error err = QM_ERROR_INIT;
    struct host *h = host_new(loop, "ssh://unreachable", &err);
    struct buffer out = { .len = 0 };

    (void)state;
    assert_int_equal(
        host_run(h, "true", NULL, deadline_in_ms(20000), &out, &err), -1);
    assert_int_equal(err.code, QM_ERR_CONNECT);
    assert_string_equal(err.message, "ssh://unreachable: ssh failed: no route");
    error_clear(&err);
    host_free(h);
    buffer_done(&out);
}

/* What ssh is told: never to ask, nothing shared, the host behind `--`. */
static void ssh_gets_its_options(void **state)
{
    static const char *const wanted[] = {
        "BatchMode=yes\n",
        "ControlMaster=no\n",
        "ControlPath=none\n",
        "ConnectTimeout=10\n",
        "ServerAliveInterval=",
        "-l\nroot\n-p\n2222\n--\nb.example\n"
        "exec sh -c 'IFS= read -r s; eval \"$s\"'\n",
    };
    struct host_file argv = { .path = xasprintf("%s/argv", dir) };
    struct qm_error err = QM_ERROR_INIT;
    struct buffer out = { .len = 0 };

    (void)state;
    assert_int_equal(
        host_run(hosts[1], "true", NULL, deadline_in_ms(20000), &out, &err), 0);
    assert_int_equal(host_read_files(hosts[0], &argv, 1, 4096, &err), 0);
    buffer_append(&argv.bytes, "", 1);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_non_null(strstr(argv.bytes.data, wanted[i]));
    }
    host_files_done(&argv, 1);
    buffer_done(&out);
}

/* --- setup ----------------------------------------------------------------------- */

static int set_up(void **state)
{
    static const char ssh[] =
        "#!/bin/sh\n"
        "here=${0%/*}\n"
        "printf '%s\\n' \"$@\" >$here/argv\n"
        "ask=no\n"
        "while [ \"$1\" != -- ]; do [ \"$1\" = -G ] && ask=yes; shift; done\n"
        "[ $ask = yes ] && echo 'user x\nhostname 192.0.2.7\nport 22' && exit\n"
        "[ $2 = unreachable ] && echo 'no route' >&2 && exit 255\n"
        "shift 2\n"
        "exec sh -c \"$*\"\n";
    CLEANUP_FREE char *path = NULL, *search = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    path = xasprintf("%s/ssh", dir);
    write_file(path, ssh);
    assert_int_equal(chmod(path, 0755), 0);
    search = xasprintf("%s:%s", dir, getenv("PATH"));
    setenv("PATH", search, 1);
    loop = loop_new();
    hosts[0] = host_new(loop, "local", NULL);
    hosts[1] = host_new(loop, "ssh://root@b.example:2222", NULL);
    return hosts[0] && hosts[1] ? 0 : -1;
}

/* A /proc that tells less than Linux's says nothing, and then it is unknown. */
static void an_address_is_looked_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct process_identity id = { .known = true, .pid = getpid() };

        assert_int_not_equal(host_has_address(hosts[i], &id, "127.0.0.1"),
                             HOST_HAS_NOT);
        assert_int_not_equal(host_has_address(hosts[i], &id, "203.0.113.77"),
                             HOST_HAS);
        assert_int_equal(host_has_address(hosts[i], &id, "b.example"),
                         HOST_HAS_UNKNOWN);
        id.pid = INT32_MAX;
        assert_int_equal(host_has_address(hosts[i], &id, "127.0.0.1"),
                         HOST_HAS_UNKNOWN);
        id.known = false;
        assert_int_equal(host_has_address(hosts[i], &id, "127.0.0.1"),
                         HOST_HAS_UNKNOWN);
    }
    assert_int_equal(host_has_address(NULL, NULL, "127.0.0.1"),
                     HOST_HAS_UNKNOWN);
}

static int tear_down(void **state)
{
    static const char *const files[] = { "ssh", "argv" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", dir, files[i]);

        unlink(path);
    }
    host_free(hosts[0]);
    host_free(hosts[1]);
    loop_free(loop);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_lives_and_dies),
        cmocka_unit_test(what_is_not_known_is_no_proof),
        cmocka_unit_test(a_stat_that_cannot_be_read_is_no_proof),
        cmocka_unit_test(the_listener_is_found),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(keys_are_only_looked_at),
        cmocka_unit_test(files_are_told_apart),
        cmocka_unit_test(an_address_is_looked_up),
        cmocka_unit_test(a_key_is_put_and_removed),
        cmocka_unit_test(digests_tell_what_is_in_files),
        cmocka_unit_test(the_unit_is_asked),
        cmocka_unit_test(a_script_has_its_limit),
        cmocka_unit_test(ssh_is_asked_for_the_address),
        cmocka_unit_test(ssh_that_fails_says_why),
        cmocka_unit_test(ssh_gets_its_options),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
