/*
 * Facts of a guest that may move: two equal QEMUs on two hosts, one disk, TLS.
 * Tests spoil one thing at a time and read the verdicts as text.
 */
#ifndef QM_TESTS_GOOD_FACTS_H
#define QM_TESTS_GOOD_FACTS_H

#include "core/preflight.h"

/* Strings of facts are the test's own and not freed. */
#define T(text) ((char *)(text))

struct good_facts {
    struct plan plan;
    struct facts f;
    struct qmp_cpu cpu[SIDES][2];
    struct qmp_feature_word word[SIDES][2];
    char *property[SIDES][3];
    struct qmp_device device[SIDES][4];
    struct qmp_memory_device dimm[SIDES][1];
    struct qmp_memory_backend backend[SIDES][1];
    struct qmp_disk disk[SIDES][4];
    struct qmp_part part[SIDES][4][4];
    struct file_identity file[SIDES][4];
    struct qmp_part loose;
    struct file_identity part_file[16];
    struct file_identity part_files[SIDES][16];
    struct file_identity base[SIDES][2]; /* see good_facts_back() */
    struct file_digest digest[SIDES][4];
    enum host_mark mark[16 * 16];
    struct qmp_job job[1];
    struct tls_finding finding[1];
};

void good_facts_init(struct good_facts *g);
/* Disk I of both sides is an image, and stands on nothing else. */
void good_facts_stand(struct good_facts *g, size_t i);
/* The first disk, the only one, has a backing file on that side, of its own:
 * base is what it is. */
void good_facts_back(struct good_facts *g, enum side_id side);

#define SRC (&g->f.side[SOURCE])
#define DST (&g->f.side[DESTINATION])

/* A list with one string, at ITEM. */
struct strv one_string(char **item);

/*
 * The verdicts that are at least as grave as LEVEL, a line each:
 * "blocker both machine-type: WHAT | WHY | FIX", without what is NULL; the
 * caller frees it.
 */
char *verdicts_as_text(const struct verdicts *v, enum verdict_level level);

#endif
