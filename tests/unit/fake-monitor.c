/*
 * A QMP monitor that says what a test wants it to say.
 */
#include "fake-monitor.h"

#include <assert.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Blocking: a test says less than a socket holds. */
static void send_all(struct fake *f, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(f->fd, text, len, MSG_NOSIGNAL);

        assert(n > 0);
        text += n;
        len -= (size_t)n;
    }
}

void fake_say(struct fake *f, const char *format, ...)
{
    va_list args;
    CLEANUP_FREE char *text = NULL;

    assert(f->fd >= 0);
    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    send_all(f, text, strlen(text));
}

void fake_hang_up(struct fake *f)
{
    if (f->fd >= 0) {
        loop_watch_free(STEAL(f->watch));
        close_fd(f->fd);
        f->fd = -1;
        f->in.len = 0;
    }
    if (f->listen_watch) {
        loop_watch_set(f->listen_watch, LOOP_READ);
    }
}

static void take_line(struct fake *f, const char *line)
{
    struct json_object *command = json_tokener_parse(line);
    struct json_object *name = NULL, *id = NULL;

    buffer_printf(&f->heard, "%s\n", line);
    assert(command);
    if (!json_object_object_get_ex(command, "execute", &name)) {
        json_object_object_get_ex(command, "exec-oob", &name);
    }
    json_object_object_get_ex(command, "id", &id);
    assert(name && id);
    if (str_equal(json_object_get_string(name), "qmp_capabilities")) {
        if (f->refusal) {
            fake_say(f, "%s", f->refusal);
        } else {
            fake_say(f, "{\"return\": {}, \"id\": %lld}\r\n",
                     (long long)json_object_get_int64(id));
        }
    } else if (f->on_command) {
        f->on_command(f, json_object_get_string(name),
                      json_object_get_int64(id));
    }
    json_object_put(command);
}

static void client_talks(void *arg, unsigned ready)
{
    struct fake *f = arg;
    ssize_t n;

    (void)ready;
    n = recv(f->fd, buffer_room(&f->in, 65536), 65536, MSG_DONTWAIT);
    if (n <= 0) {
        fake_hang_up(f);
        return;
    }
    buffer_grew(&f->in, (size_t)n);
    while (f->in.len > 0) {
        char *end = memchr(f->in.data, '\n', f->in.len);
        CLEANUP_FREE char *line = NULL;

        if (!end) {
            return;
        }
        line = xstrndup(f->in.data, (size_t)(end - f->in.data));
        buffer_consume(&f->in, strlen(line) + 1);
        take_line(f, line);
    }
}

static void client_comes(void *arg, unsigned ready)
{
    struct fake *f = arg;

    (void)ready;
    f->fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert(f->fd >= 0);
    loop_watch_set(f->listen_watch, 0);
    f->watch = loop_watch_fd(f->loop, f->fd, LOOP_READ, client_talks, f);
    f->connections++;
    if (f->greeting) {
        fake_say(f, "%s", f->greeting);
    }
}

static void listen_on(struct fake *f, int family, const void *address,
                      socklen_t len)
{
    f->listen_fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(f->listen_fd, address, len) < 0 || listen(f->listen_fd, 1) < 0) {
        abort();
    }
    f->listen_watch =
        loop_watch_fd(f->loop, f->listen_fd, LOOP_READ, client_comes, f);
}

void fake_start(struct fake *f, struct loop *loop, const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };

    *f = (struct fake){ .loop = loop, .greeting = FAKE_GREETING, .fd = -1 };
    f->path = xstrdup(path);
    assert(strlen(path) < sizeof(sun.sun_path));
    memcpy(sun.sun_path, path, strlen(path));
    unlink(path);
    listen_on(f, AF_UNIX, &sun, sizeof(sun));
}

unsigned fake_start_tcp(struct fake *f, struct loop *loop)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(sin);

    *f = (struct fake){ .loop = loop, .greeting = FAKE_GREETING, .fd = -1 };
    listen_on(f, AF_INET, &sin, sizeof(sin));
    if (getsockname(f->listen_fd, (struct sockaddr *)&sin, &len) < 0) {
        abort();
    }
    return ntohs(sin.sin_port);
}

void fake_stop(struct fake *f)
{
    if (!f->loop) {
        return;
    }
    loop_watch_free(STEAL(f->listen_watch));
    fake_hang_up(f);
    close_fd(f->listen_fd);
    if (f->path) {
        unlink(f->path);
    }
    free(f->path);
    buffer_done(&f->in);
    buffer_done(&f->heard);
    *f = (struct fake){ .fd = -1 };
}
