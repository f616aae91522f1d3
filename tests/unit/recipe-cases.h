/*
 * What is run through the recipe over scripted peers: a case is a value.
 */
#ifndef QM_TESTS_RECIPE_CASES_H
#define QM_TESTS_RECIPE_CASES_H

#include "scripted-peer.h"

struct recipe_case {
    const char *name; /* of its trace, too */
    bool no_disk, read_only, bitmap, single_stream, keep_source;
    bool create; /* the destination has a placeholder */
    bool psk;
    bool postcopy; /* it is allowed */
    bool slice;    /* the destination's disk is a larger block device */
    int64_t abort_handover_ms; /* 0: the default */
    struct twist twist[TWISTS_MAX];
    int64_t within_ms; /* it may take no longer; 0: as long as it takes */
};

/* The first one is the one that the others are compared with. */
extern const struct recipe_case recipe_cases[];
extern const size_t recipe_case_count;

/* For twists: the operator cancels. */
void recipe_case_cancel(void);
/* ... or says COMMAND at the control socket; nobody waits for the answer. */
void recipe_case_say(const char *command);

#endif
