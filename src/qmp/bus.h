/*
 * Where devices are: their parent buses, and their places there.
 */
#ifndef QM_QMP_BUS_H
#define QM_QMP_BUS_H

#include "base/util.h"
#include "qmp/client.h"

/* What was learnt of one device. */
struct bus_place {
    const char *path; /* QOM's, of the device: borrowed */
    char *bus;        /* QOM path of its parent bus, or NULL */
    char *on_bus;     /* "05.0", "unit 1"; NULL: none to compare */
    bool named;       /* for who makes addresses of them */
};

struct bus_places {
    size_t count;
    struct bus_place *item;
};

/* COUNT empty ones; the caller sets their paths, and calls bus_places_done(). */
void bus_places_init(struct bus_places *p, size_t count);
/* Ask about those that have a path; three rounds of questions.  -1 with ERR. */
int bus_places_ask(struct qmp *q, struct bus_places *p, struct qm_error *err);
void bus_places_done(struct bus_places *p);
DEFINE_CLEANUP_DONE(struct bus_places, bus_places_done)
/* The last name of BUS' path: "ide.0"; borrowed. */
const char *bus_name(const char *bus);

#endif
