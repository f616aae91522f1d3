/*
 * Going to the background.
 *
 * happy path   fork(); the child works with the terminal until preflight has
 *              passed, so that what is refused is seen; then it tells its name
 *              through a pipe, leaves the terminal and gets a session of its
 *              own.  The parent prints the name and ends.
 * what fails   The child ends before: its exit code is the parent's.  SIGTERM
 *              to the parent is handed on; Ctrl-C comes to both by itself.
 */
#include "cli/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/loop.h"
#include "cli/output.h"
#include "core/result.h"

enum { NAME_SIZE = 128 };

struct parent {
    int fd;
    pid_t child;
    char name[NAME_SIZE];
    size_t len;
    bool over; /* the name has come, or the child has ended */
};

static void hand_on(void *arg)
{
    struct parent *p = arg;

    kill(p->child, SIGTERM);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void child_speaks(void *arg, unsigned ready)
{
    struct parent *p = arg;
    ssize_t n = read(p->fd, p->name + p->len, sizeof(p->name) - 1 - p->len);

    (void)ready;
    if (n > 0)
        p->len += (size_t)n;
    p->name[p->len] = '\0';
    p->over = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN) ||
              strchr(p->name, '\n') || p->len + 1 == sizeof(p->name);
}

static bool is_over(void *arg)
{
    const struct parent *p = arg;

    return p->over;
}

static void wait_for_child(struct parent *p)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    struct loop_watch *watch =
        loop_watch_fd(loop, p->fd, LOOP_READ, child_speaks, p);
    struct loop_signal *terminate = loop_signal_new(loop, SIGTERM, hand_on, p);
    struct loop_signal *interrupt = loop_signal_new(loop, SIGINT, nothing, p);

    loop_wait(loop, is_over, p, DEADLINE_NEVER);
    loop_signal_free(interrupt);
    loop_signal_free(terminate);
    loop_watch_free(watch);
}

static int exit_of(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return QM_EXIT_BUG;
    return WIFEXITED(status) ? WEXITSTATUS(status) : QM_EXIT_BUG;
}

static int be_parent(struct parent *p, bool quiet)
{
    char *end;

    wait_for_child(p);
    close_fd(p->fd);
    end = strchr(p->name, '\n');
    if (!end)
        return exit_of(p->child);
    *end = '\0';
    if (!quiet) {
        CLEANUP(output_free) struct output *o = output_new(STDOUT_FILENO);

        output_printf(o, "%s\n", p->name);
    }
    return QM_EXIT_DONE;
}

int detach_begin(bool quiet, int *ret_fd, int *ret_exit, struct qm_error *err)
{
    struct parent p = { .len = 0 };
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "pipe");
    p.child = fork();
    if (p.child < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno, "fork");
        close_fd(pair[0]);
        close_fd(pair[1]);
        return -1;
    }
    if (p.child == 0) {
        close_fd(pair[0]);
        *ret_fd = pair[1];
        return 1;
    }
    close_fd(pair[1]);
    p.fd = pair[0];
    *ret_exit = be_parent(&p, quiet);
    return 0;
}

static void leave(int fd, int null)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        dup2(null, fd);
}

void detach_leave(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = STDIN_FILENO; null >= 0 && i <= STDERR_FILENO; i++)
        leave(i, null);
    close_fd(null);
    setsid();
}

void detach_finish(int fd, const char *name)
{
    CLEANUP_FREE char *line = xasprintf("%s\n", name);

    detach_leave();
    /* the parent may be gone: its loss */
    while (write(fd, line, strlen(line)) < 0 && errno == EINTR)
        continue;
    close_fd(fd);
}
