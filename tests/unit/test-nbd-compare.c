/*
 * Comparisons of what two real servers (qemu-nbd) have, each an image that is
 * filled to order; and the lists of ranges.
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
#include <unistd.h>

#include "nbd-attempt.h"
#include "nbd-server.h"
#include "nbd/compare.h"
#include "pki.h"

#define IMAGE_BYTES (24 * MIB + 512)

/* --- ranges ----------------------------------------------------------- */

static void expect_ranges(const struct nbd_ranges *r, const char *wanted)
{
    char text[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < r->count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%llu+%llu ",
                                (unsigned long long)r->item[i].offset,
                                (unsigned long long)r->item[i].length);
    assert_string_equal(text, wanted);
}

static void ranges_that_touch_are_one(void **state)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges r = { 0 };

    (void)state;
    nbd_ranges_add(&r, 0, 0);
    expect_ranges(&r, "");
    nbd_ranges_add(&r, 10, 10);
    nbd_ranges_add(&r, 20, 5);
    nbd_ranges_add(&r, 22, 1);
    nbd_ranges_add(&r, 26, 4);
    for (uint64_t at = 40; at < 80; at += 10)
        nbd_ranges_add(&r, at, 1);
    expect_ranges(&r, "10+15 26+4 40+1 50+1 60+1 70+1 ");
    assert_int_equal(nbd_ranges_bytes(&r), 23);
}

static void ranges_are_subtracted(void **state)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges a = { 0 }, b = { 0 }, r = { 0 };

    (void)state;
    nbd_ranges_add(&a, 10, 10);
    nbd_ranges_add(&a, 30, 40);
    nbd_ranges_add(&a, 80, 10);
    nbd_ranges_add(&a, 100, 5);
    nbd_ranges_add(&b, 0, 5);
    nbd_ranges_add(&b, 12, 1);
    nbd_ranges_add(&b, 15, 20); /* into the next */
    nbd_ranges_add(&b, 40, 10);
    nbd_ranges_add(&b, 60, 30); /* and over a whole one */
    nbd_ranges_subtract(&a, &b, &r);
    expect_ranges(&r, "10+2 13+2 35+5 50+10 100+5 ");
}

static void ranges_are_aligned_and_walked(void **state)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges a = { 0 }, r = { 0 };
    struct nbd_cursor cursor = { .where = &r };
    uint64_t offset, length, pieces = 0;

    (void)state;
    nbd_ranges_add(&a, 5, 3);
    nbd_ranges_add(&a, 29, 2);
    nbd_ranges_add(&a, 60, 1);
    nbd_ranges_add(&a, 98, 1);
    nbd_ranges_align(&a, 10, 99, &r);
    expect_ranges(&r, "0+10 20+20 60+10 90+9 ");
    while (nbd_cursor_next(&cursor, 8, &offset, &length))
        pieces = pieces * 10 + length;
    assert_int_equal(pieces, 828848281); /* 8 2, 8 8 4, 8 2, 8 1 */
}

static void ranges_are_united(void **state)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges a = { 0 }, b = { 0 }, r = { 0 };

    (void)state;
    nbd_ranges_add(&a, 0, 10);
    nbd_ranges_add(&a, 30, 10);
    nbd_ranges_add(&a, 60, 5);
    nbd_ranges_add(&b, 5, 10);
    nbd_ranges_add(&b, 20, 10);
    nbd_ranges_add(&b, 31, 2);
    nbd_ranges_unite(&a, &b, &r);
    expect_ranges(&r, "0+15 20+20 60+5 ");
}

/* --- two servers ------------------------------------------------------ */

struct server {
    char *image;
    struct nbd_server nbd;
    struct nbd_disk *disk;
};

struct pair {
    struct loop *loop;
    char *dir;
    struct server server[2];
    struct nbd_comparison c;
    struct nbd_waiter waiter;
    int waits, give_up_after; /* 0: never */
};

static int wait_for(void *arg, bool (*holds)(void *what), void *what,
                    struct qm_error *err)
{
    struct pair *p = arg;

    if (p->give_up_after && ++p->waits > p->give_up_after)
        return error_set(err, QM_ERR_CANCELLED, "given up");
    if (loop_wait(p->loop, holds, what, deadline_in_ms(LONG_MS)))
        return 0;
    return error_set(err, QM_ERR_TIMEOUT, "it took too long");
}

static void write_at(const struct server *s, uint64_t offset, char byte,
                     size_t length)
{
    int fd = open(s->image, O_WRONLY);
    CLEANUP_FREE char *bytes = xcalloc(1, length);

    memset(bytes, byte, length);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

static void write_both(struct pair *p, uint64_t offset, char byte,
                       size_t length)
{
    for (int i = 0; i < 2; i++)
        write_at(&p->server[i], offset, byte, length);
}

static void serve(struct pair *p, struct server *s)
{
    const char *const argv[] = { "qemu-nbd",
                                 "--shared=8",
                                 "--persistent",
                                 "--format=raw",
                                 "--export-name=disk0",
                                 s->image,
                                 NULL };
    struct nbd_probe where = {
        .host = "127.0.0.1",
        .fd = -1,
        .export_name = "disk0",
    };
    struct qm_error err = QM_ERROR_INIT;

    nbd_server_start(&s->nbd, argv);
    where.port = s->nbd.port;
    s->disk = nbd_disk_open(p->loop, &where, NBD_MAP_DATA, NBD_CONNECTIONS,
                            deadline_in_ms(LONG_MS), &err);
    if (!s->disk)
        print_message("%s\n", err.message);
    assert_non_null(s->disk);
    assert_int_equal(nbd_disk_size(s->disk), IMAGE_BYTES);
    assert_int_equal(nbd_disk_connections(s->disk), NBD_CONNECTIONS);
}

/* Empty images; what is to be in them is written before compare(). */
static int set_up(void **state)
{
    struct pair *p = XNEW(struct pair);

    p->loop = loop_new();
    p->dir = pki_new_dir();
    p->waiter = (struct nbd_waiter){ .until = wait_for, .arg = p };
    p->c.waiter = &p->waiter;
    for (int i = 0; i < 2; i++) {
        CLEANUP_FREE char *name = xasprintf("image%d", i);

        p->server[i].image = xasprintf("%s/%s", p->dir, name);
        p->server[i].nbd = (struct nbd_server)NBD_SERVER_INIT;
        pki_put_text(p->dir, name, "");
        assert_int_equal(truncate(p->server[i].image, IMAGE_BYTES), 0);
    }
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *p = *state;

    nbd_ranges_done(&p->c.different);
    for (int i = 0; i < 2; i++) {
        struct server *s = &p->server[i];

        nbd_disk_free(s->disk);
        nbd_server_done(&s->nbd);
        free(s->image);
    }
    loop_free(p->loop);
    pki_remove_dir(p->dir);
    free(p);
    return 0;
}

static void start(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        serve(p, &p->server[i]);
        p->c.side[i] = p->server[i].disk;
    }
}

static void compare(struct pair *p, const struct nbd_ranges *where)
{
    struct qm_error err = QM_ERROR_INIT;

    if (!p->server[0].disk)
        start(p);
    if (nbd_compare(&p->c, where, &err) < 0)
        fail_msg("%s", err.message);
}

static void equal_disks_are_equal(void **state)
{
    struct pair *p = *state;

    write_both(p, 0, 'a', 5 * MIB);
    write_both(p, 17 * MIB - 100, 'b', 200);
    write_both(p, IMAGE_BYTES - 1, 'c', 1);
    compare(p, NULL);
    expect_ranges(&p->c.different, "");
    assert_in_range(p->c.read_bytes, 5 * MIB, 6 * MIB); /* no holes */
}

static void what_only_one_has_is_seen(void **state)
{
    struct pair *p = *state;

    write_at(&p->server[0], 3 * MIB, 'a', 1);
    write_at(&p->server[1], 9 * MIB + 5, 'a', 1);
    compare(p, NULL);
    expect_ranges(&p->c.different, "3145728+65536 9437184+65536 ");
    assert_int_equal(p->c.first_different, 3 * MIB);
}

static void zeroes_that_were_written_are_equal(void **state)
{
    struct pair *p = *state;

    write_at(&p->server[1], 3 * MIB, 0, 70000);
    compare(p, NULL);
    expect_ranges(&p->c.different, "");
    assert_true(p->c.read_bytes > 0);
}

static void a_single_byte_is_found(void **state)
{
    static const uint64_t places[] = {
        0, 65535, 65536, 512 * 1024 - 1, 20 * MIB + 12345, IMAGE_BYTES - 1
    };
    struct pair *p = *state;

    write_both(p, 0, 'a', IMAGE_BYTES);
    start(p);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        write_at(&p->server[1], places[i], 'b', 1);
        compare(p, NULL);
        assert_int_equal(p->c.different.count, 1);
        assert_int_equal(p->c.first_different, places[i]);
        assert_int_equal(p->c.different.item[0].offset,
                         places[i] / NBD_COMPARE_BLOCK * NBD_COMPARE_BLOCK);
        write_at(&p->server[1], places[i], 'a', 1);
    }
    compare(p, NULL);
    assert_int_equal(p->c.different.count, 0);
}

static void only_what_is_named_is_read(void **state)
{
    CLEANUP(nbd_ranges_done) struct nbd_ranges where = { 0 };
    struct pair *p = *state;

    write_at(&p->server[0], 1 * MIB, 'a', 1);
    write_at(&p->server[0], 2 * MIB + 65536, 'a', 1);
    nbd_ranges_add(&where, 2 * MIB, 2 * NBD_COMPARE_BLOCK);
    compare(p, &where);
    expect_ranges(&p->c.different, "2162688+65536 ");
    assert_int_equal(p->c.read_bytes, 2 * NBD_COMPARE_BLOCK);
}

static void a_server_that_ends_is_told(void **state)
{
    struct pair *p = *state;
    struct qm_error err = QM_ERROR_INIT;

    write_both(p, 0, 'a', IMAGE_BYTES);
    start(p);
    nbd_server_kill(&p->server[1].nbd);
    assert_int_equal(nbd_compare(&p->c, NULL, &err), -1);
    assert_int_equal(err.code, QM_ERR_LINK);
    assert_non_null(strstr(err.message, "the connection ended"));
    error_clear(&err);
}

/* With requests under way: nothing may be written to their buffers. */
static void giving_up_leaves_nothing_behind(void **state)
{
    struct pair *p = *state;
    struct qm_error err = QM_ERROR_INIT;

    write_both(p, 0, 'a', IMAGE_BYTES);
    start(p);
    p->give_up_after = 6;
    assert_int_equal(nbd_compare(&p->c, NULL, &err), -1);
    assert_int_equal(err.code, QM_ERR_CANCELLED);
    error_clear(&err);
    assert_int_equal(nbd_compare(&p->c, NULL, &err), -1);
    assert_int_equal(err.code, QM_ERR_LINK); /* of no more use */
    error_clear(&err);
}

static void an_export_that_is_not_there_is_named(void **state)
{
    struct pair *p = *state;
    struct qm_error err = QM_ERROR_INIT;
    struct nbd_probe where = {
        .host = "127.0.0.1",
        .fd = -1,
        .export_name = "disk7",
    };

    start(p);
    nbd_disk_free(p->server[0].disk);
    where.port = p->server[0].nbd.port;
    p->server[0].disk =
        nbd_disk_open(p->loop, &where, NULL, 1, deadline_in_ms(LONG_MS), &err);
    assert_null(p->server[0].disk);
    assert_int_equal(err.code, QM_ERR_DISK);
    assert_non_null(strstr(err.message, "export \"disk7\" at 127.0.0.1:"));
    error_clear(&err);
}

static void a_missing_bitmap_is_named(void **state)
{
    struct pair *p = *state;
    struct qm_error err = QM_ERROR_INIT;
    struct nbd_probe where = {
        .host = "127.0.0.1",
        .fd = -1,
        .export_name = "disk0",
    };

    start(p);
    nbd_disk_free(p->server[0].disk);
    where.port = p->server[0].nbd.port;
    p->server[0].disk = nbd_disk_open(p->loop, &where, NBD_MAP_DIRTY "writes",
                                      1, deadline_in_ms(LONG_MS), &err);
    assert_null(p->server[0].disk);
    assert_int_equal(err.code, QM_ERR_DISK);
    assert_non_null(strstr(err.message, "qemu:dirty-bitmap:writes"));
    error_clear(&err);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    if (system("qemu-nbd --version >/dev/null 2>&1") != 0) {
        puts("needs qemu-nbd, from qemu-utils");
        return 77;
    }

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_that_touch_are_one),
        cmocka_unit_test(ranges_are_united),
        cmocka_unit_test(ranges_are_subtracted),
        cmocka_unit_test(ranges_are_aligned_and_walked),
        WITH_PAIR(equal_disks_are_equal),
        WITH_PAIR(what_only_one_has_is_seen),
        WITH_PAIR(zeroes_that_were_written_are_equal),
        WITH_PAIR(a_single_byte_is_found),
        WITH_PAIR(only_what_is_named_is_read),
        WITH_PAIR(a_server_that_ends_is_told),
        WITH_PAIR(giving_up_leaves_nothing_behind),
        WITH_PAIR(an_export_that_is_not_there_is_named),
        WITH_PAIR(a_missing_bitmap_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
