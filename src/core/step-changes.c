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
#include "core/changes.h"
#include "core/migration-private.h"

static int say(const struct side *s, const char *phrase, struct qm_error *err)
{
    error_set(err, QM_ERR_GUEST, "%s: its machine was changed meanwhile: %s",
              s->name, phrase);
    error_hint(err, "make the destination's command line like the source as "
                    "it is now, and try again");
    return -1;
}

static int look_at_events(const struct side *s, struct qm_error *err)
{
    CLEANUP_FREE char *phrase =
        s->unplugged ? xasprintf("device %s was unplugged", s->unplugged)
                     : NULL;

    return phrase ? say(s, phrase, err) : 0;
}

static int run_look(struct side *s, void *arg, struct qm_error *err)
{
    CLEANUP(qmp_machine_done) struct qmp_machine now = { 0 };
    CLEANUP(qmp_disks_done) struct qmp_disks disks = { 0 };
    CLEANUP_FREE char *device = NULL, *disk = NULL;
    const struct migration *m = arg;
    const struct side_facts *f = &m->facts.side[s->id];

    /* The events only then: they came before the answer. */
    if (qmp_query_device_list(s->qmp, &now, err) < 0 ||
        look_at_events(s, err) < 0) {
        return -1;
    }
    device = changed_device(&f->machine, &now);
    if (device) {
        return say(s, device, err);
    }
    if (s->id == DESTINATION) {
        return 0;
    }
    if (qmp_query_disks(s->qmp, &s->features, &disks, err) < 0) {
        return -1;
    }
    disk = changed_disk(&f->disks, &disks, m->id);
    return disk ? say(s, disk, err) : 0;
}

int machines_unchanged(struct migration *m, bool hurry, struct qm_error *err)
{
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &m->side[i];

        if (hurry ? look_at_events(s, err) < 0
                  : side_do(s, run_look, NULL, m, err) < 0)
            return -1;
    }
    return 0;
}
