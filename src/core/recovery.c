/*
 * The table of recovery.
 *
 * Two halves: while the source owns the guest there is only a way back, once
 * the destination does only a way on.  In both a side that may be the only
 * guest is not touched unless it is known where the guest is.
 */
#include "core/recovery.h"

#include <assert.h>

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

enum recovery_seen recovery_look(enum side_id side,
                                 const struct recovery_side *s)
{
    if (s->dead)
        return SEEN_DEAD;
    if (!s->reached)
        return SEEN_SILENT;
    if (s->running)
        return SEEN_RUNS;
    if (str_equal(s->run_state, "inmigrate"))
        return SEEN_WAITS;
    if (side == DESTINATION)
        return str_equal(s->run_state, "paused") ? SEEN_PAUSED : SEEN_STANDS;
    /* Also in finish-migrate, which follows the verdict: nothing takes the
     * guest back from there. */
    if (s->status == MIGRATION_COMPLETED)
        return SEEN_GAVE_UP;
    return str_equal(s->run_state, "paused") ? SEEN_PAUSED : SEEN_STANDS;
}

/* --- the table ----------------------------------------------------------- */

#define ANY 0xffU
#define IS(name) (1U << SEEN_##name)

enum stays { STAYS_ANY, STAYS_NOT, STAYS };

/* The first row that fits decides. */
static const struct row {
    enum side_id owner;
    unsigned source, destination; /* IS() of each that fits */
    enum stays stays;
    enum recovery_action action;
    const char *why;
} table[] = {
    { SOURCE, ANY, IS(RUNS), STAYS_ANY, RECOVER_UNDECIDED,
      "the source owns the guest, but the destination runs one" },
    { SOURCE, IS(SILENT), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the source owns the guest and cannot be reached" },
    { SOURCE, IS(WAITS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the source waits for a guest itself" },
    { SOURCE, IS(DEAD), ANY, STAYS_ANY, RECOVER_LOST,
      "the source owned the guest and is dead" },
    { SOURCE, ANY, ANY, STAYS_ANY, RECOVER_UNDO, "the source owns the guest" },

    { DESTINATION, IS(RUNS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest, but the source runs one" },
    { DESTINATION, IS(WAITS), ANY, STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the source waits for a guest itself" },
    { DESTINATION, ANY, IS(SILENT), STAYS_ANY, RECOVER_UNDECIDED,
      "the destination owns the guest and cannot be reached" },
    { DESTINATION, ANY, IS(WAITS), STAYS_ANY, RECOVER_UNDECIDED,
      "what answers as the destination has not got the guest" },
    { DESTINATION, ANY, IS(DEAD), STAYS_ANY, RECOVER_LOST,
      "the destination owned the guest and is dead" },
    { DESTINATION, ANY, IS(RUNS), STAYS_ANY, RECOVER_FINISH,
      "the guest runs at the destination" },
    { DESTINATION, ANY, IS(PAUSED), STAYS, RECOVER_FINISH,
      "the guest is at the destination, and stays paused" },
    { DESTINATION, IS(GAVE_UP) | IS(SILENT) | IS(DEAD), IS(PAUSED), STAYS_NOT,
      RECOVER_START,
      "the destination owns the guest, which was not started yet" },
    { DESTINATION, ANY, IS(PAUSED), STAYS_NOT, RECOVER_UNDECIDED,
      "the destination owns the guest, but the source did not give it up" },
    { DESTINATION, ANY, ANY, STAYS_ANY, RECOVER_FINISH,
      "the guest is at the destination" },
};

static bool fits(const struct row *row, const struct recovery_facts *f,
                 const struct recovery *r)
{
    return row->owner == f->owner && (row->source & (1U << r->seen[SOURCE])) &&
           (row->destination & (1U << r->seen[DESTINATION])) &&
           (row->stays == STAYS_ANY || (row->stays == STAYS) == f->stays);
}

static bool has_completed(const struct recovery_side *s)
{
    return s->reached && s->status == MIGRATION_COMPLETED;
}

struct recovery recovery_decide(const struct recovery_facts *f)
{
    struct recovery r = { .action = RECOVER_UNDECIDED };

    for (int i = 0; i < SIDES; i++)
        r.seen[i] = recovery_look((enum side_id)i, &f->side[i]);
    if (f->owner == DESTINATION && f->postcopy &&
        !(has_completed(&f->side[SOURCE]) &&
          has_completed(&f->side[DESTINATION]))) {
        r.why = "each side may have a part of the guest: post-copy was asked "
                "for, and has not completed on both";
        return r;
    }
    if (f->returned && r.seen[DESTINATION] == SEEN_SILENT) {
        r.why = "the destination, which refused the guest, is not proved dead";
        return r;
    }
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

    buffer_printf(b, "%-12s%-20s%-12s%-7s%s\n", "owner", "source",
                  "destination", "stays", "action");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct row *row = &table[i];

        buffer_printf(b, "%-12s", side_name(row->owner));
        print_seen(b, row->source, 20);
        print_seen(b, row->destination, 12);
        buffer_printf(b, "%-7s%s\n", words[row->stays],
                      action_names[row->action]);
    }
}
