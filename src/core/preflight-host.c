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
        verdict_why(w, "who started that QEMU was not checked, and should it "
                       "die nobody can prove it");
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

/* --- systemd ------------------------------------------------------------------------ */

/*
 * systemd.service(5), the table of Restart=: after `quit` QEMU ends with
 * status 0, which is clean; after SIGKILL, should it not react, unclean.
 */
static const struct {
    const char *word;
    bool after_clean, after_kill;
} restarts[] = {
    { "no", false, false },          { "always", true, true },
    { "on-success", true, false },   { "on-failure", false, true },
    { "on-abnormal", false, true },  { "on-abort", false, true },
    { "on-watchdog", false, false },
};

static const char *systemctl(const struct unit_facts *u)
{
    return u->of_user ? "systemctl --user" : "systemctl";
}

/* The unit's name as a shell takes it: systemd writes \x2d for '-' in some;
 * the caller frees it. */
static char *quoted_unit(const struct unit_facts *u)
{
    return strchr(u->unit, '\\') ? xasprintf("'%s'", u->unit)
                                 : xstrdup(u->unit);
}

/*
 * A drop-in under /run: it is read at daemon-reload while the service runs,
 * and outranks unit files in /etc, which `systemctl mask --runtime` does not.
 */
static void fix_restart(struct verdict *x, const struct unit_facts *u)
{
    const char *dir =
        u->of_user ? "$XDG_RUNTIME_DIR/systemd/user" : "/run/systemd/system";
    CLEANUP_FREE char *unit = quoted_unit(u);

    verdict_fix(x,
                "on the source's host: mkdir -p %s/%s.d && printf '%%s\\n' "
                "'[Service]' Restart=no > %s/%s.d/zz-qmigrate.conf && %s "
                "daemon-reload",
                dir, unit, dir, unit, systemctl(u));
}

static void judge_restart(const struct facts *f, bool after_clean,
                          bool after_kill, struct verdicts *v)
{
    const struct unit_facts *u = &f->side[SOURCE].unit;
    bool blocks =
        after_clean && !u->clean_exit_is_final && !f->plan->keep_source;
    struct verdict *x;

    if (!after_clean && !after_kill) {
        verdict_ok(v, ABOUT_SOURCE,
                   "systemd does not start %s again (Restart="
                   "%s)",
                   u->unit, u->restart);
        return;
    }
    x = verdict_add(v, ABOUT_SOURCE, blocks ? VERDICT_BLOCKER : VERDICT_WARNING,
                    "systemd would start the source again: %s has Restart=%s",
                    u->unit, u->restart);
    if (blocks) {
        verdict_why(x, "a second guest would boot from the disks that were "
                       "left behind");
    } else if (after_clean && !u->clean_exit_is_final) {
        verdict_why(x, "when you end the source that is kept, a second guest "
                       "would boot from its disks");
    } else {
        verdict_why(x, "should the source have to be killed, a second guest "
                       "would boot from its disks");
    }
    fix_restart(x, u);
}

void preflight_restart(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    const struct unit_facts *u = &s->unit;
    CLEANUP_FREE char *unit = NULL;
    struct verdict *w;

    if (!s->host_known || !u->unit || (u->restart && !u->ends_unit)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(restarts); i++) {
        if (str_equal(restarts[i].word, u->restart)) {
            judge_restart(f, restarts[i].after_clean, restarts[i].after_kill,
                          v);
            return;
        }
    }
    w = verdict_warn(v, ABOUT_SOURCE,
                     "nobody could tell whether systemd starts %s again",
                     u->unit);
    verdict_why(w, "a second guest could boot from the disks that are left "
                   "behind");
    unit = quoted_unit(u);
    verdict_fix(w, "on the source's host: %s show -p Restart %s", systemctl(u),
                unit);
}

void preflight_boot(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    CLEANUP_FREE char *unit = NULL;
    struct verdict *w;

    if (!s->host_known || !s->unit.unit || !s->unit.enabled) {
        return;
    }
    unit = quoted_unit(&s->unit);
    w = verdict_warn(v, ABOUT_SOURCE,
                     "systemd starts %s when the source's "
                     "host boots",
                     s->unit.unit);
    verdict_why(w, "a second guest would boot from the disks that are left "
                   "behind");
    verdict_fix(w, "on the source's host: %s disable %s", systemctl(&s->unit),
                unit);
}
