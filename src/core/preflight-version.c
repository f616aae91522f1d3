/*
 * Versions of QEMU, and what is known to be wrong with some of them.
 */
#include "core/preflight-private.h"

#define VERSION(major, minor, micro)                                           \
    ((major)*1000000L + (minor)*1000L + (micro))

enum condition {
    ALWAYS,
    WITH_TLS,
    WITH_DISKS,
};

/*
 * Faults of released versions, [from, before).  Found in the stable trees'
 * history: io/channel-tls.c (7.2.2, 7.2.5), migration/migration.c (7.2.3),
 * monitor/qmp.c (7.2.9), migration/migration.c (7.2.10), blockdev-nbd.c and
 * CVE-2024-7409 (7.2.14); those of several channels are in channels.c.
 * A distribution may have fixed one without a new number.
 */
static const struct fault {
    enum side_id side;
    long from, before;
    enum condition condition;
    const char *what;
} faults[] = {
    { SOURCE, 0, VERSION(7, 2, 5), WITH_TLS,
      "a connection under TLS may not be cut off when its peer is silent" },
    { DESTINATION, 0, VERSION(7, 2, 5), WITH_TLS,
      "a connection under TLS may not be cut off when its peer is silent" },
    { SOURCE, 0, VERSION(7, 2, 3), ALWAYS,
      "a migration that fails at its very end leaves the disks unusable" },
    { SOURCE, 0, VERSION(7, 2, 9), ALWAYS,
      "a QMP command may run in the middle of another" },
    { DESTINATION, 0, VERSION(7, 2, 9), ALWAYS,
      "a QMP command may run in the middle of another" },
    { DESTINATION, 0, VERSION(7, 2, 10), ALWAYS,
      "it may crash when it is ended while a guest arrives" },
    { DESTINATION, 0, VERSION(7, 2, 14), WITH_DISKS,
      "it may crash when its NBD server stops (CVE-2024-7409)" },
};

static bool applies(const struct facts *f, const struct fault *fault)
{
    long version = version_number(&f->side[fault->side].version);

    if (version < fault->from || version >= fault->before) {
        return false;
    }
    switch (fault->condition) {
    case ALWAYS:
        return true;
    case WITH_TLS:
        return !f->plan->insecure;
    case WITH_DISKS:
        return facts_copy_disks(f);
    }
    return false;
}

static void judge_faults(const struct facts *f, struct verdicts *v)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        const struct qmp_version *q = &f->side[faults[i].side].version;
        struct verdict *w;

        if (!applies(f, &faults[i])) {
            continue;
        }
        w = verdict_warn(v, verdict_about(faults[i].side),
                         "the %s's QEMU %d.%d.%d has a known fault",
                         side_name(faults[i].side), q->major, q->minor,
                         q->micro);
        verdict_why(w, "%s", faults[i].what);
        verdict_fix(w, "a QEMU of %ld.%ld.%ld or later has it repaired",
                    faults[i].before / 1000000, faults[i].before / 1000 % 1000,
                    faults[i].before % 1000);
    }
}

/* The mirror's start-up fault of 8.2 to 10.0.12, 10.1, 10.2.0 and 10.2.1
 * ("mirror: Fix missed dirty bitmap writes during startup"). */
static bool mirror_loses_writes(long version)
{
    return version >= VERSION(8, 2, 0) && version < VERSION(10, 2, 2) &&
           !(version >= VERSION(10, 0, 13) && version < VERSION(10, 1, 0));
}

bool preflight_mirror_loses_writes(const struct side_facts *source)
{
    return mirror_loses_writes(version_number(&source->version));
}

bool preflight_may_discard(const struct side_facts *source,
                           const struct qmp_disk *disk)
{
    return disk->read_only ||
           (str_equal(disk->driver, "raw") && !disk->has_backing) ||
           !mirror_loses_writes(version_number(&source->version));
}

static void judge_mirror(const struct facts *f, struct verdicts *v)
{
    const struct side_facts *s = &f->side[SOURCE];
    CLEANUP(disk_choices_done) struct disk_choices c = { .count = 0 };

    if (!mirror_loses_writes(version_number(&s->version))) {
        return;
    }
    preflight_choose_disks(f, &c, NULL);
    for (size_t i = 0; i < c.count; i++) {
        const struct qmp_disk *disk = &s->disks.item[c.item[i].source];

        const char *there;

        if (!c.item[i].copy || preflight_may_discard(s, disk)) {
            continue;
        }
        there = f->side[DESTINATION].disks.item[c.item[i].destination].driver;
        verdict_ok(v, ABOUT_SOURCE,
                   "disk %s is copied without discard: a mirror of this "
                   "QEMU's would lose writes with it%s",
                   disk_label(disk),
                   str_equal(there, "raw")
                       ? ", and the raw copy is as large as the disk until "
                         "the guest trims it"
                       : "; its holes stay holes all the same");
    }
}

void preflight_versions(const struct facts *f, struct verdicts *v)
{
    const struct qmp_version *s = &f->side[SOURCE].version;
    const struct qmp_version *d = &f->side[DESTINATION].version;

    for (int side = 0; side < SIDES; side++) {
        const struct qmp_version *q = &f->side[side].version;

        if (version_number(q) < VERSION(7, 2, 0)) {
            struct verdict *b = verdict_block(
                v, verdict_about((enum side_id)side),
                "the %s's QEMU is %d.%d.%d", side_name((enum side_id)side),
                q->major, q->minor, q->micro);

            verdict_why(b, "nothing before 7.2.0 was ever tried");
        }
    }
    judge_faults(f, v);
    judge_mirror(f, v);
    if (s->major > d->major || (s->major == d->major && s->minor > d->minor)) {
        struct verdict *w = verdict_warn(
            v, ABOUT_BOTH,
            "the guest goes to an older QEMU: %d.%d.%d to "
            "%d.%d.%d",
            s->major, s->minor, s->micro, d->major, d->minor, d->micro);

        verdict_why(w, "QEMU may refuse it while loading; the guest then "
                       "stays at the source");
    } else {
        verdict_ok(v, ABOUT_BOTH, "QEMU %d.%d.%d to QEMU %d.%d.%d", s->major,
                   s->minor, s->micro, d->major, d->minor, d->micro);
    }
}
