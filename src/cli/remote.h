/*
 * A migration that another process runs: what the commands that speak with it
 * share.
 */
#ifndef QM_CLI_REMOTE_H
#define QM_CLI_REMOTE_H

#include "cli/options.h"
#include "core/control-client.h"
#include "core/result.h"

/* How long an engine may take to greet and to answer. */
#define REMOTE_GREETING_MS 5000
#define REMOTE_ANSWER_MS 10000
/* The same where QEMU has to be asked. */
#define REMOTE_QEMU_MS 120000

struct remote {
    struct options options;
    struct strv words; /* the first one is the name */
    struct loop *loop;
    struct control_link *link;
    struct qm_error err;
};

/*
 * Take the command line: between MIN and MAX words.  0, or the exit code with
 * which it is all over, said; remote_done() is the caller's in any case.
 */
int remote_begin(struct remote *r, size_t min, size_t max, int argc,
                 char **argv, int *ret_exit);
/* Connect to the migration of that name; -1 with r->err set. */
int remote_connect(struct remote *r);
/* Ask it; ARGS is consumed.  -1 with r->err set. */
int remote_ask(struct remote *r, const char *command, struct json_object *args,
               int64_t limit_ms, struct json_object **ret);
/* Say r->err; the exit code for it. */
int remote_refuse(struct remote *r);
/* Say TEXT on stdout. */
void remote_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void remote_done(struct remote *r);
DEFINE_CLEANUP_DONE(struct remote, remote_done)

/*
 * Show all that it tells, from STATUS on (the answer to query-status): true
 * when it has ended, with RET (the caller's result_done()); false with the exit
 * code, after SIGINT said that it was watched enough, or an error was said.
 */
bool remote_watch(struct remote *r, struct json_object *status,
                  struct result *ret, int *ret_exit);

#endif
