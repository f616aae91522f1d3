/*
 * The table of recovery.
 *
 * Two halves: while the source owns the guest there is only a way back, once
 * the destination does only a way on.  In both a side that may be the only
 * guest is not touched unless it is known where the guest is.
 */
#include "core/recovery.h"

#include <assert.h>

static const char *const owner_names[] = {
#define X(name, word) [OWNER_##name] = (word),
    RECOVERY_OWNERS(X)
#undef X
};

static const char *const seen_names[] = {
#define X(name, word) [SEEN_##name] = (word),
    RECOVERY_SEEN(X)
#undef X
};

static const char *const action_names[] = {
#define X(name, word) [RECOVER_##name] = (word),
    RECOVERY_ACTIONS(X)
#undef X
};

const char *recovery_seen_name(enum recovery_seen seen)
{
    return seen_names[seen];
}

const char *recovery_action_name(enum recovery_action action)
{
    return action_names[action];
}

bool recovery_gave_up(enum migration_status status)
{
    switch (status) {
    case MIGRATION_POSTCOPY_ACTIVE:
    case MIGRATION_POSTCOPY_PAUSED:
    case MIGRATION_POSTCOPY_RECOVER_SETUP:
    case MIGRATION_POSTCOPY_RECOVER:
    case MIGRATION_COMPLETED:
        return true;
    default:
        return false;
    }
}

/* Has it had its last word on who has the guest? */
static enum recovery_seen look_at_postcopy_source(const struct recovery_side *s)
{
    if (s->status == MIGRATION_FAILED || s->status == MIGRATION_CANCELLED)
        return SEEN_KEPT;
    if (s->running)
        return SEEN_RUNS;
    if (str_equal(s->run_state, "inmigrate"))
        return SEEN_WAITS;
    if (recovery_gave_up(s->status))
        return SEEN_GAVE_UP;
    return s->status == MIGRATION_PRE_SWITCHOVER ||
                   s->status == MIGRATION_DEVICE
               ? SEEN_SWITCHING
               : SEEN_STANDS;
}

static enum recovery_seen look_at_run_state(const struct recovery_side *s)
{
    if (s->running)
        return SEEN_RUNS;
    if (str_equal(s->run_state, "inmigrate"))
        return SEEN_WAITS;
    return str_equal(s->run_state, "paused") ? SEEN_PAUSED : SEEN_STANDS;
}

static enum recovery_seen look_at_postcopy_destination(
    enum recovery_owner owner, const struct recovery_side *s)
{
    /* it was never told to */
    if (s->running && owner == OWNER_SWITCHING)
        return SEEN_RUNS;
    if (s->status == MIGRATION_COMPLETED)
        return SEEN_WHOLE;
    return s->status == MIGRATION_FAILED ? SEEN_FAILED : look_at_run_state(s);
}

enum recovery_seen recovery_look(enum recovery_owner owner, enum side_id side,
                                 const struct recovery_side *s)
{
    bool postcopy = owner == OWNER_SWITCHING || owner == OWNER_POSTCOPY;

    if (s->dead)
        return SEEN_DEAD;
    if (!s->reached)
        return SEEN_SILENT;
    if (postcopy)
        return side == SOURCE ? look_at_postcopy_source(s)
                              : look_at_postcopy_destination(owner, s);
    if (side == SOURCE && s->status == MIGRATION_COMPLETED && !s->running)
        return SEEN_GAVE_UP;
    return look_at_run_state(s);
}

/* --- the table ----------------------------------------------------------- */

#define ANY (~0U)
#define IS(name) (1U << SEEN_##name)

enum stays { STAYS_ANY, STAYS_NOT, STAYS };

/* The first row that fits decides. */
static const struct row {
    enum recovery_owner owner;
    unsigned source, destination; /* IS() of each that fits */
    enum stays stays;
    enum recovery_action action;
    const char *why;
} table[] = {
    { OWNER_SOURCE, ANY, IS(RUNS), STAYS_ANY, RECOVER_UNDECIDED,
      "the source owns the guest, but the destination runs one" },
    { OWNER_SOURCE, IS(SILENT), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the source owns the guest and cannot be reached" },
    { OWNER_SOURCE, IS(WAITS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the source waits for a guest itself" },
    { OWNER_SOURCE, IS(DEAD), ANY, STAYS_ANY, RECOVER_LOST,
      "the source owned the guest and is dead" },
    { OWNER_SOURCE, ANY, ANY, STAYS_ANY, RECOVER_UNDO,
      "the source owns the guest" },

    { OWNER_RETURNED, ANY, IS(RUNS), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination runs a guest that it had refused" },
    { OWNER_RETURNED, IS(SILENT), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the guest goes back to the source, which cannot be reached" },
    { OWNER_RETURNED, IS(WAITS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the source waits for a guest itself" },
    { OWNER_RETURNED, IS(DEAD), ANY, STAYS_ANY, RECOVER_LOST,
      "the guest was to go back to the source, which is dead" },
    { OWNER_RETURNED, ANY, IS(SILENT), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination, which never ran the guest, is not proved dead" },
    { OWNER_RETURNED, ANY, ANY, STAYS_ANY, RECOVER_RETURN,
      "the destination owned the guest, but never ran it" },

    { OWNER_DESTINATION, IS(RUNS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest, but the source runs one" },
    { OWNER_DESTINATION, IS(WAITS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the source waits for a guest itself" },
    { OWNER_DESTINATION, ANY, IS(SILENT), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest and cannot be reached" },
    { OWNER_DESTINATION, ANY, IS(WAITS), STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the destination has not got the guest" },
    { OWNER_DESTINATION, ANY, IS(DEAD), STAYS_ANY, RECOVER_LOST,
      "the destination owned the guest and is dead" },
    { OWNER_DESTINATION, ANY, IS(RUNS), STAYS_ANY, RECOVER_FINISH,
      "the guest runs at the destination" },
    { OWNER_DESTINATION, ANY, IS(PAUSED), STAYS, RECOVER_FINISH,
      "the guest is at the destination, and stays paused" },
    { OWNER_DESTINATION, IS(GAVE_UP) | IS(SILENT) | IS(DEAD), IS(PAUSED),
      STAYS_NOT, RECOVER_START,
      "the destination owns the guest, which was not started yet" },
    { OWNER_DESTINATION, ANY, IS(PAUSED), STAYS_NOT, RECOVER_UNDECIDED,
      "the destination owns the guest, but the source did not give it up" },
    { OWNER_DESTINATION, ANY, ANY, STAYS_ANY, RECOVER_FINISH,
      "the guest is at the destination" },

    { OWNER_SWITCHING, IS(RUNS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest, but the source runs one" },
    { OWNER_SWITCHING, IS(WAITS) | IS(STANDS), ANY, STAYS_ANY,
      RECOVER_UNDECIDED, "what answers as the source knows of no guest" },
    { OWNER_SWITCHING, ANY, IS(RUNS), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination runs a guest that it was never told to run" },
    { OWNER_SWITCHING, IS(SILENT) | IS(DEAD), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "only the source could say who has the guest" },
    { OWNER_SWITCHING, IS(KEPT), ANY, STAYS_ANY, RECOVER_RETURN,
      "the source did not give the guest up" },
    { OWNER_SWITCHING, ANY, IS(SILENT), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest and cannot be reached" },
    { OWNER_SWITCHING, IS(SWITCHING), ANY, STAYS_ANY, RECOVER_RESUME,
      "the source was told to switch to post-copy, and has not yet" },
    { OWNER_SWITCHING, ANY, IS(FAILED) | IS(DEAD), STAYS_ANY, RECOVER_LOST,
      "the source gave the guest up to a destination that lost it" },
    { OWNER_SWITCHING, ANY, ANY, STAYS_ANY, RECOVER_RESUME,
      "the source gave the guest up, and it was not started yet" },

    { OWNER_POSTCOPY, IS(RUNS) | IS(KEPT), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the source gave the guest up, and has it again" },
    { OWNER_POSTCOPY, ANY, IS(SILENT), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest and cannot be reached" },
    { OWNER_POSTCOPY, ANY, IS(FAILED) | IS(DEAD), STAYS_ANY, RECOVER_LOST,
      "the destination owned the guest and has lost it" },
    { OWNER_POSTCOPY, ANY, IS(WHOLE), STAYS_ANY, RECOVER_RESUME,
      "all of the guest is at the destination" },
    { OWNER_POSTCOPY, ANY, IS(WAITS), STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the destination has not got the guest" },
    { OWNER_POSTCOPY, IS(DEAD), ANY, STAYS_ANY, RECOVER_LOST,
      "a part of the guest was at the source, which is dead" },
    { OWNER_POSTCOPY, IS(GAVE_UP), ANY, STAYS_ANY, RECOVER_RESUME,
      "each side has a part of the guest" },
    { OWNER_POSTCOPY, ANY, ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "a part of the guest is at the source, which cannot be asked for it" },
};

static bool fits(const struct row *row, const struct recovery_facts *f,
                 const struct recovery *r)
{
    return row->owner == f->owner && (row->source & (1U << r->seen[SOURCE])) &&
           (row->destination & (1U << r->seen[DESTINATION])) &&
           (row->stays == STAYS_ANY || (row->stays == STAYS) == f->stays);
}

struct recovery recovery_decide(const struct recovery_facts *f)
{
    struct recovery r = { .action = RECOVER_UNDECIDED };

    for (int i = 0; i < SIDES; i++)
        r.seen[i] = recovery_look(f->owner, (enum side_id)i, &f->side[i]);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!fits(&table[i], f, &r))
            continue;
        r.action = table[i].action;
        r.why = table[i].why;
        return r;
    }
    assert(!"the last row of each half fits all");
    return r;
}

/* --- as the manual has it --------------------------------------------------- */

static void print_seen(struct buffer *b, unsigned mask, int width)
{
    size_t start = b->len;

    if (mask == ANY)
        buffer_printf(b, "any");
    for (size_t i = 0; i < ARRAY_LEN(seen_names) && mask != ANY; i++)
        if (mask & (1U << i))
            buffer_printf(b, "%s%s", b->len > start ? "," : "", seen_names[i]);
    buffer_printf(b, "%*s", width - (int)(b->len - start), "");
}

void recovery_print_table(struct buffer *b)
{
    static const char *const words[] = { "any", "no", "yes" };

    buffer_printf(b, "%-12s%-20s%-13s%-7s%s\n", "owner", "source",
                  "destination", "stays", "action");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];

        buffer_printf(b, "%-12s", owner_names[row->owner]);
        print_seen(b, row->source, 20);
        print_seen(b, row->destination, 13);
        buffer_printf(b, "%-7s%s\n", words[row->stays],
                      action_names[row->action]);
    }
}
