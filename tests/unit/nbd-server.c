/* See nbd-server.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nbd-attempt.h"
#include "nbd-server.h"

/* In the child: LISTENER becomes fd 3, as systemd would hand it over. */
static void become(int listener, const char *const *argv)
{
    struct strv words = { .count = 0 };
    char pid[32];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(listener, 3);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("MALLOC_PERTURB_");
    for (; *argv; argv++)
        strv_add(&words, *argv);
    execvp(words.item[0], words.item);
    _exit(127);
}

void nbd_server_start(struct nbd_server *s, const char *const *argv)
{
    s->fd = bound_socket(&s->port);
    assert_int_equal(listen(s->fd, 16), 0);
    if (s->fd == 3) { /* dup2() to itself would keep close-on-exec */
        s->fd = dup(s->fd);
        close(3);
    }
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        become(s->fd, argv);
}

void nbd_server_kill(struct nbd_server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

void nbd_server_done(struct nbd_server *s)
{
    nbd_server_kill(s);
    close_fd(s->fd);
    *s = (struct nbd_server)NBD_SERVER_INIT;
}
