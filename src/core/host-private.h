/*
 * What the files of host-*.c share, and their parsers, which are pure.
 */
#ifndef QM_CORE_HOST_PRIVATE_H
#define QM_CORE_HOST_PRIVATE_H

#include "core/host.h"

#define HOST_OUTPUT_MAX MIB
#define HOST_LIMIT_MS 15000 /* for one question, its connection included */

struct host {
    struct loop *loop;
    bool local;
    char *text;
    char *user;    /* or NULL */
    char *name;    /* host or alias */
    unsigned port; /* 0: what ssh's configuration says */
};

/* What /proc/PID/stat says. */
struct process_stat {
    char state;
    unsigned threads;
    uint64_t start_time;
};
/* Parsed behind the last ')', as a name may hold anything.  False if TEXT is
 * no such line. */
bool process_stat_parse(const char *text, struct process_stat *ret);
/* Has it come to its end?  A zombie has, unless threads of it live on. */
bool process_stat_is_end(const struct process_stat *s);

/* Scripts get a path a line: not empty, no line break in it. */
bool host_path_can_be_asked(const char *path);
/* PID on a line, then each path that can be asked: whether there is one. */
bool host_put_paths(struct buffer *in, int pid, const char *const *paths,
                    size_t count);

/* The beginning of a script: its first line is $pid, and $root what goes
 * before an absolute path of that process (0: of whoever logs in). */
#define HOST_ROOT                                                              \
    "read -r pid; root=; "                                                     \
    "[ $pid -gt 0 ] && [ -x /proc/$pid/root/ ] && root=/proc/$pid/root; "

/* The beginning of a script to which paths are told as a process sees them:
 * reads the first line, the pid; then `real` turns $path into $p. */
#define HOST_FIND                                                              \
    HOST_ROOT                                                                  \
    "real() { "                                                                \
    "  case $path in /*) p=$root$path ;; *) p=/proc/$pid/cwd/$path ;; esac; "  \
    "  n=0; "                                                                  \
    "  while [ -L \"$p\" ] && [ $n -lt 20 ]; do "                              \
    "    t=$(readlink -- \"$p\"); "                                            \
    "    case $t in /*) p=$root$t ;; *) p=${p%/*}/$t ;; esac; "                \
    "    n=$((n + 1)); "                                                       \
    "  done; "                                                                 \
    "}; "

/* What the script of host_identify_files() says of one path; its lines begin
 * at *POS, which is moved behind them.  False if they are not there. */
bool file_identity_parse(const char **pos, struct file_identity *ret);

/* The output of the script of host_unit_facts(). */
void unit_facts_parse(const char *text, size_t len, struct unit_facts *ret);

/* Does /proc/PID/net/fib_trie, or ipv6_route, have a route of type LOCAL to
 * that address? */
struct in_addr;
struct in6_addr;
bool fib_trie_has(const char *text, const struct in_addr *wanted);
bool ipv6_route_has(const char *text, const struct in6_addr *wanted);

/* An error for a script that ended with STATUS. */
int host_complain(const struct host *h, const char *what, int status,
                  struct qm_error *err);

/* The output of the script of host_capacity(), of whatever bytes. */
void capacity_parse(const char *text, const char *numeric,
                    struct host_capacity *ret);
/* "0-3,8": how many; 0 if it is no such list. */
int cores_parse(const char *list);

#endif
