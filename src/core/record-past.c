/*
 * A migration that has ended, as `status --all --json` tells it.
 */
#include "base/clock.h"
#include "core/journal-past.h"
#include "core/record-private.h"

struct json_object *record_past_data(const struct past *p)
{
    struct json_object *o = json_object_new_object();

    json_add_string(o, "name", p->name);
    json_add_string(o, "id", p->id);
    json_add_bool(o, "finished", true);
    if (p->began_us > 0)
        json_add_string(o, "began-at", clock_utc(p->began_us).s);
    json_add_string(o, "ended-at", clock_utc(p->ended_us).s);
    json_add_text(o, "damaged", p->damage);
    if (p->damage)
        return o;
    json_add_string(o, "outcome", outcome_name(p->outcome));
    json_add_string(o, "guest", guest_place_name(p->guest));
    json_add_text(o, "source", p->address[SOURCE]);
    json_add_text(o, "destination", p->address[DESTINATION]);
    return o;
}
