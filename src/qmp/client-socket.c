/*
 * Sockets that connect without blocking: the link is opened again from
 * callbacks, where nothing may wait (base's socket_connect_*() do).
 */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qmp/client-internal.h"

/* A TCP peer whose host has vanished is noticed after 5 s + 3 * 5 s, about as
 * soon as ssh would notice. */
static void keep_alive(int fd)
{
    const struct {
        int level, option, value;
    } settings[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 5 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
        { IPPROTO_TCP, TCP_KEEPCNT, 3 },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, 20000 },
        { IPPROTO_TCP, TCP_NODELAY, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        setsockopt(fd, settings[i].level, settings[i].option,
                   &settings[i].value, sizeof(settings[i].value));
    }
}

/* Consumes FD on failure. */
static int start(int fd, const struct sockaddr *address, socklen_t len,
                 bool *ret_done, int *ret_errno)
{
    int rc;

    if (fd < 0) {
        *ret_errno = errno;
        return -1;
    }
    do {
        rc = connect(fd, address, len);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno != EINPROGRESS) {
        *ret_errno = errno;
        close_fd(fd);
        return -1;
    }
    *ret_done = rc == 0;
    return fd;
}

int socket_start_unix(const char *path, bool *ret_done, int *ret_errno)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert(strlen(path) < sizeof(sun.sun_path));
    memcpy(sun.sun_path, path, strlen(path));
    return start(fd, (const struct sockaddr *)&sun, sizeof(sun), ret_done,
                 ret_errno);
}

int socket_start_tcp(const char *numeric, unsigned port, bool *ret_done,
                     int *ret_errno)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    char service[16];
    int fd;

    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(numeric, service, &hints, &found) != 0) {
        *ret_errno = EADDRNOTAVAIL;
        return -1;
    }
    fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        keep_alive(fd);
    }
    fd = start(fd, found->ai_addr, found->ai_addrlen, ret_done, ret_errno);
    freeaddrinfo(found);
    return fd;
}

int socket_result(int fd)
{
    int failure = 0;
    socklen_t len = sizeof(failure);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0) {
        return errno;
    }
    return failure;
}

/* Of who called listen(): of another process where QEMU was handed its
 * listening socket by whoever started it. */
int socket_peer_pid(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
        peer.pid <= 0) {
        return -1;
    }
    return peer.pid;
}
