/*
 * Copies between two real servers, qemu-nbd or nbdkit, each with an image that
 * is filled to order; and what they say when they fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/copy.h"
#include "nbd-server.h"
#include "nbd/disk.h"
#include "pki.h"

#define IMAGE_BYTES (24 * MIB + 512)
#define QEMU_NBD "qemu-nbd", "--shared=8", "--persistent"
#define QEMU_RAW                                                               \
    QEMU_NBD, "--format=raw", "--discard=unmap", "--export-name=disk0"

struct copy {
    struct loop *loop;
    char *dir;
    char *image[SIDES];
    struct nbd_server server[SIDES];
    struct copy_plan plan;
    struct copy_result result;
    bool stop;
    int tells, stop_after; /* progress told; 0: never stop */
};

/* --- images ------------------------------------------------------------- */

static void write_at(const struct copy *c, enum side_id side, uint64_t offset,
                     char byte, size_t length)
{
    int fd = open(c->image[side], O_WRONLY);
    CLEANUP_FREE char *bytes = xcalloc(1, length);

    memset(bytes, byte, length);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

static char *content(const struct copy *c, enum side_id side)
{
    int fd = open(c->image[side], O_RDONLY);
    char *bytes = xcalloc(1, IMAGE_BYTES);

    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, IMAGE_BYTES), IMAGE_BYTES);
    close(fd);
    return bytes;
}

static void must_be_equal(const struct copy *c)
{
    CLEANUP_FREE char *a = content(c, SOURCE), *b = content(c, DESTINATION);

    assert_memory_equal(a, b, IMAGE_BYTES);
}

static uint64_t allocated(const struct copy *c, enum side_id side)
{
    struct stat st;

    assert_int_equal(stat(c->image[side], &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static int set_up(void **state)
{
    struct copy *c = XNEW(struct copy);

    c->loop = loop_new();
    c->dir = pki_new_dir();
    c->plan.connections = NBD_CONNECTIONS;
    for (int side = 0; side < SIDES; side++) {
        CLEANUP_FREE char *name = xasprintf("image%d", side);

        c->image[side] = xasprintf("%s/%s", c->dir, name);
        c->server[side] = (struct nbd_server)NBD_SERVER_INIT;
        pki_put_text(c->dir, name, "");
        assert_int_equal(truncate(c->image[side], IMAGE_BYTES), 0);
    }
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct copy *c = *state;

    copy_result_done(&c->result);
    for (int side = 0; side < SIDES; side++) {
        nbd_server_done(&c->server[side]);
        nbd_uri_done(&c->plan.uri[side]);
        free(c->image[side]);
    }
    loop_free(c->loop);
    pki_remove_dir(c->dir);
    free(c);
    return 0;
}

/* --- servers ------------------------------------------------------------ */

/* What follows the side is a command line; the image is its last word. */
#define SERVE(c, side, ...)                                                    \
    serve(c, side, (const char *[]){ __VA_ARGS__, (c)->image[side], NULL })

static void name(struct copy *c, enum side_id side, const char *scheme)
{
    CLEANUP_FREE char *text =
        xasprintf("%s://127.0.0.1:%u/disk0", scheme, c->server[side].port);

    nbd_uri_done(&c->plan.uri[side]);
    assert_int_equal(nbd_uri_parse(text, &c->plan.uri[side], NULL), 0);
}

static void serve(struct copy *c, enum side_id side, const char *const *argv)
{
    nbd_server_start(&c->server[side], argv);
    name(c, side, "nbd");
}

static void serve_both(struct copy *c)
{
    SERVE(c, SOURCE, QEMU_RAW);
    SERVE(c, DESTINATION, QEMU_RAW);
}

static void on_told(void *arg, const struct narration *n)
{
    struct copy *c = arg;

    (void)n;
    if (++c->tells == c->stop_after)
        c->stop = true;
}

static void run(struct copy *c)
{
    const struct narrator narrator = { .tell = on_told, .arg = c };

    copy_result_done(&c->result);
    copy_run(c->loop, &c->plan, &c->stop, &narrator, &c->result);
}

static void must_copy(struct copy *c)
{
    run(c);
    if (c->result.error.message)
        fail_msg("%s", c->result.error.message);
    assert_int_equal(copy_result_exit(&c->result), QM_EXIT_DONE);
    assert_int_equal(c->result.written + c->result.zeroed + c->result.skipped,
                     IMAGE_BYTES);
    must_be_equal(c);
}

static void must_say(struct copy *c, enum qm_exit status,
                     enum qm_error_code code, const char *says)
{
    run(c);
    assert_non_null(c->result.error.message);
    if (!strstr(c->result.error.message, says))
        fail_msg("%s", c->result.error.message);
    assert_int_equal(c->result.error.code, code);
    assert_int_equal(copy_result_exit(&c->result), status);
}

/* --- good copies -------------------------------------------------------- */

static void data_is_copied_and_holes_are_left(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 0, 'a', 5 * MIB);
    write_at(c, SOURCE, 17 * MIB - 100, 'b', 200);
    write_at(c, SOURCE, IMAGE_BYTES - 1, 'c', 1);
    serve_both(c);
    must_copy(c);
    assert_in_range(c->result.written, 5 * MIB, 5 * MIB + 16 * KIB);
    assert_int_equal(c->result.zeroed, 0);
    assert_int_equal(allocated(c, DESTINATION), allocated(c, SOURCE));
    assert_int_equal(c->result.connections[SOURCE], NBD_CONNECTIONS);
    assert_int_equal(c->result.connections[DESTINATION], NBD_CONNECTIONS);
}

static void what_was_there_becomes_zeroes(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 4 * MIB, 'a', MIB);
    write_at(c, DESTINATION, 3 * MIB, 'x', 8 * MIB);
    write_at(c, DESTINATION, 20 * MIB + 512, 'x', 4 * MIB);
    serve_both(c);
    must_copy(c);
    assert_int_equal(c->result.written, MIB);
    assert_in_range(c->result.zeroed, 11 * MIB, 11 * MIB + 4096);
    /* holes again, but for a block that ends in the middle */
    assert_in_range(allocated(c, DESTINATION), MIB, MIB + 4096);
}

static void written_zeroes_become_holes(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 0, 0, 8 * MIB);
    write_at(c, SOURCE, 2 * MIB + 5, 'a', 1);
    serve_both(c);
    must_copy(c);
    assert_in_range(c->result.written, 1, 256 * KIB);
    assert_in_range(allocated(c, DESTINATION), 1, 256 * KIB);
}

static void one_connection_is_enough(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 0, 'a', IMAGE_BYTES);
    SERVE(c, SOURCE, "qemu-nbd", "--shared=1", "--persistent", "--format=raw",
          "--export-name=disk0");
    SERVE(c, DESTINATION, QEMU_RAW);
    c->plan.connections = 1;
    must_copy(c);
    assert_int_equal(c->result.connections[DESTINATION], 1);
}

/* Neither extents nor zeroes: everything is data. */
static void a_simple_server_will_do(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 5 * MIB, 'a', MIB);
    write_at(c, DESTINATION, 0, 'x', IMAGE_BYTES);
    SERVE(c, SOURCE, "nbdkit", "-f", "--filter=noextents", "file");
    SERVE(c, DESTINATION, "nbdkit", "-f", "--filter=nozero",
          "--filter=noextents", "file");
    must_copy(c);
    assert_in_range(c->result.written, MIB, MIB + 256 * KIB);
    assert_int_equal(c->result.skipped, 0);
}

/* The server knows of zeroes that must be fast, and its own are not. */
static void slow_zeroes_are_no_failure(void **state)
{
    struct copy *c = *state;
    const char *const options[] = {
        "nbdkit",
        "-f",
        "--filter=nozero",
        "file",
        c->image[DESTINATION],
        "zeromode=notrim",
        "fastzeromode=slow",
        NULL,
    };

    write_at(c, SOURCE, 5 * MIB, 'a', MIB);
    write_at(c, DESTINATION, 0, 'x', IMAGE_BYTES);
    SERVE(c, SOURCE, QEMU_RAW);
    serve(c, DESTINATION, options);
    must_copy(c);
    assert_int_equal(c->result.zeroed, IMAGE_BYTES - MIB);
}

static void a_larger_destination_keeps_its_end(void **state)
{
    struct copy *c = *state;
    char byte = 0;
    int fd;

    write_at(c, SOURCE, 0, 'a', IMAGE_BYTES);
    assert_int_equal(truncate(c->image[DESTINATION], 40 * MIB), 0);
    write_at(c, DESTINATION, IMAGE_BYTES, 'x', MIB);
    serve_both(c);
    must_copy(c);
    fd = open(c->image[DESTINATION], O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, (off_t)IMAGE_BYTES), 1);
    close(fd);
    assert_int_equal(byte, 'x');
}

/* --- TLS ------------------------------------------------------------------ */

static void make_pki(const char *dir, const char *name)
{
    struct pki_id *ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *id = pki_new(&(struct pki_spec){ .names = { name } }, ca);

    pki_put_cert(dir, "ca-cert.pem", ca, false);
    pki_put_cert(dir, "server-cert.pem", id, false);
    pki_put_key(dir, "server-key.pem", id);
    pki_put_cert(dir, "client-cert.pem", id, false);
    pki_put_key(dir, "client-key.pem", id);
    pki_free(id);
    pki_free(ca);
}

static void serve_tls(struct copy *c, enum side_id side)
{
    CLEANUP_FREE char *object = xasprintf(
        "--object=tls-creds-x509,id=t,endpoint=server,dir=%s,verify-peer=on",
        c->dir);

    SERVE(c, side, QEMU_RAW, object, "--tls-creds=t");
    name(c, side, "nbds");
    c->plan.tls_dir = c->dir;
}

static void tls_on_both_sides(void **state)
{
    struct copy *c = *state;

    make_pki(c->dir, "127.0.0.1");
    write_at(c, SOURCE, MIB, 'a', 9 * MIB);
    serve_tls(c, SOURCE);
    serve_tls(c, DESTINATION);
    must_copy(c);
    assert_true(c->result.tls[SOURCE] && c->result.tls[DESTINATION]);
    assert_int_equal(c->result.connections[SOURCE], NBD_CONNECTIONS);
}

static void the_name_is_verified(void **state)
{
    struct copy *c = *state;

    make_pki(c->dir, "dst.example");
    write_at(c, SOURCE, MIB, 'a', 1);
    SERVE(c, SOURCE, QEMU_RAW);
    serve_tls(c, DESTINATION);
    must_say(c, QM_EXIT_REFUSED, QM_ERR_TLS, "destination: ");
    c->plan.tls_hostname = "dst.example";
    must_copy(c);
}

/* --- refused, nothing was written ----------------------------------------- */

static void a_smaller_destination_is_refused(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 0, 'a', MIB);
    assert_int_equal(truncate(c->image[DESTINATION], 24 * MIB), 0);
    serve_both(c);
    must_say(c, QM_EXIT_REFUSED, QM_ERR_REFUSED,
             "destination: the export has 25165824 bytes, the source's has "
             "25166336: 512 are missing");
    assert_int_equal(allocated(c, DESTINATION), 0);
}

static void a_read_only_destination_is_refused(void **state)
{
    struct copy *c = *state;

    SERVE(c, SOURCE, QEMU_RAW);
    SERVE(c, DESTINATION, QEMU_RAW, "--read-only");
    must_say(c, QM_EXIT_REFUSED, QM_ERR_REFUSED, "is read-only there");
}

static void itself_is_refused(void **state)
{
    struct copy *c = *state;
    CLEANUP_FREE char *text = NULL;

    SERVE(c, SOURCE, QEMU_RAW);
    text = xasprintf("nbd://localhost:%u/disk0", c->server[SOURCE].port);
    assert_int_equal(nbd_uri_parse(text, &c->plan.uri[DESTINATION], NULL), 0);
    free_string(c->plan.uri[DESTINATION].host);
    c->plan.uri[DESTINATION].host = xstrdup("127.0.0.1");
    must_say(c, QM_EXIT_REFUSED, QM_ERR_REFUSED, "never copied onto itself");
}

static void clear_to_another_machine_is_refused(void **state)
{
    struct copy *c = *state;

    SERVE(c, SOURCE, QEMU_RAW);
    assert_int_equal(
        nbd_uri_parse("nbd://192.0.2.1/disk0", &c->plan.uri[DESTINATION], NULL),
        0);
    must_say(c, QM_EXIT_REFUSED, QM_ERR_REFUSED,
             "destination: nbd://192.0.2.1/disk0 is not encrypted");
}

static void a_missing_export_is_named(void **state)
{
    struct copy *c = *state;

    serve_both(c);
    free_string(c->plan.uri[SOURCE].export_name);
    c->plan.uri[SOURCE].export_name = xstrdup("disk7");
    must_say(c, QM_EXIT_REFUSED, QM_ERR_DISK,
             "source: export \"disk7\" at 127.0.0.1:");
}

/* --- failed ----------------------------------------------------------------- */

static void bad_reads_are_named(void **state)
{
    struct copy *c = *state;
    const char *const argv[] = {
        "nbdkit",
        "-f",
        "--filter=error",
        "file",
        c->image[SOURCE],
        "error-pread=EIO",
        "error-pread-rate=100%",
        NULL,
    };

    write_at(c, SOURCE, 20 * MIB, 'a', 4096);
    serve(c, SOURCE, argv);
    SERVE(c, DESTINATION, QEMU_RAW);
    must_say(c, QM_EXIT_FAILED, QM_ERR_DISK,
             "source, at offset 20971520: export \"disk0\" at 127.0.0.1:");
    assert_non_null(strstr(c->result.error.message, "it cannot be read"));
    assert_non_null(strstr(c->result.error.hint, "copy again"));
    assert_false(c->result.retryable);
}

/* qemu-nbd with a bad sector at 20 MiB. */
static void bad_writes_are_named(void **state)
{
    struct copy *c = *state;
    CLEANUP_FREE char *image = xasprintf(
        "driver=raw,file.driver=blkdebug,file.image.driver=file,"
        "file.image.filename=%s,file.inject-error.0.event=none,"
        "file.inject-error.0.iotype=write,file.inject-error.0.errno=28,"
        "file.inject-error.0.sector=40960,file.inject-error.0.once=off",
        c->image[DESTINATION]);
    const char *const argv[] = {
        QEMU_NBD, "--export-name=disk0", "--image-opts", image, NULL,
    };

    write_at(c, SOURCE, 0, 'a', IMAGE_BYTES);
    SERVE(c, SOURCE, QEMU_RAW);
    serve(c, DESTINATION, argv);
    must_say(c, QM_EXIT_FAILED, QM_ERR_DISK, "destination, at offset 20971520");
    assert_non_null(strstr(c->result.error.message,
                           "it cannot be written: No space left on device"));
}

static void kill_at_first_word(void *arg, const struct narration *n)
{
    struct copy *c = arg;

    (void)n;
    nbd_server_kill(&c->server[DESTINATION]);
}

static void a_server_that_ends_is_named(void **state)
{
    struct copy *c = *state;
    const struct narrator narrator = { .tell = kill_at_first_word, .arg = c };

    write_at(c, SOURCE, 0, 'a', IMAGE_BYTES);
    serve_both(c);
    copy_run(c->loop, &c->plan, &c->stop, &narrator, &c->result);
    assert_int_equal(c->result.error.code, QM_ERR_LINK);
    assert_true(str_starts(c->result.error.message, "destination, at offset "));
    assert_int_equal(copy_result_exit(&c->result), QM_EXIT_FAILED);
    assert_true(c->result.retryable);
}

/* With requests under way: nothing may come to buffers that are gone. */
static void cancelling_leaves_nothing_behind(void **state)
{
    struct copy *c = *state;

    write_at(c, SOURCE, 0, 'a', IMAGE_BYTES);
    serve_both(c);
    c->stop_after = 1;
    must_say(c, QM_EXIT_CANCELLED, QM_ERR_CANCELLED, "cancelled");
    assert_true(c->result.written < IMAGE_BYTES);
    c->stop = false;
    must_copy(c); /* again, over what is there */
}

#define COPY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    if (system("qemu-nbd --version >/dev/null 2>&1") != 0 ||
        system("nbdkit --version >/dev/null 2>&1") != 0) {
        puts("needs qemu-nbd, from qemu-utils, and nbdkit");
        return 77;
    }

    const struct CMUnitTest tests[] = {
        COPY(data_is_copied_and_holes_are_left),
        COPY(what_was_there_becomes_zeroes),
        COPY(written_zeroes_become_holes),
        COPY(one_connection_is_enough),
        COPY(a_simple_server_will_do),
        COPY(slow_zeroes_are_no_failure),
        COPY(a_larger_destination_keeps_its_end),
        COPY(tls_on_both_sides),
        COPY(the_name_is_verified),
        COPY(a_smaller_destination_is_refused),
        COPY(a_read_only_destination_is_refused),
        COPY(itself_is_refused),
        COPY(clear_to_another_machine_is_refused),
        COPY(a_missing_export_is_named),
        COPY(bad_reads_are_named),
        COPY(bad_writes_are_named),
        COPY(a_server_that_ends_is_named),
        COPY(cancelling_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
