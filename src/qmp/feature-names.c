/*
 * Names of x86 CPU features, as QEMU's -cpu takes them.  Only for messages: a
 * bit that is not here is compared all the same.
 */
#include <assert.h>
#include <inttypes.h>

#include "qmp/machine.h"

/* Position in the list is the bit; "" has no name. */
static const struct {
    uint32_t eax;
    int32_t ecx; /* -1: the leaf has no sub-leaves */
    const char *reg;
    const char *name[32];
} words[] = {
    { 0x1, -1, "EDX", { "fpu", "vme",  "de",   "pse",   "tsc", "msr",     "pae",
                        "mce", "cx8",  "apic", "",      "sep", "mtrr",    "pge",
                        "mca", "cmov", "pat",  "pse36", "pn",  "clflush", "",
                        "ds",  "acpi", "mmx",  "fxsr",  "sse", "sse2",    "ss",
                        "ht",  "tm",   "ia64", "pbe" } },
    { 0x1,
      -1,
      "ECX",
      { "pni",          "pclmulqdq", "dtes64", "monitor", "ds-cpl", "vmx",
        "smx",          "est",       "tm2",    "ssse3",   "cid",    "",
        "fma",          "cx16",      "xtpr",   "pdcm",    "",       "pcid",
        "dca",          "sse4.1",    "sse4.2", "x2apic",  "movbe",  "popcnt",
        "tsc-deadline", "aes",       "xsave",  "",        "avx",    "f16c",
        "rdrand",       "hypervisor" } },
    { 0x7, 0, "EBX", { "fsgsbase", "tsc-adjust", "sgx",      "bmi1",
                       "hle",      "avx2",       "",         "smep",
                       "bmi2",     "erms",       "invpcid",  "rtm",
                       "",         "",           "mpx",      "",
                       "avx512f",  "avx512dq",   "rdseed",   "adx",
                       "smap",     "avx512ifma", "pcommit",  "clflushopt",
                       "clwb",     "intel-pt",   "avx512pf", "avx512er",
                       "avx512cd", "sha-ni",     "avx512bw", "avx512vl" } },
    { 0x7,
      0,
      "ECX",
      { "",
        "avx512vbmi",
        "umip",
        "pku",
        "",
        "waitpkg",
        "avx512vbmi2",
        "",
        "gfni",
        "vaes",
        "vpclmulqdq",
        "avx512vnni",
        "avx512bitalg",
        "",
        "avx512-vpopcntdq",
        "",
        "la57",
        "",
        "",
        "",
        "",
        "",
        "rdpid",
        "",
        "bus-lock-detect",
        "cldemote",
        "",
        "movdiri",
        "movdir64b",
        "",
        "sgxlc",
        "pks" } },
    { 0x7,
      0,
      "EDX",
      { "",
        "",
        "avx512-4vnniw",
        "avx512-4fmaps",
        "fsrm",
        "",
        "",
        "",
        "avx512-vp2intersect",
        "",
        "md-clear",
        "",
        "",
        "",
        "serialize",
        "",
        "tsx-ldtrk",
        "",
        "",
        "arch-lbr",
        "",
        "",
        "amx-bf16",
        "avx512-fp16",
        "amx-tile",
        "amx-int8",
        "spec-ctrl",
        "stibp",
        "flush-l1d",
        "arch-capabilities",
        "core-capability",
        "ssbd" } },
    { 0x7, 1, "EAX", { [4] = "avx-vnni", [5] = "avx512-bf16" } },
    { 0x80000001,
      -1,
      "EDX",
      { [11] = "syscall",
        [20] = "nx",
        [22] = "mmxext",
        [25] = "fxsr-opt",
        [26] = "pdpe1gb",
        [27] = "rdtscp",
        [29] = "lm",
        [30] = "3dnowext",
        [31] = "3dnow" } },
    { 0x80000001, -1, "ECX", { "lahf-lm",   "cmp-legacy",  "svm",
                               "extapic",   "cr8legacy",   "abm",
                               "sse4a",     "misalignsse", "3dnowprefetch",
                               "osvw",      "ibs",         "xop",
                               "skinit",    "wdt",         "",
                               "lwp",       "fma4",        "tce",
                               "",          "nodeid-msr",  "",
                               "tbm",       "topoext",     "perfctr-core",
                               "perfctr-nb" } },
    { 0x80000007, -1, "EDX", { [8] = "invtsc" } },
    { 0x80000008,
      -1,
      "EBX",
      { [0] = "clzero",
        [2] = "xsaveerptr",
        [9] = "wbnoinvd",
        [12] = "ibpb",
        [14] = "ibrs",
        [15] = "amd-stibp",
        [24] = "amd-ssbd",
        [25] = "virt-ssbd",
        [26] = "amd-no-ssb" } },
    { 0x8000000A,
      -1,
      "EDX",
      { [0] = "npt",
        [1] = "lbrv",
        [2] = "svm-lock",
        [3] = "nrip-save",
        [4] = "tsc-scale",
        [5] = "vmcb-clean",
        [6] = "flushbyasid",
        [7] = "decodeassists",
        [10] = "pause-filter",
        [12] = "pfthreshold",
        [13] = "avic",
        [15] = "v-vmsave-vmload",
        [16] = "vgif" } },
    { 0xD, 1, "EAX", { "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd" } },
    { 0x6, -1, "EAX", { [2] = "arat" } },
    { 0x40000001,
      -1,
      "EAX",
      { [0] = "kvmclock",
        [1] = "kvm-nopiodelay",
        [2] = "kvm-mmu",
        [3] = "kvmclock",
        [4] = "kvm-asyncpf",
        [5] = "kvm-steal-time",
        [6] = "kvm-pv-eoi",
        [7] = "kvm-pv-unhalt",
        [9] = "kvm-pv-tlb-flush",
        [11] = "kvm-pv-ipi",
        [12] = "kvm-poll-control",
        [13] = "kvm-pv-sched-yield",
        [14] = "kvm-asyncpf-int",
        [15] = "kvm-msi-ext-dest-id",
        [24] = "kvmclock-stable-bit" } },
};

static bool is_word(size_t i, const struct qmp_feature_word *word)
{
    uint32_t ecx = words[i].ecx < 0 ? 0 : (uint32_t)words[i].ecx;

    return words[i].eax == word->eax && str_equal(words[i].reg, word->reg) &&
           ecx == (word->has_ecx ? word->ecx : 0);
}

char *qmp_feature_bit_name(const struct qmp_feature_word *word, unsigned bit)
{
    assert(bit < 32);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *name = words[i].name[bit];

        if (is_word(i, word) && name && *name) {
            return xstrdup(name);
        }
    }
    if (word->has_ecx) {
        return xasprintf("CPUID %" PRIX32 ".%" PRIX32 " %s bit %u", word->eax,
                         word->ecx, word->reg, bit);
    }
    return xasprintf("CPUID %" PRIX32 " %s bit %u", word->eax, word->reg, bit);
}
