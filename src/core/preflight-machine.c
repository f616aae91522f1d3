/*
 * The machine that the guest sees: type, memory and processors must be the
 * same on both sides, or the stream cannot be loaded.
 */
#include <string.h>

#include "core/preflight-private.h"

static const struct qmp_machine *machine(const struct facts *f,
                                         enum side_id side)
{
    return &f->side[side].machine;
}

/* "pc-q35-7.2-machine" as -machine takes it; the caller frees it. */
static char *short_type(const char *type)
{
    static const char suffix[] = "-machine";
    size_t len = type ? strlen(type) : 0;

    if (!type) {
        return xstrdup("(unknown)");
    }
    return str_ends(type, suffix) ? xstrndup(type, len - strlen(suffix))
                                  : xstrdup(type);
}

void preflight_machine_type(const struct facts *f, struct verdicts *v)
{
    CLEANUP_FREE char *s = short_type(machine(f, SOURCE)->type);
    CLEANUP_FREE char *d = short_type(machine(f, DESTINATION)->type);
    struct verdict *b;

    if (str_equal(s, d)) {
        verdict_ok(v, ABOUT_BOTH, "machine type %s on both sides", s);
        return;
    }
    b = verdict_block(v, ABOUT_BOTH,
                      "the machine type is %s at the source and %s at the "
                      "destination",
                      s, d);
    if (f->side[DESTINATION].has_machine_type) {
        verdict_fix(b, "start the destination with -machine %s", s);
    } else {
        verdict_why(b, "the destination's QEMU does not know %s", s);
        verdict_fix(b, "use a QEMU at the destination that knows it");
    }
}

void preflight_accelerator(const struct facts *f, struct verdicts *v)
{
    const char *s = machine(f, SOURCE)->accelerator;
    const char *d = machine(f, DESTINATION)->accelerator;
    struct verdict *b;

    if (str_equal(s, d)) {
        verdict_ok(v, ABOUT_BOTH, "accelerator %s on both sides", s ? s : "?");
        return;
    }
    b = verdict_block(v, ABOUT_BOTH,
                      "the accelerator is %s at the source and %s at the "
                      "destination",
                      s ? s : "unknown", d ? d : "unknown");
    verdict_why(b, "their interrupt controllers and clocks differ");
    verdict_fix(b, "start the destination with -accel %s", s ? s : "...");
}

void preflight_uuid(const struct facts *f, struct verdicts *v)
{
    const char *s = machine(f, SOURCE)->uuid;
    const char *d = machine(f, DESTINATION)->uuid;
    struct verdict *b;

    if (!s || !d) {
        verdict_ok(v, ABOUT_BOTH, "no UUID to compare");
        return;
    }
    if (strcasecmp(s, d) == 0) {
        verdict_ok(v, ABOUT_BOTH, "UUID %s on both sides", s);
        return;
    }
    b = verdict_block(v, ABOUT_BOTH,
                      "the UUID is %s at the source and %s at the destination",
                      s, d);
    verdict_why(b, "the destination was made for another guest");
    verdict_fix(b, "start the destination with -uuid %s", s);
}

void preflight_ram_size(const struct facts *f, struct verdicts *v)
{
    const struct qmp_machine *s = machine(f, SOURCE);
    const struct qmp_machine *d = machine(f, DESTINATION);
    const struct {
        const char *name;
        uint64_t source, destination;
    } sizes[] = {
        { "RAM", s->base_memory, d->base_memory },
        { "hot-plugged RAM", s->plugged_memory, d->plugged_memory },
    };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP_FREE char *a = size_in_words(sizes[i].source);
        CLEANUP_FREE char *b = size_in_words(sizes[i].destination);

        if (sizes[i].source != sizes[i].destination) {
            struct verdict *x = verdict_block(
                v, ABOUT_BOTH,
                "%s is %s at the source and %s at the destination",
                sizes[i].name, a, b);

            verdict_fix(x, "give the destination the source's -m%s",
                        i == 0 ? "" : " and its hot-plugged DIMMs");
        } else if (i == 0) {
            verdict_ok(v, ABOUT_BOTH, "%s of RAM on both sides", a);
        }
    }
}

void preflight_cpu_topology(const struct facts *f, struct verdicts *v)
{
    const struct qmp_machine *s = machine(f, SOURCE);
    const struct qmp_machine *d = machine(f, DESTINATION);
    struct verdict *b;

    if (s->cpu_count != d->cpu_count) {
        b = verdict_block(v, ABOUT_BOTH,
                          "the guest has %zu CPUs at the source and %zu at the "
                          "destination",
                          s->cpu_count, d->cpu_count);
        verdict_fix(b, "give the destination the source's -smp, and every "
                       "hot-plugged CPU as a -device");
        return;
    }
    for (size_t i = 0; i < s->cpu_count; i++) {
        if (!str_equal(s->cpu[i].topology, d->cpu[i].topology)) {
            b = verdict_block(v, ABOUT_BOTH,
                              "CPU %zu is %s at the source and %s at the "
                              "destination",
                              i, s->cpu[i].topology, d->cpu[i].topology);
            verdict_fix(b, "give the destination the source's -smp");
            return;
        }
    }
    verdict_ok(v, ABOUT_BOTH, "%zu %s, placed alike on both sides",
               s->cpu_count, s->cpu_count == 1 ? "CPU" : "CPUs");
}

/* --- memory devices ------------------------------------------------------------- */

static char *describe_dimm(const struct qmp_memory_device *m)
{
    CLEANUP_FREE char *size = size_in_words(m->size);

    return xasprintf("%s, %s at 0x%llx, slot %lld, node %lld", m->type, size,
                     (unsigned long long)m->address, (long long)m->slot,
                     (long long)m->node);
}

static const struct qmp_memory_device *find_dimm(const struct qmp_machine *m,
                                                 const char *id)
{
    for (size_t i = 0; i < m->memory_device_count; i++) {
        if (str_equal(m->memory_device[i].id, id)) {
            return &m->memory_device[i];
        }
    }
    return NULL;
}

/* What ONE has and the other lacks, or has otherwise. */
static void compare_dimms(const struct facts *f, enum side_id one,
                          struct verdicts *v)
{
    enum side_id other = one == SOURCE ? DESTINATION : SOURCE;
    const struct qmp_machine *m = machine(f, one);

    for (size_t i = 0; i < m->memory_device_count; i++) {
        const struct qmp_memory_device *a = &m->memory_device[i];
        const struct qmp_memory_device *b = find_dimm(machine(f, other), a->id);
        CLEANUP_FREE char *da = describe_dimm(a);
        CLEANUP_FREE char *db = b ? describe_dimm(b) : NULL;

        if (!b) {
            verdict_block(v, verdict_about(other),
                          "memory device %s (%s) of the %s is not at the %s",
                          a->id ? a->id : "without id", da, side_name(one),
                          side_name(other));
        } else if (one == SOURCE && !str_equal(da, db)) {
            verdict_block(v, ABOUT_BOTH,
                          "memory device %s is %s at the source and %s at the "
                          "destination",
                          a->id ? a->id : "without id", da, db);
        }
    }
}

/* Neither what it holds nor its queues are in the stream (up to 11.1). */
static void refuse_pmem(const struct facts *f, enum side_id side,
                        struct verdicts *v)
{
    const struct qmp_machine *m = machine(f, side);

    for (size_t i = 0; i < m->memory_device_count; i++) {
        const struct qmp_memory_device *d = &m->memory_device[i];
        struct verdict *x;

        if (!str_starts(d->type, "virtio-pmem")) {
            continue;
        }
        x = verdict_block(v, verdict_about(side),
                          "memory device %s of the %s is a virtio-pmem",
                          d->id ? d->id : "without id", side_name(side));
        verdict_why(x, "QEMU moves neither its content nor its state, and the "
                       "guest would wake up on other content");
        verdict_fix(x, "unplug it (device_del), or use an nvdimm, which moves");
    }
}

void preflight_memory_devices(const struct facts *f, struct verdicts *v)
{
    size_t before = v->count;

    refuse_pmem(f, SOURCE, v);
    compare_dimms(f, SOURCE, v);
    compare_dimms(f, DESTINATION, v);
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH, "memory devices are the same on both sides");
    }
}

/* --- memory backends: the blocks of RAM in the stream ------------------------------ */

static const struct qmp_memory_backend *find_backend(
    const struct qmp_machine *m, const char *id)
{
    for (size_t i = 0; i < m->memory_backend_count; i++) {
        if (str_equal(m->memory_backend[i].id, id)) {
            return &m->memory_backend[i];
        }
    }
    return NULL;
}

static void compare_backends(const struct facts *f, enum side_id one,
                             struct verdicts *v)
{
    enum side_id other = one == SOURCE ? DESTINATION : SOURCE;
    const struct qmp_machine *m = machine(f, one);

    for (size_t i = 0; i < m->memory_backend_count; i++) {
        const struct qmp_memory_backend *a = &m->memory_backend[i];
        const struct qmp_memory_backend *b =
            find_backend(machine(f, other), a->id);
        CLEANUP_FREE char *sa = size_in_words(a->size);
        CLEANUP_FREE char *sb = b ? size_in_words(b->size) : NULL;

        if (!a->id || a->id[0] == '\0') {
            continue; /* its name in the stream is not this one */
        }
        if (!b) {
            verdict_block(v, verdict_about(other),
                          "memory backend %s (%s) of the %s is not at the %s",
                          a->id, sa, side_name(one), side_name(other));
        } else if (one == SOURCE && a->size != b->size) {
            verdict_block(v, ABOUT_BOTH,
                          "memory backend %s is %s at the source and %s at the "
                          "destination",
                          a->id, sa, sb);
        }
    }
}

void preflight_memory_backends(const struct facts *f, struct verdicts *v)
{
    size_t before = v->count;

    compare_backends(f, SOURCE, v);
    compare_backends(f, DESTINATION, v);
    preflight_memory_files(f, v);
    preflight_memory_over_disks(f, v);
    if (v->count == before) {
        verdict_ok(v, ABOUT_BOTH, "memory backends are the same on both sides");
    }
}
