/*
 * A client with a fake monitor to talk to, for its tests.
 */
#ifndef QM_TESTS_CLIENT_FIXTURE_H
#define QM_TESTS_CLIENT_FIXTURE_H

#include "fake-monitor.h"
#include "qmp/client.h"

/* Everything that a test has. */
struct fixture {
    struct loop *loop;
    char dir[64];
    char path[96];
    struct fake fake;
    struct qmp_address address;
    struct buffer seen; /* what the callbacks recorded */
    struct qmp *q;
    struct qm_error err;
};

int setup(void **state);
int teardown(void **state);

/* Open x->q, "source"; what came is in x->err. */
struct qmp *open_within(struct fixture *x, int64_t ms);
void open_it(struct fixture *x); /* which must succeed */

/* Compare, and forget. */
void expect_error(struct fixture *x, enum qm_error_code code,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void expect_seen(struct fixture *x, const char *expected);

/* Ask, and give the answer as text; NULL with x->err. */
const char *ask(struct fixture *x, const char *name);

/* For fake.on_command: {"you-said": NAME}. */
void answer(struct fake *f, const char *name, long long id);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
