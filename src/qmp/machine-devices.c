/*
 * The device tree: what is below /machine/peripheral and /machine/
 * peripheral-anon, with the place of each device on its bus, and the onboard
 * functions of the first PCI root bus.
 *
 * query-pci cannot be the source of addresses: it descends behind a bridge
 * only when the guest's firmware has numbered the bus, which no firmware has
 * done at a destination that waits.  So each device is asked for its parent
 * bus, each bus for its type, and each device for the properties that hold its
 * place on a bus of that type.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/json.h"
#include "qmp/machine-private.h"
#include "qmp/parse.h"

#define PERIPHERAL "/machine/peripheral"

#define PLACE_MAX 3

/* --- places on a bus ---------------------------------------------------- */

typedef char *place_fn(struct json_object *const *value);

static char *place_pci(struct json_object *const *value)
{
    int64_t devfn = json_object_get_int64(value[0]);

    return xasprintf("%02x.%x", (unsigned)(devfn >> 3) & 0x1f,
                     (unsigned)devfn & 7);
}

static char *place_scsi(struct json_object *const *value)
{
    return xasprintf(
        "%" PRId64 ":%" PRId64 ":%" PRId64, json_object_get_int64(value[0]),
        json_object_get_int64(value[1]), json_object_get_int64(value[2]));
}

static char *place_isa(struct json_object *const *value)
{
    return xasprintf("0x%" PRIx64, json_object_get_int64(value[0]));
}

/* Which properties hold the place of a device on a bus of a type; without
 * PRINT the first one follows WORD.  "" is no place: QEMU has not chosen. */
static const struct bus_type {
    const char *type;
    const char *property[PLACE_MAX];
    place_fn *print;
    const char *word;
} bus_types[] = {
    { "PCI", { "addr" }, .print = place_pci },
    { "PCIE", { "addr" }, .print = place_pci },
    { "CXL", { "addr" }, .print = place_pci },
    { "pxb-bus", { "addr" }, .print = place_pci },
    { "pxb-pcie-bus", { "addr" }, .print = place_pci },
    { "pxb-cxl-bus", { "addr" }, .print = place_pci },
    { "SCSI", { "channel", "scsi-id", "lun" }, .print = place_scsi },
    { "IDE", { "unit" }, .word = "unit" },
    { "usb-bus", { "port" }, .word = "port" },
    { "virtio-serial-bus", { "nr" }, .word = "nr" },
    { "ISA", { "iobase" }, .print = place_isa },
    { "i2c-bus", { "address" }, .word = "address" },
    { "HDA", { "cad" }, .word = "codec" },
    { "nvme-bus", { "nsid" }, .word = "namespace" },
    { "virtual-css-bus", { "devno" }, .word = "device" },
    { "spapr-vio-bus", { "reg" }, .word = "reg" },
};

static const struct bus_type *find_bus_type(const char *type)
{
    for (size_t i = 0; type && i < ARRAY_LEN(bus_types); i++) {
        if (str_equal(bus_types[i].type, type)) {
            return &bus_types[i];
        }
    }
    return NULL;
}

/* NULL if it has no place there. */
static char *print_place(const struct bus_type *type,
                         struct json_object *const *value)
{
    if (!value[0] || !*json_object_get_string(value[0])) {
        return NULL;
    }
    if (type->print) {
        return type->print(value);
    }
    return xasprintf("%s %s", type->word, json_object_get_string(value[0]));
}

/* --- what is asked ------------------------------------------------------ */

/* What was learnt of the device with the same index. */
struct place {
    char *bus;                   /* QOM path of its parent bus, or NULL */
    const struct bus_type *type; /* of that bus, or NULL */
    char *on_bus;                /* or NULL */
    bool named;                  /* its address is made */
};

struct places {
    size_t count;
    struct place *item;
};

static void places_done(struct places *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free_string(p->item[i].bus);
        free_string(p->item[i].on_bus);
    }
    free(p->item);
}
DEFINE_CLEANUP_DONE(struct places, places_done)

static int ask_buses(struct qmp *q, const struct qmp_machine *m,
                     struct places *p, struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };

    for (size_t i = 0; i < p->count; i++) {
        batch_add_qom_get(&b, m->device[i].path, "parent_bus");
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        const char *bus = json_object_get_string(batch_reply(&b, i));

        p->item[i].bus = bus && *bus ? xstrdup(bus) : NULL;
    }
    return 0;
}

static int ask_bus_types(struct qmp *q, struct places *p, struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };
    CLEANUP(strv_done) struct strv buses = { 0 };

    for (size_t i = 0; i < p->count; i++) {
        const char *bus = p->item[i].bus;

        if (bus && !strv_contains(&buses, bus)) {
            strv_add(&buses, bus);
            batch_add_qom_get(&b, bus, "type");
        }
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        for (size_t j = 0; j < buses.count; j++) {
            if (str_equal(p->item[i].bus, buses.item[j])) {
                p->item[i].type =
                    find_bus_type(json_object_get_string(batch_reply(&b, j)));
            }
        }
    }
    return 0;
}

static int ask_places(struct qmp *q, const struct qmp_machine *m,
                      struct places *p, struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };
    size_t next = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct bus_type *type = p->item[i].type;

        for (size_t j = 0; type && j < PLACE_MAX && type->property[j]; j++) {
            batch_add_qom_get(&b, m->device[i].path, type->property[j]);
        }
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct bus_type *type = p->item[i].type;
        struct json_object *value[PLACE_MAX] = { NULL };

        for (size_t j = 0; type && j < PLACE_MAX && type->property[j]; j++) {
            value[j] = batch_reply(&b, next++);
        }
        p->item[i].on_bus = type ? print_place(type, value) : NULL;
    }
    return 0;
}

/* --- addresses ---------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
    return str_starts(path, folder) && path[strlen(folder)] == '/';
}

/* The device whose bus BUS is; the count if it is onboard. */
static size_t find_owner(const struct qmp_machine *m, const struct places *p,
                         const char *bus)
{
    size_t i;

    for (i = 0; i < p->count; i++) {
        if (is_below(bus, m->device[i].path)) {
            break;
        }
    }
    return i;
}

static void make_address(struct qmp_machine *m, struct places *p, size_t i)
{
    struct place *place = &p->item[i];
    CLEANUP_FREE char *bus = NULL;
    size_t owner;

    if (place->named) {
        return;
    }
    place->named = true; /* first: a circle cannot be endless */
    if (!place->bus) {
        return;
    }
    owner = find_owner(m, p, place->bus);
    if (owner < p->count && !m->device[owner].id) {
        make_address(m, p, owner);
        if (m->device[owner].address) {
            bus = xasprintf("[%s]", m->device[owner].address);
        }
    }
    if (!bus) {
        const char *slash = strrchr(place->bus, '/');

        bus = xstrdup(slash ? slash + 1 : place->bus);
    }
    m->device[i].address = xasprintf("%s%s%s", bus, place->on_bus ? " " : "",
                                     place->on_bus ? place->on_bus : "");
}

/* --- lists of devices --------------------------------------------------- */

static struct qmp_device *add_device(struct qmp_machine *m)
{
    m->device =
        xrealloc_array(m->device, m->device_count + 1, sizeof(m->device[0]));
    m->device[m->device_count] = (struct qmp_device){ .path = NULL };
    return &m->device[m->device_count++];
}

int devices_parse(struct json_object *reply, const char *folder, bool has_ids,
                  struct qmp_machine *m, struct qm_error *err)
{
    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_length(reply); i++) {
        struct json_object *element = json_at(reply, i);
        const char *name = json_get_string(element, "name");
        CLEANUP_FREE char *type = json_qom_child(element);
        struct qmp_device *d;

        if (!name) {
            return json_missing("name", err);
        }
        if (!type) {
            continue;
        }
        d = add_device(m);
        d->path = xasprintf("%s/%s", folder, name);
        d->id = has_ids ? xstrdup(name) : NULL;
        d->type = STEAL(type);
    }
    return 0;
}

/* Some device of M is at PLACE of the root bus, which is "pci.0" or "pcie.0",
 * depending on the machine. */
static bool is_taken(const struct qmp_machine *m, const char *place)
{
    CLEANUP_FREE char *pci = xasprintf("pci.0 %s", place);
    CLEANUP_FREE char *pcie = xasprintf("pcie.0 %s", place);

    for (size_t i = 0; i < m->device_count; i++) {
        if (m->device[i].address && (str_equal(m->device[i].address, pci) ||
                                     str_equal(m->device[i].address, pcie))) {
            return true;
        }
    }
    return false;
}

static int parse_function(struct json_object *element, struct qmp_machine *m,
                          struct qm_error *err)
{
    struct json_object *id = json_get_object(element, "id");
    CLEANUP_FREE char *place = NULL;
    struct qmp_device *d;

    if (!json_get(element, "slot")) {
        return json_missing("slot", err);
    }
    if (!id) {
        return json_missing("id", err);
    }
    place = xasprintf("%02x.%x", (unsigned)json_get_uint(element, "slot"),
                      (unsigned)json_get_uint(element, "function"));
    if (is_taken(m, place)) {
        return 0;
    }
    d = add_device(m);
    d->path = xstrdup("");
    d->type = xasprintf("PCI %04x:%04x", (unsigned)json_get_uint(id, "vendor"),
                        (unsigned)json_get_uint(id, "device"));
    d->address = xasprintf("pci %s", place);
    return 0;
}

int onboard_pci_parse(struct json_object *reply, struct qmp_machine *m,
                      struct qm_error *err)
{
    struct json_object *devices = NULL;

    if (json_expect(reply, json_type_array, err) < 0) {
        return -1;
    }
    /* Other root buses (pxb) hold no onboard devices. */
    for (size_t i = 0; i < json_length(reply) && !devices; i++) {
        if (json_get_int(json_at(reply, i), "bus", -1) == 0) {
            devices = json_get_array(json_at(reply, i), "devices");
        }
    }
    for (size_t i = 0; i < json_length(devices); i++) {
        if (parse_function(json_at(devices, i), m, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int machine_query_devices(struct qmp *q, struct json_object *named,
                          struct json_object *anonymous,
                          struct json_object *pci, struct qmp_machine *m,
                          struct qm_error *err)
{
    CLEANUP(places_done) struct places p = { 0 };

    if (devices_parse(named, PERIPHERAL, true, m, err) < 0 ||
        devices_parse(anonymous, PERIPHERAL "-anon", false, m, err) < 0) {
        return error_wrap(err, "%s: qom-list", qmp_who(q));
    }
    p.count = m->device_count;
    p.item = xcalloc(p.count ? p.count : 1, sizeof(p.item[0]));
    if (ask_buses(q, m, &p, err) < 0 || ask_bus_types(q, &p, err) < 0 ||
        ask_places(q, m, &p, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p.count; i++) {
        make_address(m, &p, i);
    }
    if (pci && onboard_pci_parse(pci, m, err) < 0) {
        return error_wrap(err, "%s: query-pci", qmp_who(q));
    }
    return 0;
}
