/*
 * How the source reaches the destination.
 */
#include <string.h>

#include "base/stream.h"
#include "core/preflight-private.h"

static bool is_v6(const char *numeric)
{
    return strchr(numeric, ':') != NULL;
}

static bool is_link_local_without_zone(const char *numeric)
{
    return str_starts(numeric, "fe80:") && !strchr(numeric, '%');
}

/* Is the address good?  Else a blocker says why. */
static bool judge_address(const struct facts *f, struct verdicts *v)
{
    const char *a = f->address;
    struct verdict *b;

    if (!a) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "no address at which the source could reach the "
                          "destination: %s",
                          f->address_problem ? f->address_problem : "unknown");
        verdict_fix(b, "give it with --address");
    } else if (address_is_wildcard(a)) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "%s is not an address that a source could connect to",
                          a);
        verdict_fix(b, "give --address one address of the destination's host");
    } else if (address_is_loopback(a) && !facts_same_machine(f)) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "the destination's address is %s, which on the "
                          "source's host is the source's host itself",
                          a);
        verdict_fix(b, "give with --address the one that the source's host "
                       "uses for it");
    } else if (is_link_local_without_zone(a)) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "the address %s means nothing without an interface",
                          a);
        verdict_fix(b, "give --address an address that is routed");
    } else {
        return true;
    }
    return false;
}

void preflight_address(const struct facts *f, struct verdicts *v)
{
    struct verdict *b;

    if (!judge_address(f, v)) {
        return;
    }
    if (!f->bind) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "no address for the destination to listen on: %s",
                          f->bind_problem ? f->bind_problem : "unknown");
        verdict_fix(b, "give it with --bind");
    } else if (address_is_wildcard(f->bind)) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "--bind %s would listen on every network", f->bind);
        verdict_fix(b, "give --bind one address of the destination's host");
    } else if (is_v6(f->bind) != is_v6(f->address) ||
               (address_is_loopback(f->bind) &&
                !address_is_loopback(f->address))) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "who connects to %s cannot reach what listens on %s",
                          f->address, f->bind);
        verdict_fix(b, "give --bind an address of the same network");
    } else if (f->bind_is_there == HOST_HAS_NOT) {
        b = verdict_block(v, ABOUT_DESTINATION,
                          "%s is not an address of the destination's host, "
                          "which cannot listen on it",
                          f->bind);
        verdict_fix(b, "give --bind one that it has; --address is what the "
                       "source connects to, also where it is a translated one");
    } else if (str_equal(f->bind, f->address) && f->address_passed_over) {
        verdict_ok(v, ABOUT_DESTINATION,
                   "the source connects to %s ports %u-%u: the name has %s "
                   "too, which the destination's host does not have",
                   f->address, f->plan->port_low, f->plan->port_high,
                   f->address_passed_over);
    } else if (str_equal(f->bind, f->address)) {
        verdict_ok(v, ABOUT_DESTINATION,
                   "the source connects to %s ports "
                   "%u-%u",
                   f->address, f->plan->port_low, f->plan->port_high);
    } else {
        verdict_ok(v, ABOUT_DESTINATION,
                   "the source connects to %s ports %u-%u, where the "
                   "destination listens on %s",
                   f->address, f->plan->port_low, f->plan->port_high, f->bind);
    }
}
