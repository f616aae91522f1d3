/*
 * A QEMU that is not there: a monitor (fake-monitor.h) that remembers what it
 * was told, answers as QEMU 10.0 does and says the events that QEMU says.  Two
 * of them, a source and a destination, know of each other, so that a whole
 * migration can be run over them, and everything is written into one trace.
 *
 * What a real QEMU will not do on demand is a twist: an answer to one command
 * in the place of the usual one.
 *
 * Each has a process of its own, which does nothing but hold the socket: it is
 * what the engine finds behind it, watches, and may have to kill.
 */
#ifndef QM_TESTS_SCRIPTED_PEER_H
#define QM_TESTS_SCRIPTED_PEER_H

#include <fcntl.h>
#include <json-c/json_types.h>
#include <sys/types.h>

#include "core/plan.h"
#include "fake-monitor.h"

struct peers;
struct peer;

struct twist {
    enum side_id side;
    const char *command;
    int nth; /* of these commands; 0 counts as 1 */
    /* What it does instead; it answers with peer_answer() or not at all. */
    void (*react)(struct peer *p, struct json_object *args, long long id);
    const char *refusal; /* or: this error */
};

#define TWISTS_MAX 7

struct peer {
    struct fake fake; /* the first member: a fake monitor is a peer */
    struct peers *all;
    enum side_id side;
    pid_t pid;          /* -1: it has ended */
    char *image;        /* file name, or NULL */
    int image_fd;       /* as a QEMU has it open */
    const char *driver; /* of its protocol: "file" */
    long long size;     /* bytes */
    const char *device; /* type of vd0, or NULL: it is not listed */
    char drive[32];     /* the node under vd0 */
    bool read_only, has_bitmap;

    /* what it was told, or became */
    const char *run_state, *migration; /* QEMU's words; "none" */
    const char *error_desc;            /* of the migration, or NULL */
    const char *then;  /* what it becomes once the run state was asked */
    bool stays_paused; /* the operator stopped the guest */
    /* each query-migrate finds one pass more, in vain; or NULL */
    int *passes;
    bool hangs; /* reads commands, and that is all */
    struct json_object *capabilities, *parameters; /* name: value */
    struct json_object *objects, *nodes, *exports; /* id: ... */
    struct json_object *jobs;                      /* id: status */
    bool nbd_server;
    int listen_port; /* for the RAM; 0: none */
    char *before;    /* peer_state() when it began */
};

struct peers {
    struct peer side[SIDES];
    struct twist twist[TWISTS_MAX];
    int came[TWISTS_MAX]; /* how often that twist's command was told */
    struct buffer trace;
    void (*before_line)(struct peers *all); /* or NULL: called for each */
};

/* Listen at PATH, as that side, with a disk at IMAGE, or NULL. */
void peer_start(struct peers *all, enum side_id side, struct loop *loop,
                const char *path, const char *image);
void peers_done(struct peers *all);

/* A line of the trace. */
void peers_note(struct peers *all, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- for twists ----------------------------------------------------------- */

struct peer *peer_other(struct peer *p);
/* Do what QEMU does, and answer. */
void peer_obey(struct peer *p, const char *command, struct json_object *args,
               long long id);
void peer_answer(struct peer *p, long long id);
void peer_refuse(struct peer *p, long long id, const char *desc);
void peer_event(struct peer *p, const char *event, const char *data);
/* The migration's state, and its event. */
void peer_migrates(struct peer *p, const char *status);
void peer_stops(struct peer *p, const char *run_state); /* and STOP */
void peer_runs(struct peer *p);                         /* and RESUME */
/* What a blockdev-mirror with ARGS starts, until its speed is changed. */
void peer_job_takes_time(struct peer *p, struct json_object *args);
void peer_job_fails(struct peer *p, const char *why); /* all its jobs */
void peer_dies(struct peer *p);

/* What an engine might have changed, a line each; the caller frees it. */
char *peer_state(const struct peer *p);

/* --- between the two files ------------------------------------------------ */

/* TEXT, with ' for ", as JSON. */
struct json_object *peer_json(const char *text);
/* The answer to a question; NULL: QEMU says no.  The caller puts it. */
struct json_object *peer_reply_to(struct peer *p, const char *command,
                                  struct json_object *args);

#endif
