/*
 * A pre-shared key at a host, for the QEMU there to read.
 *
 * happy path   A script makes a folder in a tmpfs that QEMU sees, puts the key
 *              there, gives both to QEMU's user, says where, and waits for the
 *              end of its input; then it removes them and says so.
 * what fails   No tmpfs, or a QEMU of another user: nothing was made, or it is
 *              removed.  An engine that dies, or a connection that ends, is an
 *              end of input too.
 *
 * The key comes through standard input, and goes to its file without passing
 * through an argument or a variable of the shell.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "core/host-private.h"

#define KEY_FILE "keys.psk"

struct host_key {
    struct host *host;
    struct child *child;
    char *dir;  /* as QEMU sees it */
    char *path; /* as whoever logs in sees it; for messages */
};

/*
 * Input: QEMU's pid, the folder's name, and the key's line.  Output: `at` and
 * the tmpfs, and QEMU's root folder; or `no` and why; at the end `gone`.
 *
 * A QEMU in a container may own the tmpfs that is its /run, and could put a
 * link in the new folder's place.  So nothing goes through the folder's name
 * but a chdir, after which it is looked at: what is ours and lies right
 * below the base is no other folder of the host.
 *
 * The name is one migration's alone: what has it already was put there before a
 * network was cut, and whoever is to remove that has not noticed yet; when he
 * does, he leaves what is not his.
 *
 * The inner shell is a process of its own, which outlives the outer one if that
 * is killed together with the engine.  All names are relative: the QEMU, and
 * with it /proc/PID/root, may be gone before the key.
 */
static const char key_script[] =
    "trap \"\" HUP INT TERM PIPE; umask 077; "
    "read -r pid; read -r name; "
    "root=/proc/$pid/root; [ -d \"$root/run\" ] || root=; "
    "me=$(id -u); owner=$(stat -c %u \"/proc/$pid\") || owner=$me; "
    "at=; "
    "for base in /run /dev/shm; do "
    "  cd -P \"$root$base\" 2>/dev/null && "
    "  [ \"$(stat -f -c %T . 2>/dev/null)\" = tmpfs ] && "
    "  { mkdir \"$name\" 2>/dev/null || "
    "    { rm -rf \"$name\"; mkdir \"$name\" 2>/dev/null; }; } && "
    "  at=$base && break; "
    "done; "
    "[ \"$at\" ] || { echo no tmpfs; exit 0; }; "
    "above=$(stat -c %d:%i .); "
    "put() ( "
    "  cd -P \"$name\" && [ \"$(stat -c %u .)\" = $me ] "
    "  && [ \"$(stat -c %d:%i ..)\" = \"$above\" ] || { echo no own; exit 1; }; "
    "  set -C; head -n 1 >" KEY_FILE " && { [ \"$owner\" = \"$me\" ] "
    "    || chown \"$owner\" " KEY_FILE " . 2>/dev/null; } "
    "  || { echo no owner; exit 1; } "
    "); "
    "( it=$(stat -c %d:%i \"$name\"); put && echo \"at $at $root\"; "
    "  cat >/dev/null; "
    "  [ \"$(stat -c %d:%i \"$name\" 2>/dev/null)\" = \"$it\" ] "
    "    && rm -rf \"$name\"; "
    "  [ -e \"$name\" ] || echo gone ); "
    "exit 0";

static const struct {
    const char *word, *meaning, *hint;
} refusals[] = {
    { "no tmpfs\n", "there is no tmpfs in which a key could be put",
      "/run or /dev/shm must be a tmpfs that the QEMU there sees, and in which "
      "whoever logs in there may make a folder" },
    { "no own\n", "the folder made for the key is not there any more",
      "somebody in QEMU's /run or /dev/shm meddles with it" },
    { "no owner\n", "the key cannot be given to QEMU's user",
      "log in there as root, or as the user that QEMU runs as" },
};

static void key_free(struct host_key *k)
{
    if (!k)
        return;
    child_free(k->child);
    free(k->dir);
    free(k->path);
    free(k);
}
DEFINE_CLEANUP(struct host_key *, key_free)

static const char *output_of(const struct host_key *k)
{
    return host_said(k->host, k->child);
}

static bool has_answered(void *arg)
{
    const struct host_key *k = arg;

    return child_has_exited(k->child) || strchr(output_of(k), '\n');
}

static bool has_ended(void *arg)
{
    const struct host_key *k = arg;

    return child_has_exited(k->child);
}

/* The first line is `at BASE ROOT`. */
static int read_answer(struct host_key *k, const char *name,
                       struct qm_error *err)
{
    const char *text = output_of(k), *eol = strchr(text, '\n');
    CLEANUP_FREE char *line = xstrndup(text, eol ? (size_t)(eol - text) : 0);
    char *base = line + strlen("at "), *root;

    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (str_starts(text, refusals[i].word)) {
            error_set(err, QM_ERR_SYSTEM, "%s: %s", host_text(k->host),
                      refusals[i].meaning);
            error_hint(err, "%s", refusals[i].hint);
            return -1;
        }
    if (!str_starts(line, "at ") || !(root = strchr(base, ' '))) {
        const char *said = child_complaint(k->child);

        return error_set(err, QM_ERR_SYSTEM,
                         "%s: the key could not be put there: %s",
                         host_text(k->host), *said ? said : "no answer");
    }
    *root++ = '\0';
    k->dir = xasprintf("%s/%s", base, name);
    k->path = xasprintf("%s%s/%s", root, base, name);
    return 0;
}

struct host_key *host_key_put(struct host *h, int pid, const char *name,
                              struct secret *line, struct qm_error *err)
{
    CLEANUP(key_free) struct host_key *k = XNEW(struct host_key);
    CLEANUP_FREE char *head = xasprintf("%d\n%s\n", pid, name);
    CLEANUP(secret_free)
    struct secret *input = secret_new(strlen(head) + secret_len(line));

    memcpy(secret_bytes(input), head, strlen(head));
    memcpy(secret_bytes(input) + strlen(head), secret_bytes(line),
           secret_len(line));
    k->host = h;
    k->child =
        host_start(h, key_script, secret_bytes(input), secret_len(input), err);
    if (!k->child)
        return NULL;
    if (!loop_wait(h->loop, has_answered, k, deadline_in_ms(HOST_LIMIT_MS))) {
        error_set(err, QM_ERR_TIMEOUT, "%s: no key could be put there in time",
                  host_text(h));
        (void)host_key_remove(STEAL(k), NULL);
        return NULL;
    }
    if (read_answer(k, name, err) < 0) {
        (void)host_key_remove(STEAL(k), NULL);
        return NULL;
    }
    return STEAL(k);
}

bool host_key_is_there(const struct host_key *k)
{
    return k && !child_has_exited(k->child);
}

const char *host_key_dir(const struct host_key *k)
{
    return k->dir;
}

int host_key_remove(struct host_key *key, struct qm_error *err)
{
    CLEANUP(key_free) struct host_key *k = key;

    if (!k)
        return 0;
    child_end_input(k->child);
    loop_wait(k->host->loop, has_ended, k, deadline_in_ms(HOST_LIMIT_MS));
    if (str_ends(output_of(k), "gone\n"))
        return 0;
    error_set(err, QM_ERR_SYSTEM,
              "%s: %s with a pre-shared key is not known "
              "to be removed",
              host_text(k->host), k->path ? k->path : "a folder");
    return -1;
}
