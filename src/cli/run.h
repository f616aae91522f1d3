/*
 * One migration or one check, run for the command line: its loop, its
 * signals, what it shows, and its exit code.
 */
#ifndef QM_CLI_RUN_H
#define QM_CLI_RUN_H

#include "cli/show.h"

/* `migrate` and `check`, from their arguments, to the exit code; ARGV[0] is the
 * subcommand. */
int run_command(int argc, char **argv, enum show_what what);

#endif
