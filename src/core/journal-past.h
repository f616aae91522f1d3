/*
 * The history: journals of migrations that have ended.
 */
#ifndef QM_CORE_JOURNAL_PAST_H
#define QM_CORE_JOURNAL_PAST_H

#include "core/result.h"

struct json_object;

/* What is told of one. */
struct past {
    char *name, *id;
    int64_t began_us; /* wall clock; 0: it does not say */
    int64_t ended_us; /* or when its file was last written */
    char *damage;     /* why it cannot be read: then the rest is not known */
    enum outcome outcome;
    enum guest_place guest;
    char *address[SIDES]; /* as given */
};

struct history {
    size_t count;
    struct past *item; /* by ended_us, the oldest first */
};

/* All in FOLDER, which is statedir_path().  -1 with a SYSTEM error. */
int history_load(const char *folder, struct history *ret, struct qm_error *err);
void history_done(struct history *h);
DEFINE_CLEANUP_DONE(struct history, history_done)

/* One for programs; the caller puts it. */
struct json_object *record_past_data(const struct past *p);

#endif
