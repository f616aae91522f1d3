/*
 * What a supervisor does once its child has ended: pure.
 */
#include "cli/supervise.h"

#include "base/util.h"
#include "core/result.h"

/* A side that is away now may be back soon; what is waited between two tries
 * is doubled, up to a minute: a minute in all where only something is left to
 * clean up.  Where it is not known that the guest runs, it may stand still
 * until somebody acts: then there is no last try. */
enum {
    TRIES_MAX = 7,
    FIRST_WAIT_MS = 1000,
    LAST_WAIT_MS = 60000,
};

static struct supervise_verdict end(int code)
{
    return (struct supervise_verdict){ .action = SUPERVISE_EXIT, .code = code };
}

static struct supervise_verdict recover_in(int wait_ms)
{
    return (struct supervise_verdict){ .action = SUPERVISE_RECOVER,
                                       .wait_ms = wait_ms };
}

/* A recover that was killed, or refused, does not say. */
static bool may_be_stopped(const struct supervise_facts *f)
{
    return f->signal > 0 || f->code == QM_EXIT_BUG ||
           f->code == QM_EXIT_REFUSED || f->code == QM_EXIT_UNDECIDED;
}

static struct supervise_verdict after_engine(const struct supervise_facts *f)
{
    bool died = f->signal > 0 || f->code == QM_EXIT_BUG;

    if (died && f->journal != JOURNAL_OVER)
        return recover_in(0);
    if (f->signal == 0 && f->code == QM_EXIT_UNDECIDED &&
        f->journal == JOURNAL_OPEN && !f->told_to_end)
        return recover_in(FIRST_WAIT_MS);
    if (f->signal > 0)
        return (struct supervise_verdict){ .action = SUPERVISE_DIE };
    return end(f->code);
}

/* What another try may better, if the journal is still open: 6 and 8 left
 * something. */
static bool may_be_better(const struct supervise_facts *f)
{
    return may_be_stopped(f) ||
           (f->tries < TRIES_MAX &&
            (f->code == QM_EXIT_LEFT_THERE || f->code == QM_EXIT_LEFT_HERE));
}

static int wait_before(unsigned tries)
{
    int doubled = tries < 7 ? FIRST_WAIT_MS << (tries - 1) : LAST_WAIT_MS;

    return doubled < LAST_WAIT_MS ? doubled : LAST_WAIT_MS;
}

static struct supervise_verdict after_recover(const struct supervise_facts *f)
{
    bool says_where =
        f->signal == 0 && f->code != QM_EXIT_REFUSED && f->code != QM_EXIT_BUG;
    struct supervise_verdict again = recover_in(wait_before(f->tries));

    again.until_told = may_be_stopped(f);
    if (f->journal == JOURNAL_OPEN && may_be_better(f) && !f->told_to_end)
        return again;
    return end(says_where ? f->code : QM_EXIT_UNDECIDED);
}

struct supervise_verdict supervise_decide(const struct supervise_facts *f)
{
    return f->tries == 0 ? after_engine(f) : after_recover(f);
}
