/*
 * The recipe, from connect to the end, over two QEMUs that are not there
 * (scripted-peer.h).  All that is told to them, all that the engine says, and
 * what becomes durable in the journal, is one trace, which is compared whole
 * with tests/unit/traces/NAME.trace: read those as the specification.
 *
 *     # export disks               a row of the recipe begins
 *     #undo export disks           and is undone
 *         destination: cont        a command; questions are not shown
 *       source is active           a state that the engine has noticed
 *       ! ...                      a warning
 *       journal: ...               a record that is now on the disk
 *
 * What a trace has in common with the beginning of disk.trace is left out.
 *
 * After a change of what is to happen: QM_WRITE_TRACES=DIR writes them anew,
 * disk.trace first; as root, DIR must be one that everybody may write to.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/migration-private.h"
#include "nbd/probe.h"
#include "pki.h"
#include "recipe-cases.h"
#include "scripted-peer.h"

#define BASE "disk"
#define NOBODY 65534

struct world {
    struct peers peers; /* the first member */
    struct loop *loop;
    struct plan plan;
    struct migration *m;
    const char *dir;
    int journal_fd;
    const char *row; /* of the recipe, that has begun */
    size_t clients;  /* of the control socket */
    int client[4];
};

static struct world *now; /* for what has no argument */
static char *dir, *tls_dir;
static int traces_fd;

/* --- in the place of the world -------------------------------------------- */

int __wrap_nbd_probe_export(struct loop *loop, const struct nbd_probe *p,
                            deadline_t by, struct nbd_export *ret,
                            struct qm_error *err);
int __wrap_host_unit_facts(struct host *h, const struct process_identity *id,
                           struct unit_facts *ret, struct qm_error *err);

int __wrap_host_look_at_sites(struct host *h, int pid, struct image_site *sites,
                              size_t count, struct image_maker *ret,
                              struct qm_error *err);
int __wrap_host_make_image(struct host *h, int pid,
                           const struct image_spec *spec,
                           struct made_image *ret, bool *ret_unsure,
                           struct qm_error *err);
int __wrap_host_remove_image(struct host *h, int pid, const char *path,
                             const struct made_image *made,
                             struct qm_error *err);

int __wrap_nbd_probe_export(struct loop *loop, const struct nbd_probe *p,
                            deadline_t by, struct nbd_export *ret,
                            struct qm_error *err)
{
    (void)loop;
    (void)by;
    (void)err;
    peers_note(&now->peers, "    engine: probe %s at %s:%u as %s",
               p->export_name, p->host, p->port,
               p->psk       ? "who has the key"
               : p->tls_dir ? p->tls_hostname
                            : "nobody");
    *ret = (struct nbd_export){
        .reached = true, .tls = true, .complete = true, .size = 64 << 20
    };
    return 0;
}

int __wrap_nbd_probe_route(struct loop *loop, const struct nbd_probe *p,
                           deadline_t by, struct qm_error *err);
int __wrap_nbd_probe_route(struct loop *loop, const struct nbd_probe *p,
                           deadline_t by, struct qm_error *err)
{
    (void)loop, (void)by, (void)err;
    peers_note(&now->peers, "    engine: probe the way to %s:%u", p->host,
               p->port);
    return 0;
}

struct host_key *__wrap_host_key_put(struct host *h, int pid, const char *name,
                                     struct secret *line, struct qm_error *err);
const char *__wrap_host_key_dir(const struct host_key *k);
int __wrap_host_key_remove(struct host_key *k, struct qm_error *err);

/* A name is in the place of a key that lies somewhere. */
struct host_key *__wrap_host_key_put(struct host *h, int pid, const char *name,
                                     struct secret *line, struct qm_error *err)
{
    (void)h;
    (void)pid;
    (void)line;
    (void)err;
    peers_note(&now->peers, "    engine: put key %s", name);
    return (struct host_key *)xstrdup(name);
}

const char *__wrap_host_key_dir(const struct host_key *k)
{
    return (const char *)k;
}

int __wrap_host_key_remove(struct host_key *k, struct qm_error *err)
{
    (void)err;
    if (k)
        peers_note(&now->peers, "    engine: remove key %s", (char *)k);
    free(k);
    return 0;
}

/* The systemd unit in which the tests run is not the guest's. */
int __wrap_host_unit_facts(struct host *h, const struct process_identity *id,
                           struct unit_facts *ret, struct qm_error *err)
{
    (void)h;
    (void)id;
    (void)err;
    *ret = (struct unit_facts){ .unit = NULL };
    return 0;
}

/* There is room everywhere. */
int __wrap_host_look_at_sites(struct host *h, int pid, struct image_site *sites,
                              size_t count, struct image_maker *ret,
                              struct qm_error *err)
{
    (void)h;
    (void)pid;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        sites[i].state = SITE_FREE;
        sites[i].free_bytes = UINT64_C(1) << 40;
    }
    *ret = (struct image_maker){ .has_qemu_img = true };
    return 0;
}

int __wrap_host_make_image(struct host *h, int pid,
                           const struct image_spec *spec,
                           struct made_image *ret, bool *ret_unsure,
                           struct qm_error *err)
{
    (void)h;
    (void)pid;
    (void)ret_unsure;
    (void)err;
    peers_note(&now->peers, "    engine: make %s, %s, %llu bytes", spec->path,
               spec->format, (unsigned long long)spec->size_bytes);
    *ret = (struct made_image){ .known = true, .device = 1, .inode = 2 };
    return 0;
}

int __wrap_host_remove_image(struct host *h, int pid, const char *path,
                             const struct made_image *made,
                             struct qm_error *err)
{
    (void)h;
    (void)pid;
    (void)err;
    assert_int_equal(made->device, 1);
    assert_int_equal(made->inode, 2);
    peers_note(&now->peers, "    engine: remove %s", path);
    return 0;
}

/* --- the trace ------------------------------------------------------------ */

static void note_journal_line(struct world *w, const char *line)
{
    char *at = strstr(line, ",\"at\":\"");

    if (at && str_ends(line, "Z\"}")) /* another one each time */
        memcpy(at, "}", sizeof("}"));
    /* the trace has the rows by themselves */
    if (str_starts(line, "{\"step\""))
        return;
    if (str_starts(line, "{\"qmigrate-journal\""))
        line = "begins";
    buffer_printf(&w->peers.trace, "  journal: %s\n", line);
}

/* The file is renamed at the end: it is kept open. */
static void look_at_journal(struct peers *all)
{
    struct world *w = (struct world *)all;
    static char text[1 << 20];
    char *line = text, *end;
    ssize_t n;

    if (w->journal_fd < 0) {
        CLEANUP_FREE char *path =
            xasprintf("%s/state/qmigrate/guest.journal", w->dir);

        w->journal_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    n = w->journal_fd < 0 ? 0 : read(w->journal_fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    for (; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        note_journal_line(w, line);
    }
}

static void tell_step(struct world *w, const struct narration *n)
{
    static const char *const words[] = {
        [STEP_FAILED] = "#failed",
        [STEP_CANCELLED] = "#cancelled",
        [STEP_UNDONE] = "#undo",
    };

    if (n->step == STEP_BEGINS) {
        w->row = n->text;
        peers_note(&w->peers, "# %s", n->text);
    } else if (n->step == STEP_DONE) {
        assert_string_equal(w->row, n->text); /* the next row, or the end */
    } else {
        peers_note(&w->peers, "%s %s", words[n->step], n->text);
    }
}

static void tell_verdicts(struct world *w, const struct verdicts *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->item[i].level != VERDICT_OK)
            peers_note(&w->peers, "  verdict %s: %s", v->item[i].id,
                       v->item[i].what);
}

static void tell(void *arg, const struct narration *n)
{
    struct world *w = arg;

    if (n->kind == NARRATE_STEP)
        tell_step(w, n);
    else if (n->kind == NARRATE_STATE)
        peers_note(&w->peers, "  %s is %s", side_name(n->side), n->text);
    else if (n->kind == NARRATE_WARNING)
        peers_note(&w->peers, "  ! %s", n->text);
    else if (n->kind == NARRATE_LIMITS)
        peers_note(&w->peers, "  limits: bandwidth %lld, disk-bandwidth %lld",
                   (long long)n->limits->value[LIMIT_BANDWIDTH],
                   (long long)n->limits->value[LIMIT_DISK_BANDWIDTH]);
    else if (n->kind == NARRATE_PREFLIGHT)
        tell_verdicts(w, n->verdicts);
}

static void note_result(struct world *w, const struct result *r)
{
    peers_note(&w->peers, "= %s, guest: %s%s, exit %d%s",
               outcome_name(r->outcome), guest_place_name(r->guest),
               r->paused ? ", paused" : "", (int)result_exit(r),
               r->retryable ? ", retryable" : "");
    if (r->error.message)
        peers_note(&w->peers, "  error: %s", r->error.message);
    if (r->error.hint)
        peers_note(&w->peers, "  hint: %s", r->error.hint);
    for (size_t i = 0; i < r->left.count; i++)
        peers_note(&w->peers, "  left: %s", r->left.item[i]);
}

/* What has become of a QEMU: the lines of its state that are other ones. */
static void note_peer(struct world *w, enum side_id side)
{
    struct peer *p = &w->peers.side[side];
    CLEANUP_FREE char *state = peer_state(p);
    char *rest = state, *was = p->before, *line;
    bool same = p->pid >= 0 && str_equal(state, was);

    peers_note(&w->peers, "  %s: %s%s", side_name(side),
               p->pid < 0 ? "ended" : p->run_state, same ? ", as it was" : "");
    while (p->pid >= 0 && *(line = strsep(&rest, "\n"))) {
        if (strncmp(line, was, strlen(line)) != 0)
            peers_note(&w->peers, "    now: %s", line);
        was = strchr(was, '\n') + 1;
    }
}

/* --- one run -------------------------------------------------------------- */

static char *replaced(char *text, const char *what, const char *with)
{
    struct buffer b = { .len = 0 };
    char *at, *rest = text;

    for (; (at = strstr(rest, what)); rest = at + strlen(what)) {
        buffer_append(&b, rest, (size_t)(at - rest));
        buffer_append(&b, with, strlen(with));
    }
    buffer_append(&b, rest, strlen(rest) + 1);
    free(text);
    return b.data;
}

/* Without what differs from run to run. */
static char *steady(struct world *w, const int pid[SIDES])
{
    struct buffer *b = &w->peers.trace;
    char *text = xstrndup(b->data, b->len);

    CLEANUP_FREE char *most =
        xasprintf("downtime-limit=%lld", (long long)w->m->converge.limit_ms);

    /* what the policy raised it to is less what our commands took */
    if (w->m->converge.limit_ms > CONVERGE_FIRST_LIMIT_MS)
        text = replaced(text, most, "downtime-limit=MOST");
    text = replaced(text, w->m->id, "qm");
    text = replaced(text, w->dir, "DIR");
    text = replaced(text, tls_dir, "TLS");
    for (int i = 0; i < SIDES; i++) {
        CLEANUP_FREE char *name = xasprintf("(pid %d)", pid[i]);

        text = replaced(text, name, "(pid N)");
    }
    return text;
}

static void start_peers(struct world *w, const struct recipe_case *c)
{
    w->peers.before_line = look_at_journal;
    memcpy(w->peers.twist, c->twist, sizeof(w->peers.twist));
    for (int i = 0; i < SIDES; i++) {
        const char *side = side_name((enum side_id)i);
        CLEANUP_FREE char *path = xasprintf("%s/%s.qmp", w->dir, side);
        CLEANUP_FREE char *image = xasprintf("%s/%s.img", w->dir, side);

        if (!c->no_disk)
            pki_put_text(w->dir, strrchr(image, '/') + 1,
                         c->read_only ? side : "");
        peer_start(&w->peers, (enum side_id)i, w->loop, path,
                   c->no_disk ? NULL : image);
        w->peers.side[i].read_only = c->read_only;
        w->peers.side[i].has_bitmap = c->bitmap && i == SOURCE;
        if (c->slice)
            w->peers.side[i].device = "virtio-blk-pci";
        str_replace(&w->plan.tls_dir[i], tls_dir);
        w->plan.tls_psk = c->psk;
        assert_int_equal(qmp_address_parse(path, &w->plan.peer[i], NULL), 0);
    }
    if (c->create)
        w->peers.side[DESTINATION].driver = "null-co";
    if (c->slice) {
        w->peers.side[DESTINATION].driver = "host_device";
        w->peers.side[DESTINATION].size *= 2;
    }
}

/* What the last run may have left must not be found by the next. */
static void empty_dir(void)
{
    CLEANUP_FREE char *remove = xasprintf("rm -rf '%s'/*", dir);

    assert_int_equal(system(remove), 0);
}

static char *run(const struct recipe_case *c)
{
    struct world w = { .dir = dir, .journal_fd = -1 };
    const struct narrator narrator = { tell, &w };
    struct result result;
    int pid[SIDES];
    char *text;

    now = &w;
    w.loop = loop_new();
    plan_init(&w.plan);
    if (c->single_stream)
        w.plan.channels = 0;
    if (c->abort_handover_ms)
        w.plan.abort_handover_ms = c->abort_handover_ms;
    w.plan.keep_source = c->keep_source;
    w.plan.postcopy = c->postcopy;
    if (c->create) {
        w.plan.create_disks = true;
        strv_add(&w.plan.create_ids, "vd0");
        strv_add(&w.plan.create_paths, "/images/vm.img");
    }
    start_peers(&w, c);
    for (int i = 0; i < SIDES; i++)
        pid[i] = (int)w.peers.side[i].pid;
    w.m = migration_new(w.loop, &w.plan, &narrator);
    migration_run(w.m, &result);
    note_result(&w, &result);
    note_peer(&w, SOURCE);
    note_peer(&w, DESTINATION);
    text = steady(&w, pid);
    result_done(&result);
    migration_free(w.m);
    peers_done(&w.peers);
    plan_done(&w.plan);
    loop_free(w.loop);
    close_fd(w.journal_fd);
    for (size_t i = 0; i < w.clients; i++)
        close_fd(w.client[i]);
    empty_dir();
    return text;
}

void recipe_case_cancel(void)
{
    peers_note(&now->peers, "    operator: cancel");
    migration_cancel(now->m);
}

/* ' for ", as the answers of the peers are written. */
void recipe_case_say(const char *command)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/qmigrate/guest.sock", getenv("XDG_RUNTIME_DIR"));
    CLEANUP_FREE char *line = xasprintf("%s\n", command);
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    peers_note(&now->peers, "    operator: %s", command);
    for (char *c = line; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_true(snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path) <
                (int)sizeof(sun.sun_path));
    assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    assert_true(now->clients < ARRAY_LEN(now->client));
    now->client[now->clients++] = fd;
}

/* --- comparing ------------------------------------------------------------ */

/* TEXT without the lines with which BASE begins as well, but for the last. */
static char *without_beginning(const char *text, const char *base)
{
    const char *last = text, *line = text;

    for (; *text && *text == *base; text++, base++)
        if (*text == '\n') {
            last = line;
            line = text + 1;
        }
    return xasprintf("(as in " BASE ".trace down to:)\n%s", last);
}

static char *read_trace(const char *name)
{
    CLEANUP_FREE char *file = xasprintf("%s.trace", name);
    CLEANUP(close_fd) int fd = openat(traces_fd, file, O_RDONLY | O_CLOEXEC);
    struct buffer b = { .len = 0 };
    ssize_t n;

    while (fd >= 0 && (n = read(fd, buffer_room(&b, 4096), 4096)) > 0)
        buffer_grew(&b, (size_t)n);
    buffer_append(&b, "", 1);
    return b.data;
}

static void write_trace(const char *name, const char *text)
{
    CLEANUP_FREE char *file = xasprintf("%s.trace", name);

    pki_put_text(getenv("QM_WRITE_TRACES"), file, text);
}

static void check(void **state)
{
    const struct recipe_case *c = *state;
    int64_t began_ms = clock_now_ms();
    CLEANUP_FREE char *text = run(c), *expected = read_trace(c->name);

    if (c->within_ms)
        assert_in_range(clock_now_ms() - began_ms, 0, c->within_ms);

    if (!c->no_disk && !str_equal(c->name, BASE)) {
        CLEANUP_FREE char *base = read_trace(BASE), *whole = text;

        text = without_beginning(whole, base);
    }
    if (getenv("QM_WRITE_TRACES")) {
        write_trace(c->name, text);
    } else if (!str_equal(text, expected)) {
        printf("--- what should have happened:\n%s"
               "--- what happened:\n%s",
               expected, text);
        fail_msg("%s: another trace than in tests/unit/traces", c->name);
    }
}

/* --- the surroundings ----------------------------------------------------- */

/* The end of a QEMU is seen by a pidfd; old valgrinds do not let us. */
static void need_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd < 0) {
        puts("pidfd_open is not to be had here");
        exit(77);
    }
    close_fd(fd);
}

/* While its parents may be looked into. */
static void find_traces(void)
{
    const char *source = getenv("QM_SOURCE");
    CLEANUP_FREE char *path =
        xasprintf("%s/tests/unit/traces", source ? source : ".");

    traces_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Everybody but root keeps its folders where the environment says. */
static void be_nobody(void)
{
    if (geteuid() != 0)
        return;
    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        exit(77);
    prctl(PR_SET_DUMPABLE, 1); /* the leak sanitizer looks at us */
}

static void make_dirs(void)
{
    CLEANUP_FREE char *run_dir = NULL, *state_dir = NULL;

    dir = pki_new_dir();
    run_dir = xasprintf("%s/run", dir);
    state_dir = xasprintf("%s/state", dir);
    setenv("XDG_RUNTIME_DIR", run_dir, 1);
    setenv("XDG_STATE_HOME", state_dir, 1);
}

static void make_credentials(void)
{
    struct pki_id *ca = pki_new(&(struct pki_spec){ .ca = true }, NULL);
    struct pki_id *host =
        pki_new(&(struct pki_spec){ .names = { "127.0.0.1" } }, ca);

    tls_dir = pki_new_dir();
    pki_put_cert(tls_dir, "ca-cert.pem", ca, false);
    pki_put_cert(tls_dir, "server-cert.pem", host, false);
    pki_put_key(tls_dir, "server-key.pem", host);
    pki_put_cert(tls_dir, "client-cert.pem", host, false);
    pki_put_key(tls_dir, "client-key.pem", host);
    pki_free(ca);
    pki_free(host);
}

int main(void)
{
    struct CMUnitTest *tests = xcalloc(recipe_case_count, sizeof(*tests));
    int failed;

    need_pidfd();
    find_traces();
    be_nobody();
    unsetenv("TMPDIR"); /* may not be anybody's */
    make_dirs();
    make_credentials();
    for (size_t i = 0; i < recipe_case_count; i++)
        tests[i] = (struct CMUnitTest){
            .name = recipe_cases[i].name,
            .test_func = check,
            .initial_state = (void *)(uintptr_t)&recipe_cases[i],
        };
    failed =
        _cmocka_run_group_tests("recipe", tests, recipe_case_count, NULL, NULL);
    pki_remove_dir(dir);
    pki_remove_dir(tls_dir);
    close_fd(traces_fd);
    free(tests);
    return failed;
}
