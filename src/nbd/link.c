/*
 * A libnbd handle on the event loop: libnbd says what it waits for, the loop
 * says what is there.  libnbd closes its socket whenever it gives up, so the
 * loop watches a duplicate, which is ours to close.
 */
#include "nbd/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static void note_loss(struct nbd_link *l)
{
    const char *said = nbd_get_error();

    if (l->lost)
        return;
    l->lost = true;
    l->why = str_printable(said ? said : "the connection ended");
}

void nbd_link_kick(struct nbd_link *l)
{
    unsigned direction = nbd_aio_get_direction(l->h);
    unsigned events = 0;

    if (direction & LIBNBD_AIO_DIRECTION_READ)
        events |= LOOP_READ;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        events |= LOOP_WRITE;
    loop_watch_set(l->watch, l->lost ? 0 : events);
}

static void on_ready(void *arg, unsigned ready)
{
    struct nbd_link *l = arg;
    unsigned direction = nbd_aio_get_direction(l->h);
    int rc = 0;

    /* One of them: after a read libnbd may not want to write any more. */
    if (ready & LOOP_READ && direction & LIBNBD_AIO_DIRECTION_READ)
        rc = nbd_aio_notify_read(l->h);
    else if (ready & LOOP_WRITE && direction & LIBNBD_AIO_DIRECTION_WRITE)
        rc = nbd_aio_notify_write(l->h);
    if (rc < 0)
        note_loss(l);
    nbd_link_kick(l);
}

int nbd_link_open(struct loop *loop, int fd, const char *export_name,
                  struct nbd_link *l, struct qm_error *err)
{
    *l = (struct nbd_link){ .loop = loop, .watched = -1 };
    l->watched = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    l->h = nbd_create();
    if (l->watched < 0 || !l->h || nbd_set_opt_mode(l->h, true) < 0 ||
        nbd_set_tls(l->h, LIBNBD_TLS_DISABLE) < 0 ||
        nbd_set_export_name(l->h, export_name) < 0) {
        close_fd(fd);
        return error_set(err, QM_ERR_SYSTEM, "set up libnbd: %s",
                         nbd_get_error());
    }
    if (nbd_aio_connect_socket(l->h, fd) < 0)
        note_loss(l);
    l->watch = loop_watch_fd(loop, l->watched, 0, on_ready, l);
    nbd_link_kick(l);
    return 0;
}

void nbd_link_done(struct nbd_link *l)
{
    loop_watch_free(l->watch);
    nbd_close(l->h);
    close_fd(l->watched);
    free(l->why);
    *l = (struct nbd_link){ .watched = -1 };
}
