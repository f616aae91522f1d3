/*
 * Who starts the source again once it has ended, from the disks that it left
 * behind: a second guest.
 */
#include <string.h>

#include "core/preflight-private.h"
#include "core/restarters.h"

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
static char *quoted(const char *unit)
{
    return strchr(unit, '\\') ? xasprintf("'%s'", unit) : xstrdup(unit);
}

/*
 * A drop-in under /run: it is read at daemon-reload while the service runs,
 * and outranks unit files in /etc, which `systemctl mask --runtime` does not.
 */
static void fix_restart(struct verdict *x, const struct unit_facts *u)
{
    const char *dir =
        u->of_user ? "$XDG_RUNTIME_DIR/systemd/user" : "/run/systemd/system";
    CLEANUP_FREE char *unit = quoted(u->unit);

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

static void warn_of_unknown(const struct unit_facts *u, struct verdicts *v)
{
    CLEANUP_FREE char *unit = quoted(u->unit);
    struct verdict *w = verdict_warn(
        v, ABOUT_SOURCE, "cannot determine whether systemd starts %s again",
        u->unit);

    verdict_why(w, "a second guest could boot from the disks that are left "
                   "behind");
    verdict_fix(w, "on the source's host: %s show -p Restart %s", systemctl(u),
                unit);
}

static void judge_unit(const struct facts *f, struct verdicts *v)
{
    const struct unit_facts *u = &f->side[SOURCE].unit;

    if (!u->unit || (u->restart && !u->ends_unit)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(restarts); i++) {
        if (str_equal(restarts[i].word, u->restart)) {
            judge_restart(f, restarts[i].after_clean, restarts[i].after_kill,
                          v);
            return;
        }
    }
    warn_of_unknown(u, v);
}

/* Whatever it is that they wait for. */
static void judge_triggers(const struct unit_facts *u, struct verdicts *v)
{
    for (size_t i = 0; u->unit && u->ends_unit && i < u->triggers.count; i++) {
        CLEANUP_FREE char *trigger = quoted(u->triggers.item[i]);
        struct verdict *w =
            verdict_warn(v, ABOUT_SOURCE, "%s may start %s again",
                         u->triggers.item[i], u->unit);

        verdict_why(w, "a second guest could boot from the disks that are left "
                       "behind");
        verdict_fix(w, "on the source's host: %s stop %s", systemctl(u),
                    trigger);
    }
}

/* systemd runs there, and did not say of which unit the source is. */
static void judge_silence(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    struct verdict *w;

    if (!s->unit.is_mute || s->unit.unit) {
        return;
    }
    w = verdict_warn(v, ABOUT_SOURCE,
                     "cannot determine which unit of systemd the source is, "
                     "and whether it is started again");
    verdict_why(w, "a second guest could boot from the disks that are left "
                   "behind");
    verdict_fix(w, "on the source's host: systemctl status %d", s->process.pid);
}

/* --- the others ------------------------------------------------------------------- */

static void judge_restarter(const struct facts *f, const struct restarter *r,
                            struct verdicts *v)
{
    bool keeps = f->plan->keep_source;
    bool blocks = r->when == RESTART_ALWAYS && !keeps;
    struct verdict *x;

    if (r->when == RESTART_NEVER) {
        verdict_ok(v, ABOUT_SOURCE, "%s does not start the source again",
                   r->who);
        return;
    }
    x = verdict_add(v, ABOUT_SOURCE, blocks ? VERDICT_BLOCKER : VERDICT_WARNING,
                    r->when == RESTART_LIKELY
                        ? "the source may be started again by %s"
                        : "the source would be started again by %s",
                    r->who);
    verdict_why(x, keeps && r->when != RESTART_AFTER_KILL
                       ? "when you end the source that is kept, a second guest "
                         "could boot from its disks"
                   : r->when == RESTART_AFTER_KILL
                       ? "should the source have to be killed, a second guest "
                         "would boot from its disks"
                   : blocks ? "a second guest would boot from the disks that "
                              "were left behind"
                            : "a second guest could boot from the disks that "
                              "are left behind");
    verdict_fix(x, "on the source's host: %s", r->fix);
}

void preflight_restart(const struct facts *f, struct verdicts *v)
{
    CLEANUP(restarters_done) struct restarters r = { .count = 0 };

    if (!f->side[SOURCE].host_known) {
        return;
    }
    judge_unit(f, v);
    judge_triggers(&f->side[SOURCE].unit, v);
    judge_silence(f, v);
    r = restarters_find(&f->side[SOURCE].unit);
    for (size_t i = 0; i < r.count; i++) {
        judge_restarter(f, &r.item[i], v);
    }
}

void preflight_boot(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    CLEANUP_FREE char *unit = NULL;
    struct verdict *w;

    if (!s->host_known || !s->unit.unit || !s->unit.enabled) {
        return;
    }
    unit = quoted(s->unit.unit);
    w = verdict_warn(v, ABOUT_SOURCE,
                     "systemd starts %s when the source's "
                     "host boots",
                     s->unit.unit);
    verdict_why(w, "a second guest would boot from the disks that are left "
                   "behind");
    verdict_fix(w, "on the source's host: %s disable %s", systemctl(&s->unit),
                unit);
}
