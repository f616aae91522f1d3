/*
 * Typed commands: what the guest sees of its machine, so that two machines
 * can be compared before a guest moves from one into the other (QEMU.md 8).
 */
#ifndef QM_QMP_MACHINE_H
#define QM_QMP_MACHINE_H

#include "base/util.h"
#include "qmp/client.h"

/*
 * One register of CPUID as the guest sees it (qom `feature-words`).  The bits
 * that follow from the topology (ht, cmp-legacy) are always 0: newer QEMUs
 * show them here and 7.2 does not, though the guest has them on both.
 */
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

/*
 * A device that the command line or device_add made, or an onboard function of
 * the first PCI root bus.  Other onboard devices follow from the machine type,
 * and their order in QOM changes between versions: they are not here.
 *
 * The address is made of the parent bus and the place on it.  A bus has the
 * name of its device, or, if that has no id, the device's own address in
 * brackets: "pcie.0 05.0", "scsi0.0 0:1:0", "[pcie.0 05.0] nr 3", "xhci.0".
 * It never holds a bus number: the guest's firmware gives those.
 */
struct qmp_device {
    char *path;    /* "/machine/peripheral/vd0"; "" if it is onboard */
    char *id;      /* or NULL */
    char *type;    /* "virtio-blk-pci"; "PCI 8086:2922" if it is onboard */
    char *address; /* NULL: none to compare */
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
    char *file; /* its mem-path, which may be a folder; or NULL */
};

/* The lists have no order that means anything: QEMU's hash tables give it. */
struct qmp_machine {
    char *name;                           /* query-name, or NULL */
    char *uuid;                           /* NULL if it is all zeroes */
    char *type;                           /* "pc-q35-7.2-machine" */
    char *accelerator;                    /* "kvm" or "tcg" */
    uint64_t base_memory, plugged_memory; /* bytes */
    size_t max_cpus; /* with the places where none is plugged; 0 unknown */
    size_t cpu_count;
    struct qmp_cpu *cpu;
    size_t word_count; /* of the first CPU; 0 where the target has none */
    struct qmp_feature_word *word;
    /* "family=6" ...: what must be equal on both sides */
    struct strv cpu_properties;
    uint64_t tsc_hz; /* 0 unknown; a few ppm differ between equal hosts */
    size_t device_count;
    struct qmp_device *device;
    size_t memory_device_count;
    struct qmp_memory_device *memory_device;
    size_t memory_backend_count;
    struct qmp_memory_backend *memory_backend;
};

/*
 * Read all of it; a dozen queries and about three for each device, four at a
 * time: below 0.1 s.  -1 with ERR.
 */
int qmp_query_machine(struct qmp *q, struct qmp_machine *ret,
                      struct qm_error *err);
/*
 * The devices of -device and device_add alone, without addresses: two queries.
 * qmp_machine_done() frees it.
 */
int qmp_query_device_list(struct qmp *q, struct qmp_machine *ret,
                          struct qm_error *err);
/* Of DEVICE_DELETED: the id, else the QOM path; borrowed from E, may be NULL. */
const char *qmp_event_device(const struct qmp_event *e);
void qmp_machine_done(struct qmp_machine *m);
DEFINE_CLEANUP_DONE(struct qmp_machine, qmp_machine_done)

/* The guest's alone: *RET is the caller's to free, NULL if it has none. */
int qmp_query_uuid(struct qmp *q, char **ret, struct qm_error *err);

/*
 * The kernel's id of the thread that runs the first CPU: it belongs to the
 * QEMU that answers, whoever holds the other end of the socket.  -1 with ERR.
 */
int qmp_query_cpu_thread(struct qmp *q, struct qm_error *err);

/* Is MACHINE_TYPE ("pc-q35-7.2-machine") among query-machines? 1, 0, -1. */
int qmp_has_machine_type(struct qmp *q, const char *machine_type,
                         struct qm_error *err);

/*
 * The name of a feature bit as QEMU's -cpu takes it, for messages; the
 * caller frees it: "CPUID 7.0 EBX bit 5" where no name is known.
 */
char *qmp_feature_bit_name(const struct qmp_feature_word *word, unsigned bit);

#endif
