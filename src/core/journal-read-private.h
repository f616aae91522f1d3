/*
 * What the files that read a journal share.
 */
#ifndef QM_CORE_JOURNAL_READ_PRIVATE_H
#define QM_CORE_JOURNAL_READ_PRIVATE_H

#include "core/journal-read.h"

struct journal_reader {
    struct journal_content c;
    size_t line; /* from 1 */
    bool owner_known;
};

/* -1 with REFUSED: WHAT is wrong in the line that is read. */
int journal_damaged(const struct journal_reader *r, const char *what,
                    struct qm_error *err);
/* What O, a side's, says of its process: nothing, or all. */
int journal_read_process(struct journal_reader *r, struct json_object *o,
                         struct process_identity *ret, struct qm_error *err);
/* O is an object of limits, or NULL; those that are not in it stay. */
int journal_read_limits(struct journal_reader *r, struct json_object *o,
                        struct qm_error *err);
/* The "at" of a line, or 0: what it is not, matters to no decision. */
int64_t journal_read_at(struct json_object *o);
int journal_read_story(struct journal_reader *r, struct json_object *story,
                       struct qm_error *err);

#endif
