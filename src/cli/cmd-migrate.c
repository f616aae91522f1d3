/*
 * qmigrate migrate: move the guest, or with --dry-run say how.
 */
#include "cli/commands.h"
#include "cli/run.h"

int cmd_migrate(int argc, char **argv)
{
    return run_command(argc, argv, SHOW_MIGRATION);
}
