/*
 * Listening on a unix socket.  Connections are taken by who watches the
 * descriptor; nothing here waits.
 */
#include "base/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { QUEUE = 64 };

/* The mode is that of the socket's birth: nobody is let in before a chmod. */
static int bind_private(int fd, const struct sockaddr_un *sun)
{
    mode_t before = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
    int failure = errno;

    umask(before);
    errno = failure;
    return rc;
}

int socket_listen_unix(const char *path, struct qm_error *err)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(sun.sun_path)) {
        return error_set(err, QM_ERR_SYSTEM,
                         "%s: longer than a socket's path may be (%zu)", path,
                         sizeof(sun.sun_path) - 1);
    }
    memcpy(sun.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_private(fd, &sun) < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno, "listen at %s", path);
        close_fd(fd);
        return -1;
    }
    if (listen(fd, QUEUE) < 0) {
        error_set_errno(err, QM_ERR_SYSTEM, errno, "listen at %s", path);
        unlink(path);
        close_fd(fd);
        return -1;
    }
    return fd;
}

int socket_accept(int listener)
{
    int fd;

    do {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd;
}
