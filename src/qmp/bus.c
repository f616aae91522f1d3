/*
 * Where devices are.  query-pci cannot be the source of addresses: it descends
 * behind a bridge only when the guest's firmware has numbered the bus, which no
 * firmware has done at a destination that waits.  So each device is asked for
 * its parent bus, each bus for its type, and each device for the properties
 * that hold its place on a bus of that type.
 */
#include "qmp/bus.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qmp/batch.h"
#include "qmp/json.h"

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
    { "floppy-bus", { "unit" }, .word = "unit" },
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

void bus_places_init(struct bus_places *p, size_t count)
{
    p->count = count;
    p->item = xcalloc(count ? count : 1, sizeof(p->item[0]));
}

void bus_places_done(struct bus_places *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free_string(p->item[i].bus);
        free_string(p->item[i].on_bus);
    }
    free(p->item);
    *p = (struct bus_places){ .count = 0 };
}

const char *bus_name(const char *bus)
{
    const char *slash = strrchr(bus, '/');

    return slash ? slash + 1 : bus;
}

static int ask_buses(struct qmp *q, struct bus_places *p, struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };

    for (size_t i = 0; i < p->count; i++) {
        if (p->item[i].path) {
            batch_add_qom_get(&b, p->item[i].path, "parent_bus");
        }
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0, next = 0; i < p->count; i++) {
        const char *bus = p->item[i].path
                              ? json_object_get_string(batch_reply(&b, next++))
                              : NULL;

        p->item[i].bus = bus && *bus ? xstrdup(bus) : NULL;
    }
    return 0;
}

static int ask_bus_types(struct qmp *q, const struct bus_places *p,
                         const struct bus_type **ret, struct qm_error *err)
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
                ret[i] =
                    find_bus_type(json_object_get_string(batch_reply(&b, j)));
            }
        }
    }
    return 0;
}

static int ask_on_buses(struct qmp *q, struct bus_places *p,
                        const struct bus_type *const *types,
                        struct qm_error *err)
{
    CLEANUP(batch_done) struct batch b = { 0 };
    size_t next = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct bus_type *type = types[i];

        for (size_t j = 0; type && j < PLACE_MAX && type->property[j]; j++) {
            batch_add_qom_get(&b, p->item[i].path, type->property[j]);
        }
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct bus_type *type = types[i];
        struct json_object *value[PLACE_MAX] = { NULL };

        for (size_t j = 0; type && j < PLACE_MAX && type->property[j]; j++) {
            value[j] = batch_reply(&b, next++);
        }
        p->item[i].on_bus = type ? print_place(type, value) : NULL;
    }
    return 0;
}

int bus_places_ask(struct qmp *q, struct bus_places *p, struct qm_error *err)
{
    const struct bus_type **types = xcalloc(p->count + 1, sizeof(*types));
    int ret = ask_buses(q, p, err);

    if (ret == 0) {
        ret = ask_bus_types(q, p, types, err);
    }
    if (ret == 0) {
        ret = ask_on_buses(q, p, types, err);
    }
    free(types);
    return ret;
}
