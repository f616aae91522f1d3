/*
 * A journal: whatever is in the file, it is understood, or refused with a
 * sentence; and what was understood is of this migration alone.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/journal-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct journal_content *c, size_t len)
{
    size_t id_len = strlen(c->id);

    assert(plan_name_is_valid(c->name));
    assert(c->whole_bytes <= len && c->torn == (c->whole_bytes < len));
    for (size_t i = 0; i < c->disk_count; i++) {
        const struct disk_copy *d = &c->disk[i];

        assert(d->label && d->source_node && d->destination_node);
        assert(strncmp(d->job_id, c->id, id_len) == 0);
        assert(strncmp(d->node_name, c->id, id_len) == 0);
        assert(strncmp(d->export_id, c->id, id_len) == 0);
    }
    /* recover makes its stream anew */
    assert(!c->postcopy || (c->address && c->bind && c->port_low > 0));
    assert(c->port_low <= c->port_high && c->port_high <= UINT16_MAX);
    assert(c->nbd_port <= UINT16_MAX && c->ram_port <= UINT16_MAX);
    for (int i = 0; i < LIMITS; i++)
        assert(!c->limits.is_set[i] ||
               limit_check((enum limit)i, c->limits.to.value[i], NULL) == 0);
    for (int i = 0; i < SIDES; i++)
        assert(c->side[i].address &&
               (!c->side[i].process.known || c->side[i].process.pid > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct process_identity of[SIDES];
    bool says = journal_read_processes((const char *)bytes, len, of);
    struct journal_content c;
    int ret = journal_read((const char *)bytes, len, &c, &err);

    assert((ret < 0) == error_is_set(&err));
    if (ret < 0)
        return 0;
    for (int i = 0; i < SIDES; i++)
        assert(says && of[i].known == c.side[i].process.known);
    check(&c, len);
    journal_content_done(&c);
    return 0;
}
