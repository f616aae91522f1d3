/*
 * Secrets: nothing of one is left, and no core is dumped meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

static rlim_t core_limit(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    return limit.rlim_cur;
}

static void no_core_while_one_is_held(void **state)
{
    const struct rlimit some = { 4096, RLIM_INFINITY };
    struct secret *a, *b;

    (void)state;
    (void)setrlimit(RLIMIT_CORE, &some);
    rlim_t before = core_limit();

    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    a = secret_new(3);
    b = secret_new(5000);
    secret_free(a);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(core_limit(), 0);
    secret_free(b);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    assert_int_equal(core_limit(), before);
}

static void holds_what_it_is_given(void **state)
{
    CLEANUP(secret_free) struct secret *s = secret_new(10000);

    (void)state;
    assert_int_equal(secret_len(s), 10000);
    assert_int_equal(secret_bytes(s)[9999], 0);
    memset(secret_bytes(s), 'x', 10000);
    assert_int_equal(secret_bytes(s)[9999], 'x');
}

static void children_do_not_see_it(void **state)
{
    CLEANUP(secret_free) struct secret *s = secret_new(4);
    int status;
    pid_t pid;

    (void)state;
    memcpy(secret_bytes(s), "abc", 4);
    pid = fork();
    if (pid == 0)
        _exit(secret_bytes(s)[0] == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(secret_bytes(s), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_while_one_is_held),
        cmocka_unit_test(holds_what_it_is_given),
        cmocka_unit_test(children_do_not_see_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
