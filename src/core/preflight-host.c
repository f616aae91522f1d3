/*
 * Who else looks after the two QEMUs on their hosts.
 */
#include <string.h>

#include "core/preflight-private.h"

void preflight_same_process(const struct facts *f, struct verdicts *v)
{
    const struct plan *p = f->plan;

    if (process_is_same(&f->side[SOURCE].process,
                        &f->side[DESTINATION].process) ||
        (p->peer[SOURCE].text &&
         str_equal(p->peer[SOURCE].text, p->peer[DESTINATION].text))) {
        struct verdict *b = verdict_block(
            v, ABOUT_BOTH, "source and destination are the same QEMU");

        verdict_fix(b, "give the monitor of a second QEMU, started with "
                       "`-S -incoming defer`, as DESTINATION");
    }
}

void preflight_hosts(const struct facts *f, struct verdicts *v)
{
    for (int side = 0; side < SIDES; side++) {
        const struct side_facts *s = &f->side[side];
        const char *who = side_name((enum side_id)side);
        struct verdict *w;

        if (s->host_known) {
            verdict_ok(v, verdict_about((enum side_id)side),
                       "the %s is process %d on %s", who, s->process.pid,
                       s->host_is_local ? "this machine" : "its host");
            continue;
        }
        w = verdict_warn(v, verdict_about((enum side_id)side),
                         "the %s's host could not be asked: %s", who,
                         s->host_problem ? s->host_problem : "unknown");
        verdict_why(w, "who started that QEMU was not checked, and if it "
                       "dies, that cannot be proved");
        verdict_fix(w,
                    "say where it runs with --%s-host, as a user who may "
                    "see its process",
                    who);
    }
}

void preflight_libvirt(const struct facts *f, struct verdicts *v)
{
    for (int side = 0; side < SIDES; side++) {
        struct verdict *b;

        if (!f->side[side].unit.is_libvirt) {
            continue;
        }
        b = verdict_block(v, verdict_about((enum side_id)side),
                          "libvirt runs the %s's guest",
                          side_name((enum side_id)side));
        verdict_why(b, "it would not know where the guest went");
        verdict_fix(b, "use virsh migrate");
    }
}
