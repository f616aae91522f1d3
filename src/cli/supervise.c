/*
 * Waiting for the engine, and what follows if it was killed.
 *
 * happy path   fork(); the child is the engine, in the same process group and
 *              at the same terminal.  It tells its journal's name through a
 *              pipe before it makes one.  It exits, and so do we, alike.
 * signals      Those of the terminal reach both by themselves; what somebody
 *              sent to us alone is handed on.  None of them ends us.
 * what fails   The engine is killed.  It locked what it worked on, and we hold
 *              nothing of it, so that `recover` can begin at once, in a child
 *              of its own that is not to be interrupted.  If that is killed as
 *              well, or a side cannot be reached, it is tried again, for as
 *              long as the guest may be stopped; INT and TERM then mean: no
 *              more tries.
 *              We are killed: the engine goes on without us.
 */
#include "cli/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/detach.h"
#include "cli/output.h"
#include "cli/supervise-told.h"
#include "core/journal-read.h"
#include "core/journal.h"
#include "core/result.h"

struct supervisor {
    bool json;
    const char *metrics; /* a file, or NULL */
    int detach_fd;       /* or -1 */
    int signals;         /* a signalfd, of all that is blocked */
    sigset_t before;     /* what was blocked before us */
    struct told told;
    pid_t child;
    bool ended; /* the child has, with STATUS */
    int status;
    unsigned tries;
    bool told_to_end;
    int mark; /* for `status`, while it recovers; or -1 */
};

/* --- waiting ------------------------------------------------------------------- */

/* What the terminal sends, it sends to the engine as well. */
static void take_signal(struct supervisor *s, const struct signalfd_siginfo *i)
{
    int signo = (int)i->ssi_signo;

    if (signo == SIGCHLD)
        return;
    if ((s->tries > 0 || s->ended) && (signo == SIGINT || signo == SIGTERM))
        s->told_to_end = true;
    if (s->tries == 0 && i->ssi_code != SI_KERNEL && !s->ended)
        kill(s->child, signo);
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        take_signal(s, &info);
}

static void reap(struct supervisor *s)
{
    if (s->child > 0 && waitpid(s->child, &s->status, WNOHANG) == s->child) {
        s->ended = true;
        s->child = -1;
    }
}

static void hear(struct supervisor *s)
{
    told_hear(&s->told);
    if (s->told.leaves && s->detach_fd >= 0) {
        detach_leave();
        close_fd(s->detach_fd);
        s->detach_fd = -1;
    }
}

/* Serve what comes, at most for MS (-1: until something does). */
static void serve(struct supervisor *s, int ms)
{
    struct pollfd fds[] = { { .fd = s->signals, .events = POLLIN },
                            { .fd = s->told.fd, .events = POLLIN } };

    poll(fds, ARRAY_LEN(fds), ms);
    take_signals(s);
    hear(s);
    reap(s);
}

static void wait_for_child(struct supervisor *s)
{
    while (!s->ended)
        serve(s, -1);
    hear(s); /* what it said last */
}

/* Before another try; at once if nobody wants one any more. */
static void wait_a_while(struct supervisor *s, int ms)
{
    deadline_t by = deadline_in_ms(ms);
    int64_t left;

    while (!s->told_to_end && (left = by - clock_now_ms()) > 0)
        serve(s, (int)left);
}

/* --- starting ------------------------------------------------------------------ */

/* What is handed on, and what tells that the child has ended. */
static int block_signals(struct supervisor *s, struct qm_error *err)
{
    static const int handed_on[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                     SIGTSTP, SIGTTOU, SIGTTIN, SIGCHLD };
    sigset_t all;

    sigemptyset(&all);
    for (size_t i = 0; i < ARRAY_LEN(handed_on); i++)
        sigaddset(&all, handed_on[i]);
    signal(SIGCHLD,
           SIG_DFL); /* if it was ignored, no child could be waited for */
    sigprocmask(SIG_BLOCK, &all, &s->before);
    s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals >= 0)
        return 0;
    error_set_errno(err, QM_ERR_SYSTEM, errno, "signalfd");
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    return -1;
}

/* Give back what belongs to a supervisor alone. */
static void supervisor_done(struct supervisor *s)
{
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    close_fd(s->signals);
    told_done(&s->told);
}

/* fork(), with STATUS of the child before forgotten: 0 in the new one. */
static int start_child(struct supervisor *s, struct qm_error *err)
{
    pid_t pid = fork();

    if (pid < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "fork");
    if (pid > 0) {
        s->child = pid;
        s->ended = false;
    }
    return pid > 0;
}

/* --- recovering ---------------------------------------------------------------- */

static enum supervise_journal look_at_journal(const struct supervisor *s)
{
    CLEANUP(journal_content_done) struct journal_content c = { .name = NULL };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    CLEANUP_FREE char *path =
        s->told.name ? journal_path_of(s->told.name, NULL) : NULL;
    CLEANUP(close_fd)
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (fd < 0)
        return JOURNAL_OVER;
    if (journal_load(fd, path, &c, &ignored) < 0)
        return JOURNAL_DAMAGED;
    return str_equal(c.id, s->told.id) && !c.ended ? JOURNAL_OPEN
                                                   : JOURNAL_OVER;
}

/* In a child.  It takes all that it needs from the journal; what was to kill
 * the engine on demand has done so. */
static _Noreturn void be_recover(struct supervisor *s)
{
    char *argv[6] = { (char *)"recover", s->told.name };
    int argc = 2;

    if (s->json)
        argv[argc++] = (char *)"--json";
    if (s->metrics) {
        argv[argc++] = (char *)"--metrics";
        argv[argc++] = (char *)s->metrics;
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    unsetenv("QMIGRATE_FAIL");
    exit(cmd_recover(argc, argv));
}

static void say(const char *sentence)
{
    CLEANUP(output_free) struct output *o = output_new(STDERR_FILENO);

    /* the bar of the dead ends in the middle of a line */
    output_printf(o, "%s%s\n", output_is_terminal(o) ? "\n" : "", sentence);
}

static void say_how_it_ended(const struct supervisor *s,
                             const struct supervise_facts *f,
                             const struct supervise_verdict *v)
{
    const char *who = s->tries == 0 ? "engine" : "recovery";
    CLEANUP_FREE char *how =
        f->signal > 0
            ? xasprintf("qmigrate's %s was killed (signal %d)", who, f->signal)
            : xasprintf("qmigrate's %s ended with %d", who, f->code);
    CLEANUP_FREE char *then = NULL;

    if (v->action == SUPERVISE_RECOVER && v->wait_ms > 0)
        then = xasprintf("%s: recovering %sin %d s%s", how,
                         s->tries > 0 ? "again " : "", v->wait_ms / 1000,
                         v->until_told ? "; the guest may be stopped, so this "
                                         "goes on until SIGTERM or Ctrl-C"
                                       : "");
    else if (v->action == SUPERVISE_RECOVER)
        then = xasprintf("%s: recovering", how);
    else if (s->tries > 0 && f->journal != JOURNAL_OVER)
        then = xasprintf("%s: `qmigrate recover %s` is still needed", how,
                         s->told.name);
    else if (f->signal > 0)
        then = xasprintf("%s: no journal is open", how);
    if (then)
        say(then);
}

/* An end that the operator brought about before anything had begun needs no
 * word. */
static bool is_worth_a_word(const struct supervise_facts *f,
                            const struct supervise_verdict *v)
{
    return v->action != SUPERVISE_DIE ||
           (f->signal != SIGINT && f->signal != SIGTERM && f->signal != SIGHUP);
}

static struct supervise_verdict judge(struct supervisor *s, int *ret_signal)
{
    struct supervise_facts f = {
        .signal = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0,
        .code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : QM_EXIT_BUG,
        .tries = s->tries,
        .journal = look_at_journal(s),
        .told_to_end = s->told_to_end,
    };
    struct supervise_verdict v = supervise_decide(&f);

    if (is_worth_a_word(&f, &v))
        say_how_it_ended(s, &f, &v);
    *ret_signal = f.signal;
    return v;
}

/* As the engine did; without a second core. */
static _Noreturn void die_by(struct supervisor *s, int signo)
{
    const struct rlimit none = { .rlim_cur = 0 };
    sigset_t one;

    setrlimit(RLIMIT_CORE, &none);
    supervisor_done(s);
    signal(signo, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, signo);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(signo);
    _exit(128 + signo);
}

static void recover_once(struct supervisor *s, int wait_ms)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    int parent;

    wait_a_while(s, wait_ms);
    if ((s->told_to_end && wait_ms > 0) || look_at_journal(s) == JOURNAL_OVER)
        return; /* how the last one ended counts, and there is no more */
    if (s->mark < 0)
        s->mark = supervise_mark(s->told.name);
    s->tries++;
    parent = start_child(s, &err);
    if (parent == 0)
        be_recover(s);
    if (parent < 0)
        say(err.message); /* and the next one may be possible */
    else
        wait_for_child(s);
}

static int supervise(struct supervisor *s)
{
    struct supervise_verdict v;
    int signo;

    wait_for_child(s);
    while ((v = judge(s, &signo)).action == SUPERVISE_RECOVER)
        recover_once(s, v.wait_ms);
    supervise_unmark(s->told.name, s->mark);
    if (v.action == SUPERVISE_DIE)
        die_by(s, signo);
    return v.code;
}

int supervise_begin(bool json, const char *metrics, int detach_fd, int *ret_fd,
                    int *ret_exit, struct qm_error *err)
{
    struct supervisor s = {
        .json = json, .metrics = metrics, .detach_fd = detach_fd, .mark = -1
    };
    int pair[2], parent;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "pipe");
    s.told.fd = pair[0];
    s.child = -1;
    if (fcntl(s.told.fd, F_SETFL, O_NONBLOCK) < 0 ||
        block_signals(&s, err) < 0) {
        close_fd(pair[0]);
        close_fd(pair[1]);
        return -1;
    }
    parent = start_child(&s, err);
    if (parent > 0) {
        close_fd(pair[1]);
        *ret_exit = supervise(&s);
    }
    supervisor_done(&s);
    if (parent == 0)
        *ret_fd = pair[1];
    else if (parent < 0)
        close_fd(pair[1]);
    return parent < 0 ? -1 : !parent;
}
