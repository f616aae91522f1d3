/*
 * A child process and the pipes to it.
 *
 * Happy path: it is fed its input, its output is collected, its pidfd becomes
 * readable; we reap it, take what is left in the pipes, and tell.
 *
 * What can fail: it closes its stdin before it read everything (the rest is
 * dropped: its exit status tells), it writes too much (the excess is read and
 * dropped, and remembered), a grandchild keeps the pipes open (nobody waits
 * for their end).
 *
 * On free it is killed, with its session if it has one of its own.
 */
#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child-private.h"
#include "base/process.h"
#include "base/secret.h"

enum {
    COMPLAINT_MAX = 4096,
    READ_SIZE = 16384,
    READS_AT_ONCE = 64,   /* 1 MiB, what the largest pipe holds */
    REAP_LIMIT_MS = 2000, /* after SIGKILL; longer only in a broken kernel */
};

struct child {
    pid_t pid;
    bool own_session;
    int pidfd;
    struct loop_watch *pidfd_watch;

    /* The parent's ends of its pipes; -1 when closed or never there. */
    int in_fd, out_fd, err_fd;
    struct loop_watch *in_watch, *out_watch, *err_watch;
    struct buffer input; /* not yet written; wiped: it may be a secret */
    bool input_stays_open;
    size_t output_max;

    /* Recorded by callbacks. */
    bool exited;
    int status;
    bool wrote_too_much;
    struct buffer output;
    struct buffer err_tail;

    char *complaint; /* made from err_tail when asked for */
    loop_fn *on_exit;
    void *on_exit_arg;
    struct loop_timer *late_news; /* for an on_exit set after the exit */
};

static void close_end(int *fd, struct loop_watch **watch)
{
    loop_watch_free(STEAL(*watch));
    close_fd(*fd);
    *fd = -1;
}

/*
 * Read FD into B until it has nothing now, but no flood longer than any pipe:
 * the others are to have their turn.  Of too much, the end is kept, or the
 * beginning and *RET_EXCESS set.  False at the end of file.
 */
static bool drain(int fd, struct buffer *b, size_t max, bool keep_end,
                  bool *ret_excess)
{
    char chunk[READ_SIZE];

    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        size_t got = n > 0 ? (size_t)n : 0;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 && errno == EAGAIN;
        }
        if (!keep_end && got > max - b->len) {
            got = max - b->len;
            *ret_excess = true;
        }
        buffer_append(b, chunk, got);
        if (b->len > max) {
            buffer_consume(b, b->len - max);
        }
    }
    return true;
}

static void read_output(struct child *c)
{
    if (c->out_fd >= 0 && !drain(c->out_fd, &c->output, c->output_max, false,
                                 &c->wrote_too_much)) {
        close_end(&c->out_fd, &c->out_watch);
    }
}

static void read_complaint(struct child *c)
{
    bool excess = false;

    if (c->err_fd >= 0 &&
        !drain(c->err_fd, &c->err_tail, COMPLAINT_MAX, true, &excess)) {
        close_end(&c->err_fd, &c->err_watch);
    }
}

static void output_is_ready(void *arg, unsigned ready)
{
    (void)ready;
    read_output(arg);
}

static void complaint_is_ready(void *arg, unsigned ready)
{
    (void)ready;
    read_complaint(arg);
}

static void drop_input(struct child *c)
{
    secret_wipe(c->input.data, c->input.capacity);
    buffer_done(&c->input);
}

static void input_has_room(void *arg, unsigned ready)
{
    struct child *c = arg;
    ssize_t n = write(c->in_fd, c->input.data, c->input.len);

    (void)ready;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n > 0) {
        buffer_consume(&c->input, (size_t)n);
    }
    if (n >= 0 && c->input.len > 0) {
        return;
    }
    drop_input(c);
    if (n < 0 || !c->input_stays_open) {
        close_end(&c->in_fd, &c->in_watch);
    } else {
        loop_watch_set(c->in_watch, 0);
    }
}

void child_end_input(struct child *c)
{
    drop_input(c);
    close_end(&c->in_fd, &c->in_watch);
}

/* Reap it if it has exited. */
static bool reap_now(struct child *c)
{
    int raw;
    pid_t pid = waitpid(c->pid, &raw, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR)) {
        return false;
    }
    c->exited = true;
    c->status = pid < 0            ? 255 /* somebody else reaped it */
                : WIFEXITED(raw)   ? WEXITSTATUS(raw)
                : WIFSIGNALED(raw) ? 128 + WTERMSIG(raw)
                                   : 255;
    return true;
}

static void tell(void *arg)
{
    struct child *c = arg;
    loop_fn *fn = STEAL(c->on_exit);

    if (fn) {
        fn(c->on_exit_arg);
    }
}

static void has_exited(void *arg, unsigned ready)
{
    struct child *c = arg;

    (void)ready;
    if (!reap_now(c)) {
        return;
    }
    loop_watch_free(STEAL(c->pidfd_watch));
    read_output(c);
    read_complaint(c);
    close_end(&c->in_fd, &c->in_watch);
    close_end(&c->out_fd, &c->out_watch);
    close_end(&c->err_fd, &c->err_watch);
    tell(c);
}

/* A pipe of which OURS (0: we read, 1: we write) is kept, non-blocking. */
static int make_pipe(int ours, int *ret_ours, int *ret_theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -1;
    }
    if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0) {
        abort(); /* cannot happen to a new pipe */
    }
    *ret_ours = ends[ours];
    *ret_theirs = ends[!ours];
    return 0;
}

static int start(struct child *c, const struct child_options *o,
                 struct qm_error *err)
{
    CLEANUP(close_fd) int in = -1;
    CLEANUP(close_fd) int out = -1;
    CLEANUP(close_fd) int complain = -1;
    struct process_start process = {
        .argv = o->argv,
        .own_session = o->own_session,
    };

    if (make_pipe(0, &c->err_fd, &complain) < 0 ||
        (o->input && make_pipe(1, &c->in_fd, &in) < 0) ||
        (o->output_max > 0 && make_pipe(0, &c->out_fd, &out) < 0)) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "cannot run %s",
                               o->argv[0]);
    }
    process.stdio[0] = o->stdio_fd > 0 ? o->stdio_fd : in;
    process.stdio[1] = o->stdio_fd > 0 ? o->stdio_fd : out;
    process.stdio[2] = complain;
    return process_start(&process, &c->pid, &c->pidfd, err);
}

struct child *child_spawn(struct loop *loop, const struct child_options *o,
                          struct qm_error *err)
{
    struct child *c = XNEW(struct child);

    assert(o->argv && o->argv[0]);
    assert(o->stdio_fd <= 0 || (!o->input && o->output_max == 0));
    c->in_fd = c->out_fd = c->err_fd = c->pidfd = -1;
    c->own_session = o->own_session;
    c->output_max = o->output_max;
    buffer_append(&c->output, "", 0);
    if (start(c, o, err) < 0) {
        child_free(c);
        return NULL;
    }
    c->late_news = loop_timer_new(loop, tell, c);
    c->pidfd_watch = loop_watch_fd(loop, c->pidfd, LOOP_READ, has_exited, c);
    c->err_watch =
        loop_watch_fd(loop, c->err_fd, LOOP_READ, complaint_is_ready, c);
    if (c->out_fd >= 0) {
        c->out_watch =
            loop_watch_fd(loop, c->out_fd, LOOP_READ, output_is_ready, c);
    }
    c->input_stays_open = o->input_stays_open;
    if (c->in_fd >= 0 && o->input_len == 0 && !o->input_stays_open) {
        close_end(&c->in_fd, &c->in_watch);
    } else if (c->in_fd >= 0) {
        buffer_append(&c->input, o->input, o->input_len);
        c->in_watch =
            loop_watch_fd(loop, c->in_fd, LOOP_WRITE, input_has_room, c);
    }
    return c;
}

bool child_has_exited(const struct child *c)
{
    return c->exited;
}

bool child_wrote_too_much(const struct child *c)
{
    return c->wrote_too_much;
}

void child_on_exit(struct child *c, loop_fn *fn, void *arg)
{
    c->on_exit = fn;
    c->on_exit_arg = arg;
    if (c->exited) {
        loop_timer_start(c->late_news, 0);
    }
}

int child_status(const struct child *c)
{
    assert(c->exited);
    return c->status;
}

const struct buffer *child_output(const struct child *c)
{
    return &c->output;
}

/* Line ends inside become "; ", so that it fits into a sentence. */
const char *child_complaint(struct child *c)
{
    CLEANUP(buffer_done) struct buffer line = { .data = NULL };
    const char *at = c->err_tail.data;
    const char *end = at + c->err_tail.len;

    free(c->complaint);
    while (at < end) {
        size_t len = strcspn(at, "\r\n");

        if (len > 0) {
            buffer_printf(&line, "%s%.*s", line.len > 0 ? "; " : "", (int)len,
                          at);
        }
        at += len + 1; /* a NUL among the bytes ends a line too */
    }
    c->complaint = str_printable(line.data ? line.data : "");
    return c->complaint;
}

/* Until it is reaped its pid, and the group it leads, are nobody else's. */
void child_kill(struct child *c, int signo)
{
    if (!c->exited && c->pid > 0) {
        kill(c->own_session ? -c->pid : c->pid, signo);
    }
}

void child_free(struct child *c)
{
    if (!c) {
        return;
    }
    if (!c->exited && c->pid > 0) {
        struct pollfd gone = { .fd = c->pidfd, .events = POLLIN };

        child_kill(c, SIGKILL);
        while (poll(&gone, 1, REAP_LIMIT_MS) < 0 && errno == EINTR) {
            /* again */
        }
        reap_now(c);
    }
    close_end(&c->in_fd, &c->in_watch);
    close_end(&c->out_fd, &c->out_watch);
    close_end(&c->err_fd, &c->err_watch);
    close_end(&c->pidfd, &c->pidfd_watch);
    loop_timer_free(c->late_news);
    drop_input(c);
    buffer_done(&c->output);
    buffer_done(&c->err_tail);
    free(c->complaint);
    free(c);
}
