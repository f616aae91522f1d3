/*
 * Memory for keys.
 */
#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

struct secret {
    char *bytes;
    size_t len, room;
};

/* Of the process, as what they stand for is. */
static unsigned held;
static int was_dumpable;
static struct rlimit core_was;

void secrets_hold(void)
{
    struct rlimit none;

    if (held++ > 0) {
        return;
    }
    was_dumpable = prctl(PR_GET_DUMPABLE);
    prctl(PR_SET_DUMPABLE, 0);
    /* for a kernel that hands cores to a program, and asks only this */
    if (getrlimit(RLIMIT_CORE, &core_was) == 0) {
        none = core_was;
        none.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &none);
    }
}

void secrets_release(void)
{
    assert(held > 0);
    if (--held > 0) {
        return;
    }
    setrlimit(RLIMIT_CORE, &core_was);
    /* 2 cannot be set, and would not have been less strict */
    if (was_dumpable == 1) {
        prctl(PR_SET_DUMPABLE, 1);
    }
}

struct secret *secret_new(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct secret *s = XNEW(struct secret);

    s->len = len;
    s->room = (len / page + 1) * page;
    s->bytes = mmap(NULL, s->room, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s->bytes == MAP_FAILED) {
        abort(); /* as all who run out of memory */
    }
    /* What the system refuses is one net less, and no reason to stop. */
    (void)mlock(s->bytes, s->room);
    (void)madvise(s->bytes, s->room, MADV_DONTDUMP);
    (void)madvise(s->bytes, s->room, MADV_WIPEONFORK);
    secrets_hold();
    return s;
}

char *secret_bytes(struct secret *s)
{
    return s->bytes;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

void secret_wipe(void *bytes, size_t len)
{
    if (bytes) {
        explicit_bzero(bytes, len);
    }
}

void secret_free(struct secret *s)
{
    if (!s) {
        return;
    }
    secret_wipe(s->bytes, s->room);
    munmap(s->bytes, s->room);
    free(s);
    secrets_release();
}
