/*
 * Child processes that die with us (PR_SET_PDEATHSIG), in a session of their
 * own when asked, so that Ctrl-C does not reach them.  Arguments are argv,
 * never a shell's words.
 */
#ifndef QM_BASE_CHILD_H
#define QM_BASE_CHILD_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"

struct child;

struct child_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *input;       /* fed to its stdin and then closed; or NULL */
    size_t input_len;
    bool input_stays_open; /* until child_end_input() */
    int stdio_fd; /* >0: becomes its stdin and stdout, for example one end of a
                   * socketpair; the caller still closes its own copy */
    size_t output_max; /* bytes of stdout kept, what is beyond is dropped;
                        * 0: stdout goes to /dev/null.  0 with stdio_fd */
    bool own_session;  /* then signals go to all of its group */
};

/* Start it; the options are not needed afterwards.  NULL with ERR (SYSTEM) if
 * it cannot be started: not found, ... */
struct child *child_spawn(struct loop *loop, const struct child_options *o,
                          struct qm_error *err);
/* What is not yet written is dropped. */
void child_end_input(struct child *c);
bool child_has_exited(const struct child *c);
/* Calls FN once from the loop when it has exited. */
void child_on_exit(struct child *c, loop_fn *fn, void *arg);
int child_status(const struct child *c); /* exit status; 128+N for a signal */
const struct buffer *child_output(const struct child *c);
/* The end of what it wrote to stderr (4 KiB), printable, its lines joined by
 * "; "; "" if nothing.  Borrowed until asked again or the child is freed. */
const char *child_complaint(struct child *c);
void child_kill(struct child *c, int signo); /* nothing if it has exited */
void child_free(
    struct child *c); /* ends it (SIGKILL) if it still runs, reaps */
DEFINE_CLEANUP(struct child *, child_free)

/*
 * Run it to its end.  Its exit status (0 and others are not errors), with
 * stdout appended to OUT (may be NULL) and the end of stderr to COMPLAINT
 * (may be NULL; the caller frees it); -1 with ERR, and it killed, if it could
 * not be started (SYSTEM), wrote more than OUTPUT_MAX (SYSTEM), or ran past BY
 * (TIMEOUT).
 */
int child_run(struct loop *loop, const struct child_options *o, deadline_t by,
              struct buffer *out, char **complaint, struct qm_error *err);

#endif
