/*
 * Login shells of other hosts: their startup files print lines, or they are no
 * shells for commands.
 */
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

#include "base/child.h"
#include "core/host.h"

static char dir[] = "/tmp/qm-login-XXXXXX";
static struct loop *loop;

static const char ssh[] =
    "#!/bin/sh\n"
    "while [ \"$1\" != -- ]; do shift; done\n"
    "case $2 in\n"
    "  banner*) echo Hello; echo qmigrate: nothing\n"
    "     printf 'no end' ;;\n"
    "  odd) case $3 in echo*) echo /bin/odd; exit ;; esac\n"
    "     echo 'odd: no exec' >&2; exit 1 ;;\n"
    "  echo) cat; exit ;;\n"
    "esac\n"
    "[ $2 = banner-only ] && exit 0\n"
    "exec sh -c \"$3\"\n";

static int run(const char *name, const char *script, const char *input,
               struct buffer *out, struct qm_error *err)
{
    CLEANUP_FREE char *spec = xasprintf("ssh://%s", name);
    CLEANUP(host_free) struct host *h = host_new(loop, spec, NULL);

    return host_run(h, script, input, deadline_in_ms(20000), out, err);
}

static void a_greeting_is_not_the_answer(void **state)
{
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    assert_int_equal(
        run("banner", "cat; echo more; exit 3", "input\n", &out, &err), 3);
    assert_null(err.message);
    assert_string_equal(out.data, "input\nmore\n");
    /* with no output and no input */
    buffer_consume(&out, out.len);
    assert_int_equal(run("banner", "exit 0", NULL, &out, &err), 0);
    assert_int_equal(out.len, 0);
}

static struct host *streaming;
static struct child *stream;

static bool has_line(void *arg)
{
    (void)arg;
    return strchr(host_said(streaming, stream), '\n');
}

static bool has_ended(void *arg)
{
    (void)arg;
    return child_has_exited(stream);
}

static void a_stream_begins_behind_the_greeting(void **state)
{
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    streaming = host_new(loop, "ssh://banner", NULL);
    stream = host_start(streaming,
                        "read -r a; echo \"<$a>\"; cat >/dev/null; echo gone",
                        "in\n", 3, &err);
    assert_non_null(stream);
    assert_true(loop_wait(loop, has_line, NULL, deadline_in_ms(20000)));
    assert_string_equal(host_said(streaming, stream), "<in>\n");
    child_end_input(stream);
    assert_true(loop_wait(loop, has_ended, NULL, deadline_in_ms(20000)));
    assert_string_equal(host_said(streaming, stream), "<in>\ngone\n");
    child_free(stream);
    host_free(streaming);
}

static void a_shell_that_cannot_is_named(void **state)
{
    static const struct {
        const char *name, *message;
    } rows[] = {
        { "odd", "ssh://odd: the login shell there, /bin/odd cannot run `exec "
                 "sh`: odd: no exec" },
        { "banner-only", "ssh://banner-only: the login shell there cannot run "
                         "`exec sh`: Hello" },
        { "echo", "ssh://echo: the login shell there cannot run `exec sh`: "
                  "echo; echo \"qmigrate: the answer\"; true" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buffer_done) struct buffer out = { .len = 0 };
        struct qm_error err = QM_ERROR_INIT;

        assert_int_equal(run(rows[i].name, "true", NULL, &out, &err), -1);
        assert_int_equal(err.code, QM_ERR_SYSTEM);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(out.len, 0);
        error_clear(&err);
    }
}

static int set_up(void **state)
{
    CLEANUP_FREE char *path = NULL, *search = NULL;
    FILE *f;

    (void)state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    path = xasprintf("%s/ssh", dir);
    f = fopen(path, "w");
    fputs(ssh, f);
    fclose(f);
    chmod(path, 0755);
    search = xasprintf("%s:%s", dir, getenv("PATH"));
    setenv("PATH", search, 1);
    loop = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    CLEANUP_FREE char *path = xasprintf("%s/ssh", dir);

    (void)state;
    loop_free(loop);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_is_not_the_answer),
        cmocka_unit_test(a_stream_begins_behind_the_greeting),
        cmocka_unit_test(a_shell_that_cannot_is_named),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
