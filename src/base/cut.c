/*
 * Cutting a connection of another process.
 *
 * A process that is stuck in a read of its socket is freed by a shutdown of
 * that socket, which pidfd_getfd(2) lends us.  The kernel asks for the right
 * to trace it: root has it, its own user may.
 */
#include "base/cut.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

static bool is_connected_to(int fd, const char *address, unsigned port)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    socklen_t len = sizeof(peer);
    struct in6_addr wanted;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return false;
    if (peer.ss_family == AF_INET)
        return inet_pton(AF_INET, address, &wanted) == 1 &&
               memcmp(&wanted, &v4->sin_addr, sizeof(v4->sin_addr)) == 0 &&
               ntohs(v4->sin_port) == port;
    return peer.ss_family == AF_INET6 &&
           inet_pton(AF_INET6, address, &wanted) == 1 &&
           memcmp(&wanted, &v6->sin6_addr, sizeof(wanted)) == 0 &&
           ntohs(v6->sin6_port) == port;
}

static bool is_socket(int folder, const char *name)
{
    char target[32];
    ssize_t len = readlinkat(folder, name, target, sizeof(target) - 1);

    target[len < 0 ? 0 : len] = '\0';
    return str_starts(target, "socket:");
}

int process_cut(int pidfd, int pid, const char *address, unsigned port,
                struct qm_error *err)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0, failed = 0;

    if (!dir)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", path);
    while ((entry = readdir(dir))) {
        int fd;

        if (!is_socket(dirfd(dir), entry->d_name))
            continue;
        fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
        if (fd < 0)
            failed = errno;
        else if (is_connected_to(fd, address, port))
            count += shutdown(fd, SHUT_RDWR) == 0;
        close_fd(fd);
    }
    closedir(dir);
    if (count == 0 && failed)
        return error_set_errno(err, QM_ERR_SYSTEM, failed,
                               "borrow a socket of process %d", pid);
    return count;
}
