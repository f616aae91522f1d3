/*
 * The CPUs: where each one is, and what the first one shows to the guest.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/json.h"
#include "qmp/machine-private.h"
#include "qmp/parse.h"

/* Where a CPU may be, from the outside in.  What every machine has is always
 * printed; versions differ in whether they mention the others when they are
 * 0, so a 0 is left out. */
static const struct {
    const char *key, *word;
    bool always;
} levels[] = {
    { "node-id", "node", false },     { "drawer-id", "drawer", false },
    { "book-id", "book", false },     { "socket-id", "socket", true },
    { "die-id", "die", false },       { "cluster-id", "cluster", false },
    { "module-id", "module", false }, { "core-id", "core", true },
    { "thread-id", "thread", true },
};

static char *topology_text(struct json_object *props)
{
    char *text = xstrdup("");

    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        int64_t n = json_get_int(props, levels[i].key, -1);
        char *longer;

        if (n < 0 || (n == 0 && !levels[i].always)) {
            continue;
        }
        longer = xasprintf("%s%s%s %" PRId64, text, *text ? " " : "",
                           levels[i].word, n);
        free_string(text);
        text = longer;
    }
    return text;
}

/* The type of the CPU at PATH; NULL if QEMU does not list it. */
static const char *listed_type(struct json_object *hotpluggable,
                               const char *path)
{
    for (size_t i = 0; i < json_length(hotpluggable); i++) {
        struct json_object *element = json_at(hotpluggable, i);

        if (str_equal(json_get_string(element, "qom-path"), path)) {
            return json_get_string(element, "type");
        }
    }
    return NULL;
}

int cpus_parse(struct json_object *cpus, struct json_object *hotpluggable,
               struct qmp_machine *m, struct qm_error *err)
{
    size_t count = json_length(cpus);

    if (count == 0) {
        return error_set(err, QM_ERR_PROTOCOL, "QEMU says it has no CPU");
    }
    m->cpu = xcalloc(count, sizeof(m->cpu[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_at(cpus, i);
        const char *path = json_get_string(element, "qom-path");
        const char *type;

        if (!path) {
            return json_missing("qom-path", err);
        }
        type = listed_type(hotpluggable, path);
        m->cpu_count++;
        m->cpu[i].qom_path = xstrdup(path);
        m->cpu[i].type = xstrdup(type ? type : "");
        m->cpu[i].topology = topology_text(json_get_object(element, "props"));
    }
    for (size_t i = 0; i < json_length(hotpluggable); i++) {
        m->max_cpus += json_get_uint(json_at(hotpluggable, i), "vcpus-count");
    }
    return 0;
}

/* Bits that follow from the topology: see machine.h. */
static const struct {
    uint32_t eax;
    const char *reg;
    uint32_t bits;
} topology_bits[] = {
    { 0x1, "EDX", UINT32_C(1) << 28 },       /* ht */
    { 0x80000001, "ECX", UINT32_C(1) << 1 }, /* cmp-legacy */
};

static void clear_topology_bits(struct qmp_feature_word *word)
{
    for (size_t i = 0; i < ARRAY_LEN(topology_bits); i++) {
        if (word->eax == topology_bits[i].eax &&
            str_equal(word->reg, topology_bits[i].reg)) {
            word->bits &= ~topology_bits[i].bits;
        }
    }
}

int feature_words_parse(struct json_object *reply, struct qmp_machine *m,
                        struct qm_error *err)
{
    size_t count = json_length(reply);

    m->word = xcalloc(count ? count : 1, sizeof(m->word[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_at(reply, i);
        struct qmp_feature_word *word = &m->word[i];
        const char *reg = json_get_string(element, "cpuid-register");

        if (!reg || strlen(reg) >= sizeof(word->reg)) {
            return json_missing("cpuid-register", err);
        }
        if (!json_get(element, "features")) {
            return json_missing("features", err);
        }
        m->word_count++;
        memcpy(word->reg, reg, strlen(reg) + 1);
        word->eax = (uint32_t)json_get_uint(element, "cpuid-input-eax");
        word->ecx = (uint32_t)json_get_uint(element, "cpuid-input-ecx");
        word->has_ecx = json_get(element, "cpuid-input-ecx") != NULL;
        word->bits = (uint32_t)json_get_uint(element, "features");
        clear_topology_bits(word);
    }
    return 0;
}

/* What the guest sees of its CPU beside the feature bits.  Not the model-id: a
 * name for people, which differs between hosts that are equal otherwise.  Not
 * host-phys-bits: where phys-bits come from is no matter. */
static const char *const equal_properties[] = {
    "vendor", "family", "model",   "stepping",
    "level",  "xlevel", "xlevel2", "phys-bits",
};

static int query_first_cpu(struct qmp *q, struct qmp_machine *m,
                           struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };
    const char *path = m->cpu[0].qom_path;
    size_t words = batch_add_qom_get(&b, path, "feature-words");
    size_t tsc = batch_add_qom_get(&b, path, "tsc-frequency");
    size_t type = batch_add_qom_get(&b, path, "type");
    size_t first = b.count;
    struct json_object *value;

    for (size_t i = 0; i < ARRAY_LEN(equal_properties); i++) {
        batch_add_qom_get(&b, path, equal_properties[i]);
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(equal_properties); i++) {
        value = batch_reply(&b, first + i);
        if (value) {
            strv_addf(&m->cpu_properties, "%s=%s", equal_properties[i],
                      json_object_get_string(value));
        }
    }
    value = batch_reply(&b, tsc);
    m->tsc_hz = value ? json_object_get_uint64(value) : 0;
    value = batch_reply(&b, type);
    if (value && !*m->cpu[0].type) {
        str_replace(&m->cpu[0].type, json_object_get_string(value));
    }
    value = batch_reply(&b, words);
    if (value && feature_words_parse(value, m, err) < 0) {
        return error_wrap(err, "%s: qom-get feature-words", qmp_who(q));
    }
    return 0;
}

int machine_query_cpus(struct qmp *q, struct json_object *cpus,
                       struct json_object *hotpluggable, struct qmp_machine *m,
                       struct qm_error *err)
{
    if (cpus_parse(cpus, hotpluggable, m, err) < 0) {
        return error_wrap(err, "%s: query-cpus-fast", qmp_who(q));
    }
    return query_first_cpu(q, m, err);
}
