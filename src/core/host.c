/*
 * The machine that a QEMU runs on: who it is, and how a script gets there.
 *
 * ssh is the user's own, with the user's configuration.  It must never ask
 * (BatchMode), never be shared with others or outlive us (no ControlMaster:
 * what ends one connection would end all), and notice a dead peer
 * (ServerAlive).  It runs in a session of its own, so that Ctrl-C does not cut
 * the rope that rollback hangs on.
 */
#include "core/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/secret.h"
#include "base/stream.h"
#include "core/host-private.h"
#include "qmp/client-forward.h"

enum { SSH_FAILED = 255 }; /* ssh(1): its own errors */

/*
 * All that the user's login shell there has to understand, whatever shell that
 * is: a script would meet its own rules for `!` and the like.  The
 * script is the first line of sh's input (which `read` takes byte by byte, so
 * that the rest is the script's), and begins with a mark: what a shell's
 * startup files print comes before.
 */
#define BOOTSTRAP "exec sh -c 'IFS= read -r s; eval \"$s\"'"
#define MARK "qmigrate: the answer"
#define SAY_MARK "echo; echo \"" MARK "\"; "

static struct host *new_host(struct loop *loop, const struct qmp_address *a)
{
    struct host *h = XNEW(struct host);

    h->loop = loop;
    if (!a) {
        h->local = true;
        h->text = xstrdup("this machine");
        return h;
    }
    h->user = xstrdup(a->user);
    h->name = xstrdup(a->host);
    h->port = a->port;
    h->text = xasprintf("ssh://%s%s%s", a->user ? a->user : "",
                        a->user ? "@" : "", a->host);
    return h;
}

/* The rules for user, host and port are those of a QMP address. */
static int parse_spec(const char *spec, struct qmp_address *ret,
                      struct qm_error *err)
{
    CLEANUP_FREE char *with_path = NULL;

    if (!str_starts(spec, "ssh://") || strchr(spec + strlen("ssh://"), '/')) {
        CLEANUP_FREE char *shown = str_printable(spec);

        error_set(err, QM_ERR_USAGE, "'%s' is not a host", shown);
        error_hint(err, "a host is `local` or ssh://[USER@]HOST[:PORT]");
        return -1;
    }
    with_path = xasprintf("%s/-", spec);
    return qmp_address_parse(with_path, ret, err);
}

int host_spec_check(const char *spec, struct qm_error *err)
{
    struct qmp_address a;

    if (str_equal(spec, "local")) {
        return 0;
    }
    if (parse_spec(spec, &a, err) < 0) {
        return -1;
    }
    qmp_address_done(&a);
    return 0;
}

struct host *host_new(struct loop *loop, const char *spec, struct qm_error *err)
{
    struct qmp_address a;
    struct host *h;

    if (str_equal(spec, "local")) {
        return new_host(loop, NULL);
    }
    if (parse_spec(spec, &a, err) < 0) {
        return NULL;
    }
    h = new_host(loop, &a);
    qmp_address_done(&a);
    return h;
}

struct host *host_of_address(struct loop *loop, const struct qmp_address *a)
{
    switch (a->type) {
    case QMP_ADDRESS_UNIX:
        return new_host(loop, NULL);
    case QMP_ADDRESS_SSH:
        return new_host(loop, a);
    case QMP_ADDRESS_TCP:
    case QMP_ADDRESS_TLS:
        break;
    }
    return NULL;
}

void host_free(struct host *h)
{
    if (!h) {
        return;
    }
    free(h->text);
    free(h->user);
    free(h->name);
    free(h);
}

bool host_is_local(const struct host *h)
{
    return h && h->local;
}

const char *host_text(const struct host *h)
{
    return h->text;
}

/* --- running ----------------------------------------------------------------- */

struct command {
    const char *argv[32]; /* NULL-terminated */
    size_t count;
    char *port;
};

static void command_done(struct command *c)
{
    free(c->port);
}
DEFINE_CLEANUP_DONE(struct command, command_done)

static void command_add(struct command *c, const char *word)
{
    assert(c->count + 1 < ARRAY_LEN(c->argv));
    c->argv[c->count++] = word;
}

enum ssh_deed { RUN, ONLY_ASK, CONNECT };

/* TARGET: of CONNECT, "address:port" */
static void command_add_ssh(struct command *c, const struct host *h,
                            enum ssh_deed deed, const char *target)
{
    static const char *const options[] = {
        "BatchMode=yes",           "ControlMaster=no",
        "ControlPath=none",        "ConnectTimeout=10",
        "ServerAliveInterval=5",   "ServerAliveCountMax=3",
        "ClearAllForwardings=yes", "RemoteCommand=none",
    };

    command_add(c, "ssh");
    command_add(c, deed == ONLY_ASK ? "-G" : "-T");
    if (deed == CONNECT) {
        command_add(c, "-W");
        command_add(c, target);
    }
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        command_add(c, "-o");
        command_add(c, options[i]);
    }
    if (h->user) {
        command_add(c, "-l");
        command_add(c, h->user);
    }
    if (h->port) {
        c->port = xasprintf("%u", h->port);
        command_add(c, "-p");
        command_add(c, c->port);
    }
    command_add(c, "--");
    command_add(c, h->name);
}

static int run_command(struct host *h, const struct command *c,
                       const char *input, deadline_t by, struct buffer *out,
                       char **complaint, struct qm_error *err)
{
    const struct child_options options = {
        .argv = c->argv,
        .input = input ? input : "",
        .input_len = input ? strlen(input) : 0,
        .output_max = HOST_OUTPUT_MAX,
        .own_session = true,
    };
    int status = child_run(h->loop, &options, by, out, complaint, err);

    if (status < 0) {
        return error_wrap(err, "%s", h->text);
    }
    return status;
}

static void command_add_script(struct command *c, const struct host *h,
                               const char *script)
{
    assert(!strpbrk(script, "'\\\n"));
    if (h->local) {
        command_add(c, "sh");
        command_add(c, "-c");
        command_add(c, script);
    } else {
        command_add_ssh(c, h, RUN, NULL);
        command_add(c, BOOTSTRAP);
    }
}

/* What goes before the script's own input. */
static char *head_of_input(const struct host *h, const char *script)
{
    return h->local ? xstrdup("") : xasprintf(SAY_MARK "%s\n", script);
}

/* Behind the mark; NULL if it is not there. */
static const char *find_answer(const struct host *h, const struct buffer *out)
{
    static const char mark[] = "\n" MARK "\n";
    const char *at;

    if (h->local || out->len == 0) {
        return h->local ? (out->data ? out->data : "") : NULL;
    }
    at = memmem(out->data, out->len, mark, strlen(mark));
    return at ? at + strlen(mark) : NULL;
}

const char *host_said(const struct host *h, const struct child *c)
{
    const char *answer = find_answer(h, child_output(c));

    return answer ? answer : "";
}

struct child *host_start(struct host *h, const char *script, const char *input,
                         size_t input_len, struct qm_error *err)
{
    CLEANUP(command_done) struct command c = { .count = 0 };
    CLEANUP_FREE char *head = head_of_input(h, script);
    CLEANUP(secret_free)
    struct secret *all = secret_new(strlen(head) + input_len);
    const struct child_options options = {
        .argv = c.argv,
        .input = secret_bytes(all),
        .input_len = secret_len(all),
        .input_stays_open = true,
        .output_max = HOST_OUTPUT_MAX,
        .own_session = true,
    };

    memcpy(secret_bytes(all), head, strlen(head));
    memcpy(secret_bytes(all) + strlen(head), input, input_len);
    command_add_script(&c, h, script);
    return child_spawn(h->loop, &options, err);
}

/* Which shell could not do that?  Most can say their name.  NULL if not; the
 * caller frees it. */
static char *ask_for_shell(struct host *h, deadline_t by)
{
    CLEANUP(command_done) struct command c = { .count = 0 };
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP(error_clear) struct qm_error ignored = QM_ERROR_INIT;
    const char *line;

    command_add_ssh(&c, h, RUN, NULL);
    command_add(&c, "echo $SHELL");
    if (run_command(h, &c, NULL, by, &out, NULL, &ignored) != 0) {
        return NULL;
    }
    buffer_append(&out, "", 1);
    out.data[strcspn(out.data, "\r\n")] = '\0';
    line = out.data;
    return *line == '/' ? str_printable(line) : NULL;
}

static int complain_of_shell(struct host *h, const struct buffer *out,
                             const char *complaint, deadline_t by,
                             struct qm_error *err)
{
    CLEANUP_FREE char *shell = ask_for_shell(h, by);
    CLEANUP_FREE char *text = xstrndup(out->data ? out->data : "", out->len);
    CLEANUP_FREE char *said = NULL;

    text[strcspn(text, "\r\n")] = '\0';
    said = str_printable(complaint && *complaint ? complaint : text);
    error_set(err, QM_ERR_SYSTEM,
              "%s: the login shell there%s%s cannot run `exec sh`%s%s", h->text,
              shell ? ", " : "", shell ? shell : "", *said ? ": " : "", said);
    error_hint(err, "give that account a shell that can run commands, or log "
                    "in as another user");
    return -1;
}

int host_run(struct host *h, const char *script, const char *input,
             deadline_t by, struct buffer *out, struct qm_error *err)
{
    CLEANUP(command_done) struct command c = { .count = 0 };
    CLEANUP(buffer_done) struct buffer said = { .len = 0 };
    CLEANUP_FREE char *complaint = NULL, *head = head_of_input(h, script);
    CLEANUP_FREE char *all = xasprintf("%s%s", head, input ? input : "");
    const char *answer;
    int status;

    command_add_script(&c, h, script);
    status = run_command(h, &c, all, by, &said, &complaint, err);
    if (status < 0) {
        return -1;
    }
    if (!h->local && status == SSH_FAILED) {
        CLEANUP_FREE char *reason = ssh_reason(complaint ? complaint : "");

        error_set(err, QM_ERR_CONNECT, "%s: ssh failed: %s", h->text,
                  *reason ? reason : "it said nothing");
        error_hint(err, "try: ssh -o BatchMode=yes %s%s%s true",
                   h->user ? h->user : "", h->user ? "@" : "", h->name);
        return -1;
    }
    answer = find_answer(h, &said);
    if (!answer) {
        return complain_of_shell(h, &said, complaint, by, err);
    }
    if (out && said.len > 0) {
        buffer_append(out, answer, said.len - (size_t)(answer - said.data));
    }
    return status;
}

int host_complain(const struct host *h, const char *what, int status,
                  struct qm_error *err)
{
    return error_set(err, QM_ERR_SYSTEM, "%s: cannot %s (exit status %d)",
                     h->text, what, status);
}

/* --- the address --------------------------------------------------------------- */

/* "hostname" of ssh -G's lines; the caller frees it. */
static char *find_hostname(const char *output)
{
    static const char key[] = "hostname ";

    for (const char *line = output; line && *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);

        if (str_starts(line, key) && len > strlen(key)) {
            return xstrndup(line + strlen(key), len - strlen(key));
        }
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

int host_addresses(struct host *h, struct strv *ret, struct qm_error *err)
{
    CLEANUP(command_done) struct command c = { .count = 0 };
    CLEANUP(buffer_done) struct buffer out = { .len = 0 };
    CLEANUP_FREE char *complaint = NULL, *name = NULL;
    int status;

    assert(!h->local);
    command_add_ssh(&c, h, ONLY_ASK, NULL);
    status = run_command(h, &c, NULL, deadline_in_ms(HOST_LIMIT_MS), &out,
                         &complaint, err);
    if (status < 0) {
        return -1;
    }
    if (status != 0) {
        return error_set(err, QM_ERR_CONNECT, "%s: ssh -G failed: %s", h->text,
                         complaint ? complaint : "");
    }
    name = find_hostname(out.data);
    return resolve_addresses(name ? name : h->name, ret, err);
}

/* --- a connection from there -------------------------------------------------- */

struct child *host_open_tcp(struct host *h, const char *address, unsigned port,
                            int fd, struct qm_error *err)
{
    CLEANUP(command_done) struct command c = { .count = 0 };
    CLEANUP_FREE char *target = NULL;
    const struct child_options options = {
        .argv = c.argv,
        .stdio_fd = fd,
        .own_session = true,
    };

    assert(!h->local);
    target =
        xasprintf(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
    command_add_ssh(&c, h, CONNECT, target);
    return child_spawn(h->loop, &options, err);
}
