/*
 * The device tree: what is below /machine/peripheral and /machine/
 * peripheral-anon, with the place of each device on its bus, and the onboard
 * functions of the first PCI root bus.
 */
#include <stdlib.h>
#include <string.h>

#include "qmp/bus.h"
#include "qmp/json.h"
#include "qmp/machine-private.h"
#include "qmp/parse.h"

#define PERIPHERAL "/machine/peripheral"

/* --- addresses ---------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
    return str_starts(path, folder) && path[strlen(folder)] == '/';
}

/* The device whose bus BUS is; the count if it is onboard. */
static size_t find_owner(const struct qmp_machine *m,
                         const struct bus_places *p, const char *bus)
{
    size_t i;

    for (i = 0; i < p->count; i++) {
        if (is_below(bus, m->device[i].path)) {
            break;
        }
    }
    return i;
}

static void make_address(struct qmp_machine *m, struct bus_places *p, size_t i)
{
    struct bus_place *place = &p->item[i];
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
        bus = xstrdup(bus_name(place->bus));
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
    CLEANUP(bus_places_done) struct bus_places p = { 0 };

    if (devices_parse(named, PERIPHERAL, true, m, err) < 0 ||
        devices_parse(anonymous, PERIPHERAL "-anon", false, m, err) < 0) {
        return error_wrap(err, "%s: qom-list", qmp_who(q));
    }
    bus_places_init(&p, m->device_count);
    for (size_t i = 0; i < p.count; i++) {
        p.item[i].path = m->device[i].path;
    }
    if (bus_places_ask(q, &p, err) < 0) {
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

int qmp_query_device_list(struct qmp *q, struct qmp_machine *ret,
                          struct qm_error *err)
{
    static const char *const folders[] = { PERIPHERAL, PERIPHERAL "-anon" };
    CLEANUP(batch_done) struct batch b = { 0 };
    CLEANUP(qmp_machine_done) struct qmp_machine m = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        batch_add(&b, "qom-list", json_with_string("path", folders[i]), false);
    }
    if (batch_run(&b, q, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (devices_parse(batch_reply(&b, i), folders[i], i == 0, &m, err) <
            0) {
            return error_wrap(err, "%s: qom-list", qmp_who(q));
        }
    }
    *ret = m;
    m = (struct qmp_machine){ 0 };
    return 0;
}

const char *qmp_event_device(const struct qmp_event *e)
{
    const char *id = json_get_string(e->data, "device");

    return id ? id : json_get_string(e->data, "path");
}
