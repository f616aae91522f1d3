/*
 * The machine as it is read from three real QEMUs that were given the same
 * command line, whose conversations are in replies/: it must look the same.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "fake-qmp.h"
#include "qmp/machine.h"
#include "qmp/parse.h"

static int setup(void **state)
{
    *state = fake_new();
    return 0;
}

static int teardown(void **state)
{
    fake_free(*state);
    return 0;
}

static void print_cpus(const struct qmp_machine *m, struct buffer *b)
{
    for (size_t i = 0; i < m->cpu_count; i++) {
        buffer_printf(b, "%s at %s\n", m->cpu[i].type, m->cpu[i].topology);
    }
    for (size_t i = 0; i < m->cpu_properties.count; i++) {
        buffer_printf(b, "%s%s", i ? " " : "", m->cpu_properties.item[i]);
    }
    buffer_printf(b, "\n");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted: QEMU lists them in the order of a hash table. */
static void print_devices(const struct qmp_machine *m, struct buffer *b)
{
    CLEANUP(strv_done) struct strv lines = { 0 };

    for (size_t i = 0; i < m->device_count; i++) {
        const struct qmp_device *d = &m->device[i];

        strv_addf(&lines, "%s%s%s, %s", d->id ? d->id : "", d->id ? ": " : "",
                  d->type, d->address ? d->address : "nowhere");
    }
    qsort(lines.item, lines.count, sizeof(lines.item[0]), by_text);
    for (size_t i = 0; i < lines.count; i++) {
        buffer_printf(b, "%s\n", lines.item[i]);
    }
}

static char *print_machine(const struct qmp_machine *m)
{
    struct buffer b = { .data = NULL };

    buffer_printf(&b, "%s, %s, %s, %s\n", m->name, m->uuid, m->type,
                  m->accelerator);
    buffer_printf(&b, "%" PRIu64 " MiB and %" PRIu64 " MiB, %zu CPUs\n",
                  m->base_memory / MIB, m->plugged_memory / MIB, m->max_cpus);
    print_cpus(m, &b);
    print_devices(m, &b);
    for (size_t i = 0; i < m->memory_device_count; i++) {
        const struct qmp_memory_device *d = &m->memory_device[i];

        buffer_printf(&b,
                      "%s %s %" PRIu64 " at %" PRIx64 " slot %" PRId64
                      " node %" PRId64 "\n",
                      d->type, d->id, d->size, d->address, d->slot, d->node);
    }
    return b.data;
}

static const char expected[] =
    "g1, 11111111-2222-3333-4444-555555555555, pc-q35-7.2-machine, tcg\n"
    "128 MiB and 128 MiB, 4 CPUs\n"
    "Haswell-x86_64-cpu at socket 0 core 0 thread 0\n"
    "Haswell-x86_64-cpu at socket 0 core 1 thread 0\n"
    "vendor=GenuineIntel family=6 model=60 stepping=4 level=13 "
    "xlevel=2147483656 xlevel2=0 phys-bits=40\n"
    "PCI 8086:2918, pci 1f.0\n"
    "PCI 8086:2922, pci 1f.2\n"
    "PCI 8086:2930, pci 1f.3\n"
    "PCI 8086:29c0, pci 00.0\n"
    "VGA, pcie.0 07.0\n"
    "dimm1: pc-dimm, nowhere\n"
    "ide0: ide-cd, ide.5 unit 0\n"
    "idee: ide-cd, ide.2 unit 0\n"
    "isa-debugcon, isa.0 0xe9\n"
    "rp0: pcie-root-port, pcie.0 02.0\n"
    "scsi0: virtio-scsi-pci, rp0 00.0\n"
    "sd0: scsi-hd, scsi0.0 0:1:2\n"
    "tab: usb-tablet, xhci.0\n"
    "usb-kbd, xhci.0\n"
    "vd0: virtio-blk-pci, pcie.0 01.0\n"
    "virtio-blk-pci, pcie.0 03.0\n"
    "virtio-net-pci, pcie.0 06.0\n"
    "virtio-rng-pci, pcie.0 08.0\n"
    "vp0: virtserialport, vs0.0 nr 3\n"
    "vs0: virtio-serial-pci, pcie.0 05.0\n"
    "xhci: qemu-xhci, pcie.0 04.0\n"
    "dimm dimm1 134217728 at 100000000 slot 0 node 0\n";

static const char *const versions[] = { "qemu-7.2.json", "qemu-10.0.json",
                                        "qemu-11.1.json" };

static void test_machine(void **state)
{
    struct qmp *q = *state;

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        CLEANUP(qmp_machine_done) struct qmp_machine m = { 0 };
        CLEANUP_FREE char *text = NULL;

        fake_load(q, versions[i]);
        assert_int_equal(qmp_query_machine(q, &m, NULL), 0);
        text = print_machine(&m);
        assert_string_equal(text, expected);
        assert_int_equal(m.memory_backend_count, 2);
        assert_int_equal(m.memory_backend[0].size, 134217728);
    }
    assert_int_equal(fake_most_at_once(q), 4);
}

/* The names of the features that A has and B has not. */
static char *difference(const struct qmp_machine *a,
                        const struct qmp_machine *b)
{
    struct buffer text = { .data = NULL };

    buffer_printf(&text, "-");
    for (size_t i = 0; i < a->word_count; i++) {
        const struct qmp_feature_word *w = &a->word[i];
        uint32_t bits = w->bits;

        for (size_t j = 0; j < b->word_count; j++) {
            const struct qmp_feature_word *v = &b->word[j];

            if (v->eax == w->eax && v->ecx == w->ecx &&
                str_equal(v->reg, w->reg)) {
                bits &= ~v->bits;
            }
        }
        for (unsigned bit = 0; bit < 32; bit++) {
            CLEANUP_FREE char *name = qmp_feature_bit_name(w, bit);

            if (bits & (UINT32_C(1) << bit)) {
                buffer_printf(&text, " %s", name);
            }
        }
    }
    return text.data;
}

/* 10.0 emulates the x2apic that its Haswell has, 7.2 does not; and 10.0 shows
 * ht, which is no difference. */
static void test_features(void **state)
{
    struct qmp *q = *state;
    CLEANUP(qmp_machine_done) struct qmp_machine old = { 0 }, new = { 0 };
    CLEANUP_FREE char *lost = NULL, *won = NULL;

    fake_load(q, "qemu-7.2.json");
    assert_int_equal(qmp_query_machine(q, &old, NULL), 0);
    fake_load(q, "qemu-10.0.json");
    assert_int_equal(qmp_query_machine(q, &new, NULL), 0);
    won = difference(&new, &old);
    lost = difference(&old, &new);
    assert_string_equal(won, "- x2apic");
    assert_string_equal(lost, "-");
}

static void test_feature_names(void **state)
{
    static const struct {
        struct qmp_feature_word word;
        unsigned bit;
        const char *name;
    } table[] = {
        { { .eax = 1, .reg = "ECX" }, 5, "vmx" },
        { { .eax = 7, .has_ecx = true, .reg = "EBX" }, 5, "avx2" },
        { { .eax = 7, .has_ecx = true, .reg = "EBX" },
          6,
          "CPUID 7.0 EBX bit 6" },
        { { .eax = 7, .has_ecx = true, .ecx = 1, .reg = "EAX" },
          4,
          "avx-vnni" },
        { { .eax = 0x80000001, .reg = "EDX" }, 29, "lm" },
        { { .eax = 0x8000000A, .reg = "EDX" },
          31,
          "CPUID 8000000A EDX bit 31" },
        { { .eax = 0xD, .has_ecx = true, .ecx = 1, .reg = "EAX" },
          1,
          "xsavec" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        CLEANUP_FREE char *name =
            qmp_feature_bit_name(&table[i].word, table[i].bit);

        assert_string_equal(name, table[i].name);
    }
}

static void test_machine_type(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    static const char reply[] =
        "[{'name':'pc-q35-7.2','alias':'q35'},{'name':'microvm'}]";

    fake_reply(q, reply);
    assert_int_equal(qmp_has_machine_type(q, "pc-q35-7.2-machine", &err), 1);
    fake_reply(q, reply);
    assert_int_equal(qmp_has_machine_type(q, "pc-q35-7.1-machine", &err), 0);
    fake_reply(q, "[{}]");
    assert_int_equal(qmp_has_machine_type(q, "microvm-machine", &err), -1);
    assert_string_equal(err.message,
                        "fake: query-machines: QEMU's reply has no \"name\", "
                        "or one of the wrong type");
    error_clear(&err);
}

/* A device without an id lends its address, not its bus's changing name; the
 * uuid is all zeroes, and there is no name. */
static const char expected_anonymous[] = "PCI 8086:1237, pci 00.0\n"
                                         "PCI 8086:7000, pci 01.0\n"
                                         "PCI 8086:7010, pci 01.1\n"
                                         "PCI 8086:7113, pci 01.3\n"
                                         "pci-bridge, pci.0 03.0\n"
                                         "piix3-usb-uhci, pci.0 04.0\n"
                                         "usb-hub, [pci.0 04.0] port 2\n"
                                         "usb-mouse, [pci.0 04.0] port 2.1\n"
                                         "virtio-rng-pci, [pci.0 03.0] 00.0\n"
                                         "virtio-serial-pci, pci.0 02.0\n"
                                         "virtserialport, [pci.0 02.0] nr 1\n";

static void test_anonymous_parents(void **state)
{
    struct qmp *q = *state;
    CLEANUP(qmp_machine_done) struct qmp_machine m = { 0 };
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    fake_load(q, "i440fx-7.2.json");
    assert_int_equal(qmp_query_machine(q, &m, NULL), 0);
    print_devices(&m, &b);
    assert_string_equal(b.data, expected_anonymous);
    assert_null(m.uuid);
    assert_null(m.name);
}

static void test_failures(void **state)
{
    struct qmp *q = *state;
    struct qm_error err = QM_ERROR_INIT;
    struct qmp_machine m = { 0 };

    /* Nothing recorded: {} for everything, which is no machine type. */
    assert_int_equal(qmp_query_machine(q, &m, &err), -1);
    assert_string_equal(err.message,
                        "fake: qom-get: QEMU's reply is of the wrong type: "
                        "object, not string");
    error_clear(&err);

    fake_load(q, "qemu-7.2.json");
    fake_fail(q, QM_ERR_LINK);
    assert_int_equal(qmp_query_machine(q, &m, &err), -1);
    assert_int_equal(err.code, QM_ERR_LINK);
    error_clear(&err);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_machine),           TEST(test_features),
        TEST(test_feature_names),     TEST(test_machine_type),
        TEST(test_anonymous_parents), TEST(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
