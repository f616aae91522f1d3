/*
 * Typed commands: what the guest sees of its machine, so that two machines
 * can be compared before a guest moves from one into the other (QEMU.md 8).
 */
#ifndef QM_QMP_MACHINE_H
#define QM_QMP_MACHINE_H

#include "qmp/client.h"

/* One register of CPUID as the guest sees it (qom `feature-words`). */
struct qmp_feature_word {
    uint32_t eax, ecx;
    bool has_ecx;
    char reg[4]; /* "EAX" ... */
    uint32_t bits;
};

struct qmp_cpu {
    char *qom_path;
    char *type;     /* "Haswell-x86_64-cpu" */
    char *topology; /* "socket 0 core 1 thread 0", for comparing and printing */
};

struct qmp_device {
    char *path;    /* QOM path below /machine, "/machine/peripheral/vd0" */
    char *id;      /* or NULL */
    char *type;    /* "virtio-blk-pci" */
    char *address; /* "pci.0 05.0", "scsi0.0 0:1:0" ...; NULL: none to compare */
};

struct qmp_memory_device {
    char *id, *type;
    uint64_t size, address;
    int64_t slot, node;
};

struct qmp_memory_backend {
    char *id; /* or "" */
    uint64_t size;
    bool share;
};

struct qmp_machine {
    char *name; /* query-name, or NULL */
    char *uuid; /* NULL if it is all zeroes */
    char *type; /* "pc-q35-7.2-machine" */
    char *accelerator; /* "kvm" or "tcg" */
    uint64_t base_memory, plugged_memory; /* bytes */
    size_t cpu_count;
    struct qmp_cpu *cpu;
    size_t word_count; /* of the first CPU; 0 where the target has none */
    struct qmp_feature_word *word;
    struct strv cpu_properties; /* "family=6" ...: those equal on both sides */
    size_t device_count;
    struct qmp_device *device;
    size_t memory_device_count;
    struct qmp_memory_device *memory_device;
    size_t memory_backend_count;
    struct qmp_memory_backend *memory_backend;
};

/* Read all of it; a dozen queries, below 0.1 s.  -1 with ERR. */
int qmp_query_machine(struct qmp *q, struct qmp_machine *ret,
                      struct qm_error *err);
void qmp_machine_done(struct qmp_machine *m);

/* Is MACHINE_TYPE ("pc-q35-7.2-machine") among query-machines? 1, 0, -1. */
int qmp_has_machine_type(struct qmp *q, const char *machine_type,
                         struct qm_error *err);

/*
 * The name of a feature bit as QEMU's -cpu takes it, for messages; the
 * caller frees it: "CPUID 7.0 EBX bit 5" where no name is known.
 */
char *qmp_feature_bit_name(const struct qmp_feature_word *word, unsigned bit);

#endif
