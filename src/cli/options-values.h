/*
 * What an option is, and the parsers of their values.
 */
#ifndef QM_CLI_OPTIONS_VALUES_H
#define QM_CLI_OPTIONS_VALUES_H

#include "cli/options.h"

enum { FIRST_ROW = 256 }; /* getopt's codes: above every character */

struct option_row;
typedef int option_parser(struct options *o, const struct option_row *row,
                          const char *value, struct qm_error *err);

struct option_row {
    const char *name;  /* without the dashes; NULL: help is a heading */
    const char *value; /* what help calls it, "[=...]" if it may be left
                        * out; NULL: takes none */
    option_parser *parse;
    size_t offset; /* in struct options, for parsers that store as is */
    const char *help;
    const char *standard; /* what it is if it is not given, in words */
};

struct option_table {
    const char *command; /* whose --help lists them */
    const char *words;   /* what it takes besides, in words */
    const struct option_row *rows;
    size_t count;
};

extern const struct option_table copy_options;
/* Of status, watch, cancel, complete, set and recover; NULL: no such command. */
const struct option_table *control_options_of(const char *command);

/* The options of ARGV into O, everything else into WORDS, in its order. */
int options_take(struct options *o, const struct option_table *t, int argc,
                 char **argv, struct strv *words, struct qm_error *err);
/* What each option of T is, lines of at most 80 columns. */
void option_table_help(struct buffer *b, const struct option_table *t);
/* SOURCE and DESTINATION, and nothing else. */
int options_need_sides(const struct option_table *t, const struct strv *words,
                       struct qm_error *err);

option_parser parse_flag, parse_string, parse_size, parse_number, parse_on_off,
    parse_auto_converge, parse_tailslow, parse_when_stuck, parse_policy,
    parse_ports, parse_channels, parse_compress, parse_disks, parse_disks_sync,
    parse_ids, parse_create_disks, parse_on_timeout, parse_mode, parse_checked;

/* "8M" and the like; false if it is no size. */
bool size_parse(const char *value, int64_t *ret);

#endif
