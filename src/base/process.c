/*
 * Starting a process that dies with us.
 *
 * Happy path: fork; the child prepares itself and calls exec, which closes
 * the report pipe; the parent reads the end of file and knows that the program
 * runs.
 *
 * What can fail: anything in the child.  It writes its errno to the report
 * pipe and exits; the parent reaps it and returns the error.  Should we die
 * between fork() and prctl(), the child finds that it has another parent.
 *
 * All signals are blocked around fork(), so that no handler of ours (libevent
 * writes to a socket that both share) runs in the child.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_OTHER_FD = 3 };

static _Noreturn void give_up(int report_fd)
{
    int errnum = errno;

    if (write(report_fd, &errnum, sizeof(errnum)) < 0) {
        _exit(126); /* the parent has gone, nobody wants to know */
    }
    _exit(127);
}

/* Descriptors out of the way of 0, 1 and 2, then into their places. */
static int place_stdio(const int wanted[3])
{
    int high[3];

    for (int i = 0; i < 3; i++) {
        if (wanted[i] >= 0) {
            high[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        } else {
            CLEANUP(close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

            high[i] = fcntl(null, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        }
        if (high[i] < 0) {
            return -1;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(high[i], i) < 0) {
            return -1;
        }
    }
    return 0;
}

static void reset_signals(void)
{
    const struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++) {
        sigaction(signo, &standard, NULL); /* SIGKILL & co. refuse: fine */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const struct process_start *start, pid_t parent,
                             int report_fd)
{
    int report = fcntl(report_fd, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);

    if (report < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        give_up(report_fd);
    }
    if (getppid() != parent) {
        _exit(126);
    }
    if (start->own_session && setsid() < 0) {
        give_up(report);
    }
    if (place_stdio(start->stdio) < 0) {
        give_up(report);
    }
    /* Ours are close-on-exec anyway; this is for those of libraries. */
    (void)syscall(SYS_close_range, (unsigned)FIRST_OTHER_FD, ~0U,
                  CLOSE_RANGE_CLOEXEC);
    reset_signals();
    execvp(start->argv[0], (char *const *)start->argv);
    give_up(report);
}

/* 0 when the program runs, else the errno of what the child tried. */
static int read_report(int fd)
{
    int errnum = 0;
    ssize_t n;

    do {
        n = read(fd, &errnum, sizeof(errnum));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno;
    }
    return n == 0 ? 0 : errnum;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        /* again */
    }
}

static pid_t fork_without_signals(void)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid != 0) {
        int keep = errno;

        sigprocmask(SIG_SETMASK, &before, NULL);
        errno = keep;
    }
    return pid; /* in the child they stay blocked until reset_signals() */
}

int process_start(const struct process_start *start, pid_t *ret_pid,
                  int *ret_pidfd, struct qm_error *err)
{
    pid_t parent = getpid();
    int report[2];
    pid_t pid;
    int pidfd = -1;
    int errnum;

    if (pipe2(report, O_CLOEXEC) < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "cannot run %s",
                               start->argv[0]);
    }
    pid = fork_without_signals();
    if (pid == 0) {
        become(start, parent, report[1]);
    }
    errnum = pid < 0 ? errno : 0;
    close_fd(report[1]);
    if (errnum == 0) {
        errnum = read_report(report[0]);
    }
    close_fd(report[0]);
    if (errnum == 0) {
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        errnum = pidfd < 0 ? errno : 0;
    }
    if (errnum != 0) {
        if (pid > 0) {
            kill(pid, SIGKILL);
            reap(pid);
        }
        return error_set_errno(err, QM_ERR_SYSTEM, errnum, "cannot run %s",
                               start->argv[0]);
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}
