/*
 * A migration that has ended, in a line:
 *
 *     vm  2026-11-28 02:32:29 to 02:33:01 UTC  completed, the guest is at the
 *         destination  /run/vm.qmp to ssh://hostb/run/vm.qmp  qm-1a2b3c4d
 */
#include <string.h>

#include "base/clock.h"
#include "cli/show-parts.h"

/* Of "2026-11-28T02:32:29.123Z" the DAY, and the second. */
#define DAY_LEN 10
#define TIME_LEN 8

static void write_moment(struct buffer *b, const char *iso, bool with_day)
{
    if (with_day)
        buffer_printf(b, "%.*s ", DAY_LEN, iso);
    buffer_printf(b, "%.*s", TIME_LEN, iso + DAY_LEN + 1);
}

static void write_times(struct buffer *b, const struct past *p)
{
    struct clock_text ended = clock_utc(p->ended_us);
    struct clock_text began = clock_utc(p->began_us);
    bool same_day = p->began_us > 0 && strncmp(began.s, ended.s, DAY_LEN) == 0;

    if (p->began_us > 0)
        write_moment(b, began.s, true);
    buffer_printf(b, p->began_us > 0 ? " to " : "until ");
    write_moment(b, ended.s, !same_day);
    buffer_printf(b, " UTC");
}

static const char *const places[] = {
    [GUEST_SOURCE] = "the guest is at the source",
    [GUEST_DESTINATION] = "the guest is at the destination",
    [GUEST_NOWHERE] = "the guest is nowhere",
    [GUEST_UNKNOWN] = "it is not known where the guest is",
};

void past_in_words(struct buffer *b, const struct past *p)
{
    CLEANUP_FREE char *damage = p->damage ? str_printable(p->damage) : NULL;
    CLEANUP_FREE char *from = NULL, *to = NULL;

    buffer_printf(b, "%s  ", p->name);
    write_times(b, p);
    if (damage) {
        buffer_printf(b, "  damaged: %s\n", damage);
        return;
    }
    from = str_printable(p->address[SOURCE]);
    to = str_printable(p->address[DESTINATION]);
    buffer_printf(b, "  %s, %s  %s to %s  %s\n", outcome_name(p->outcome),
                  places[p->guest], from, to, p->id);
}
