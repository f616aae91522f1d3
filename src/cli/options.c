/*
 * The options of `migrate` and `check`.
 *
 * Names are taken whole: an abbreviation that works today is another option's
 * tomorrow, and "--in" should not mean --insecure.  An option that is given
 * twice is refused, since one of the two would be silently ignored.
 */
#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options-values.h"

#define PLAN(field) offsetof(struct options, plan.field)
#define OPTION(field) offsetof(struct options, field)

static const struct option_row rows[] = {
    { .help = "The migration" },
    { "name", "NAME", parse_string, PLAN(name),
      "what status, cancel and the journal call it", "the guest's name" },
    { "disks", "WHICH", parse_disks, 0,
      "what to copy: auto, none, all, or a list ID,... of node names or "
      "device ids",
      "auto" },
    { "disks-sync", "full|top", parse_disks_sync, 0,
      "of a disk with a backing file: the whole, or its overlay alone",
      "full" },
    { "shared", "ID,...", parse_ids, PLAN(shared_ids),
      "disks that both sides use, where the engine cannot tell", NULL },
    { "create-disks", "[=ID=PATH,...]", parse_create_disks, 0,
      "make images at the destination where it has placeholders; each at "
      "PATH, else where the source has it",
      NULL },
    { "verify", NULL, parse_flag, PLAN(verify),
      "prove that each copied disk equals the source's before the guest runs "
      "at the destination",
      NULL },
    { "keep-source", NULL, parse_flag, PLAN(keep_source),
      "leave the source QEMU waiting, stopped, instead of ending it", NULL },
    { "paused", NULL, parse_flag, PLAN(paused),
      "the guest stays paused at the destination", NULL },
    { "dry-run", NULL, parse_flag, OPTION(dry_run),
      "preflight, and the steps that would run", NULL },
    { "json", NULL, parse_flag, OPTION(json),
      "one JSON object a line on stdout, and nothing else there", NULL },
    { "detach", NULL, parse_flag, OPTION(detach),
      "go to the background once preflight has passed, and print the name",
      NULL },
    { "metrics", "FILE", parse_string, OPTION(metrics),
      "keep figures for Prometheus in a file", NULL },

    { .help = "The network" },
    { "address", "HOST", parse_string, PLAN(address),
      "how the source host reaches the destination host: the migration "
      "network",
      "the host in DESTINATION" },
    { "bind", "ADDR", parse_string, PLAN(bind),
      "what the destination listens on", "--address" },
    { "ports", "LOW-HIGH", parse_ports, 0, "where the destination listens",
      "49152-49215" },
    { "channels", "N", parse_channels, 0,
      "multifd channels; 0 is the single stream", "chosen" },
    { "bandwidth", "SIZE", parse_size, PLAN(bandwidth_bps),
      "bytes a second for RAM; 0 is no limit", "0" },
    { "disk-bandwidth", "SIZE", parse_size, PLAN(disk_bandwidth_bps),
      "bytes a second for disks; 0 is no limit", "0" },
    { "source-host", "HOST", parse_string, PLAN(host[SOURCE]),
      "ssh://[user@]host[:port] or local: where to read files and run "
      "commands",
      "from SOURCE" },
    { "destination-host", "HOST", parse_string, PLAN(host[DESTINATION]),
      "the same for the destination", "from DESTINATION" },

    { .help = "Security" },
    { "tls-dir", "DIR", parse_string, OPTION(tls_dir),
      "x509 directory in QEMU's layout, on both hosts", PLAN_TLS_DIR },
    { "source-tls-dir", "DIR", parse_string, OPTION(side_tls_dir[SOURCE]),
      "the same for the source alone", "--tls-dir" },
    { "destination-tls-dir", "DIR", parse_string,
      OPTION(side_tls_dir[DESTINATION]), "the same for the destination alone",
      "--tls-dir" },
    { "qmp-tls-dir", "DIR", parse_string, OPTION(qmp_tls_dir),
      "the same on this machine, to reach monitors at tls:HOST:PORT",
      "--tls-dir" },
    { "tls-hostname", "NAME", parse_string, PLAN(tls_hostname),
      "the name in the destination's certificate",
      "DESTINATION's host if it is a name, else the address" },
    { "tls-priority", "STRING", parse_string, PLAN(tls_priority),
      "what TLS both QEMUs may agree on, in GnuTLS's words", "QEMU's own" },
    { "tls-authz-dn", "DN", parse_string, PLAN(tls_authz_dn),
      "the only subject whose certificate the destination accepts",
      "that of the source's certificate" },
    { "insecure", NULL, parse_flag, PLAN(insecure),
      "no TLS: memory and disks cross the network in clear", NULL },
    { "tls-psk", NULL, parse_flag, PLAN(tls_psk),
      "a key made for this one migration, instead of certificates", NULL },

    { .help = "Limits" },
    { "policy", "NAME", parse_policy, 0,
      "how much the guest may suffer: gentle, balanced or urgent", "balanced" },
    { "max-downtime-ms", "N", parse_number, PLAN(max_downtime_ms),
      "the stop of the guest to aim for at most", "the policy's: 300" },
    { "abort-handover-ms", "N", parse_number, PLAN(abort_handover_ms),
      "a stop longer than this before the switch is undone", "10000" },
    { "timeout-s", "N", parse_number, PLAN(timeout_s),
      "how long RAM may take; 0 is for ever", "0" },
    { "timeout-s-per-gib", "N", parse_number, PLAN(timeout_per_gib_s),
      "the same for each GiB of RAM; the longer of both counts", "0" },
    { "on-timeout", "WHAT", parse_on_timeout, 0,
      "what then: abort, or pause the guest so that it ends", "abort" },
    { "auto-converge", "on|off", parse_auto_converge, 0,
      "slow down a guest that writes too fast", "the policy's: on" },
    { "max-throttle", "PERCENT", parse_number, PLAN(max_throttle),
      "by how much at most", "the policy's: 99" },
    { "postcopy", NULL, refuse_unbuilt, 0,
      "let --auto-converge slow the guest down, or allow a longer stop with "
      "--max-downtime-ms",
      NULL },

    { .help = "Other" },
    { "help", NULL, parse_flag, OPTION(help), "this text", NULL },
};

static const struct option_table migrate_options = {
    .command = "migrate",
    .words = "SOURCE DESTINATION, for example /run/vm.qmp "
             "ssh://host2/run/vm.qmp",
    .rows = rows,
    .count = ARRAY_LEN(rows),
};

/* --- the nearest name ------------------------------------------------------- */

enum { WORD_MAX = 40, FAR = WORD_MAX };

/* How many letters to change, add or drop to make one of the other. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t len = strlen(word), best = FAR;

    for (; *names; names++) {
        size_t distance = edit_distance(word, *names);

        /* what was cut short is near, whatever is missing */
        if (len >= 2 && str_starts(*names, word)) {
            distance = 1;
        }
        if (distance < best) {
            best = distance;
            nearest = *names;
        }
    }
    return best <= 1 + len / 4 ? nearest : NULL;
}

/* --- parsing ---------------------------------------------------------------- */

static int arguments_of(const struct option_row *row)
{
    return !row->value            ? no_argument
           : row->value[0] == '[' ? optional_argument
                                  : required_argument;
}

enum { ROWS_MAX = 64 };

static void make_long_options(const struct option_table *t,
                              struct option *longs)
{
    size_t n = 0;

    assert(t->count < ROWS_MAX);
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name) {
            longs[n++] = (struct option){
                .name = t->rows[i].name,
                .has_arg = arguments_of(&t->rows[i]),
                .val = FIRST_ROW + (int)i,
            };
        }
    }
    longs[n] = (struct option){ .name = NULL };
}

static int refuse_unknown(const struct option_table *t, const char *given,
                          struct qm_error *err)
{
    const char *names[ROWS_MAX] = { NULL };
    CLEANUP_FREE char *shown = str_printable(given);
    CLEANUP_FREE char *word = NULL;
    const char *near;
    size_t n = 0;

    shown[strcspn(shown, "=")] = '\0';
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name && t->rows[i].parse != refuse_unbuilt) {
            names[n++] = t->rows[i].name;
        }
    }
    word = xstrdup(shown + strspn(shown, "-"));
    near = nearest_name(word, names);
    error_set(err, QM_ERR_USAGE, "there is no option %s", shown);
    if (near) {
        error_hint(err, "did you mean --%s?", near);
    } else {
        error_hint(err, "qmigrate %s --help lists them", t->command);
    }
    return -1;
}

/* Was the option GIVEN written out in full? */
static bool is_whole(const char *given, const char *name)
{
    size_t len = strlen(name);

    return str_starts(given, "--") && strncmp(given + 2, name, len) == 0 &&
           (given[2 + len] == '\0' || given[2 + len] == '=');
}

static const struct option_row *row_named(const struct option_table *t,
                                          const char *given)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i].name && is_whole(given, t->rows[i].name)) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static int take_option(struct options *o, const struct option_table *t,
                       int code, const char *given, bool *seen,
                       struct qm_error *err)
{
    const struct option_row *row = row_named(t, given);

    if (code == ':' && row) {
        return error_set(err, QM_ERR_USAGE, "--%s needs a value: --%s %s",
                         row->name, row->name, row->value);
    }
    if (code == '?' && row) {
        return error_set(err, QM_ERR_USAGE, "--%s takes no value", row->name);
    }
    if (code < FIRST_ROW || !row) {
        return refuse_unknown(t, given, err);
    }
    if (seen[row - t->rows]) {
        return error_set(err, QM_ERR_USAGE, "--%s was given twice", row->name);
    }
    seen[row - t->rows] = true;
    return row->parse(o, row, optarg, err);
}

int options_need_sides(const struct option_table *t, const struct strv *words,
                       struct qm_error *err)
{
    if (words->count == SIDES) {
        return 0;
    }
    error_set(err, QM_ERR_USAGE,
              words->count < SIDES ? "SOURCE and DESTINATION are needed"
                                   : "there is more than SOURCE and "
                                     "DESTINATION");
    error_hint(err, "qmigrate %s [options] %s", t->command, t->words);
    return -1;
}

static int take_addresses(struct options *o, const struct strv *words,
                          struct qm_error *err)
{
    if (options_need_sides(&migrate_options, words, err) < 0) {
        return -1;
    }
    for (int side = 0; side < SIDES; side++) {
        if (qmp_address_parse(words->item[side], &o->plan.peer[side], err) <
            0) {
            return error_wrap(err, "%s", side_name((enum side_id)side));
        }
    }
    return 0;
}

static void settle_tls_dirs(struct options *o)
{
    for (int side = 0; side < SIDES; side++) {
        const char *dir = o->side_tls_dir[side];

        if (dir || o->tls_dir) {
            str_replace(&o->plan.tls_dir[side], dir ? dir : o->tls_dir);
        }
    }
    if (o->qmp_tls_dir || o->tls_dir) {
        str_replace(&o->plan.qmp_tls_dir,
                    o->qmp_tls_dir ? o->qmp_tls_dir : o->tls_dir);
    }
}

/* "on" where the policy is gentle: as much as is usual. */
static int settle_throttle(struct options *o, struct qm_error *err)
{
    int64_t *most = &o->plan.max_throttle;

    if (o->auto_converge == THROTTLE_OFF && *most > 0) {
        return error_set(err, QM_ERR_USAGE,
                         "--auto-converge off and --max-throttle %lld exclude "
                         "each other",
                         (long long)*most);
    }
    if (o->auto_converge == THROTTLE_OFF) {
        *most = 0;
    } else if (o->auto_converge == THROTTLE_ON && *most == PLAN_OF_POLICY &&
               o->plan.policy->max_throttle == 0) {
        *most = policy_default->max_throttle;
    }
    return 0;
}

int options_take(struct options *o, const struct option_table *t, int argc,
                 char **argv, struct strv *words, struct qm_error *err)
{
    struct option longs[ROWS_MAX];
    bool seen[ROWS_MAX] = { false };

    make_long_options(t, longs);
    optind = 0; /* begin anew */
    for (;;) {
        int at = optind == 0 ? 1 : optind;
        int code = getopt_long(argc, argv, "-:h", longs, NULL);

        if (code == -1) {
            break;
        }
        if (code == 1) {
            strv_add(words, optarg);
        } else if (code == 'h') {
            o->help = true;
        } else if (take_option(o, t, code, argv[at], seen, err) < 0) {
            return -1;
        }
    }
    for (int i = optind; i < argc; i++) {
        strv_add(words, argv[i]);
    }
    return 0;
}

int options_parse(struct options *ret, int argc, char **argv,
                  struct qm_error *err)
{
    CLEANUP(strv_done) struct strv words = { 0 };

    *ret = (struct options){ .json = false };
    plan_init(&ret->plan);
    ret->plan.max_downtime_ms = ret->plan.max_throttle = PLAN_OF_POLICY;
    if (options_take(ret, &migrate_options, argc, argv, &words, err) < 0) {
        return -1;
    }
    if (ret->help) {
        return 0;
    }
    if (take_addresses(ret, &words, err) < 0) {
        return -1;
    }
    settle_tls_dirs(ret);
    if (settle_throttle(ret, err) < 0) {
        return -1;
    }
    plan_settle(&ret->plan);
    return plan_check(&ret->plan, err);
}

void options_done(struct options *o)
{
    plan_done(&o->plan);
    free_string(o->tls_dir);
    free_string(o->keys.dir);
    free_string(o->keys.name);
    free_string(o->keys.role);
    free_string(o->keys.qemu);
    strv_done(&o->keys.addresses);
    free_string(o->metrics);
    free_string(o->qmp_tls_dir);
    for (int side = 0; side < SIDES; side++) {
        free_string(o->side_tls_dir[side]);
    }
    *o = (struct options){ .json = false };
}

/* --- help ------------------------------------------------------------------- */

enum { HELP_INDENT = 27, HELP_COLUMNS = 79 };

/* TEXT in lines, the first one beginning at COLUMN. */
static void write_wrapped(struct buffer *b, size_t column, const char *text)
{
    while (*text) {
        size_t room = HELP_COLUMNS - HELP_INDENT, len = strlen(text);

        if (len > room) {
            for (len = room; len > 0 && text[len] != ' '; len--) {
                continue;
            }
        }
        buffer_printf(b, "%*s%.*s\n", (int)(HELP_INDENT - column), "", (int)len,
                      text);
        text += len + strspn(text + len, " ");
        column = 0;
    }
}

void option_table_help(struct buffer *b, const struct option_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        CLEANUP_FREE char *help = NULL;
        size_t start = b->len;

        if (!row->name) {
            buffer_printf(b, "\n%s\n", row->help);
            continue;
        }
        if (row->parse == refuse_unbuilt) {
            continue;
        }
        buffer_printf(b, "  --%s%s%s", row->name,
                      arguments_of(row) == required_argument ? " " : "",
                      row->value ? row->value : "");
        if (b->len - start >= HELP_INDENT) {
            buffer_printf(b, "\n");
            start = b->len;
        }
        help = row->standard
                   ? xasprintf("%s (default: %s)", row->help, row->standard)
                   : xstrdup(row->help);
        write_wrapped(b, b->len - start, help);
    }
}

void options_help(struct buffer *b, const char *command)
{
    const struct option_table *t = control_options_of(command);

    if (!t)
        t = str_equal(command, copy_options.command) ? &copy_options
                                                     : &migrate_options;
    option_table_help(b, t);
}
