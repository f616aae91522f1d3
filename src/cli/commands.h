/*
 * The subcommands, one file each.
 */
#ifndef QM_CLI_COMMANDS_H
#define QM_CLI_COMMANDS_H

/* ARGV[0] is the subcommand; returns the exit code. */
typedef int command_fn(int argc, char **argv);

command_fn cmd_status, cmd_watch, cmd_cancel, cmd_complete, cmd_set;
command_fn cmd_migrate, cmd_check, cmd_copy, cmd_keys, cmd_recover;

/* What `qmigrate ARGV...` does, ARGV[0] being the program; its exit code. */
int command_main(int argc, char **argv);
/* The help of the subcommand NAME, on stdout.  0, or 1 if it could not be
 * written. */
int command_help(const char *name);

#endif
