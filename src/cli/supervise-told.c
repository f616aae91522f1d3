/*
 * The pipe between an engine and its supervisor: "name NAME ID" before there
 * is a journal, "leave" when the engine goes to the background, a line each.
 */
#include "cli/supervise-told.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/supervise.h"

#define NAME_WORD "name "
#define LEAVE_WORD "leave"

/* --- the engine's end --------------------------------------------------------- */

/* A supervisor that was killed reads no more: its loss. */
static void tell(int fd, const char *line)
{
    while (fd >= 0 && write(fd, line, strlen(line)) < 0 && errno == EINTR)
        continue;
}

void supervise_name(int fd, const char *name, const char *id)
{
    CLEANUP_FREE char *line = xasprintf(NAME_WORD "%s %s\n", name, id);

    tell(fd, line);
}

void supervise_leave(int fd)
{
    tell(fd, LEAVE_WORD "\n");
}

/* --- the supervisor's end ------------------------------------------------------ */

static void take_name(struct told *t, const char *words)
{
    const char *blank = strchr(words, ' ');

    if (!blank)
        return;
    free_string(t->name);
    t->name = xstrndup(words, (size_t)(blank - words));
    str_replace(&t->id, blank + 1);
}

static void take_lines(struct told *t)
{
    char *end;

    while ((end = memchr(t->text, '\n', t->len))) {
        size_t len = (size_t)(end - t->text) + 1;

        *end = '\0';
        if (str_starts(t->text, NAME_WORD))
            take_name(t, t->text + strlen(NAME_WORD));
        t->leaves |= str_equal(t->text, LEAVE_WORD);
        t->len -= len;
        memmove(t->text, t->text + len, t->len);
    }
}

void told_hear(struct told *t)
{
    while (t->fd >= 0) {
        ssize_t n = read(t->fd, t->text + t->len, sizeof(t->text) - t->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_fd(t->fd);
            t->fd = -1;
            return;
        }
        t->len += (size_t)n;
        take_lines(t);
    }
}

void told_done(struct told *t)
{
    close_fd(t->fd);
    free_string(t->name);
    free_string(t->id);
}
