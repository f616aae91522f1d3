/*
 * Processes of a host: is it still there.
 *
 * A process is its number, its start time and the place where these count: a
 * number alone is soon another's.  What cannot be read proves nothing; DEAD
 * is said only of what was looked for in its own place.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/host-private.h"

bool process_stat_parse(const char *text, struct process_stat *ret)
{
    const char *p = strrchr(text, ')');
    char state;
    unsigned threads;
    uint64_t start_time;

    /* fields 3, 20 and 22 of proc(5): state, threads, start time */
    if (!p || sscanf(p,
                     ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                     "%*s %*s %*s %*s %u %*s %" SCNu64,
                     &state, &threads, &start_time) != 3) {
        return false;
    }
    ret->state = state;
    ret->threads = threads;
    ret->start_time = start_time;
    return true;
}

bool process_stat_is_end(const struct process_stat *s)
{
    return (s->state == 'Z' || s->state == 'X') && s->threads <= 1;
}

/* --- looking ------------------------------------------------------------------ */

/* "NOW UPTIME", in seconds */
static bool clock_parse(const char *text, struct sight *s)
{
    int64_t now_s, uptime_s;

    if (sscanf(text, "%" SCNd64 " %" SCNd64, &now_s, &uptime_s) != 2) {
        return false;
    }
    s->now_s = now_s;
    s->booted_s = now_s - uptime_s;
    return true;
}

int sight_parse(const char *text, struct sight *ret)
{
    struct sight s = { .there = false };
    size_t len = strcspn(text, "\n");

    if (!process_place_parse(text, len, &s.place)) {
        return -1;
    }
    text += len + (text[len] == '\n');
    if (!clock_parse(text, &s)) {
        return -1;
    }
    len = strcspn(text, "\n");
    text += len + (text[len] == '\n');
    if (*text) {
        if (!process_stat_parse(text, &s.stat)) {
            return -1;
        }
        s.there = true;
    }
    *ret = s;
    return 0;
}

/* A /proc that hides other users' processes (hidepid=) shows none of them. */
static bool is_hidden(int pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static int clock_here(struct sight *s, struct qm_error *err)
{
    char uptime[64], line[128];

    if (read_small_file("/proc/uptime", uptime, sizeof(uptime)) < 0) {
        return error_set_errno(err, QM_ERR_SYSTEM, errno,
                               "cannot read /proc/uptime");
    }
    snprintf(line, sizeof(line), "%lld %s", (long long)time(NULL), uptime);
    return clock_parse(line, s) ? 0
                                : error_set(err, QM_ERR_SYSTEM,
                                            "cannot understand /proc/uptime");
}

static int look_here(int pid, struct sight *ret, struct qm_error *err)
{
    char path[64], stat[1024];
    struct sight s = { .there = true };

    if (process_place_here(&s.place, err) < 0 || clock_here(&s, err) < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (read_small_file(path, stat, sizeof(stat)) < 0) {
        if ((errno != ENOENT && errno != ESRCH) || is_hidden(pid)) {
            return error_set_errno(err, QM_ERR_SYSTEM, errno, "cannot read %s",
                                   path);
        }
        s.there = false;
    } else if (!process_stat_parse(stat, &s.stat)) {
        return error_set(err, QM_ERR_SYSTEM, "cannot understand %s", path);
    }
    *ret = s;
    return 0;
}

/* Only a folder that is not there says that the process is not, and only where
 * those of others can be seen. */
static const char look_script[] =
    "read -r pid; " HOST_PLACE "place && clock || exit 3; "
    "cat /proc/$pid/stat 2>/dev/null || { "
    "  [ -d /proc/$pid ] && exit 5; "
    "  [ -d /proc/1 ] || exit 5; "
    "}; "
    "exit 0";

int host_look(struct host *h, int pid, deadline_t by, struct sight *ret,
              struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    char input[32];
    int status;

    if (h->local) {
        return look_here(pid, ret, err);
    }
    snprintf(input, sizeof(input), "%d\n", pid);
    status = host_run(h, look_script, input, by, &out, err);
    if (status < 0) {
        return -1;
    }
    buffer_append(&out, "", 1); /* ended, and never NULL */
    if (status != 0 || sight_parse(out.data, ret) < 0) {
        return host_complain(h, "read /proc", status, err);
    }
    return 0;
}

void sight_identify(int pid, const struct sight *s,
                    struct process_identity *ret)
{
    ret->known = true;
    ret->pid = pid;
    ret->start_time = s->stat.start_time;
    ret->place = s->place;
    ret->seen_s = s->now_s;
}

int host_identify_pid(struct host *h, int pid, struct process_identity *ret,
                      struct qm_error *err)
{
    struct sight s = { .there = false };

    if (host_look(h, pid, deadline_in_ms(HOST_LIMIT_MS), &s, err) < 0) {
        return -1;
    }
    if (!s.there) {
        return error_set(err, QM_ERR_SYSTEM, "%s: there is no process %d",
                         h->text, pid);
    }
    sight_identify(pid, &s, ret);
    return 0;
}

/* --- dead or alive -------------------------------------------------------------- */

static bool is_that_process(const struct process_identity *id,
                            const struct sight *s)
{
    return s->there && id->start_time == s->stat.start_time &&
           !process_stat_is_end(&s->stat);
}

/* A clone that has the same machine id, but was up already when the process was
 * seen, is another machine. */
static bool has_booted_since(const struct process_identity *id,
                             const struct sight *s)
{
    return id->seen_s > 0 && s->booted_s > id->seen_s;
}

enum process_state process_judge(const struct process_identity *id,
                                 const struct sight *s)
{
    switch (process_place_compare(&id->place, &s->place)) {
    case PLACE_SAME:
        return is_that_process(id, s) ? PROCESS_ALIVE : PROCESS_DEAD;
    case PLACE_REBOOTED:
        return has_booted_since(id, s) ? PROCESS_DEAD : PROCESS_UNKNOWN;
    case PLACE_ELSEWHERE:
        break;
    }
    /* an older journal knows no more than this */
    return !*id->place.pid_namespace &&
                   process_place_fits(&id->place, &s->place) &&
                   is_that_process(id, s)
               ? PROCESS_ALIVE
               : PROCESS_UNKNOWN;
}

enum process_state host_process_state(struct host *h,
                                      const struct process_identity *id,
                                      deadline_t by)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    struct sight s = { .there = false };

    if (!h || !id->known || host_look(h, id->pid, by, &s, &ignored) < 0) {
        return PROCESS_UNKNOWN;
    }
    return process_judge(id, &s);
}

char *sight_doubt(const struct process_identity *id, const struct sight *s)
{
    if (process_place_compare(&id->place, &s->place) == PLACE_REBOOTED &&
        !has_booted_since(id, s)) {
        return xstrdup("this may be another machine with the same machine id: "
                       "it was not booted after the process was seen");
    }
    return process_place_difference(&id->place, &s->place);
}

char *host_process_doubt(struct host *h, const struct process_identity *id,
                         deadline_t by)
{
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    struct sight s = { .there = false };

    if (!h || !id->known || host_look(h, id->pid, by, &s, &ignored) < 0) {
        return NULL;
    }
    return sight_doubt(id, &s);
}
