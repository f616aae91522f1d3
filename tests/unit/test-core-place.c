/*
 * Where a process was seen, and what follows from not seeing it elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "core/host-private.h"

#define M1 "0123456789abcdef0123456789abcdef"
#define M2 "1123456789abcdef0123456789abcdef"
#define B1 "b1b1b1b1-0000-0000-0000-000000000000"
#define B2 "b2b2b2b2-0000-0000-0000-000000000000"
#define INIT "pid:[4026531836]"
#define INNER "pid:[4026532000]"
#define T1 "time:[4026531834]"
#define T2 "time:[4026532001]"

static struct process_place place(const char *line)
{
    struct process_place p = { .boot_id = "" };

    assert_true(process_place_parse(line, strlen(line), &p));
    return p;
}

static void places_are_compared(void **state)
{
    static const struct {
        const char *was, *here;
        enum process_place_relation expected;
        const char *says;
    } rows[] = {
        { M1 " " B1 " " INIT " " T1, M1 " " B1 " " INIT " " T1, PLACE_SAME,
          NULL },
        { M1 " " B1 " " INNER " " T1, M1 " " B1 " " INNER " " T1, PLACE_SAME,
          NULL },
        { M1 " " B1 " " INIT " -", M1 " " B1 " " INIT " -", PLACE_SAME, NULL },
        { "- " B1 " " INIT " " T1, "- " B1 " " INIT " " T1, PLACE_SAME, NULL },

        { M1 " " B1 " " INIT " " T1, M1 " " B2 " " INIT " " T1, PLACE_REBOOTED,
          NULL },

        /* another machine, whatever else is alike */
        { M1 " " B1 " " INIT " " T1, M2 " " B2 " " INIT " " T1, PLACE_ELSEWHERE,
          "another machine: its machine id is " M2 ", and not " M1 },
        { M1 " " B1 " " INIT " " T1, M2 " " B1 " " INIT " " T1, PLACE_ELSEWHERE,
          "another machine" },
        { M1 " " B1 " " INIT " " T1, "- " B1 " " INIT " " T1, PLACE_ELSEWHERE,
          "may be another machine" },
        { "- " B1 " " INIT " " T1, "- " B2 " " INIT " " T1, PLACE_ELSEWHERE,
          "may be another machine" },

        /* a container of that machine, or of one with a copy of its id */
        { M1 " " B1 " " INIT " " T1, M1 " " B1 " " INNER " " T1,
          PLACE_ELSEWHERE, "another PID namespace" },
        { M1 " " B1 " " INNER " " T1, M1 " " B2 " " INIT " " T1,
          PLACE_ELSEWHERE, "another PID namespace" },
        { M1 " " B1 " " INIT " " T1, M1 " " B1 " - -", PLACE_ELSEWHERE,
          "/proc is that of another PID namespace" },
        /* where start times are others */
        { M1 " " B1 " " INIT " " T1, M1 " " B1 " " INIT " " T2, PLACE_ELSEWHERE,
          "another PID namespace" },

        /* a journal of an older qmigrate */
        { "- " B1 " - -", M1 " " B1 " " INIT " " T1, PLACE_ELSEWHERE,
          "the journal does not say" },
        { "- " B1 " - -", M1 " " B2 " " INIT " " T1, PLACE_ELSEWHERE,
          "the journal does not say" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct process_place was = place(rows[i].was);
        struct process_place here = place(rows[i].here);
        CLEANUP_FREE char *why = process_place_difference(&was, &here);

        assert_int_equal(process_place_compare(&was, &here), rows[i].expected);
        assert_int_equal(why != NULL, rows[i].says != NULL);
        if (why)
            assert_non_null(strstr(why, rows[i].says));
    }
}

static void process_is_judged_by_where_it_was_looked_for(void **state)
{
#define HOME M1 " " B1 " " INIT " " T1
#define OLD "- " B1 " - -"
    static const struct {
        const char *was, *here;
        char state; /* 0: it is not there */
        uint64_t start_time;
        enum process_state expected;
    } rows[] = {
        { HOME, HOME, 'S', 7, PROCESS_ALIVE },
        { HOME, HOME, 'Z', 7, PROCESS_DEAD },
        { HOME, HOME, 'S', 8, PROCESS_DEAD },
        { HOME, HOME, 0, 0, PROCESS_DEAD },
        { HOME, M1 " " B2 " " INIT " " T1, 0, 0, PROCESS_DEAD },
        { HOME, M1 " " B2 " " INIT " " T1, 'S', 7, PROCESS_DEAD },
        { HOME, M2 " " B2 " " INIT " " T1, 0, 0, PROCESS_UNKNOWN },
        { HOME, M2 " " B2 " " INIT " " T1, 'S', 7, PROCESS_UNKNOWN },
        { HOME, M1 " " B1 " " INNER " " T1, 0, 0, PROCESS_UNKNOWN },
        { HOME, M1 " " B1 " - -", 0, 0, PROCESS_UNKNOWN },
        /* it lives, as far as an older journal can tell, but is never dead */
        { OLD, HOME, 'S', 7, PROCESS_ALIVE },
        { OLD, HOME, 'Z', 7, PROCESS_UNKNOWN },
        { OLD, HOME, 'S', 8, PROCESS_UNKNOWN },
        { OLD, HOME, 0, 0, PROCESS_UNKNOWN },
        { OLD, M1 " " B2 " " INIT " " T1, 0, 0, PROCESS_UNKNOWN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct process_identity id = { .known = true,
                                       .pid = 42,
                                       .start_time = 7,
                                       .place = place(rows[i].was),
                                       .seen_s = 1000 };
        struct sight s = { .place = place(rows[i].here),
                           .now_s = 3000,
                           .booted_s = 2000,
                           .there = rows[i].state != 0,
                           .stat = { .state = rows[i].state,
                                     .threads = 1,
                                     .start_time = rows[i].start_time } };

        assert_int_equal(process_judge(&id, &s), rows[i].expected);
    }
}

/* Machines that are copies of one image may have one machine id. */
static void clone_is_not_a_machine_that_booted(void **state)
{
    static const struct {
        int64_t seen_s, booted_s;
        enum process_state expected;
    } rows[] = {
        { 1000, 1001, PROCESS_DEAD },
        { 1000, 1000, PROCESS_UNKNOWN },
        { 1000, 10, PROCESS_UNKNOWN },
        { 0, 2000, PROCESS_UNKNOWN }, /* the journal does not say when */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct process_identity id = { true, 42, 7, place(HOME),
                                       rows[i].seen_s };
        struct sight s = { .place = place(M1 " " B2 " " INIT " " T1),
                           .now_s = 3000,
                           .booted_s = rows[i].booted_s };
        CLEANUP_FREE char *why = sight_doubt(&id, &s);

        assert_int_equal(process_judge(&id, &s), rows[i].expected);
        assert_int_equal(why == NULL, rows[i].expected == PROCESS_DEAD);
    }
}

static void one_process_is_known_again(void **state)
{
    static const struct {
        const char *a, *b;
        bool same, comparable;
    } rows[] = {
        { HOME, HOME, true, true },
        { OLD, HOME, true, false },
        { HOME, M1 " " B1 " " INNER " " T1, false, false },
        { HOME, M2 " " B1 " " INIT " " T1, false, false },
        { HOME, M1 " " B2 " " INIT " " T1, false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct process_identity a = { true, 42, 7, place(rows[i].a), 1 };
        struct process_identity b = { true, 42, 7, place(rows[i].b), 2 };

        assert_int_equal(process_is_same(&a, &b), rows[i].same);
        assert_int_equal(process_is_comparable(&a, &b), rows[i].comparable);
        b.pid = 43;
        assert_false(process_is_same(&a, &b));
        b = a;
        b.known = false;
        assert_false(process_is_same(&a, &b));
    }
}

static void lines_are_parsed_and_made(void **state)
{
    static const char *const bad[] = {
        "",
        B1,
        M1 " - " INIT " " T1,
        M1 " " B1 " " INIT,
        M1 " " B1 " " INIT " " T1 " more",
        M1 "  " INIT " " T1,
        M1 " " B1 B1 " " INIT " " T1,
        M1 " " B1 " " INIT INIT " " T1,
    };
    struct process_place p;
    struct qm_error err = QM_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(process_place_parse(bad[i], strlen(bad[i]), &p));
    p = place("uninitialized " B1 " " INIT " -");
    assert_string_equal(p.machine_id, "");
    assert_string_equal(p.pid_namespace, INIT);
    assert_string_equal(p.time_namespace, "");
    p = place(HOME);
    for (int i = 0; i < 2; i++) {
        CLEANUP_FREE char *line = process_place_line(&p);
        struct process_place again = place(line);

        assert_memory_equal(&again, &p, sizeof(p));
        assert_int_equal(process_place_here(&p, &err), 0);
    }
    assert_non_null(p.pid_namespace[0] ? strstr(p.pid_namespace, "pid:[") : "");
}

/* TEXT with WHAT replaced; the caller frees it. */
static char *replaced(const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);

    assert_non_null(at);
    return xasprintf("%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
}

/* A kill compares what the script says with what was made of that before. */
static void the_script_says_what_the_engine_would(void **state)
{
    static const char *const ids[] = {
        M1,
        "",
        "uninitialized",
        M1 "0",
        "0123456789abcdef-123456789abcdef",
        M1 M1 M1,
    };
    char path[] = "/tmp/test-core-place-XXXXXX";
    int fd = mkstemp(path);
    CLEANUP_FREE char *etc =
        replaced(HOST_PLACE "place", "/etc/machine-id", path);
    CLEANUP_FREE char *script =
        replaced(etc, "/var/lib/dbus/machine-id", "/nonexistent");

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        CLEANUP_FREE char *again = NULL;
        struct process_place p;
        char line[256] = "";
        FILE *said;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, ids[i], strlen(ids[i]), 0), strlen(ids[i]));
        said = popen(script, "r");
        assert_non_null(said);
        assert_non_null(fgets(line, sizeof(line), said));
        assert_int_equal(pclose(said), 0);
        line[strcspn(line, "\n")] = '\0';
        p = place(line);
        assert_string_equal(p.machine_id, i == 0 ? M1 : "");
        again = process_place_line(&p);
        assert_string_equal(again, line);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_compared),
        cmocka_unit_test(process_is_judged_by_where_it_was_looked_for),
        cmocka_unit_test(clone_is_not_a_machine_that_booted),
        cmocka_unit_test(one_process_is_known_again),
        cmocka_unit_test(lines_are_parsed_and_made),
        cmocka_unit_test(the_script_says_what_the_engine_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
