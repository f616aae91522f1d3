/*
 * A stream of bytes, non-blocking, as a table of six.  TLS wraps a stream in
 * a stream.  `pending` is not optional: TLS libraries hoard bytes that no
 * poll() will tell of.
 */
#ifndef QM_BASE_STREAM_H
#define QM_BASE_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"

struct stream;
struct loop;

struct stream_ops {
    /* >0 bytes; 0 at the end (a reset is an end too); -1 with errno, EAGAIN
     * when there is nothing now */
    ssize_t (*recv)(struct stream *s, void *buf, size_t len);
    /* >0 bytes; -1 with errno, EAGAIN when there is no room now, EPIPE when
     * the peer has gone; never a signal */
    ssize_t (*send)(struct stream *s, const void *buf, size_t len);
    size_t (*pending)(struct stream *s); /* readable without the fd */
    int (*get_fd)(struct stream *s);     /* for the loop; still owned here */
    void (*shutdown)(struct stream *s);  /* both ways; the object stays */
    void (*close)(struct stream *s);     /* and frees */
};

struct stream {
    const struct stream_ops *ops;
};

/* A stream over a connected socket; it owns FD from now on and makes it
 * non-blocking. */
struct stream *stream_from_fd(int fd);
void stream_close(struct stream *s); /* NULL is allowed */
DEFINE_CLEANUP(struct stream *, stream_close)

/*
 * Connected sockets, or -1 with ERR set; close-on-exec.  Both serve LOOP while
 * they wait.  HOST of the TCP form must be a numeric address; PORT 1-65535.
 * A unix socket whose queue stays full is BUSY, all else CONNECT.
 */
int socket_connect_unix(struct loop *loop, const char *path, deadline_t by,
                        struct qm_error *err);
int socket_connect_tcp(struct loop *loop, const char *host, unsigned port,
                       deadline_t by, struct qm_error *err);

/*
 * A listening socket at PATH, made with mode 0600, non-blocking and
 * close-on-exec; -1 with a SYSTEM error, also if there is something at PATH.
 * The caller unlinks PATH.  socket_accept() takes the next connection, or is
 * -1 with errno: EAGAIN if there is none.
 */
int socket_listen_unix(const char *path, struct qm_error *err);
int socket_accept(int listener);

/* The numeric addresses of the peer HOST (name or number), in the order of
 * getaddrinfo(), at most ADDRESSES_MAX, are added to RET.  -1 with ERR. */
#define ADDRESSES_MAX 8
int resolve_addresses(const char *host, struct strv *ret, struct qm_error *err);
/* The first of them; the caller frees it.  NULL with ERR. */
char *resolve_host(const char *host, struct qm_error *err);
/* 127.0.0.0/8, ::1 or their mapped forms, in numbers. */
bool address_is_loopback(const char *numeric);
/* Is it all addresses at once: 0.0.0.0, ::, or the former in IPv6's dress? */
bool address_is_wildcard(const char *numeric);
bool address_is_numeric(const char *text);

#endif
