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

/* A file of few bytes; cut off at SIZE - 1, and ended.  -1 with errno. */
int read_small_file(const char *path, char *buf, size_t size);

/* A place as scripts say it, a word each, "-" for what is not known: machine
 * id, boot id, PID and time namespace.  The caller frees a line. */
bool process_place_parse(const char *line, size_t len,
                         struct process_place *ret);
char *process_place_line(const struct process_place *p);
int process_place_here(struct process_place *ret, struct qm_error *err);

/* Is HERE where a process WAS seen?  REBOOTED: it was, and all processes of
 * then are gone.  ELSEWHERE: what is not seen here may be there. */
enum process_place_relation { PLACE_ELSEWHERE, PLACE_SAME, PLACE_REBOOTED };
enum process_place_relation process_place_compare(
    const struct process_place *was, const struct process_place *here);
/* May both be one?  What is not known says nothing. */
bool process_place_fits(const struct process_place *a,
                        const struct process_place *b);
/* ELSEWHERE in words, else NULL; the caller frees it. */
char *process_place_difference(const struct process_place *was,
                               const struct process_place *here);

/* The beginning of a script: `place` says that line, with a machine id only
 * where it is one, as process_place_line() does, and `clock` the line that
 * follows it in what sight_parse() reads. */
#define HOST_PLACE                                                             \
    "place() { "                                                               \
    "  b=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) || return 1; "     \
    "  m=; read -r m more 2>/dev/null </etc/machine-id; "                      \
    "  [ -n \"$m\" ] || read -r m more 2>/dev/null "                           \
    "    </var/lib/dbus/machine-id; "                                          \
    "  case ${#m}$m in 32*[!0-9a-fA-F]*) m= ;; 32*) ;; *) m= ;; esac; "        \
    "  key=; more=; "                                                          \
    "  while read -r key own more; do "                                        \
    "    [ \"$key\" = NSpid: ] && break; "                                     \
    "  done </proc/self/status; "                                              \
    "  ns=; ts=; "                                                             \
    "  [ \"$key\" = NSpid: ] && [ -z \"$more\" ] && "                          \
    "    ns=$(readlink /proc/self/ns/pid) && "                                 \
    "    ts=$(readlink /proc/self/ns/time); "                                  \
    "  echo \"${m:--} $b ${ns:--} ${ts:--}\"; "                                \
    "}; "                                                                      \
    "clock() { "                                                               \
    "  read -r up more </proc/uptime && n=$(date +%s) && "                     \
    "    echo \"$n ${up%%.*}\"; "                                              \
    "}; "

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

/* One look for a process. */
struct sight {
    struct process_place place; /* where */
    int64_t now_s;              /* by the clock of that machine */
    int64_t booted_s;           /* when it was booted, by the same clock */
    bool there;
    struct process_stat stat; /* if it is there */
};
/* -1 with ERR if it cannot be told whether it is there. */
int host_look(struct host *h, int pid, deadline_t by, struct sight *ret,
              struct qm_error *err);
enum process_state process_judge(const struct process_identity *id,
                                 const struct sight *s);
/* TEXT begins with the lines of place and clock; the rest is stat or
 * nothing. */
int sight_parse(const char *text, struct sight *ret);
/* Why S does not tell whether the process of ID is dead, in words, else NULL;
 * the caller frees it. */
char *sight_doubt(const struct process_identity *id, const struct sight *s);
void sight_identify(int pid, const struct sight *s,
                    struct process_identity *ret);

/*
 * Is a process the QEMU whose QMP calls a thread THREAD?  TEXT: the lines Name,
 * Pid and NSpid of the status of all its threads.  QMP tells the number that
 * the thread has in its own PID namespace.
 */
bool threads_are_of_qemu(const char *text, int pid, int thread);

/* Scripts get a path a line: not empty, no line break in it. */
bool host_path_can_be_asked(const char *path);
/* PID on a line, then each path that can be asked: whether there is one. */
bool host_put_paths(struct buffer *in, int pid, const char *const *paths,
                    size_t count);

/*
 * The beginning of a script whose first line is $pid.  $root is what goes
 * before an absolute path of that process, and $sees `yes` if that leads to
 * what the process sees: below /proc/PID/root, or, where that is closed to
 * whoever logs in, below / if both have the same mount there (a mount's number
 * is unique on a host).  Without a process nothing is known.
 */
#define HOST_ROOT                                                              \
    "read -r pid; root=; sees=no; "                                            \
    "roots() { "                                                               \
    "  while read -r id a b c at rest; do "                                    \
    "    case $at in /) echo $id ;; esac; "                                    \
    "  done <$1; "                                                             \
    "}; "                                                                      \
    "if [ $pid -gt 0 ]; then "                                                 \
    "  if [ -x /proc/$pid/root/ ]; then root=/proc/$pid/root; sees=yes; "      \
    "  elif [ -r /proc/$pid/mountinfo ]; then "                                \
    "    id=$(roots /proc/$pid/mountinfo); "                                   \
    "    [ \"$id\" ] && [ \"$id\" = \"$(roots /proc/self/mountinfo)\" ] "      \
    "      && sees=yes; "                                                      \
    "  fi; "                                                                   \
    "fi; "

/*
 * The same for paths as that process sees them.  `real` goes to the folder of
 * $path, and $p is its name there, "./NAME" (or "." for a folder), which is no
 * link.  It fails if that cannot be told, or the folder cannot be entered.
 *
 * Every component is entered by itself, since a link is meant below $root,
 * wherever in the path it is, and `..` ends there.  Whoever owns those folders
 * may exchange one for a link meanwhile: what was entered has to be right
 * below where we were.  The links of /proc lead wherever it is read.
 *
 * For a new file $makes is set, to the user who makes it: then a link of that
 * name is left as it is, and root follows no other user's link, which might
 * lead to a folder that is closed to that user.
 */
#define HOST_FIND                                                              \
    HOST_ROOT                                                                  \
    "unset CDPATH; makes=; "                                                   \
    "inode() { stat -c %d:%i \"$1\" 2>/dev/null; }; "                          \
    "enter() { cd -P \"$1\" 2>/dev/null; }; "                                  \
    "top=$(inode \"$root/.\"); "                                               \
    "up() { "                                                                  \
    "  [ $depth -le 0 ] && [ \"$(inode .)\" = \"$top\" ] && return; "          \
    "  enter .. && depth=$((depth - 1)); "                                     \
    "}; "                                                                      \
    "down() { "                                                                \
    "  was=$(inode .) && enter \"./$1\" && [ \"$(inode ..)\" = \"$was\" ] "    \
    "    && depth=$((depth + 1)); "                                            \
    "}; "                                                                      \
    "follow() { "                                                              \
    "  links=$((links + 1)); "                                                 \
    "  [ $links -le 40 ] && [ \"$(stat -f -c %T .)\" != proc ] || return 1; "  \
    "  case $makes$(stat -c %u \"$1\") in 0[1-9]*) return 1 ;; esac; "         \
    "  t=$(readlink -n -- \"$1\" && echo .) || return 1; t=${t%.}; "           \
    "  case $t in "                                                            \
    "    \"\") return 1 ;; "                                                   \
    "    /*) enter \"$root/\" || return 1; depth=0 ;; "                        \
    "  esac; "                                                                 \
    "  rest=$t${rest:+/$rest}; "                                               \
    "}; "                                                                      \
    "real() { "                                                                \
    "  p=; rest=$path; depth=0; links=0; "                                     \
    "  [ $sees = yes ] || return 1; "                                          \
    "  case $path in "                                                         \
    "    /*) enter \"$root/\" || return 1 ;; "                                 \
    "    *) enter /proc/$pid/cwd/ || return 1 ;; "                             \
    "  esac; "                                                                 \
    "  while [ \"$rest\" ]; do "                                               \
    "    c=${rest%%/*}; "                                                      \
    "    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac; "             \
    "    case $c in "                                                          \
    "      \"\"|.) continue ;; "                                               \
    "      ..) up || return 1; continue ;; "                                   \
    "    esac; "                                                               \
    "    if [ -L \"./$c\" ] && { [ \"$rest\" ] || [ -z \"$makes\" ]; }; then " \
    "      follow \"./$c\" || return 1; "                                      \
    "    elif [ \"$rest\" ]; then down \"$c\" || return 1; "                   \
    "    else p=./$c; return 0; fi; "                                          \
    "  done; "                                                                 \
    "  p=.; "                                                                  \
    "}; "

/* What the script of host_identify_files() says of one path; its lines begin
 * at *POS, which is moved behind them.  False if they are not there. */
bool file_identity_parse(const char **pos, struct file_identity *ret);

/* The output of the script of host_look_for_room(), of whatever bytes. */
void room_parse(const char *text, const char *const *paths, size_t count,
                struct host_memory *ret_memory, struct disk_room *ret);

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
