/*
 * Finished journals, NAME.ID.done, looked through: one that cannot be read is
 * told as well, and keeps none of the others from it.
 */
#include "core/journal-past.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/journal-read.h"
#include "core/rundir.h"

#define SUFFIX ".done"

/* NAME.ID: RET_NAME gets the first part, the caller's; false if it is none. */
static bool split(const char *stem, char **ret_name)
{
    const char *dot = strrchr(stem, '.');
    CLEANUP_FREE char *name = NULL;

    if (!dot || !journal_id_is_valid(dot + 1))
        return false;
    name = xstrndup(stem, (size_t)(dot - stem));
    if (!plan_name_is_valid(name))
        return false;
    if (ret_name)
        *ret_name = STEAL(name);
    return true;
}

static bool is_past(const char *stem)
{
    return split(stem, NULL);
}

static int check(const struct past *p, const struct journal_content *c,
                 struct qm_error *err)
{
    if (!str_equal(c->name, p->name) || !str_equal(c->id, p->id))
        return error_set(err, QM_ERR_REFUSED, "it is the journal of %s.%s",
                         c->name, c->id);
    if (c->ended)
        return 0;
    return error_set(err, QM_ERR_REFUSED, "it has no end");
}

static int64_t written_us(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}

static int load(const char *path, struct past *p, struct qm_error *err)
{
    CLEANUP(journal_content_done) struct journal_content c = { .name = NULL };
    CLEANUP(close_fd)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return error_set_errno(err, QM_ERR_SYSTEM, errno, "open %s", path);
    p->ended_us = written_us(fd);
    if (journal_load(fd, path, &c, err) < 0)
        return -1;
    if (check(p, &c, err) < 0)
        return error_wrap(err, "%s", path);
    p->began_us = c.began_us;
    if (c.ended_us > 0)
        p->ended_us = c.ended_us;
    p->outcome = c.end_outcome;
    p->guest = c.end_guest;
    for (int i = 0; i < SIDES; i++)
        p->address[i] = STEAL(c.side[i].address);
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct past *p = a, *q = b;

    if (p->ended_us != q->ended_us)
        return p->ended_us < q->ended_us ? -1 : 1;
    return strcmp(p->id, q->id);
}

int history_load(const char *folder, struct history *ret, struct qm_error *err)
{
    CLEANUP(strv_done) struct strv stems = { 0 };

    if (rundir_stems(folder, SUFFIX, is_past, &stems, err) < 0)
        return -1;
    *ret = (struct history){ .count = 0 };
    ret->item = xcalloc(stems.count + 1, sizeof(*ret->item));
    for (size_t i = 0; i < stems.count; i++) {
        CLEANUP(error_clear) struct qm_error failed = QM_ERROR_INIT;
        CLEANUP_FREE char *path =
            xasprintf("%s/%s" SUFFIX, folder, stems.item[i]);
        struct past *p = &ret->item[ret->count++];

        split(stems.item[i], &p->name);
        p->id = xstrdup(strrchr(stems.item[i], '.') + 1);
        if (load(path, p, &failed) < 0)
            p->damage = xstrdup(failed.message);
    }
    qsort(ret->item, ret->count, sizeof(*ret->item), by_time);
    return 0;
}

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct past *p = &h->item[i];

        free(p->name);
        free(p->id);
        free(p->damage);
        for (int side = 0; side < SIDES; side++)
            free(p->address[side]);
    }
    free(h->item);
    *h = (struct history){ .count = 0 };
}
