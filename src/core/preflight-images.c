/*
 * Disks whose image at the destination is not there yet, or is too large.
 *
 * A destination's QEMU has a placeholder for an image that is to be made: a
 * node that keeps nothing.  A block device that is larger than the source is
 * used through a slice of the source's size.
 */
#include <assert.h>
#include <string.h>

#include "core/preflight-private.h"

enum { FILE_MAX_LEN = 200 };

static const struct qmp_disk *disk_of(const struct facts *f, enum side_id side,
                                      size_t i)
{
    return &f->side[side].disks.item[i];
}

static bool is_null(const struct qmp_disk *d)
{
    return str_starts(d->protocol ? d->protocol : "", "null-");
}

bool facts_is_placeholder(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = disk_of(f, SOURCE, i);

    return a->node_name && !is_null(a) && is_null(disk_of(f, DESTINATION, j));
}

/* --- what is to be made like the source's ----------------------------------- */

const char *image_format(const struct qmp_disk *d)
{
    static const char *const raw[] = { "raw", "file", "host_device", "luks" };

    if (str_is_among(d->driver, raw, ARRAY_LEN(raw))) {
        return "raw";
    }
    return str_equal(d->driver, "qcow2") ? "qcow2" : NULL;
}

char *image_options(const struct qmp_disk *d)
{
    CLEANUP(strv_done) struct strv words = { .count = 0 };
    char *all = xstrdup("");

    if (!str_equal(image_format(d), "qcow2")) {
        return all;
    }
    /* the source's word: another one could be more than one option */
    if (str_equal(d->compat, "0.10") || str_equal(d->compat, "1.1")) {
        strv_addf(&words, "compat=%s", d->compat);
    }
    if (d->cluster_size) {
        strv_addf(&words, "cluster_size=%llu",
                  (unsigned long long)d->cluster_size);
    }
    if (d->refcount_bits) {
        strv_addf(&words, "refcount_bits=%u", d->refcount_bits);
    }
    if (d->extended_l2) {
        strv_add(&words, "extended_l2=on");
    }
    for (size_t i = 0; i < words.count; i++) {
        char *longer = xasprintf("%s%s%s", all, i ? "," : "", words.item[i]);

        free_string(all);
        all = longer;
    }
    return all;
}

const char *disk_choice_file(const struct facts *f, const struct disk_choice *c)
{
    return c->making == MAKE_IMAGE && f->site
               ? f->site[c->source].path
               : disk_of(f, DESTINATION, c->destination)->filename;
}

/* --- where ---------------------------------------------------------------------- */

static const char *file_of(const struct qmp_disk *d)
{
    return str_equal(d->protocol, "file") && d->protocol_filename &&
                   d->protocol_filename[0] == '/'
               ? d->protocol_filename
               : NULL;
}

static size_t folder_len(const char *file)
{
    return (size_t)(strrchr(file, '/') - file) + 1;
}

/* Has the destination's operator put an image of this guest there? */
static bool destination_uses_folder_of(const struct facts *f, const char *file)
{
    const struct qmp_disks *disks = &f->side[DESTINATION].disks;
    size_t len = folder_len(file);

    for (size_t i = 0; i < disks->count; i++) {
        const char *there = file_of(&disks->item[i]);

        if (there && folder_len(there) == len && strncmp(there, file, len) == 0)
            return true;
    }
    return false;
}

char *image_place(const struct facts *f, size_t i, const char **ret_why)
{
    const struct plan *p = f->plan;
    const struct qmp_disk *d = disk_of(f, SOURCE, i);
    const char *file = file_of(d);

    for (size_t k = 0; k < p->create_ids.count; k++)
        if (disk_is_called(d, p->create_ids.item[k]))
            return xstrdup(p->create_paths.item[k]);
    if (!file)
        *ret_why = "the source's is no file whose name it could have";
    else if (!str_is_plain_name(file + folder_len(file), FILE_MAX_LEN, "._+-"))
        *ret_why = "the name of the source's file is not taken over, which "
                   "has other characters than A-Z a-z 0-9 . _ + -";
    else if (p->create_folder)
        return xasprintf("%s%s", p->create_folder, file + folder_len(file));
    else if (destination_uses_folder_of(f, file))
        return xstrdup(file);
    else
        *ret_why = "no folder was chosen, and in that of the source's "
                   "file the destination has no image yet";
    return NULL;
}

/* --- the placeholder ---------------------------------------------------------- */

static const char example[] = "-blockdev driver=null-co,node-name=NAME,"
                              "size=%llu,read-zeroes=on%s, and drive=NAME";

static void judge_node(const struct qmp_disk *a, const struct qmp_disk *b,
                       struct verdicts *v)
{
    const char *why = b->node_name[0] == '#' ? "it has no name"
                      : !is_null(b) || !str_starts(b->driver, "null-")
                          ? "it is not directly under the device"
                      : b->read_only && !a->read_only ? "it is read-only"
                      : a->read_only && !b->read_only
                          ? "it is writable, and the source's disk is not"
                      : b->virtual_size != a->virtual_size
                          ? "its size is another one"
                          : NULL;
    struct verdict *x;

    if (!why) {
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION,
                      "the placeholder of disk %s cannot be replaced: %s",
                      disk_label(a), why);
    if (b->virtual_size != a->virtual_size) {
        verdict_why(x, "it has %llu bytes, and the source's disk %llu",
                    (unsigned long long)b->virtual_size,
                    (unsigned long long)a->virtual_size);
    }
    verdict_fix(x, example, (unsigned long long)a->virtual_size,
                a->read_only ? ",read-only=on" : "");
}

static void judge_format(const struct qmp_disk *a, struct verdicts *v)
{
    struct verdict *x;

    if (image_format(a)) {
        return;
    }
    x = verdict_block(v, ABOUT_SOURCE,
                      "disk %s: no image of its format (%s) can be made",
                      disk_label(a), a->driver);
    verdict_fix(x, "make it by hand, and start the destination with it");
}

/* An overlay would need a backing file, which nobody makes. */
static void judge_overlay(const struct facts *f, const struct qmp_disk *a,
                          struct verdicts *v)
{
    struct verdict *x;

    if (!a->has_backing || f->plan->disks_sync != DISKS_SYNC_TOP) {
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION,
                      "disk %s: an image that is made has no backing file",
                      disk_label(a));
    verdict_fix(x, "make the overlay there by hand, or copy the whole disk, "
                   "with --disks-sync full");
}

/* Of the images up to the I-th on its file system. */
static void judge_room(const struct facts *f, size_t i, struct verdicts *v)
{
    const struct image_site *site = &f->site[i];
    uint64_t occupied = 0, size = 0;
    struct verdict *x;

    for (size_t k = 0; k <= i; k++) {
        if (f->site[k].path && f->site[k].file_system == site->file_system) {
            occupied += disk_of(f, SOURCE, k)->allocated;
            size += disk_of(f, SOURCE, k)->virtual_size;
        }
    }
    if (occupied > site->free_bytes) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "there is no room for disk %s at %s: %llu bytes are "
                          "needed, and %llu are free",
                          disk_label(disk_of(f, SOURCE, i)), site->path,
                          (unsigned long long)occupied,
                          (unsigned long long)site->free_bytes);
        verdict_fix(x, "name a folder with more room: --create-disks=%s=PATH",
                    disk_label(disk_of(f, SOURCE, i)));
    } else if (size > site->free_bytes) {
        x = verdict_warn(v, ABOUT_DESTINATION,
                         "disk %s may outgrow its room at %s: it can become "
                         "%llu bytes, and %llu are free",
                         disk_label(disk_of(f, SOURCE, i)), site->path,
                         (unsigned long long)size,
                         (unsigned long long)site->free_bytes);
        verdict_why(x, "a guest that fills it gets I/O errors");
    }
}

static bool is_path_of_an_earlier(const struct facts *f, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (f->site[k].path && str_equal(f->site[k].path, f->site[i].path)) {
            return true;
        }
    }
    return false;
}

static void judge_site(const struct facts *f, size_t i, struct verdicts *v)
{
    static const char *const whys[] = {
        [SITE_UNKNOWN] = "it could not be looked at",
        [SITE_TAKEN] = "that name is taken, and nothing is overwritten",
        [SITE_NO_FOLDER] = "its folder is not there, or is reached by the link "
                           "of another user",
        [SITE_CLOSED] = "its folder cannot be written to",
        [SITE_UNSEEN] = "whoever logs in cannot determine which file system "
                        "that QEMU sees",
        [SITE_FREE] = NULL,
    };
    const char *label = disk_label(disk_of(f, SOURCE, i));
    const struct image_site *site = &f->site[i];
    const char *why = site->path ? whys[site->state] : site->why;
    struct verdict *x;

    assert(site->path || why);
    if (!why && is_path_of_an_earlier(f, i)) {
        why = "another disk is to be made there";
    }
    if (!why) {
        judge_room(f, i, v);
        return;
    }
    x = verdict_block(v, ABOUT_DESTINATION, "disk %s cannot be made%s%s: %s",
                      label, site->path ? " at " : "",
                      site->path ? site->path : "", why);
    if (site->path) {
        verdict_fix(x, "give another path: --create-disks=%s=PATH", label);
    } else {
        verdict_fix(x,
                    "say where: --create-disks=%s=PATH, or "
                    "--create-disks=/FOLDER/ for all",
                    label);
    }
}

/* Whether the destination's host can make any. */
static bool judge_maker(const struct facts *f, const char *label,
                        struct verdicts *v)
{
    const struct image_maker *m = &f->maker;
    struct verdict *x;

    if (f->site_problem) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "the image of disk %s cannot be made: on the "
                          "destination's host no command can be run: %s",
                          label, f->site_problem);
        verdict_fix(x, "say how to reach it with --destination-host");
    } else if (!m->has_qemu_img) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "the image of disk %s cannot be made: the "
                          "destination's host has no qemu-img",
                          label);
        verdict_fix(x, "install it there (Debian: qemu-utils)");
    } else if (m->user != 0 && m->user != m->qemu_user) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "the image of disk %s cannot be made: the QEMU runs "
                          "as user %u, and user %u cannot give it a file",
                          label, m->qemu_user, m->user);
        verdict_fix(x, "log in as root or as that user: --destination-host");
    } else {
        return true;
    }
    return false;
}

void preflight_make_image(const struct facts *f, size_t i, size_t j,
                          struct verdicts *v)
{
    const struct qmp_disk *a = disk_of(f, SOURCE, i);
    struct verdict *x;

    if (!f->plan->create_disks) {
        x = verdict_block(v, ABOUT_DESTINATION,
                          "disk %s is only a placeholder at the destination "
                          "(%s)",
                          disk_label(a), disk_of(f, DESTINATION, j)->protocol);
        verdict_fix(x, "say --create-disks to have its image made, or start "
                       "the destination with one");
        return;
    }
    judge_node(a, disk_of(f, DESTINATION, j), v);
    judge_format(a, v);
    judge_overlay(f, a, v);
    if (judge_maker(f, disk_label(a), v)) {
        judge_site(f, i, v);
    }
}

void preflight_lone_placeholder(const struct facts *f, size_t i,
                                const char *reason, struct verdicts *v)
{
    struct verdict *x = verdict_block(
        v, ABOUT_DESTINATION,
        "disk %s is only a placeholder at the destination, and it is not "
        "copied: %s",
        disk_label(disk_of(f, SOURCE, i)), reason);

    verdict_why(x, "the guest would find nothing on it");
    verdict_fix(x, "start the destination with its image");
}

/* The operator's paths are for placeholders alone. */
void preflight_create_names(const struct facts *f, struct verdicts *v)
{
    const struct qmp_disks *disks = &f->side[SOURCE].disks;

    judge_names(f, "--create-disks", &f->plan->create_ids, v);
    for (size_t i = 0; i < disks->count; i++) {
        if (disk_is_among(&f->plan->create_ids, &disks->item[i]) &&
            !(f->site && f->site[i].path)) {
            struct verdict *x = verdict_block(
                v, ABOUT_DESTINATION,
                "--create-disks names %s, which is not a placeholder at the "
                "destination",
                disk_label(&disks->item[i]));

            verdict_fix(x, "leave it out, or start the destination with a "
                           "placeholder: see qmigrate-storage(7)");
        }
    }
}

/* --- slices --------------------------------------------------------------------- */

/* These ask for the size when the guest does; ide-hd knows that which it had
 * at its start. */
static bool device_asks_for_size(const struct facts *f,
                                 const struct qmp_disk *d)
{
    const struct qmp_machine *m = &f->side[DESTINATION].machine;

    for (size_t i = 0; i < m->device_count; i++) {
        const struct qmp_device *x = &m->device[i];

        if (d->qdev && x->type &&
            (str_equal(x->id, d->qdev) || str_equal(x->path, d->qdev))) {
            return str_starts(x->type, "virtio-blk-") ||
                   str_equal(x->type, "scsi-hd");
        }
    }
    return false;
}

bool facts_can_slice(const struct facts *f, size_t i, size_t j)
{
    const struct qmp_disk *a = disk_of(f, SOURCE, i);
    const struct qmp_disk *b = disk_of(f, DESTINATION, j);

    return b->virtual_size > a->virtual_size && a->virtual_size % 512 == 0 &&
           str_equal(b->protocol, "host_device") && b->node_name &&
           b->node_name[0] != '#' && !b->is_pflash && !b->read_only &&
           str_equal(image_format(b), "raw") && device_asks_for_size(f, b);
}
