/*
 * Marks beside images: real files of this machine, on one side directly and on
 * the other through a stand-in for ssh; and what is read of files and devices.
 */
#include <dirent.h>
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

#include "core/facts-private.h"
#include "core/host-private.h"
#include "good-facts.h"

static char dir[] = "/tmp/qm-marks-XXXXXX";
static struct loop *loop;
static struct host *hosts[SIDES]; /* the destination's by ssh */

static char *path_in(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
    CLEANUP_FREE char *path = path_in(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* How many marks there are in that folder. */
static int count_marks(const char *name)
{
    CLEANUP_FREE char *path = path_in(name);
    DIR *d = opendir(path);
    struct dirent *e;
    int count = 0;

    assert_non_null(d);
    while ((e = readdir(d))) {
        count += str_starts(e->d_name, ".qmigrate-mark-");
    }
    closedir(d);
    return count;
}

/* --- collecting ------------------------------------------------------------- */

/*
 * Images of both sides, in folders a, b (which is a by a link), c (another
 * one), and nowhere.  FAIL: what ssh shall not run.
 */
static const struct marks_case {
    const char *name, *source, *destination, *fail;
    enum host_mark expected;
    bool left;
} cases[] = {
    { "seen", "a/vm.img", "b/vm.img", "NOTHING", MARK_DONE, false },
    { "unseen", "a/vm.img", "c/vm.img", "NOTHING", MARK_UNSEEN, false },
    { "made_there", "nowhere/vm.img", "b/vm.img", "NOTHING", MARK_FAILED,
      false },
    { "no_image_there", "a/vm.img", "c/none.img", "NOTHING", MARK_FAILED,
      false },
    { "link_to_the_image", "a/vm.img", "c/link", "NOTHING", MARK_DONE, false },
    { "looking_fails", "a/vm.img", "b/vm.img", "unseen", MARK_FAILED, false },
    { "ssh_fails", "a/vm.img", "b/vm.img", "read", MARK_FAILED, false },
    { "made_there_and_not_removed", "nowhere/vm.img", "b/vm.img", "rm -f",
      MARK_FAILED, true },
};

static void collect(const struct marks_case *c, struct good_facts *g)
{
    CLEANUP_FREE char *source = path_in(c->source);
    CLEANUP_FREE char *destination = path_in(c->destination);
    const struct facts_input in = { .host = { hosts[0], hosts[1] } };

    good_facts_init(g);
    SRC->process.known = DST->process.known = true;
    SRC->process.pid = DST->process.pid = (int)getpid();
    g->disk[SOURCE][0].protocol_filename = source;
    g->disk[DESTINATION][0].protocol_filename = destination;
    strcpy(g->file[SOURCE][0].fs_type, "nfs");
    setenv("FAIL", c->fail, 1);
    facts_collect_marks(&in, &g->f);
}

static void marks_are_as_expected(void **state)
{
    const struct marks_case *c = *state;
    struct good_facts g;

    collect(c, &g);
    assert_int_equal(g.f.mark[0], c->expected);
    assert_int_equal(count_marks("a") > 0, c->left);
    assert_int_equal(count_marks("c"), 0);
    assert_int_equal(g.f.mark_left != NULL, c->left);
    if (c->left) {
        assert_non_null(strstr(g.f.mark_left, "b/vm.img of the destination"));
        assert_int_equal(chdir(dir), 0);
        assert_int_equal(system("rm -f a/.qmigrate-mark-*"), 0);
    }
    free(g.f.mark);
    free(g.f.mark_left);
    plan_done(&g.plan);
}

static void local_files_need_none(void **state)
{
    const struct facts_input in = { .host = { hosts[0], hosts[1] } };
    struct good_facts g;

    (void)state;
    good_facts_init(&g);
    setenv("FAIL", "sh", 1);
    facts_collect_marks(&in, &g.f);
    assert_int_equal(g.f.mark[0], MARK_NOT_TRIED);
    free(g.f.mark);
    plan_done(&g.plan);
}

/* --- the scripts ------------------------------------------------------------ */

/* What is there is never written to, and not taken for ours. */
static void a_mark_is_made_anew(void **state)
{
    CLEANUP_FREE char *image = path_in("a/vm.img");
    const char *paths[] = { image, "" };
    const char *marks[] = { "theirs", "theirs" };
    enum host_mark made[2];

    (void)state;
    write_file("a/theirs", "x");
    setenv("FAIL", "NOTHING", 1);
    for (int side = 0; side < SIDES; side++) {
        struct host_file f = { .path = path_in("a/theirs") };

        assert_int_equal(host_mark_files(hosts[side], getpid(), MARK_MAKE,
                                         paths, marks, 2, made, NULL),
                         0);
        assert_int_equal(made[0], MARK_FAILED);
        assert_int_equal(made[1], MARK_NOT_TRIED);
        assert_int_equal(host_read_files(hosts[0], &f, 1, 10, NULL), 0);
        assert_int_equal(f.bytes.len, 1);
        host_files_done(&f, 1);
    }
}

/* A process sees what it sees: names relative to its folder, too. */
static void paths_are_those_of_the_process(void **state)
{
    CLEANUP_FREE char *image = path_in("a/vm.img");
    CLEANUP_FREE char *folder = path_in("c");
    const char *paths[] = { image, "link" };
    struct file_identity id[2];

    (void)state;
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(
        host_identify_files(hosts[0], getpid(), paths, 2, id, NULL), 0);
    assert_true(id[0].known && id[1].known);
    assert_int_equal(id[0].inode, id[1].inode);
    assert_string_equal(id[1].name, "vm.img");
    assert_true(id[0].fs_type[0]);
    assert_int_equal(chdir("/"), 0);
}

static const struct {
    const char *text, *expected;
} identities[] = {
    { "65024 77 0 0 regular file\nvm.img\next2/ext3\n-\n-\n-\n-\n- -\n1\n"
      "65024 2\ninside\n-\n",
      "file 65024 77 vm.img ext2/ext3  0 0+0 0+0 1 65024 2 1" },
    { "6 102 fe 1 block special file\nvda1\ntmpfs\nhw:naa.6\n1\n-\n-\n"
      "2048 8\n1\n6 1\n-\n-\n",
      "block 1090921693185 0   hw:naa.6 1 0+0 1048576+4096 1 6 1 0" },
    { "65024 77 0 0 regular file\nback.img\nxfs\nhw:naa.6\n2\n512\n1024\n"
      "- -\n2\n-\nown\n-\n",
      "file 65024 77 back.img xfs hw:naa.6 2 512+1024 0+0 2 0 0 2" },
    { "-\nvm.img\n-\n-\n-\n-\n-\n-\n-\n-\n-\n-\n", "unknown" },
    { "not a stat\nvm.img\n-\n-\n-\n-\n-\n-\n-\n-\n-\n-\n", "unknown" },
    { "65024 77 0 0 regular file\nvm.img\n", "nothing" },
    { "65024 77 0 0 regular file", "nothing" },
    { "", "nothing" },
};

static void identities_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        const char *pos = identities[i].text;
        struct file_identity f;
        CLEANUP_FREE char *text = NULL;

        if (!file_identity_parse(&pos, &f)) {
            text = xstrdup("nothing");
        } else if (!f.known) {
            text = xstrdup("unknown");
        } else {
            text = xasprintf(
                "%s %llu %llu %s %s %s %u %llu+%llu %llu+%llu "
                "%llu %llu %llu %d",
                f.is_block_device ? "block" : "file",
                (unsigned long long)f.device, (unsigned long long)f.inode,
                f.name, f.fs_type, f.block_id, f.partition,
                (unsigned long long)f.offset, (unsigned long long)f.limit,
                (unsigned long long)f.partition_start,
                (unsigned long long)f.partition_size,
                (unsigned long long)f.links,
                (unsigned long long)f.folder_device,
                (unsigned long long)f.folder_inode, (int)f.mounted);
        }
        assert_string_equal(text, identities[i].expected);
    }
}

/* --- the folder ------------------------------------------------------------- */

static int set_up(void **state)
{
    CLEANUP_FREE char *path = NULL, *ssh = NULL;
    static const char *const folders[] = { "a", "c" };

    (void)state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        CLEANUP_FREE char *folder = path_in(folders[i]);

        mkdir(folder, 0755);
    }
    CLEANUP_FREE char *b = path_in("b"), *link = path_in("c/link");

    if (symlink("a", b) < 0 || symlink("../a/vm.img", link) < 0) {
        return -1;
    }
    write_file("a/vm.img", "");
    write_file("c/vm.img", "");
    write_file("ssh", "#!/bin/sh\nIFS= read -r script\n"
                      "case $script in *\"$FAIL\"*) exit 1 ;; esac\n"
                      "exec sh -c \"$script\"\n");
    ssh = path_in("ssh");
    chmod(ssh, 0755);
    path = xasprintf("%s:%s", dir, getenv("PATH"));
    setenv("PATH", path, 1);
    loop = loop_new();
    hosts[SOURCE] = host_new(loop, "local", NULL);
    hosts[DESTINATION] = host_new(loop, "ssh://b.example", NULL);
    return 0;
}

static int tear_down(void **state)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf %s", dir);

    (void)state;
    host_free(hosts[SOURCE]);
    host_free(hosts[DESTINATION]);
    loop_free(loop);
    return system(command);
}

int main(void)
{
    struct CMUnitTest tests[4 + ARRAY_LEN(cases)] = {
        cmocka_unit_test(local_files_need_none),
        cmocka_unit_test(a_mark_is_made_anew),
        cmocka_unit_test(paths_are_those_of_the_process),
        cmocka_unit_test(identities_are_read),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = marks_are_as_expected,
            .initial_state = (void *)&cases[i],
        };
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
