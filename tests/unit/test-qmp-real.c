/*
 * The client against a real QEMU without a machine: what it greets with, what
 * its schema offers, what becomes of the link when it is killed.
 * QM_QEMU names another program than the system's qemu-system-x86_64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/child.h"
#include "qmp/client.h"
#include "qmp/schema.h"

struct fixture {
    struct loop *loop;
    char dir[64];
    char path[96];
    struct child *qemu;
    struct qmp_address address;
    struct qmp *q;
    unsigned resumes;
    struct qm_error err;
};

static void on_event(void *arg, const struct qmp_event *event)
{
    struct fixture *x = arg;

    x->resumes += str_equal(event->name, "RESUME");
}

static const char *program(void)
{
    const char *named = getenv("QM_QEMU");

    return named ? named : "qemu-system-x86_64";
}

static void note(void *arg, unsigned ready)
{
    (void)ready;
    *(bool *)arg = true;
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

/* QEMU listens at once after it has made the socket; the few microseconds
 * between are the client's CONNECTION REFUSED, which is tried again here. */
static bool start_qemu(struct fixture *x)
{
    CLEANUP_FREE char *qmp = xasprintf("unix:%s,server=on,wait=off", x->path);
    const char *const argv[] = {
        program(),     "-M", "none", "-display", "none",
        "-nodefaults", "-S", "-qmp", qmp,        NULL,
    };
    const struct child_options options = { .argv = argv };
    CLEANUP(close_fd) int fd = inotify_init1(IN_CLOEXEC);
    bool appeared = false;
    struct loop_watch *watch =
        loop_watch_fd(x->loop, fd, LOOP_READ, note, &appeared);

    inotify_add_watch(fd, x->dir, IN_CREATE);
    x->qemu = child_spawn(x->loop, &options, NULL);
    if (x->qemu) {
        loop_wait(x->loop, is_set, &appeared, deadline_in_ms(20000));
    }
    loop_watch_free(watch);
    return x->qemu && appeared;
}

static int setup(void **state)
{
    struct fixture *x = XNEW(struct fixture);

    strcpy(x->dir, "/tmp/qm-real-XXXXXX");
    if (!mkdtemp(x->dir)) {
        return -1;
    }
    snprintf(x->path, sizeof(x->path), "%s/vm.qmp", x->dir);
    x->loop = loop_new();
    *state = x;
    return start_qemu(x) ? qmp_address_parse(x->path, &x->address, NULL) : -1;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    qmp_close(x->q);
    child_free(x->qemu);
    unlink(x->path);
    rmdir(x->dir);
    qmp_address_done(&x->address);
    error_clear(&x->err);
    loop_free(x->loop);
    free(x);
    return 0;
}

static void open_it(struct fixture *x)
{
    const struct qmp_options options = {
        .who = "source",
        .callbacks = { .on_event = on_event, .arg = x },
    };
    deadline_t by = deadline_in_ms(20000);

    do {
        error_clear(&x->err);
        x->q = qmp_open(x->loop, &x->address, &options, by, &x->err);
    } while (!x->q && x->err.code == QM_ERR_CONNECT && !deadline_is_over(by));
    assert_null(x->err.message);
    assert_non_null(x->q);
}

static void talks(void **state)
{
    struct fixture *x = *state;
    struct json_object *result = NULL, *running;

    open_it(x);
    assert_true(qmp_version_at_least(x->q, 7, 2, 0));
    assert_true(qmp_has_oob(x->q));
    assert_int_equal(
        qmp_command(x->q, "query-status", NULL, QMP_QUERY, &result, NULL), 0);
    assert_true(json_object_object_get_ex(result, "running", &running));
    assert_false(json_object_get_boolean(running));
    json_object_put(result);
    assert_int_equal(qmp_command_oob(x->q, "query-yank", NULL, &result, NULL),
                     0);
    assert_true(json_object_is_type(result, json_type_array));
    json_object_put(result);
    assert_int_equal(
        qmp_command(x->q, "nonsense", NULL, QMP_QUERY, NULL, &x->err), -1);
    assert_string_equal(x->err.message, "source: nonsense: QEMU said: The "
                                        "command nonsense has not been found");
    assert_string_equal(x->err.peer_class, "CommandNotFound");
    error_clear(&x->err);
    assert_int_equal(qmp_command(x->q, "cont", NULL, QMP_QUERY, NULL, NULL), 0);
    assert_int_equal(x->resumes, 1);
    assert_int_equal(qmp_generation(x->q), 1);
}

/* What each QEMU since 7.2 has, and what came when (QEMU.md 2.1, 2.3). */
static void features_of_a_real_schema(void **state)
{
    static const struct {
        enum qmp_feature feature;
        int major, minor;
    } since[] = {
        { QMP_FEATURE_CAP_LATE_BLOCK_ACTIVATE, 7, 2 },
        { QMP_FEATURE_CAP_VALIDATE_UUID, 7, 2 },
        { QMP_FEATURE_CAP_MULTIFD, 7, 2 },
        { QMP_FEATURE_COMPRESS_ZLIB, 7, 2 },
        { QMP_FEATURE_COMPRESS_ZSTD, 7, 2 },
        { QMP_FEATURE_PARAM_ZLIB_LEVEL, 7, 2 },
        { QMP_FEATURE_PARAM_ZSTD_LEVEL, 7, 2 },
        { QMP_FEATURE_CAP_AUTO_CONVERGE, 7, 2 },
        { QMP_FEATURE_CAP_POSTCOPY_RAM, 7, 2 },
        { QMP_FEATURE_CAP_POSTCOPY_PREEMPT, 7, 2 },
        { QMP_FEATURE_CAP_DIRTY_BITMAPS, 7, 2 },
        { QMP_FEATURE_PARAM_BLOCK_BITMAP_MAPPING, 7, 2 },
        { QMP_FEATURE_PARAM_TAILSLOW, 7, 2 },
        { QMP_FEATURE_PARAM_AVAIL_SWITCHOVER_BANDWIDTH, 8, 2 },
        { QMP_FEATURE_PARAM_TLS_AUTHZ, 7, 2 },
        { QMP_FEATURE_NBD_TLS_AUTHZ, 7, 2 },
        { QMP_FEATURE_OBJECT_AUTHZ_LIST, 7, 2 },
        { QMP_FEATURE_OBJECT_TLS_PSK, 7, 2 },
        { QMP_FEATURE_INCOMING_EXIT_ON_ERROR, 9, 1 },
        { QMP_FEATURE_BLOCK_JOB_CHANGE, 8, 2 },
        { QMP_FEATURE_ACTIVELY_SYNCED, 8, 2 },
        { QMP_FEATURE_MIRROR_TARGET_IS_ZERO, 10, 1 },
        { QMP_FEATURE_NBD_TLS_HOSTNAME, 7, 2 },
        { QMP_FEATURE_NODE_ACTIVE, 10, 0 },
        { QMP_FEATURE_BLOCK_GRAPH, 7, 2 },
        { QMP_FEATURE_JOB_DISMISS, 7, 2 },
        { QMP_FEATURE_YANK, 7, 2 },
    };
    struct fixture *x = *state;
    struct qmp_features f;

    open_it(x);
    assert_int_equal(qmp_query_features(x->q, &f, &x->err), 0);
    assert_int_equal(ARRAY_LEN(since), QMP_FEATURE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(since); i++) {
        bool expected =
            qmp_version_at_least(x->q, since[i].major, since[i].minor, 0);

        if (f.has[since[i].feature] != expected) {
            fail_msg("feature %d is %s", (int)since[i].feature,
                     expected ? "missing" : "there");
        }
    }
}

static void killed_and_started_again(void **state)
{
    struct fixture *x = *state;
    int first;

    open_it(x);
    first = qmp_peer_pid(x->q);
    child_free(STEAL(x->qemu));
    assert_int_equal(
        qmp_command(x->q, "query-status", NULL, QMP_QUERY, NULL, &x->err), -1);
    assert_int_equal(x->err.code, QM_ERR_LINK);
    error_clear(&x->err);
    assert_true(start_qemu(x));
    assert_int_equal(qmp_wait_up(x->q, deadline_in_ms(20000), &x->err), 0);
    assert_int_not_equal(qmp_peer_pid(x->q), first);
    assert_int_equal(qmp_generation(x->q), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static bool is_installed(void)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    const char *const argv[] = { program(), "--version", NULL };
    const struct child_options options = { .argv = argv };

    return child_run(loop, &options, deadline_in_ms(20000), NULL, NULL, NULL) ==
           0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(talks),
        TEST(features_of_a_real_schema),
        TEST(killed_and_started_again),
    };

    if (!is_installed()) {
        printf("%s is not here\n", program());
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
