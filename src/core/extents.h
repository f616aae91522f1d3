/*
 * Bytes of a file, block device or network image of one side, and whether they
 * are bytes of the other side too.  Pure.
 */
#ifndef QM_CORE_EXTENTS_H
#define QM_CORE_EXTENTS_H

#include "core/facts.h"

/*
 * SAME: one object, and both begin at one byte of it.  OTHERWISE: one object,
 * of which both use some bytes, but not in the same way.  PERHAPS: so likely
 * one that no operator's word may have it copied.  DIFFERENT: proved to have no
 * byte in common.
 */
enum storage_relation {
    STORAGE_UNKNOWN,
    STORAGE_PERHAPS,
    STORAGE_OTHERWISE,
    STORAGE_SAME,
    STORAGE_DIFFERENT
};
struct storage {
    enum storage_relation relation;
    const char *reason; /* static storage */
};

struct extent {
    const char *driver, *filename;    /* of the protocol node */
    const struct file_identity *file; /* NULL: not known */
    bool is_replaced;    /* its name leads to a file that QEMU has not open */
    uint64_t start, end; /* as in struct qmp_part */
};

/* What is known of the two hosts; alike for all extents. */
enum hosts { HOSTS_UNKNOWN, HOSTS_ONE, HOSTS_TWO };

/* MARK: what became of one beside A, looked for beside B, or the other way
 * round. */
struct storage extents_compare(enum hosts hosts, enum host_mark mark,
                               const struct extent *a, const struct extent *b);
/* Would a mark tell? */
bool extents_need_mark(enum hosts hosts, const struct extent *a,
                       const struct extent *b);
/* Is it a file or block device of its host? */
bool extent_is_on_host(const char *driver);

/* network-names.c: what a name of a network image means. */
enum name_reach {
    NAME_NEAR,      /* something near that host: a socket, localhost */
    NAME_AMBIGUOUS, /* depends on the host's network or its configuration */
    NAME_GLOBAL     /* one server, wherever it is said */
};
enum name_reach network_name_reach(const char *driver, const char *name);

/* block-ids.c: of two block_ids (see host.h) */
enum blocks_relation {
    BLOCKS_UNKNOWN,
    BLOCKS_EQUAL,
    BLOCKS_OVERLAP, /* the same hardware, not in the same way */
    BLOCKS_APART
};
enum blocks_relation block_ids_compare(const char *a, const char *b,
                                       bool one_machine);
/* Is all of it hardware of that very machine, which no other host can offer? */
bool block_id_is_local(const char *id);

#endif
