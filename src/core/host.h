/*
 * The machine that a QEMU runs on: this one, or one behind ssh.
 *
 * What runs there are constant scripts for sh; everything variable goes
 * through their standard input, a line each, so that no input ever becomes a
 * shell's word.  Failing to reach a host is not fatal to a migration: fewer
 * things can be checked, and the verdicts say so.
 */
#ifndef QM_CORE_HOST_H
#define QM_CORE_HOST_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/secret.h"
#include "qmp/address.h"

struct host;

/* SPEC: "local" or "ssh://[user@]host[:port]".  Whether it is one: USAGE. */
int host_spec_check(const char *spec, struct qm_error *err);
struct host *host_new(struct loop *loop, const char *spec,
                      struct qm_error *err);
/* The host of a QMP address: unix is local, ssh that host; NULL, without an
 * error, for tcp and tls, where nobody said how to get there. */
struct host *host_of_address(struct loop *loop, const struct qmp_address *a);
void host_free(struct host *h);
DEFINE_CLEANUP(struct host *, host_free)
bool host_is_local(const struct host *h);    /* false for NULL too */
const char *host_text(const struct host *h); /* "this machine", "ssh://..." */

/*
 * Run SCRIPT (a constant) by sh there, with INPUT as its standard input; its
 * output, at most 1 MiB, is appended to OUT.  Returns the exit status, -1 with
 * ERR if it could not be run or took longer than BY.  It is a line: no single
 * quote, no backslash, no line break in it.  The user's login shell there does
 * not see it, and what that prints by itself is not in OUT.
 */
int host_run(struct host *h, const char *script, const char *input,
             deadline_t by, struct buffer *out, struct qm_error *err);

/*
 * The same, left to run: its standard input, INPUT at first, stays open until
 * child_end_input().  NULL with ERR; the caller frees it.
 */
struct child;
struct child *host_start(struct host *h, const char *script, const char *input,
                         size_t input_len, struct qm_error *err);
/* The script's output so far, as a string.  Borrowed, until the loop runs. */
const char *host_said(const struct host *h, const struct child *c);

/*
 * A pre-shared key there: LINE, which ends in a line break, in a file keys.psk
 * of a new folder NAME in a tmpfs, both of the user that the QEMU of process
 * PID runs as and closed to all others.  It is removed by host_key_remove(),
 * and by the host itself when the engine ends or is not heard of any more.
 * NULL with ERR: SYSTEM, TIMEOUT.
 */
struct host_key;
struct host_key *host_key_put(struct host *h, int pid, const char *name,
                              struct secret *line, struct qm_error *err);
bool host_key_is_there(const struct host_key *k);   /* as far as we know */
const char *host_key_dir(const struct host_key *k); /* as that QEMU sees it */
/* K (may be NULL) is freed; -1 with ERR if it may still be there. */
int host_key_remove(struct host_key *k, struct qm_error *err);

/* What is at PATH there, where a socket should be that whoever logs in may
 * connect to. */
enum host_socket {
    HOST_SOCKET_UNKNOWN,
    HOST_SOCKET_THERE,
    HOST_SOCKET_MISSING,
    HOST_SOCKET_CLOSED, /* it, or a folder above it, is closed to that user */
    HOST_SOCKET_FOLDER, /* it is a folder */
    HOST_SOCKET_OTHER   /* it is a file of another kind */
};
enum host_socket host_look_at_socket(struct host *h, const char *path);

/* What is in several files, at most MAX bytes of each, on one trip.  0 when
 * the host was asked; what became of each is its state.  Each needs a path
 * without a line break; the bytes of all of them come to 1 MiB at most. */
enum host_file_state {
    HOST_FILE_READ,
    HOST_FILE_MISSING,
    HOST_FILE_UNREADABLE
};
struct host_file {
    char *path;
    enum host_file_state state;
    struct buffer bytes;
};
int host_read_files(struct host *h, struct host_file *files, size_t count,
                    size_t max, struct qm_error *err);
/* The same of one file that is not to be read, a private key: READ if it is
 * there, with its permission bits, and not a byte of it. */
int host_look_at_file(struct host *h, const char *path,
                      enum host_file_state *ret, unsigned *ret_mode,
                      struct qm_error *err);
void host_files_done(struct host_file *files, size_t count);

/* The numeric addresses that ssh would connect to (ssh -G, then the resolver),
 * in order, are added to RET; -1 with ERR.  For a host behind ssh only. */
int host_addresses(struct host *h, struct strv *ret, struct qm_error *err);

/*
 * A TCP connection to ADDRESS (numeric) and PORT made from there (ssh -W): its
 * bytes come and go through FD, one end of a socketpair, which the caller
 * still closes.  NULL with ERR if ssh could not be started; what fails later
 * is an end of file, and the child's complaint.  Not for this machine.
 */
struct child *host_open_tcp(struct host *h, const char *address, unsigned port,
                            int fd, struct qm_error *err);

/* --- processes ----------------------------------------------------------- */

/*
 * Where a process was seen.  "" is what is not known: a machine that has no
 * id, a kernel without time namespaces, a /proc that is not that of the
 * looker's own PID namespace, a journal of an older qmigrate.
 */
struct process_place {
    char machine_id[40];
    char boot_id[40];
    char pid_namespace[32], time_namespace[32]; /* "pid:[4026531836]" */
};

/* Enough to tell a process from a later one with the same number. */
struct process_identity {
    bool known;
    int pid;
    uint64_t start_time; /* field 22 of /proc/PID/stat */
    struct process_place place;
    int64_t seen_s; /* when, by the clock of that machine; 0: not known */
};

/* Two known identities, of one process?  What one of both does not know of its
 * place says nothing. */
bool process_is_same(const struct process_identity *a,
                     const struct process_identity *b);

/* Were both seen in one place, so that different ones are two? */
bool process_is_comparable(const struct process_identity *a,
                           const struct process_identity *b);

/* The process behind PID. */
int host_identify_pid(struct host *h, int pid, struct process_identity *ret,
                      struct qm_error *err);
/* The process that listens on the unix socket PATH (/proc/net/unix and
 * /proc/PID/fd; needs root or the same user there), be it in a container. */
int host_identify_listener(struct host *h, const char *path,
                           struct process_identity *ret, struct qm_error *err);
/* The one that listens on a TCP port there, whatever its address. */
int host_identify_tcp_listener(struct host *h, unsigned port,
                               struct process_identity *ret,
                               struct qm_error *err);

/* Is process PID the QEMU whose QMP calls a thread of it THREAD?  The proof
 * that it is what answers, and no relay in between. */
bool host_process_is_qemu(struct host *h, int pid, int thread);

enum process_state { PROCESS_UNKNOWN, PROCESS_ALIVE, PROCESS_DEAD };
/* DEAD is a proof: it was looked for where it ran, and there is no such pid,
 * another start time, or a zombie; or that machine has booted since it was
 * seen: machines that were cloned may have one machine id. */
enum process_state host_process_state(struct host *h,
                                      const struct process_identity *id,
                                      deadline_t by);
/* Why that can be no proof: H leads elsewhere.  NULL if it leads there, or
 * cannot be asked; the caller frees it. */
char *host_process_doubt(struct host *h, const struct process_identity *id,
                         deadline_t by);
/* SIGKILL to exactly that process, then wait until it is gone.  0 when it is
 * verified dead. */
int host_kill_process(struct host *h, const struct process_identity *id,
                      deadline_t by, struct qm_error *err);

/* Is NUMERIC an address of the network that the process sees, so that it can
 * listen on it (/proc/PID/net)? */
enum host_has { HOST_HAS_UNKNOWN, HOST_HAS, HOST_HAS_NOT };
enum host_has host_has_address(struct host *h, const struct process_identity *p,
                               const char *numeric);

/*
 * How much of a stream it can take: the cores that the process may run on, and
 * the speed of the interface by which NUMERIC is reached, or on which that is.
 * 0: not known.
 */
struct host_capacity {
    int cores;
    int64_t link_mbit;
};
void host_capacity(struct host *h, const struct process_identity *p,
                   const char *numeric, struct host_capacity *ret);

/* --- what is left there (host-room.c) ------------------------------------ */

struct host_memory { /* bytes; a total of 0: not known */
    uint64_t total, available, swap_total, swap_free;
    uint64_t resident; /* of the process; 0: not known */
};
struct disk_room {
    bool known;              /* it is a regular file that could be looked at */
    uint64_t file_system;    /* its number there */
    uint64_t occupied, free; /* bytes: by the file, in its file system */
};
/* Of the host and process PID, and of several files that it sees; what cannot
 * be told of one is not known.  -1 with ERR if the host could not be asked. */
int host_look_for_room(struct host *h, int pid, const char *const *paths,
                       size_t count, struct host_memory *ret_memory,
                       struct disk_room *ret, deadline_t by,
                       struct qm_error *err);

/* --- what preflight asks about a process --------------------------------- */

/* A process that waits for the one that is asked about, or for one that does;
 * its words are as it or its host has them. */
struct parent_facts {
    int pid;
    char *name;  /* as the kernel has it: at most 15 characters */
    char *args;  /* the beginning of its command line, or NULL */
    char *dir;   /* its working folder, or NULL */
    char *state; /* what the tool of that supervisor says of it, or NULL */
};

struct unit_facts {
    char *unit;    /* systemd service the process runs in, or NULL */
    char *restart; /* its Restart=, or NULL if it could not be asked */
    bool of_user;  /* of a user's own systemd, not the system's */
    /* It is the unit's main process or below it: its end may end the unit. */
    bool ends_unit;
    bool clean_exit_is_final; /* RestartPreventExitStatus= has 0 */
    bool enabled;             /* started at boot */
    struct strv triggers; /* units that start it: timers, paths, sockets; and
                           * those that keep it up (Upholds=) */
    bool is_mute;    /* systemd runs there, and does not say which unit it is */
    bool is_asked;   /* it does, or that it is of none */
    bool is_libvirt; /* started by libvirtd/virtqemud: machine.slice scope or
                      * libvirt's paths in its command line */
    struct strv cgroups;   /* the lines of /proc/PID/cgroup */
    struct buffer cmdline; /* of the process, with its zeros */
    size_t parent_count;   /* the nearest first */
    struct parent_facts *parent;
    char *container_tool;   /* "docker", "podman", or NULL */
    char *container;        /* its id */
    char *restart_policy;   /* of it, as the tool says it, or NULL */
    bool is_container_main; /* the container ends with it */
    bool is_ha; /* Proxmox VE's HA manager has that guest on its list */
};
int host_unit_facts(struct host *h, const struct process_identity *id,
                    struct unit_facts *ret, struct qm_error *err);
void unit_facts_done(struct unit_facts *u);

/* --- what a file or block device is (host-storage.c) --------------------- */

struct file_identity {
    bool known;
    bool is_not_open; /* the process has no descriptor of it; false also where
                       * its descriptors cannot be seen */
    bool is_block_device;   /* false for a loop device: it is its file */
    uint64_t device, inode; /* of a block device: its number, and 0 */
    char name[128];         /* of a file, links followed, no folder; or "" */
    char fs_type[32];       /* as stat -f calls it: "ext2/ext3", "nfs"; or "" */
    /*
     * What a block device is wherever it is plugged in, in words: "hw:NAME",
     * unique in the world; "weak:NAME", a serial number that somebody gave it;
     * "here:MAJOR:MINOR", which says nothing elsewhere; "dm:UUID" and then the
     * words of all that this lies on, "@N" behind what is a partition.  Behind
     * the name of hardware stands "~local" if it is in this very machine and
     * at hand of no other, or "~TARGET", who offers it over a network.  "" if
     * not all of it is known.  PARTITION: its number there, or 0.  Of a file:
     * of what its file system lies on.
     */
    char block_id[512];
    unsigned partition;
    uint64_t partition_start, partition_size; /* bytes; size 0: not known */
    uint64_t offset, limit; /* of a loop device: bytes of its file; limit 0:
                             * to its end */
    uint64_t links;         /* names that the file has; 0: not known */
    uint64_t folder_device, folder_inode; /* 0: not known */
    /* Where a file is mounted by itself its folder says nothing of it. */
    enum { MOUNTED_UNKNOWN, MOUNTED_WITH_FOLDER, MOUNTED_ALONE } mounted;
};
/*
 * Of several files there, as the process PID sees them (its root folder, and
 * its working folder for relative names), on one trip.  One that cannot be
 * found, and a NULL, is not known, which is no error; nor is any of them if PID
 * is 0, or what it sees cannot be told.
 */
int host_identify_files(struct host *h, int pid, const char *const *paths,
                        size_t count, struct file_identity *ret,
                        struct qm_error *err);

/*
 * SHA-256 of the bytes of several files or block devices there, found as
 * host_identify_files() does; all are read whole.  What cannot be read, or not
 * within LIMIT_MS all together, is not known.
 */
struct file_digest {
    bool known;
    char sha256[65]; /* hexadecimal */
};
int host_digest_files(struct host *h, int pid, const char *const *paths,
                      size_t count, int64_t limit_ms, struct file_digest *ret,
                      struct qm_error *err);

/*
 * A mark: an empty file MARKS[i] (a name without a folder, never used before)
 * beside PATHS[i], as PID sees it.  An empty path is passed over.  Made with
 * O_EXCL; whoever makes marks removes them, whatever becomes of the rest.
 */
enum host_mark {
    MARK_NOT_TRIED,
    MARK_FAILED, /* could not be made, or the folder cannot be searched */
    MARK_DONE,   /* made; seen */
    MARK_UNSEEN, /* looked for, and not there */
};
enum host_mark_deed { MARK_MAKE, MARK_LOOK, MARK_REMOVE };
int host_mark_files(struct host *h, int pid, enum host_mark_deed deed,
                    const char *const *paths, const char *const *marks,
                    size_t count, enum host_mark *ret, struct qm_error *err);

#endif
