/*
 * A QMP monitor that says what a test wants it to say.  It lives in the same
 * loop as the client under test, so that a test has one thread and no races,
 * and like QEMU it talks to one client at a time.
 */
#ifndef QM_TESTS_FAKE_MONITOR_H
#define QM_TESTS_FAKE_MONITOR_H

#include "base/buffer.h"
#include "base/loop.h"

#define FAKE_GREETING                                                          \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "        \
    "\"major\": 7}, \"package\": \"fake\"}, \"capabilities\": [\"oob\"]}}\r\n"

struct fake {
    struct loop *loop;
    const char *greeting; /* sent on connect; NULL: nothing */
    const char *refusal;  /* the answer to qmp_capabilities; NULL: yes */
    /* Called for each command but qmp_capabilities. */
    void (*on_command)(struct fake *f, const char *name, long long id);

    struct buffer heard; /* each line that came, as it came */
    unsigned connections;
    char *path;
    int listen_fd, fd; /* fd: the client, or -1 */
    struct loop_watch *listen_watch, *watch;
    struct buffer in;
};

/* Listen on PATH.  Set the members above it afterwards. */
void fake_start(struct fake *f, struct loop *loop, const char *path);
/* The same on a port of 127.0.0.1, which is returned. */
unsigned fake_start_tcp(struct fake *f, struct loop *loop);
void fake_stop(struct fake *f); /* and nobody listens any more */
void fake_say(struct fake *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fake_hang_up(struct fake *f);
DEFINE_CLEANUP_DONE(struct fake, fake_stop)

#endif
