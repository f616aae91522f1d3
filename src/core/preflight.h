/*
 * From facts to verdicts; no I/O, no clock.
 */
#ifndef QM_CORE_PREFLIGHT_H
#define QM_CORE_PREFLIGHT_H

#include "core/channels.h"
#include "core/facts.h"

enum verdict_level { VERDICT_OK, VERDICT_WARNING, VERDICT_BLOCKER };

/* whom it is about */
enum verdict_side { ABOUT_SOURCE, ABOUT_DESTINATION, ABOUT_BOTH };

struct verdict {
    const char *id; /* "machine-type": stable, for scripts; static storage */
    enum verdict_side side;
    enum verdict_level level;
    char *what; /* "machine type pc-q35-7.2 on both sides" */
    char *why;  /* WARNING, BLOCKER: what would happen otherwise; or NULL */
    char *fix;  /* what to do, as a command where there is one; or NULL */
};

struct verdicts {
    size_t count;
    struct verdict *item;
};

/* Every check of the table, in the table's order; at least one verdict each
 * that applies. */
void preflight_judge(const struct facts *f, struct verdicts *ret);
void verdicts_done(struct verdicts *v);
DEFINE_CLEANUP_DONE(struct verdicts, verdicts_done)
size_t verdicts_count(const struct verdicts *v, enum verdict_level level);
/* A REFUSED error from the blockers: the first one's words and fix, and how
 * many more there are.  -1; 0 if there is no blocker. */
int verdicts_to_error(const struct verdicts *v, struct qm_error *err);

/* Do the hosts have a say in the number of channels? */
bool channels_are_chosen(const struct facts *f);
/* The channels of the RAM: those asked for, or chosen. */
struct channels preflight_channels(const struct facts *f);

/* --- the choice of disks -------------------------------------------------- */

/* What is done with one disk of the source: copied; left since both sides use
 * it; left for another reason; or nobody knows, and nothing may be begun. */
#define DISK_VERDICTS(X)                                                       \
    X(COPY, "copy")                                                            \
    X(SHARED, "shared")                                                        \
    X(LEAVE, "leave")                                                          \
    X(REFUSE, "refuse")
enum disk_verdict {
#define X(id, word) DISK_##id,
    DISK_VERDICTS(X)
#undef X
};
const char *disk_verdict_word(enum disk_verdict verdict); /* "copy" */

/* What the destination's node of a copied disk has to become first. */
enum disk_making {
    MAKE_NOTHING,
    MAKE_IMAGE, /* a new image in the place of a placeholder */
    MAKE_SLICE  /* as many bytes of its block device as the source has */
};

struct disk_choice {
    size_t source;      /* index into the source's disks */
    size_t destination; /* index into the destination's; valid if copied */
    enum disk_verdict verdict;
    bool copy; /* verdict is DISK_COPY */
    bool top;  /* copied: its overlay alone */
    enum disk_making making;
    char *reason; /* "writable, local to each host", "read-only" */
};
struct disk_choices {
    size_t count;
    struct disk_choice *item;
};
/*
 * Which disks are copied and where to: a verdict a disk.  Disks are matched by
 * their devices.  What forbids the migration is added to VERDICTS
 * (may be NULL): no counterpart, unequal virtual sizes (both numbers),
 * read-only at the destination, one image on both sides that is to be copied,
 * a disk of which nobody can tell whether it is shared, an ID of --disks or
 * --shared that is no disk, pflash or an empty tray asked for.
 */
void preflight_choose_disks(const struct facts *f, struct disk_choices *ret,
                            struct verdicts *verdicts);
/* The file of the destination of one that is copied: it may be made first; or
 * NULL. */
const char *disk_choice_file(const struct facts *f,
                             const struct disk_choice *c);
void disk_choices_done(struct disk_choices *c);
DEFINE_CLEANUP_DONE(struct disk_choices, disk_choices_done)
/*
 * May the mirror's target be opened with discard=unmap, so that holes stay
 * holes?  Not where the source's QEMU loses writes during the start of such a
 * mirror: 8.2 to 10.0.12, 10.1, 10.2.0 and 10.2.1, for what is not raw or has
 * a backing chain (QEMU.md 6.10), and is written at all.
 */
bool preflight_may_discard(const struct side_facts *source,
                           const struct qmp_disk *disk);
/* Does a mirror of the source's QEMU lose what a running guest writes while it
 * starts, if it looks for what is allocated (QEMU.md 6.10)? */
bool preflight_mirror_loses_writes(const struct side_facts *source);
/*
 * The value of SIDE's block-bitmap-mapping, with which the dirty bitmaps of the
 * disks that move, or are shared, travel along; NULL if there are none, or none
 * that can.  The caller frees it.
 */
char *preflight_bitmap_mapping(const struct facts *f, enum side_id side);
/* Added to RET: the dirty bitmaps that the image of C's counterpart keeps from
 * before, under names of those that travel to it.  They are in the way. */
void disk_choice_old_bitmaps(const struct facts *f, const struct disk_choice *c,
                             struct strv *ret);
/* The format of an image that is to be like D's: "raw" or "qcow2", NULL if none
 * can be made; and qemu-img's -o for it, maybe "": the caller frees it. */
const char *image_format(const struct qmp_disk *d);
char *image_options(const struct qmp_disk *d);
/* Where the image of the source's disk I is to be made, which the operator of
 * the plan or of the destination has chosen: of the source's words only the
 * file's name is taken, if it is harmless.  The caller frees it.  NULL with
 * *RET_WHY, a phrase: nobody has chosen. */
char *image_place(const struct facts *f, size_t i, const char **ret_why);
/* The internal snapshots that stay behind with C's disk, "NAME, NAME"; NULL if
 * there are none.  The caller frees it. */
char *disk_choice_snapshots(const struct facts *f, const struct disk_choice *c);
/* What becomes of the encryption at rest of what C moves: "kept", "lost", or
 * "gained"; NULL: there is none. */
#define ENCRYPTION_KEPT "kept"
#define ENCRYPTION_LOST "lost"
#define ENCRYPTION_GAINED "gained"
const char *disk_choice_encryption(const struct facts *f,
                                   const struct disk_choice *c);
/* Does it lie on a file or block device of its host? */
bool disk_is_on_host(const struct qmp_disk *d);
/* What people call a disk: its qdev id, else its node name. */
const char *disk_label(const struct qmp_disk *disk);

#endif
