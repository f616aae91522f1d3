/*
 * The options of `copy`.
 */
#include "cli/options-values.h"
#include "nbd/disk.h"

static const struct option_row rows[] = {
    { .help = "The copy" },
    { "tls-dir", "DIR", parse_string, offsetof(struct options, tls_dir),
      "x509 directory in QEMU's layout, for nbds://", PLAN_TLS_DIR },
    { "tls-hostname", "NAME", parse_string,
      offsetof(struct options, plan.tls_hostname),
      "the name in the server's certificate", "the host in the URI" },
    { "insecure", NULL, parse_flag, offsetof(struct options, plan.insecure),
      "nbd:// to another machine: the disk crosses the network unencrypted",
      NULL },
    { "connections", "N", parse_number, offsetof(struct options, connections),
      "to each server, at most", "4" },
    { "json", NULL, parse_flag, offsetof(struct options, json),
      "one JSON object a line on stdout, and nothing else there", NULL },
    { "help", NULL, parse_flag, offsetof(struct options, help), "this text",
      NULL },
};

const struct option_table copy_options = {
    .command = "copy",
    .words = "SOURCE-URI DESTINATION-URI, for example "
             "nbds://host1/disk0 nbd+unix:///disk0?socket=/run/nbd.sock",
    .rows = rows,
    .count = ARRAY_LEN(rows),
};

static int check(const struct options *o, const struct nbd_uri *uri,
                 struct qm_error *err)
{
    bool tls = uri[SOURCE].tls || uri[DESTINATION].tls;

    if (o->connections < 1 || o->connections > NBD_CONNECTIONS)
        return error_set(err, QM_ERR_USAGE, "--connections must be 1 to %d",
                         NBD_CONNECTIONS);
    if (o->plan.tls_hostname && uri[SOURCE].tls == uri[DESTINATION].tls)
        return error_set(
            err, QM_ERR_USAGE, "--tls-hostname is for one server, and %s",
            tls ? "both are reached by TLS" : "none is reached by TLS");
    return 0;
}

int options_parse_copy(struct options *ret, struct nbd_uri *ret_uri, int argc,
                       char **argv, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv words = { 0 };

    *ret = (struct options){ .connections = NBD_CONNECTIONS };
    plan_init(&ret->plan);
    if (options_take(ret, &copy_options, argc, argv, &words, err) < 0)
        return -1;
    if (ret->help)
        return 0;
    if (options_need_sides(&copy_options, &words, err) < 0)
        return -1;
    for (int side = 0; side < SIDES; side++)
        if (nbd_uri_parse(words.item[side], &ret_uri[side], err) < 0)
            return error_wrap(err, "%s", side_name((enum side_id)side));
    return check(ret, ret_uri, err);
}
