/*
 * Who starts the source again: what test-core-preflight makes of good facts.
 */
#ifndef QM_TESTS_RESTART_SPOIL_H
#define QM_TESTS_RESTART_SPOIL_H

#define SPOIL(name) static void name(struct good_facts *g)

static void use_unit(struct good_facts *g, const char *restart)
{
    SRC->unit = (struct unit_facts){ .unit = T("vm.service"),
                                     .restart = T(restart),
                                     .ends_unit = true };
}

SPOIL(restart_always)
{
    use_unit(g, "always");
}

SPOIL(restart_on_success_of_user)
{
    use_unit(g, "on-success");
    SRC->unit.of_user = true;
}

SPOIL(restart_always_of_escaped_unit)
{
    use_unit(g, "always");
    SRC->unit.unit = T("vm@a\\x2db.service");
}

SPOIL(restart_always_kept)
{
    use_unit(g, "always");
    g->plan.keep_source = true;
}

SPOIL(restart_always_but_clean_is_final)
{
    use_unit(g, "always");
    SRC->unit.clean_exit_is_final = true;
}

SPOIL(restart_on_failure)
{
    use_unit(g, "on-failure");
}

SPOIL(restart_no)
{
    use_unit(g, "no");
}

SPOIL(restart_on_watchdog)
{
    use_unit(g, "on-watchdog");
}

SPOIL(restart_of_a_bystander)
{
    use_unit(g, "always"); /* sshd's, from whose shell QEMU was started */
    SRC->unit.ends_unit = false;
}

SPOIL(restart_unknown)
{
    use_unit(g, NULL);
    SRC->unit.ends_unit = false;
}

SPOIL(restart_by_a_timer)
{
    static char *timers[] = { T("vm.timer") };

    use_unit(g, "no");
    SRC->unit.triggers = (struct strv){ .item = timers, .count = 1 };
}

SPOIL(restart_mute)
{
    SRC->unit = (struct unit_facts){ .is_mute = true };
}

static void use_parent(struct good_facts *g, const char *name,
                       const char *state)
{
    static struct parent_facts parent;

    parent = (struct parent_facts){
        .pid = 7, .name = T(name), .dir = T("/sv/vm"), .state = T(state)
    };
    SRC->unit.parent = &parent;
    SRC->unit.parent_count = 1;
}

SPOIL(restart_by_runit)
{
    use_parent(g, "runsv", "run");
}

SPOIL(restart_by_runit_kept)
{
    use_parent(g, "runsv", "run");
    g->plan.keep_source = true;
}

SPOIL(restart_by_runit_no_more)
{
    use_parent(g, "runsv", "run, want down");
}

SPOIL(restart_by_supervisord)
{
    use_parent(g, "supervisord", NULL);
}

SPOIL(boot)
{
    use_unit(g, "no");
    SRC->unit.enabled = true;
}

#undef SPOIL

#endif
