/*
 * A monitor on another host, brought to a socket of this machine by ssh.
 *
 * happy path   ssh is started in a session of its own; inotify tells that the
 *              socket has appeared in our directory.
 * what fails   ssh exits: host unknown, no login without a password, forward
 *              refused by the local side.  (A refusal at the far end shows as
 *              the end of the connection that was forwarded.)
 * on close     ssh is killed and its socket removed.
 */
#include "qmp/client-forward.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/child.h"

struct forward {
    struct child *child;
    int rope;   /* the session's stdin: it lasts as long as this is open */
    char *path; /* the local socket */
    char *host; /* for messages */
    int notify_fd;
    struct loop_watch *watch;
    enum forward_state state;
    loop_fn *changed;
    void *arg;
};

enum forward_state forward_state(const struct forward *f)
{
    return f->state;
}

const char *forward_path(const struct forward *f)
{
    return f->path;
}

const char *forward_complaint(struct forward *f)
{
    return f->child ? child_complaint(f->child) : "";
}

/* What ssh says on any end, whatever the reason, which it said before. */
static bool is_farewell(const char *line)
{
    return str_starts(line, "Connection closed by ") ||
           str_starts(line, "Connection to ");
}

char *ssh_reason(const char *complaint)
{
    static const char border[] = "; ";
    const char *last = NULL;
    size_t len = 0;

    for (const char *line = complaint; *line;) {
        const char *end = strstr(line, border);
        size_t n = end ? (size_t)(end - line) : strlen(line);

        if (!last || !is_farewell(line)) {
            last = line;
            len = n;
        }
        line += n + (end ? strlen(border) : 0);
    }
    return xstrndup(last ? last : "", len);
}

int forward_explain(struct forward *f, struct qm_error *err)
{
    CLEANUP_FREE char *reason = ssh_reason(forward_complaint(f));

    if (*reason) {
        return error_set(err, QM_ERR_CONNECT, "ssh to %s: %s", f->host, reason);
    }
    return error_set(err, QM_ERR_CONNECT, "ssh to %s ended with status %d",
                     f->host, child_status(f->child));
}

/* ssh takes ':' as a border and '\' before what is none, then expands '%'. */
static void append_escaped(struct buffer *b, const char *path)
{
    for (const char *p = path; *p; p++) {
        if (*p == ':' || *p == '\\') {
            buffer_append(b, "\\", 1);
        } else if (*p == '%') {
            buffer_append(b, "%", 1);
        }
        buffer_append(b, p, 1);
    }
}

char *forward_argument(const char *local, const char *remote)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    append_escaped(&b, local);
    buffer_append(&b, ":", 1);
    append_escaped(&b, remote);
    return xstrdup(b.data);
}

static void socket_may_exist(void *arg, unsigned ready)
{
    struct forward *f = arg;
    char events[4096];
    bool drained = false;

    (void)ready;
    while (!drained) {
        drained = read(f->notify_fd, events, sizeof(events)) <= 0;
    }
    if (f->state == FORWARD_STARTING && access(f->path, F_OK) == 0) {
        f->state = FORWARD_READY;
        f->changed(f->arg);
    }
}

static void ssh_exited(void *arg)
{
    struct forward *f = arg;

    f->state = FORWARD_ENDED;
    f->changed(f->arg);
}

/* A name of our own in DIR, short enough for a socket. */
static char *choose_path(const char *dir, const char *who, struct qm_error *err)
{
    static unsigned count; /* two forwards of one process differ */
    struct sockaddr_un sun;
    CLEANUP_FREE char *path =
        xasprintf("%s/qmp-%s-%d-%u.sock", dir, who, (int)getpid(), ++count);

    if (strlen(path) >= sizeof(sun.sun_path)) {
        error_set(err, QM_ERR_SYSTEM,
                  "the path %s is too long for a unix socket", path);
        return NULL;
    }
    unlink(path);
    return STEAL(path);
}

static int watch_directory(struct loop *loop, struct forward *f,
                           const char *dir, struct qm_error *err)
{
    f->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->notify_fd < 0 ||
        inotify_add_watch(f->notify_fd, dir, IN_CREATE | IN_MOVED_TO) < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "watch %s", dir);
    }
    f->watch =
        loop_watch_fd(loop, f->notify_fd, LOOP_READ, socket_may_exist, f);
    return 0;
}

/*
 * The user's own ssh and configuration, but: no questions, no shared
 * connection (bulk data would delay our commands, and its master may outlive
 * or leave us), an end when the network has been silent for 15 s.
 *
 * And a session, though only the forward is wanted: without one (ssh -N) the
 * far sshd leaves Nagle's algorithm on, and an event followed by a reply waits
 * for a delayed ACK: 41 ms for a `stop`, where a session has 0.25.  A server
 * that refuses to run the command still forwards.
 *
 * The user's configuration may have forwards of its own for that host, of which
 * some fail when another ssh has them already; they are not ours to judge, nor
 * to clear (that would clear ours), and QMP's greeting tells whether ours
 * works.  A RemoteCommand would be refused together with a command.
 */
static int start_ssh(struct loop *loop, struct forward *f,
                     const struct qmp_address *a, struct qm_error *err)
{
    CLEANUP_FREE char *both = forward_argument(f->path, a->path);
    CLEANUP_FREE char *port = xasprintf("%u", a->port);
    const char *argv[40] = {
        "ssh", "-T",
        "-o",  "BatchMode=yes",
        "-o",  "ControlMaster=no",
        "-o",  "ControlPath=none",
        "-o",  "ExitOnForwardFailure=no",
        "-o",  "RemoteCommand=none",
        "-o",  "ServerAliveInterval=5",
        "-o",  "ServerAliveCountMax=3",
        "-o",  "ConnectTimeout=10",
        "-o",  "StreamLocalBindMask=0177",
        "-L",  both,
    };
    int pair[2];
    struct child_options options = { .argv = argv, .own_session = true };
    size_t n = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "socketpair");
    }
    f->rope = pair[0];
    options.stdio_fd = pair[1];
    while (argv[n]) {
        n++;
    }
    if (a->user) {
        argv[n++] = "-l";
        argv[n++] = a->user;
    }
    if (a->port) {
        argv[n++] = "-p";
        argv[n++] = port;
    }
    argv[n++] = "--";
    argv[n++] = a->host;
    argv[n++] = "exec cat >/dev/null";
    assert(n < ARRAY_LEN(argv));
    f->child = child_spawn(loop, &options, err);
    close_fd(pair[1]);
    if (!f->child) {
        return -1;
    }
    child_on_exit(f->child, ssh_exited, f);
    return 0;
}

struct forward *forward_start(struct loop *loop,
                              const struct qmp_address *address,
                              const char *dir, const char *who,
                              loop_fn *changed, void *arg, struct qm_error *err)
{
    CLEANUP(forward_free) struct forward *f = XNEW(struct forward);

    assert(address->type == QMP_ADDRESS_SSH);
    f->notify_fd = -1;
    f->rope = -1;
    f->changed = changed;
    f->arg = arg;
    f->host = xstrdup(address->host);
    f->path = choose_path(dir, who, err);
    if (!f->path || watch_directory(loop, f, dir, err) < 0 ||
        start_ssh(loop, f, address, err) < 0) {
        return NULL;
    }
    return STEAL(f);
}

void forward_free(struct forward *f)
{
    if (!f) {
        return;
    }
    child_free(f->child);
    close_fd(f->rope);
    loop_watch_free(f->watch);
    close_fd(f->notify_fd);
    if (f->path) {
        unlink(f->path);
    }
    free(f->path);
    free(f->host);
    free(f);
}
