/*
 * The files of an x509 directory: their names, and their bytes.  The bytes of
 * a key live in one allocation only, and are wiped.
 */
#include "tls/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const file_names[][TLS_FILE_COUNT] = {
    [TLS_CLIENT] = {
        [TLS_CA_CERT] = "ca-cert.pem",
        [TLS_CA_CRL] = "ca-crl.pem",
        [TLS_CERT] = "client-cert.pem",
        [TLS_KEY] = "client-key.pem",
        [TLS_DH_PARAMS] = "dh-params.pem",
    },
    [TLS_SERVER] = {
        [TLS_CA_CERT] = "ca-cert.pem",
        [TLS_CA_CRL] = "ca-crl.pem",
        [TLS_CERT] = "server-cert.pem",
        [TLS_KEY] = "server-key.pem",
        [TLS_DH_PARAMS] = "dh-params.pem",
    },
};

const char *tls_file_name(enum tls_role role, enum tls_file file)
{
    return file_names[role][file];
}

/* All of FD, which ST describes, into RET in one allocation; or an errno. */
static int read_whole(int fd, const struct stat *st, struct buffer *ret)
{
    if (!S_ISREG(st->st_mode))
        return S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    if (st->st_size > (off_t)TLS_FILE_MAX)
        return EFBIG;

    size_t room = (size_t)st->st_size + 1;
    char *at = buffer_room(ret, room);
    size_t len = 0;
    while (len < room) {
        ssize_t n = read(fd, at + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        len += (size_t)n;
        buffer_grew(ret, (size_t)n);
    }
    return len < room ? 0 : EAGAIN; /* it grew while it was read */
}

void buffer_wipe(struct buffer *b)
{
    if (b->data)
        explicit_bzero(b->data, b->capacity);
    buffer_done(b);
}

int file_read_whole(const char *path, struct buffer *ret, unsigned *ret_mode)
{
    CLEANUP(close_fd)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int failed = 0;

    if (fd < 0 || fstat(fd, &st) < 0) {
        failed = errno;
    } else {
        *ret_mode = st.st_mode & 07777;
        failed = read_whole(fd, &st, ret);
    }
    if (failed)
        buffer_wipe(ret);
    return failed;
}

static void read_file(struct tls_files *f, enum tls_file which)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/%s", f->dir, tls_file_name(f->role, which));
    int failed =
        file_read_whole(path, &f->file[which].bytes, &f->file[which].mode);

    if (!failed) {
        f->file[which].state = TLS_FILE_READ;
        return;
    }
    f->file[which].state = failed == ENOENT || failed == ENOTDIR
                               ? TLS_FILE_MISSING
                               : TLS_FILE_UNREADABLE;
    f->file[which].errnum = failed;
}

void tls_files_read(const char *dir, enum tls_role role, struct tls_files *ret)
{
    *ret = (struct tls_files){ .role = role, .dir = xstrdup(dir) };
    secrets_hold(); /* before a key is in memory */
    for (int which = 0; which < TLS_FILE_COUNT; which++)
        read_file(ret, (enum tls_file)which);
    ret->holds = ret->file[TLS_KEY].state == TLS_FILE_READ;
    if (!ret->holds)
        secrets_release();
}

void tls_files_done(struct tls_files *f)
{
    for (int which = 0; which < TLS_FILE_COUNT; which++)
        buffer_wipe(&f->file[which].bytes);
    if (f->holds)
        secrets_release();
    free_string(f->dir);
    *f = (struct tls_files){ .role = f->role };
}
