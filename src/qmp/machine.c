/*
 * The machine of a guest, put together from a dozen replies.
 */
#include "qmp/machine.h"

#include <stdlib.h>
#include <string.h>

#include "qmp/json.h"
#include "qmp/machine-private.h"
#include "qmp/parse.h"

#define NO_UUID "00000000-0000-0000-0000-000000000000"

int memory_devices_parse(struct json_object *reply, struct qmp_machine *m,
                         struct qm_error *err)
{
    size_t count = json_length(reply);

    m->memory_device = xcalloc(count ? count : 1, sizeof(m->memory_device[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_at(reply, i);
        struct json_object *data = json_get_object(element, "data");
        struct qmp_memory_device *d = &m->memory_device[i];
        const char *type = json_get_string(element, "type");
        const char *id = json_get_string(data, "id");

        if (!type || !data) {
            return json_missing(type ? "data" : "type", err);
        }
        m->memory_device_count++;
        d->id = xstrdup(id ? id : "");
        d->type = xstrdup(type);
        d->size = json_get_uint(data, "size");
        /* virtio-mem and virtio-pmem call it memaddr */
        d->address = json_get(data, "addr") ? json_get_uint(data, "addr")
                                            : json_get_uint(data, "memaddr");
        d->slot = json_get_int(data, "slot", -1);
        d->node = json_get_int(data, "node", -1);
    }
    return 0;
}

int memory_backends_parse(struct json_object *reply, struct qmp_machine *m,
                          struct qm_error *err)
{
    size_t count = json_length(reply);

    m->memory_backend =
        xcalloc(count ? count : 1, sizeof(m->memory_backend[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_at(reply, i);
        struct qmp_memory_backend *b = &m->memory_backend[i];
        const char *id = json_get_string(element, "id");

        if (!json_get(element, "size")) {
            return json_missing("size", err);
        }
        m->memory_backend_count++;
        b->id = xstrdup(id ? id : "");
        b->size = json_get_uint(element, "size");
        b->share = json_get_bool(element, "share");
    }
    return 0;
}

/* The questions of the first round; what each must answer with. */
enum question {
    ASK_TYPE,
    ASK_NAME,
    ASK_UUID,
    ASK_KVM,
    ASK_MEMORY,
    ASK_MEMORY_DEVICES,
    ASK_MEMDEV,
    ASK_CPUS,
    ASK_HOTPLUGGABLE,
    ASK_PCI,
    ASK_NAMED,
    ASK_ANONYMOUS,
};

static const struct {
    const char *command;
    const char *path, *property;
    bool optional; /* what only some targets or machines have */
    enum json_type type;
} questions[] = {
    [ASK_TYPE] = { "qom-get", "/machine", "type", .type = json_type_string },
    [ASK_NAME] = { "query-name", .type = json_type_object },
    [ASK_UUID] = { "query-uuid", .type = json_type_object },
    [ASK_KVM] = { "query-kvm", .optional = true, .type = json_type_object },
    [ASK_MEMORY] = { "query-memory-size-summary", .type = json_type_object },
    [ASK_MEMORY_DEVICES] = { "query-memory-devices", .type = json_type_array },
    [ASK_MEMDEV] = { "query-memdev", .type = json_type_array },
    [ASK_CPUS] = { "query-cpus-fast", .type = json_type_array },
    [ASK_HOTPLUGGABLE] = { "query-hotpluggable-cpus", .optional = true,
                           .type = json_type_array },
    [ASK_PCI] = { "query-pci", .optional = true, .type = json_type_array },
    [ASK_NAMED] = { "qom-list", "/machine/peripheral",
                    .type = json_type_array },
    [ASK_ANONYMOUS] = { "qom-list", "/machine/peripheral-anon",
                        .type = json_type_array },
};

static int ask(struct qmp *q, struct batch *b, struct qm_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct json_object *args = NULL;

        if (questions[i].path) {
            args = json_with_string("path", questions[i].path);
            json_add_string(args, "property", questions[i].property);
        }
        batch_add(b, questions[i].command, args, questions[i].optional);
    }
    if (batch_run(b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct json_object *reply = batch_reply(b, i);

        if (!reply && questions[i].optional) {
            continue;
        }
        if (json_expect(reply, questions[i].type, err) < 0) {
            return error_wrap(err, "%s: %s", qmp_who(q), questions[i].command);
        }
    }
    return 0;
}

static char *parse_uuid(struct json_object *reply)
{
    const char *uuid = json_get_string(reply, "UUID");

    return str_equal(uuid, NO_UUID) ? NULL : xstrdup(uuid);
}

int qmp_query_uuid(struct qmp *q, char **ret, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;

    if (qmp_command(q, questions[ASK_UUID].command, NULL, QMP_QUERY, &reply,
                    err) < 0) {
        return -1;
    }
    *ret = parse_uuid(reply);
    return 0;
}

static int parse(const struct batch *b, struct qmp_machine *m,
                 struct qm_error *err)
{
    struct json_object *memory = batch_reply(b, ASK_MEMORY);

    m->type = xstrdup(json_object_get_string(batch_reply(b, ASK_TYPE)));
    m->name = xstrdup(json_get_string(batch_reply(b, ASK_NAME), "name"));
    m->uuid = parse_uuid(batch_reply(b, ASK_UUID));
    m->accelerator = xstrdup(
        json_get_bool(batch_reply(b, ASK_KVM), "enabled") ? "kvm" : "tcg");
    if (!json_get(memory, "base-memory")) {
        return json_missing("base-memory", err);
    }
    m->base_memory = json_get_uint(memory, "base-memory");
    m->plugged_memory = json_get_uint(memory, "plugged-memory");
    if (memory_devices_parse(batch_reply(b, ASK_MEMORY_DEVICES), m, err) < 0) {
        return -1;
    }
    return memory_backends_parse(batch_reply(b, ASK_MEMDEV), m, err);
}

static int ask_memory_files(struct qmp *q, struct qmp_machine *m,
                            struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };

    for (size_t i = 0; i < m->memory_backend_count; i++) {
        CLEANUP_FREE char *path =
            xasprintf("/objects/%s", m->memory_backend[i].id);

        batch_add_qom_get(&b, path, "mem-path");
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < m->memory_backend_count; i++) {
        const char *file = json_object_get_string(batch_reply(&b, i));

        m->memory_backend[i].file = file && *file ? xstrdup(file) : NULL;
    }
    return 0;
}

int qmp_query_machine(struct qmp *q, struct qmp_machine *ret,
                      struct qm_error *err)
{
    CLEANUP(qmp_machine_done) struct qmp_machine m = { 0 };
    CLEANUP(batch_done) struct batch b = { 0 };

    if (ask(q, &b, err) < 0) {
        return -1;
    }
    if (parse(&b, &m, err) < 0) {
        return error_wrap(err, "%s: the machine", qmp_who(q));
    }
    if (ask_memory_files(q, &m, err) < 0 ||
        machine_query_cpus(q, batch_reply(&b, ASK_CPUS),
                           batch_reply(&b, ASK_HOTPLUGGABLE), &m, err) < 0 ||
        machine_query_devices(q, batch_reply(&b, ASK_NAMED),
                              batch_reply(&b, ASK_ANONYMOUS),
                              batch_reply(&b, ASK_PCI), &m, err) < 0) {
        return -1;
    }
    *ret = m;
    m = (struct qmp_machine){ 0 };
    return 0;
}

static void cpus_done(struct qmp_machine *m)
{
    for (size_t i = 0; i < m->cpu_count; i++) {
        free_string(m->cpu[i].qom_path);
        free_string(m->cpu[i].type);
        free_string(m->cpu[i].topology);
    }
    free(m->cpu);
    free(m->word);
    strv_done(&m->cpu_properties);
}

static void devices_done(struct qmp_machine *m)
{
    for (size_t i = 0; i < m->device_count; i++) {
        free_string(m->device[i].path);
        free_string(m->device[i].id);
        free_string(m->device[i].type);
        free_string(m->device[i].address);
    }
    free(m->device);
}

void qmp_machine_done(struct qmp_machine *m)
{
    free_string(m->name);
    free_string(m->uuid);
    free_string(m->type);
    free_string(m->accelerator);
    cpus_done(m);
    devices_done(m);
    for (size_t i = 0; i < m->memory_device_count; i++) {
        free_string(m->memory_device[i].id);
        free_string(m->memory_device[i].type);
    }
    free(m->memory_device);
    for (size_t i = 0; i < m->memory_backend_count; i++) {
        free_string(m->memory_backend[i].id);
        free_string(m->memory_backend[i].file);
    }
    free(m->memory_backend);
    *m = (struct qmp_machine){ 0 };
}

int machine_types_parse(struct json_object *reply, const char *machine_type,
                        struct qm_error *err)
{
    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(reply); i++) {
        const char *name = json_get_string(json_at(reply, i), "name");
        CLEANUP_FREE char *type = NULL;

        if (!name) {
            return json_missing("name", err);
        }
        type = xasprintf("%s-machine", name);
        if (str_equal(type, machine_type)) {
            return 1;
        }
    }
    return 0;
}

int qmp_has_machine_type(struct qmp *q, const char *machine_type,
                         struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;
    int has;

    if (qmp_command(q, "query-machines", NULL, QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    has = machine_types_parse(reply, machine_type, err);
    if (has < 0) {
        return error_wrap(err, "%s: query-machines", qmp_who(q));
    }
    return has;
}

int qmp_query_cpu_thread(struct qmp *q, struct qm_error *err)
{
    CLEANUP_JSON struct json_object *reply = NULL;
    int64_t thread;

    if (qmp_command(q, "query-cpus-fast", NULL, QMP_QUERY, &reply, err) < 0) {
        return -1;
    }
    thread = json_get_int(json_at(reply, 0), "thread-id", -1);
    if (thread <= 0 || thread > INT32_MAX) {
        json_missing("thread-id", err);
        return error_wrap(err, "%s: query-cpus-fast", qmp_who(q));
    }
    return (int)thread;
}
