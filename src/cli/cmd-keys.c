/*
 * qmigrate keys: certificates for QEMU.
 *
 * The CA's key stays in DIR/ca; what a host needs is a folder of its own, so
 * that nothing has to be picked out when it is copied there.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/keys.h"
#include "cli/show-parts.h"
#include "core/verdicts.h"
#include "tls/make.h"

typedef int keys_fn(const struct options *o, const char *word,
                    struct qm_error *err);

static int64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

/* What goes to stdout, in one piece. */
struct page {
    struct output *out;
    struct buffer text;
    struct style style;
};

static struct page page_new(void)
{
    struct page p = { .out = output_new(STDOUT_FILENO) };

    p.style = show_style(p.out);
    return p;
}

static void page_done(struct page *p)
{
    output_buffer(p->out, &p->text);
    buffer_done(&p->text);
    output_free(p->out);
}
DEFINE_CLEANUP_DONE(struct page, page_done)

/* --- create ------------------------------------------------------------------ */

static char *default_ca_name(void)
{
    unsigned number = 0;

    if (getrandom(&number, sizeof(number), 0) < 0)
        number = (unsigned)getpid();
    return xasprintf("qmigrate CA %08x", number);
}

static int create_ca(const struct options *o, const char *word,
                     struct qm_error *err)
{
    CLEANUP_FREE char *dir = xasprintf("%s/ca", o->keys.dir);
    CLEANUP_FREE char *name =
        o->keys.name ? xstrdup(o->keys.name) : default_ca_name();
    const struct tls_new n = {
        .dir = dir, .name = name, .now = now_s(), .days = o->keys.days
    };
    const struct keys_made made = { .dir = dir,
                                    .name = name,
                                    .until_s = n.now + n.days * 86400 };

    (void)word;
    if (tls_new_ca(&n, err) < 0)
        return -1;
    CLEANUP(page_done) struct page page = page_new();
    keys_ca_in_words(&page.text, &made, &page.style);
    return 0;
}

static int create_host(const struct options *o, const char *word,
                       struct qm_error *err)
{
    static const char *const none[] = { NULL };
    const struct keys_options *k = &o->keys;
    CLEANUP_FREE char *ca = xasprintf("%s/ca", k->dir);
    CLEANUP_FREE char *dir = xasprintf("%s/hosts/%s", k->dir, word);
    const struct tls_new n = {
        .dir = dir,
        .name = word,
        .others =
            k->addresses.count ? (const char *const *)k->addresses.item : none,
        .now = now_s(),
        .days = k->days,
        .dh_params = k->dh_params,
    };
    struct keys_made made = { .dir = dir, .name = word, .others = n.others };

    if (strchr(word, ':')) { /* of IPv6, it could not be told from a path */
        error_set(err, QM_ERR_USAGE, "'%s' is not a valid name of a host",
                  word);
        error_hint(err, "give a name, and the address with --address");
        return -1;
    }

    if (tls_new_host(&n, ca, &made.until_s, err) < 0)
        return -1;
    made.clipped = made.until_s < n.now + n.days * 86400;
    CLEANUP(page_done) struct page page = page_new();
    keys_host_in_words(&page.text, &made, &page.style);
    return 0;
}

/* --- look -------------------------------------------------------------------- */

static int look_into(const char *dir, struct qm_error *err)
{
    struct stat st;
    int error = stat(dir, &st) < 0      ? errno
                : !S_ISDIR(st.st_mode)  ? ENOTDIR
                : access(dir, X_OK) < 0 ? errno
                                        : 0;

    if (error)
        return error_set_errno(err, QM_ERR_REFUSED, error, "look into %s", dir);
    return 0;
}

static int show(const struct options *o, const char *word, struct qm_error *err)
{
    (void)o;
    if (look_into(word, err) < 0)
        return -1;
    CLEANUP(page_done) struct page page = page_new();
    keys_folder_in_words(&page.text, word, &page.style);
    return 0;
}

/* Both roles read ca-cert.pem: what is wrong with it is said once. */
static void add_news(struct verdicts *v, const struct tls_findings *found)
{
    struct tls_findings news = { .item = xcalloc(found->count + 1,
                                                 sizeof(*news.item)) };
    size_t said = v->count;

    for (size_t i = 0; i < found->count; i++) {
        bool is_new = true;

        for (size_t k = 0; k < said; k++)
            is_new = is_new && !str_equal(v->item[k].what, found->item[i].what);
        if (is_new)
            news.item[news.count++] = found->item[i];
    }
    verdicts_add_tls(v, ABOUT_BOTH, "", &news);
    free(news.item); /* the texts are FOUND's */
}

static void check_role(const struct options *o, const char *dir,
                       enum tls_role role, const int qemu[3],
                       struct verdicts *v)
{
    CLEANUP(tls_files_done) struct tls_files files;
    CLEANUP(tls_findings_done) struct tls_findings found;

    tls_files_read(dir, role, &files);
    tls_check_files(
        &(struct tls_check){
            .files = &files,
            .now = now_s(),
            .qemu_major = qemu[0],
            .qemu_minor = qemu[1],
            .qemu_micro = qemu[2],
            .names = (const char *const *)o->keys.addresses.item,
        },
        &found);
    add_news(v, &found);
}

static int check(const struct options *o, const char *word,
                 struct qm_error *err)
{
    static const enum tls_role roles[] = { TLS_SERVER, TLS_CLIENT };
    CLEANUP(verdicts_done) struct verdicts v = { .count = 0 };
    int qemu[3];

    if (keys_qemu_version(o, qemu, err) < 0 || look_into(word, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (keys_role_is_asked(o, roles[i]))
            check_role(o, word, roles[i], qemu, &v);
    CLEANUP(page_done) struct page page = page_new();
    verdicts_in_words(&page.text, &v, true, &page.style);
    return verdicts_to_error(&v, err);
}

/* --- which ------------------------------------------------------------------- */

static const struct {
    const char *name;
    const struct option_table *options;
    keys_fn *run;
    const char *help;
} verbs[] = {
    { "create-ca", &keys_create_ca_options, create_ca,
      "make a CA, which signs the certificates of the hosts" },
    { "create-host", &keys_create_host_options, create_host,
      "make what one host needs: copy it there" },
    { "show", &keys_show_options, show, "what is in a folder" },
    { "check", &keys_check_options, check,
      "would QEMU take it, and would a migration?" },
};

static void help_all(void)
{
    CLEANUP(page_done) struct page page = page_new();

    buffer_printf(&page.text, "qmigrate keys makes certificates in QEMU's "
                              "layout, looks at them and checks them.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        const char *word = verbs[i].options->words;

        buffer_printf(
            &page.text, "  qmigrate keys %s [options]%s%s\n      %s\n",
            verbs[i].name, word ? " " : "", word ? word : "", verbs[i].help);
    }
    buffer_printf(&page.text, "\nqmigrate-tls(7) says how to use them.\n");
}

static void help_one(size_t verb)
{
    CLEANUP(page_done) struct page page = page_new();
    const struct option_table *t = verbs[verb].options;

    buffer_printf(&page.text, "usage: qmigrate %s [options]%s%s\n\n%s\n\n",
                  t->command, t->words ? " " : "", t->words ? t->words : "",
                  verbs[verb].help);
    option_table_help(&page.text, t);
}

static int run_verb(size_t verb, int argc, char **argv, struct qm_error *err)
{
    CLEANUP(options_done) struct options options;
    CLEANUP_FREE char *word = NULL;

    if (options_parse_keys(&options, verbs[verb].options, &word, argc, argv,
                           err) < 0)
        return -1;
    if (options.help) {
        help_one(verb);
        return 0;
    }
    return verbs[verb].run(&options, word, err);
}

static int refuse_unknown(const char *given, struct qm_error *err)
{
    const char *names[ARRAY_LEN(verbs) + 1] = { NULL };
    CLEANUP_FREE char *shown = str_printable(given);
    const char *near;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        names[i] = verbs[i].name;
    near = nearest_name(given, names);
    error_set(err, QM_ERR_USAGE, "there is no command 'keys %s'", shown);
    if (near)
        error_hint(err, "did you mean qmigrate keys %s?", near);
    else
        error_hint(err, "qmigrate keys --help lists the commands");
    return -1;
}

static int run_named(int argc, char **argv, struct qm_error *err)
{
    if (argc < 2) {
        error_set(err, QM_ERR_USAGE, "keys: no command given");
        error_hint(err, "qmigrate keys --help lists the commands");
        return -1;
    }
    if (str_equal(argv[1], "--help") || str_equal(argv[1], "-h")) {
        help_all();
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_equal(verbs[i].name, argv[1]))
            return run_verb(i, argc - 1, argv + 1, err);
    return refuse_unknown(argv[1], err);
}

/* Private keys pass through this process: none may end in a core file. */
static void forbid_core_files(void)
{
    const struct rlimit none = { 0, 0 };

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

int cmd_keys(int argc, char **argv)
{
    CLEANUP(output_free) struct output *errors = output_new(STDERR_FILENO);
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;

    signal(SIGPIPE, SIG_IGN);
    forbid_core_files();
    if (run_named(argc, argv, &err) == 0)
        return QM_EXIT_DONE;
    show_error(errors, &err);
    return err.code == QM_ERR_USAGE ? QM_EXIT_USAGE : QM_EXIT_REFUSED;
}
