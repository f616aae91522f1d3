/*
 * A monitor on another host, brought to a socket of this machine by ssh.
 *
 * ssh makes the socket once it has logged in, so its appearance is the sign
 * (inotify, no polling); that anybody answers at the far end is not known
 * before the greeting.  ssh's end at any time is the end of the forward, and
 * its last words are the reason.
 */
#ifndef QM_QMP_CLIENT_FORWARD_H
#define QM_QMP_CLIENT_FORWARD_H

#include "base/error.h"
#include "base/loop.h"
#include "qmp/address.h"

struct forward;

enum forward_state {
    FORWARD_STARTING,
    FORWARD_READY, /* the socket exists (listening follows within the ms) */
    FORWARD_ENDED, /* ssh has exited */
};

/*
 * Start ssh.  The socket is made in DIR (0700) and is named after WHO.
 * CHANGED is called from the loop when the state changes; it must not free the
 * forward.  NULL with ERR if ssh cannot be started.
 */
struct forward *forward_start(struct loop *loop,
                              const struct qmp_address *address,
                              const char *dir, const char *who,
                              loop_fn *changed, void *arg,
                              struct qm_error *err);
enum forward_state forward_state(const struct forward *f);
const char *forward_path(const struct forward *f);
/* What ssh wrote to stderr last, "" if nothing; borrowed. */
const char *forward_complaint(struct forward *f);
/* Set ERR to why ssh ended. */
int forward_explain(struct forward *f, struct qm_error *err);
void forward_free(struct forward *f); /* ends ssh, removes the socket */
DEFINE_CLEANUP(struct forward *, forward_free)

/* Of what ssh wrote to stderr (child_complaint()), the line that says why it
 * failed: the last one but for farewells; what comes before are banners and
 * what it thinks of other forwards.  The caller frees it. */
char *ssh_reason(const char *complaint);

/* ssh's -L argument for these two paths: public for its test.  The caller
 * frees it. */
char *forward_argument(const char *local, const char *remote);

#endif
