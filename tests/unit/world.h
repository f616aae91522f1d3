/*
 * A small world of hosts, file systems, devices and servers, for
 * test-core-world.c alone: what there is, and what is told of it.
 */
#define THINGS 14
#define DISKS 3
#define PARTS 4
#define GROUP "LVM-0123456789abcdef0123456789abcdef"

static uint64_t seed, state_of_chance;

static unsigned chance(unsigned below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (unsigned)((state_of_chance >> 20) % below);
}

static bool happens(unsigned percent)
{
    return chance(100) < percent;
}

/* --- what there is ---------------------------------------------------------- */

enum kind {
    LOCAL_FILE,
    SHARED_FILE, /* of a network file system */
    FUSE_FILE,   /* the same, with inode numbers of each mount's own */
    BUILT_IN,    /* a partition of a disk built into the machine */
    VOLUME,      /* on such a disk */
    LUN,         /* of a target; perhaps something else, exported */
    VIRTUAL,     /* a disk of a virtual machine: likewise */
    EXPORT,      /* by nbd: likewise */
    KINDS
};

/* Bytes AT to AT + LEN of STORE are in it. */
struct thing {
    enum kind kind;
    int machine; /* where it is; -1: wherever */
    unsigned store, number, folder, inode, links;
    uint64_t at, len;
};

struct world {
    bool one_machine, machines_known;
    size_t count;
    struct thing thing[THINGS];
    bool closed[SIDES][4]; /* folders in which a side can make no mark */
};

static bool is_file(enum kind k)
{
    return k <= FUSE_FILE;
}

static bool is_everywhere(enum kind k)
{
    return k == SHARED_FILE || k == FUSE_FILE || k >= LUN;
}

static int machine_of(const struct world *w, enum side_id side)
{
    return w->one_machine ? 0 : (int)side;
}

/* A name of its own, or a further one, of new bytes or of another thing's. */
static struct thing new_thing(const struct world *w, unsigned n)
{
    struct thing t = { .kind = (enum kind)chance(happens(60) ? 1 : KINDS),
                       .machine = w->one_machine ? 0 : (int)chance(2),
                       .store = n,
                       .number = n,
                       .folder = chance(3),
                       .inode = is_file(t.kind) ? 10 + n : 0,
                       .links = 1,
                       .len = 256 };

    if (is_everywhere(t.kind)) {
        t.machine = -1;
    }
    return t;
}

/* What T is made of, by its host or server. */
static void export_thing(const struct world *w, struct thing *t)
{
    const struct thing *of = &w->thing[chance((unsigned)w->count)];

    if (t->kind >= LUN && happens(50)) {
        t->store = of->store;
        t->at = of->at;
        t->len = of->len;
    }
}

static void link_thing(struct world *w, struct thing *t)
{
    struct thing *of = &w->thing[chance((unsigned)w->count)];

    if (of->kind == t->kind && is_file(t->kind) && of->kind != LOCAL_FILE &&
        happens(50)) {
        t->store = of->store;
        t->inode = of->inode;
        t->links = of->links = 2;
    }
}

static void make_world(struct world *w)
{
    *w = (struct world){ .one_machine = happens(50),
                         .machines_known = happens(90) };
    for (unsigned n = 0; n < THINGS; n++) {
        struct thing t = new_thing(w, n);

        if (w->count) {
            export_thing(w, &t);
            link_thing(w, &t);
        }
        w->thing[w->count++] = t;
    }
    for (int side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < ARRAY_LEN(w->closed[side]); i++) {
            w->closed[side][i] = happens(20);
        }
    }
}

/* --- what is told of it ----------------------------------------------------- */

/* A thing that a side has open, and how. */
struct use {
    const struct thing *thing;
    uint64_t start, end;
    unsigned loop; /* by a loop device that begins there; 0: not */
    bool alone;    /* mounted by itself, elsewhere */
    bool is_written;
    char name[32];
};

static void tell_file(const struct world *w, enum side_id side,
                      const struct use *u, struct file_identity *f)
{
    static const char *const local[] = { "xfs", "ext2/ext3", "btrfs", "tmpfs" };
    static const char *const shared[] = { "nfs", "fuseblk" };
    const struct thing *t = u->thing;
    bool is_local = t->kind == LOCAL_FILE;

    f->device =
        is_local ? 100 + t->folder : (w->one_machine ? 300 + side : 200);
    f->inode = t->kind == FUSE_FILE ? 1 + chance(20) : t->inode;
    f->links = t->links;
    f->offset = u->loop;
    f->folder_device = f->device;
    f->folder_inode = 1 + t->folder;
    f->mounted = u->alone ? MOUNTED_ALONE : MOUNTED_WITH_FOLDER;
    snprintf(f->name, sizeof(f->name), "file%u", u->alone ? 99 : t->number);
    snprintf(f->fs_type, sizeof(f->fs_type), "%s",
             is_local ? local[t->folder] : shared[t->kind == FUSE_FILE]);
    if (is_local && t->folder < 2) {
        snprintf(f->block_id, sizeof(f->block_id), "hw:naa.5%d~local",
                 machine_of(w, side));
        f->partition = 1;
        f->partition_start = 0;
        f->partition_size = 1000;
    }
}

static void tell_device(const struct world *w, enum side_id side,
                        const struct thing *t, struct file_identity *f)
{
    f->is_block_device = true;
    f->device = 1000 + t->number * 10 + (happens(30) ? chance(3) : 0);
    switch (t->kind) {
    case BUILT_IN:
        snprintf(f->block_id, sizeof(f->block_id), "hw:naa.5%d~local",
                 machine_of(w, side));
        f->device = 1000 + t->number * 10;
        f->partition = 2 + t->number;
        f->partition_start = 1000 + 1000 * t->number;
        f->partition_size = 1000;
        break;
    case VOLUME:
        snprintf(f->block_id, sizeof(f->block_id),
                 "dm:" GROUP "%d%u hw:naa.6%d~local", t->machine, t->number,
                 t->machine);
        break;
    case LUN:
        snprintf(f->block_id, sizeof(f->block_id), "hw:naa.7%u~iqn.%u",
                 t->number, t->number);
        break;
    default:
        snprintf(f->block_id, sizeof(f->block_id),
                 t->number % 2 ? "weak:disk%u" : "here:8:%u",
                 t->number % 2 ? t->folder : t->number);
        break;
    }
}

static void tell(const struct world *w, enum side_id side, struct use *u,
                 struct qmp_part *part, struct file_identity *f)
{
    const struct thing *t = u->thing;

    *f = (struct file_identity){ .known = happens(97) };
    snprintf(u->name, sizeof(u->name),
             t->kind == EXPORT ? "nbd://10.0.0.%u/x" : "/images/%u",
             t->number % 4);
    part->driver = T(t->kind == EXPORT  ? "nbd"
                     : is_file(t->kind) ? "file"
                                        : "host_device");
    part->filename = u->name;
    part->start = u->start;
    part->end = u->end;
    part->is_written = u->is_written;
    part->role = "image";
    if (is_file(t->kind)) {
        tell_file(w, side, u, f);
    } else if (t->kind != EXPORT) {
        tell_device(w, side, t, f);
    } else {
        f->known = false;
    }
}

/* A mark beside one is seen beside the other if that is the same folder. */
static enum host_mark mark_of(const struct world *w, const struct use *a,
                              const struct use *b)
{
    bool one = a->thing->kind == b->thing->kind &&
               a->thing->folder == b->thing->folder &&
               a->thing->kind != LOCAL_FILE;
    unsigned x = a->alone ? 3 : a->thing->folder;
    unsigned y = b->alone ? 3 : b->thing->folder;

    if (w->closed[SOURCE][x] && w->closed[DESTINATION][y]) {
        return MARK_FAILED;
    }
    return (one && x == y) || (x == 3 && y == 3) ? MARK_DONE : MARK_UNSEEN;
}
