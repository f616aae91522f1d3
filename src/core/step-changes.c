/*
 * The machines were compared before the disks were copied, which may be hours
 * ago.  Until the stream begins QEMU allows that devices are plugged and
 * unplugged, and tells nobody of the other side: one that was unplugged would
 * be there again at the destination, without a word.
 *
 * happy path   Nothing changed: looked at right before the destination opens
 *              its port.  Once the stream runs, from when on QEMU refuses
 *              device_add and device_del, what was unplugged in between was
 *              heard of.
 * what fails   A change, which the error names.  Before the port is open the
 *              destination goes on waiting.
 */
#include <stdlib.h>

#include "core/changes.h"
#include "core/migration-private.h"

static char *unplugged(const struct side *s)
{
    return xasprintf("device %s was unplugged", s->unplugged);
}

static char *find_change(struct migration *m, enum side_id side, bool hurry,
                         struct qm_error *err)
{
    CLEANUP(qmp_machine_done) struct qmp_machine now = { 0 };
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    const struct side_facts *f = &m->facts.side[side];
    struct side *s = &m->side[side];
    char *phrase;

    if (hurry) {
        return s->unplugged ? unplugged(s) : NULL;
    }
    if (qmp_query_device_list(s->qmp, &now, err) < 0) {
        return NULL;
    }
    /* Only now: its event came before the answer. */
    if (s->unplugged) {
        return unplugged(s);
    }
    phrase = changed_device(&f->machine, &now);
    if (phrase || side == DESTINATION) {
        return phrase;
    }
    if (qmp_query_disks(s->qmp, &s->features, &disks, err) < 0) {
        return NULL;
    }
    return changed_disk(&f->disks, &disks, m->id);
}

struct look {
    struct migration *m;
    bool hurry;
    char *phrase;
};

static int run_look(struct side *s, void *arg, struct qm_error *err)
{
    struct look *look = arg;

    look->phrase = find_change(look->m, s->id, look->hurry, err);
    return error_is_set(err) ? -1 : 0;
}

int machines_unchanged(struct migration *m, bool hurry, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &m->side[i];
        struct look look = { .m = m, .hurry = hurry };

        if (side_do(s, run_look, NULL, &look, err) < 0)
            return -1;
        if (look.phrase) {
            error_set(err, QM_ERR_GUEST,
                      "%s: its machine was changed meanwhile: %s", s->name,
                      look.phrase);
            error_hint(err, "make the destination's command line like the "
                            "source as it is now, and try again");
            free(look.phrase);
            return -1;
        }
    }
    return 0;
}
