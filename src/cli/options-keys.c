/*
 * The options of `keys`.
 */
#include "cli/keys.h"

#include <string.h>

#define KEYS(field) offsetof(struct options, keys.field)

enum { CA_DAYS = 3650, HOST_DAYS = 365 };

static const struct option_row create_ca_rows[] = {
    { "dir", "DIR", parse_string, KEYS(dir),
      "where the keys are kept: the CA in DIR/ca, hosts in DIR/hosts/NAME",
      KEYS_DIR },
    { "name", "NAME", parse_string, KEYS(name), "what the CA is called",
      "qmigrate CA and a random number" },
    { "days", "N", parse_number, KEYS(days), "how long it is good", "3650" },
    { "help", NULL, parse_flag, offsetof(struct options, help), "this text",
      NULL },
};

static const struct option_row create_host_rows[] = {
    { "dir", "DIR", parse_string, KEYS(dir),
      "where the keys are kept: the CA in DIR/ca, hosts in DIR/hosts/NAME",
      KEYS_DIR },
    { "address", "ADDR,...", parse_ids, KEYS(addresses),
      "names and addresses by which the host is called besides NAME", NULL },
    { "days", "N", parse_number, KEYS(days), "how long it is good", "365" },
    { "dh-params", "on|off", parse_on_off, KEYS(dh_params),
      "dh-params.pem too, which a QEMU up to 10.1 otherwise makes anew each "
      "time; newer ones warn of it",
      "on" },
    { "help", NULL, parse_flag, offsetof(struct options, help), "this text",
      NULL },
};

static const struct option_row show_rows[] = {
    { "help", NULL, parse_flag, offsetof(struct options, help), "this text",
      NULL },
};

static const struct option_row check_rows[] = {
    { "role", "ROLE", parse_string, KEYS(role),
      "server (a destination), client (a source), or both", "both" },
    { "address", "ADDR,...", parse_ids, KEYS(addresses),
      "names and addresses by which the host must be callable", NULL },
    { "qemu", "VERSION", parse_string, KEYS(qemu),
      "the QEMU that is to read them", "7.2.0, the strictest" },
    { "help", NULL, parse_flag, offsetof(struct options, help), "this text",
      NULL },
};

#define TABLE(rows_, command_, words_)                                         \
    {                                                                          \
        .command = command_, .words = words_, .rows = rows_,                   \
        .count = ARRAY_LEN(rows_)                                              \
    }

const struct option_table keys_create_ca_options =
    TABLE(create_ca_rows, "keys create-ca", NULL);
const struct option_table keys_create_host_options =
    TABLE(create_host_rows, "keys create-host", "NAME");
const struct option_table keys_show_options =
    TABLE(show_rows, "keys show", "DIR");
const struct option_table keys_check_options =
    TABLE(check_rows, "keys check", "DIR");

static int take_word(const struct option_table *t, const struct strv *words,
                     char **ret_word, struct qm_error *err)
{
    size_t wanted = t->words ? 1 : 0;

    if (words->count == wanted) {
        *ret_word = wanted ? xstrdup(words->item[0]) : NULL;
        return 0;
    }
    if (words->count > wanted) {
        CLEANUP_FREE char *shown = str_printable(words->item[wanted]);

        error_set(err, QM_ERR_USAGE, "there is a word too many: '%s'", shown);
    } else {
        error_set(err, QM_ERR_USAGE, "%s is needed", t->words);
    }
    error_hint(err, "qmigrate %s [options]%s%s", t->command,
               t->words ? " " : "", t->words ? t->words : "");
    return -1;
}

int options_parse_keys(struct options *ret, const struct option_table *t,
                       char **ret_word, int argc, char **argv,
                       struct qm_error *err)
{
    CLEANUP(strv_done) struct strv words = { 0 };

    *ret = (struct options){
        .keys.dh_params = true,
        .keys.days = t == &keys_create_ca_options ? CA_DAYS : HOST_DAYS,
    };
    plan_init(&ret->plan);
    if (options_take(ret, t, argc, argv, &words, err) < 0)
        return -1;
    if (ret->help)
        return 0;
    if (ret->keys.role && !str_equal(ret->keys.role, "server") &&
        !str_equal(ret->keys.role, "client") &&
        !str_equal(ret->keys.role, "both"))
        return error_set(err, QM_ERR_USAGE, "--role is server, client or both");
    if (!ret->keys.dir)
        ret->keys.dir = xstrdup(KEYS_DIR);
    return take_word(t, &words, ret_word, err);
}

bool keys_role_is_asked(const struct options *o, enum tls_role role)
{
    const char *asked = o->keys.role;

    return !asked || str_equal(asked, "both") ||
           str_equal(asked, role == TLS_SERVER ? "server" : "client");
}

int keys_qemu_version(const struct options *o, int ret[3], struct qm_error *err)
{
    CLEANUP_FREE char *rest = xstrdup(o->keys.qemu ? o->keys.qemu : "7.2.0");
    char *at = rest;

    ret[0] = ret[1] = ret[2] = 0;
    for (int i = 0; i < 3 && at; i++) {
        char *number = strsep(&at, ".");
        uint64_t value;

        if (!str_to_u64(number, 0, 999, &value) || (at && i == 2) ||
            (!at && i == 0)) {
            CLEANUP_FREE char *shown = str_printable(o->keys.qemu);

            return error_set(err, QM_ERR_USAGE,
                             "--qemu '%s' is not a version such as 10.0.13",
                             shown);
        }
        ret[i] = (int)value;
    }
    return 0;
}
