/*
 * The table of subcommands, and the help.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/options-values.h"
#include "cli/show.h"

static const struct command {
    const char *name;
    const char *synopsis; /* NULL: planned, not built */
    const char *help;
    command_fn *run;
} commands[] = {
    { "migrate", "[options] SOURCE DESTINATION",
      "move a running guest from one QEMU to another", cmd_migrate },
    { "check", "[options] SOURCE DESTINATION",
      "find out whether it could be moved; nothing is changed", cmd_check },
    { "copy", "[options] SOURCE-URI DESTINATION-URI",
      "copy an offline disk from one NBD server to another", cmd_copy },
    { "status", "[--all | NAME]",
      "what the migrations of this machine are doing", cmd_status },
    { "watch", "NAME", "show a migration until it ends, as migrate does",
      cmd_watch },
    { "cancel", "NAME", "undo a migration", cmd_cancel },
    { "complete", "NAME", "stop the guest so that its RAM gets across at once",
      cmd_complete },
    { "set", "NAME key=value...",
      "change bandwidth, disk-bandwidth and other limits", cmd_set },
    { "keys", "create-ca|create-host|show|check [options] ...",
      "make certificates for QEMU, look at them, check them", cmd_keys },
    { "recover", "[options] [NAME]",
      "finish or undo a migration whose qmigrate died", cmd_recover },
    { .name = "cpu" },
};

static const char addresses[] =
    "\nSOURCE and DESTINATION are QMP addresses:\n"
    "  /run/vm.qmp, unix:/run/vm.qmp        a socket on this machine\n"
    "  ssh://[user@]host[:port]/run/vm.qmp  a socket on that host, by ssh\n"
    "  tcp:host:port                        unencrypted: this machine, or "
    "--insecure\n";

static const char uris[] =
    "\nSOURCE-URI and DESTINATION-URI are NBD exports:\n"
    "  nbds://host[:port]/EXPORT            by TLS\n"
    "  nbd://host[:port]/EXPORT             unencrypted: this machine, or "
    "--insecure\n"
    "  nbd+unix:///EXPORT?socket=PATH       a socket on this machine\n";

#define X(name, code, meaning) "  " #code "  " meaning "\n"
static const char exits[] =
    "\nThe exit status says where the guest is:\n" QM_EXITS(X);
#undef X

static int write_stdout(const struct buffer *b)
{
    struct output *o = output_new(STDOUT_FILENO);

    output_buffer(o, b);
    output_free(o);
    return QM_EXIT_DONE;
}

static int refuse(struct qm_error *err)
{
    CLEANUP(output_free) struct output *o = output_new(STDERR_FILENO);

    show_error(o, err);
    error_clear(err);
    return QM_EXIT_USAGE;
}

static int main_help(void)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    buffer_printf(&b, "qmigrate moves a running guest from one QEMU to "
                      "another, under TLS.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].run) {
            buffer_printf(&b, "  qmigrate %-9s%s\n%20s%s\n", commands[i].name,
                          commands[i].synopsis, "", commands[i].help);
        }
    }
    buffer_printf(&b,
                  "%s%s\nqmigrate migrate --help lists the options; "
                  "qmigrate(1) explains them.\n",
                  addresses, exits);
    return write_stdout(&b);
}

int command_help(const char *name)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_equal(commands[i].name, name)) {
            buffer_printf(&b, "usage: qmigrate %s %s\n\n%s\n", name,
                          commands[i].synopsis, commands[i].help);
        }
    }
    if (str_equal(name, "copy"))
        buffer_printf(&b, "%s", uris);
    else if (!control_options_of(name))
        buffer_printf(&b, "%s", addresses);
    options_help(&b, name);
    buffer_printf(&b, "\nSizes take K M G T (powers of 1024).\n");
    return write_stdout(&b);
}

static int say_version(void)
{
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    buffer_printf(&b, "qmigrate %s\n", QM_VERSION);
    return write_stdout(&b);
}

static int refuse_unknown(const char *name)
{
    const char *names[ARRAY_LEN(commands) + 1] = { NULL };
    CLEANUP_FREE char *shown = str_printable(name);
    struct qm_error err = QM_ERROR_INIT;
    const char *near;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
    }
    near = nearest_name(name, names);
    error_set(&err, QM_ERR_USAGE,
              name[0] == '-' ? "there is no option %s before a command"
                             : "there is no command '%s'",
              shown);
    if (near) {
        error_hint(&err, "did you mean qmigrate %s?", near);
    } else {
        error_hint(&err, "qmigrate --help lists the commands");
    }
    return refuse(&err);
}

static int run_named(const char *name, int argc, char **argv)
{
    struct qm_error err = QM_ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!str_equal(commands[i].name, name)) {
            continue;
        }
        if (commands[i].run) {
            return commands[i].run(argc, argv);
        }
        error_set(&err, QM_ERR_USAGE, "%s is not built yet", name);
        error_hint(&err, "qmigrate --help lists what is");
        return refuse(&err);
    }
    return refuse_unknown(name);
}

/* A guest of many disks is compared over many connections. */
static void allow_many_files(void)
{
    const rlim_t enough = 16384;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < enough) {
        files.rlim_cur = files.rlim_max < enough ? files.rlim_max : enough;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int command_main(int argc, char **argv)
{
    struct qm_error err = QM_ERROR_INIT;

    allow_many_files();

    if (argc < 2) {
        error_set(&err, QM_ERR_USAGE, "no command given");
        error_hint(&err, "qmigrate --help lists them");
        return refuse(&err);
    }
    if (str_equal(argv[1], "--help") || str_equal(argv[1], "-h") ||
        str_equal(argv[1], "help")) {
        return main_help();
    }
    if (str_equal(argv[1], "--version") || str_equal(argv[1], "-V")) {
        return say_version();
    }
    return run_named(argv[1], argc - 1, argv + 1);
}
