/*
 * The options of each command: parsed by one table each, from which the help
 * is made too.
 */
#ifndef QM_CLI_OPTIONS_H
#define QM_CLI_OPTIONS_H

#include "base/buffer.h"
#include "core/plan.h"
#include "nbd/uri.h"

/* Of `keys` and what is below it. */
struct keys_options {
    char *dir, *name;
    struct strv addresses;
    int64_t days;
    bool dh_params;
    char *role, *qemu; /* NULL: not given */
};

struct options {
    struct plan plan;
    struct keys_options keys;
    bool dry_run, json;
    bool detach, no_supervisor;
    char *metrics;       /* a file, or NULL */
    bool help;           /* asked for: the rest is then not complete */
    int64_t connections; /* of `copy`: to each server, at most */
    const char *mode;    /* of `complete` */
    char *fence;         /* of `recover`, or NULL */
    bool is_down[SIDES]; /* of `recover`: --i-have-checked */
    bool all;            /* of `recover`, and of `status` */

    enum { THROTTLE_OF_POLICY, THROTTLE_ON, THROTTLE_OFF } auto_converge;

    /* until all options are known: --tls-dir is for the side without its own */
    char *tls_dir, *side_tls_dir[SIDES], *qmp_tls_dir;
};

/*
 * ARGV[0] is the subcommand.  -1 with a USAGE error; options_done() is the
 * caller's in any case.
 */
int options_parse(struct options *ret, int argc, char **argv,
                  struct qm_error *err);
/* The same for `copy`; RET_URI[SIDES] was zeroed and is the caller's too. */
int options_parse_copy(struct options *ret, struct nbd_uri *ret_uri, int argc,
                       char **argv, struct qm_error *err);
/* The same for the commands that speak with a migration that runs: between MIN
 * and MAX words, of which the first is a name.  RET_WORDS was zeroed. */
int options_parse_control(struct options *ret, struct strv *ret_words,
                          size_t min, size_t max, int argc, char **argv,
                          struct qm_error *err);
void options_done(struct options *o);
DEFINE_CLEANUP_DONE(struct options, options_done)

/* What each option of COMMAND is, lines of at most 80 columns. */
void options_help(struct buffer *b, const char *command);

/* Of NAMES (NULL-terminated) the one that WORD was probably meant to be, or
 * NULL. */
const char *nearest_name(const char *word, const char *const *names);

#endif
