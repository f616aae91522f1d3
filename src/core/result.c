/*
 * How a migration ended.
 */
#include "core/result.h"

#include <stdlib.h>
#include <string.h>

static const char *const outcome_names[] = {
    [OUTCOME_COMPLETED] = "completed", [OUTCOME_FAILED] = "failed",
    [OUTCOME_CANCELLED] = "cancelled", [OUTCOME_REFUSED] = "refused",
    [OUTCOME_UNDECIDED] = "undecided",
};

static const char *const place_names[] = {
    [GUEST_SOURCE] = "source",
    [GUEST_DESTINATION] = "destination",
    [GUEST_NOWHERE] = "nowhere",
    [GUEST_UNKNOWN] = "unknown",
};

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

const char *guest_place_name(enum guest_place place)
{
    return place_names[place];
}

bool outcome_parse(const char *name, enum outcome *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(outcome_names); i++) {
        *ret = (enum outcome)i;
        if (str_equal(name, outcome_names[i]))
            return true;
    }
    return false;
}

bool guest_place_parse(const char *name, enum guest_place *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(place_names); i++) {
        *ret = (enum guest_place)i;
        if (str_equal(name, place_names[i]))
            return true;
    }
    return false;
}

void result_init(struct result *r)
{
    memset(r, 0, sizeof(*r));
    r->outcome = OUTCOME_REFUSED;
    r->guest = GUEST_SOURCE;
    r->wall_ms = r->wall_to_guest_ms = -1;
    r->ram_total_ms = r->ram_setup_ms = r->qemu_downtime_ms = -1;
    r->blackout_ms = r->stop_ms = r->mirrors_ms = -1;
    r->verify_ms = r->device_ms = r->cont_ms = r->announce_ms = -1;
    r->postcopy_ms = -1;
}

void result_done(struct result *r)
{
    strv_done(&r->left);
    error_clear(&r->error);
    free_string(r->name);
    for (size_t i = 0; i < r->disk_count; i++) {
        free_string(r->disk[i].label);
        free_string(r->disk[i].source_file);
        free_string(r->disk[i].destination_file);
        free_string(r->disk[i].snapshots);
        free_string(r->disk[i].encryption);
    }
    free(r->disk);
    for (size_t i = 0; i < r->connection_count; i++) {
        struct result_connection *c = &r->connection[i];

#define X(member, name) free_string(c->member);
        RESULT_CONNECTION_WORDS(X)
#undef X
    }
    free(r->connection);
    memset(r, 0, sizeof(*r));
}

static enum qm_exit exit_at_source(const struct result *r)
{
    if (r->left.count > 0)
        return QM_EXIT_LEFT_HERE;
    return r->outcome == OUTCOME_CANCELLED ? QM_EXIT_CANCELLED : QM_EXIT_FAILED;
}

enum qm_exit result_exit(const struct result *r)
{
    if (r->error.message && r->error.code == QM_ERR_USAGE)
        return QM_EXIT_USAGE;
    if (r->outcome == OUTCOME_REFUSED)
        return QM_EXIT_REFUSED;
    if (r->outcome == OUTCOME_UNDECIDED || r->guest == GUEST_UNKNOWN)
        return QM_EXIT_UNDECIDED;
    if (r->guest == GUEST_NOWHERE)
        return QM_EXIT_NOWHERE;
    if (r->guest == GUEST_SOURCE && r->outcome != OUTCOME_COMPLETED)
        return exit_at_source(r);
    return r->left.count > 0 || r->outcome != OUTCOME_COMPLETED
               ? QM_EXIT_LEFT_THERE
               : QM_EXIT_DONE;
}

enum qm_exit result_worse_exit(enum qm_exit a, enum qm_exit b)
{
    static const int badness[] = {
        [QM_EXIT_DONE] = 0,      [QM_EXIT_CANCELLED] = 1,
        [QM_EXIT_FAILED] = 2,    [QM_EXIT_REFUSED] = 3,
        [QM_EXIT_USAGE] = 4,     [QM_EXIT_LEFT_THERE] = 5,
        [QM_EXIT_LEFT_HERE] = 6, [QM_EXIT_NOWHERE] = 7,
        [QM_EXIT_UNDECIDED] = 8, [QM_EXIT_BUG] = 9,
    };

    return badness[a] >= badness[b] ? a : b;
}
