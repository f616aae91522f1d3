/*
 * qmigrate check: preflight alone.
 */
#include "cli/commands.h"
#include "cli/run.h"

int cmd_check(int argc, char **argv)
{
    return run_command(argc, argv, SHOW_CHECK);
}
