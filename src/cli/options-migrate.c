/*
 * The options of `migrate` and `check`, and what follows from several of them.
 */
#include "cli/options.h"

#include <stdlib.h>

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
    { "separate", "ID,...", parse_ids, PLAN(separate_ids),
      "disks whose destination image holds nothing of the source's other "
      "images, where the engine cannot tell",
      NULL },
    { "create-disks", "[=/FOLDER/|=ID=PATH,...]", parse_create_disks, 0,
      "make images at the destination where it has placeholders: in FOLDER, "
      "or each at its PATH",
      NULL },
    { "drop-snapshots", NULL, parse_flag, PLAN(drop_snapshots),
      "let the internal snapshots of copied disks stay behind", NULL },
    { "allow-unencrypted-destination", "ID,...", parse_ids,
      PLAN(unencrypted_ids),
      "encrypted disks that may be copied into images that are not", NULL },
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
    { "no-supervisor", NULL, parse_flag, OPTION(no_supervisor),
      "no supervisor that runs `recover` if qmigrate is killed: systemd "
      "does it, for example",
      NULL },

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
    { "compress", "METHOD[:LEVEL]", parse_compress, 0,
      "compress the RAM: zstd or zlib", "none" },
    { "announce-rounds", "N", parse_number, PLAN(announce_rounds),
      "how often the guest's new place is told to the network",
      "the destination's own: 5" },
    { "bandwidth", "SIZE", parse_size, PLAN(bandwidth_bps),
      "bytes a second for RAM; 0 is no limit", "0" },
    { "disk-bandwidth", "SIZE", parse_size, PLAN(disk_bandwidth_bps),
      "bytes a second for disks; 0 is no limit", "0" },
    { "postcopy-bandwidth", "SIZE", parse_size, PLAN(postcopy_bandwidth_bps),
      "bytes a second for RAM after a post-copy switch; 0 is no limit", "0" },
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
      "no TLS: memory and disks cross the network unencrypted", NULL },
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
      "what then: abort, pause the guest so that it ends, or postcopy",
      "abort" },
    { "auto-converge", "on|off", parse_auto_converge, 0,
      "slow down a guest that writes too fast", "the policy's: on" },
    { "first-throttle", "PERCENT", parse_number, PLAN(first_throttle),
      "by how much at first, at least", "the policy's: 20" },
    { "max-throttle", "PERCENT", parse_number, PLAN(max_throttle),
      "by how much at most", "the policy's: 97" },
    { "throttle-tailslow", "on|off", parse_tailslow, 0,
      "no more than QEMU reckons is enough, near the end", "the policy's: on" },
    { "patience", "N", parse_number, PLAN(patience),
      "passes that gain too little before the next means is taken",
      "the policy's: 2" },
    { "when-stuck", "WHAT", parse_when_stuck, 0,
      "if no other means helped: wait, or pause the guest",
      "the policy's: wait" },
    { "postcopy", NULL, parse_flag, PLAN(postcopy),
      "let a guest that writes too fast run there before its RAM is across",
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

/* COMMAND is migrate or check, which take the same. */
static int take_addresses(struct options *o, const char *command,
                          const struct strv *words, struct qm_error *err)
{
    struct option_table table = migrate_options;

    table.command = command;
    if (options_need_sides(&table, words, err) < 0) {
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

int options_parse(struct options *ret, int argc, char **argv,
                  struct qm_error *err)
{
    CLEANUP(strv_done) struct strv words = { 0 };

    *ret = (struct options){ .json = false };
    plan_init(&ret->plan);
    ret->plan.max_downtime_ms = ret->plan.max_throttle = PLAN_OF_POLICY;
    ret->plan.first_throttle = PLAN_OF_POLICY;
    ret->plan.tailslow = ret->plan.pause_when_stuck = PLAN_OF_POLICY;
    ret->plan.patience = PLAN_OF_POLICY;
    if (options_take(ret, &migrate_options, argc, argv, &words, err) < 0) {
        return -1;
    }
    if (ret->help) {
        return 0;
    }
    if (take_addresses(ret, argv[0], &words, err) < 0) {
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
    free_string(o->fence);
    free_string(o->qmp_tls_dir);
    for (int side = 0; side < SIDES; side++) {
        free_string(o->side_tls_dir[side]);
    }
    *o = (struct options){ .json = false };
}

void options_help(struct buffer *b, const char *command)
{
    const struct option_table *t = control_options_of(command);

    if (!t)
        t = str_equal(command, copy_options.command) ? &copy_options
                                                     : &migrate_options;
    option_table_help(b, t);
}
