/*
 * For tests: a real NBD server, which is given its listening socket, so that
 * no port is guessed and nothing is waited for.
 */
#ifndef QM_TESTS_NBD_SERVER_H
#define QM_TESTS_NBD_SERVER_H

#include <sys/types.h>

#include "base/util.h"

struct nbd_server {
    pid_t pid; /* 0: none */
    int fd;    /* what it listens on, at 127.0.0.1 */
    unsigned port;
};

#define NBD_SERVER_INIT                                                        \
    {                                                                          \
        .fd = -1                                                               \
    }

/* ARGV: a program that takes LISTEN_FDS, as qemu-nbd and nbdkit do. */
void nbd_server_start(struct nbd_server *s, const char *const *argv);
void nbd_server_kill(struct nbd_server *s);
void nbd_server_done(struct nbd_server *s);
DEFINE_CLEANUP_DONE(struct nbd_server, nbd_server_done)

#endif
